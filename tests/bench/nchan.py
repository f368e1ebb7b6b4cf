"""nchan in nginx, with a Redis of its own that writes every change to the disk, as ssechat's does.

Subscribers are EventSource streams; a POST publishes a message, and is answered when Redis has it. Two layouts for
direct messages are measured: a channel per pair of users, with which a stream shows one conversation; and a channel per
user, to which all senders publish, so that one stream shows all conversations of a user, as ssechat's does. Debian:
nginx, libnginx-mod-nchan, redis-server.
"""

import contextlib
import http.client
import os
import secrets
import time
from pathlib import Path

from .dialects import Dialect
from .errors import BenchError
from .programs import READY_SECONDS, Program, free_port
from .server import Subject

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
PROGRAMS = ("nginx", "redis-server")
PUBLISH_SECONDS = 2.0
INSTALL = "apt-get install nginx libnginx-mod-nchan redis-server"

CONFIGURATION = """
load_module {module};
daemon off;
{user}
worker_processes {workers};
worker_rlimit_nofile {descriptors};
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  client_body_temp_path temporary-body; proxy_temp_path temporary-proxy; fastcgi_temp_path temporary-fastcgi;
  uwsgi_temp_path temporary-uwsgi; scgi_temp_path temporary-scgi;
  keepalive_timeout 90;
  keepalive_requests 1000000000;
  nchan_shared_memory_size 1g;
  upstream redis {{ nchan_redis_server redis://127.0.0.1:{redis}; }}
  server {{
    listen 127.0.0.1:{port} reuseport backlog=4096;
    location = /publish {{
      nchan_publisher;
      nchan_channel_id $arg_id;
      nchan_redis_pass redis;
      nchan_message_buffer_length {buffer};
      nchan_message_timeout 1h;
    }}
    location = /publish-to-both {{
      nchan_publisher;
      nchan_channel_id $arg_one $arg_other;
      nchan_redis_pass redis;
      nchan_message_buffer_length {buffer};
      nchan_message_timeout 1h;
    }}
    location = /subscribe {{
      nchan_subscriber eventsource;
      nchan_channel_id $arg_id;
      nchan_redis_pass redis;
      nchan_eventsource_ping_interval 15;
    }}
  }}
}}
"""


class Nchan(Subject):
    """nginx with nchan, and its Redis, with a channel per pair of users."""

    buffer = 1000
    """Messages that a channel keeps."""

    def __init__(self, name: str, workers: int) -> None:
        super().__init__(name)
        self._workers = workers

    def start(self) -> None:
        if not MODULE.exists():
            raise BenchError(f"nchan is not installed: {INSTALL}")
        redis, port = free_port(), free_port()
        data = self.folder / "redis"
        data.mkdir(exist_ok=True)
        durable = ("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction")
        arguments = ("redis-server", "--bind", "127.0.0.1", "--port", str(redis), "--dir", str(data), *durable)
        self.programs.append(Program("redis-server", self.folder, arguments))
        self.programs[0].wait_answering(("127.0.0.1", redis))
        descriptors = 19_900
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            CONFIGURATION.format(
                module=MODULE,
                # Otherwise nginx's workers run as another user, who cannot read the folder.
                user="user root;" if os.geteuid() == 0 else "",
                workers=self._workers,
                buffer=self.buffer,
                descriptors=descriptors,
                connections=descriptors - 100,
                redis=redis,
                port=port,
            )
        )
        command = ("nginx", "-p", str(self.folder), "-c", str(configuration), "-e", "stderr")
        self.programs.append(Program("nginx", self.folder, command))
        self.address = ("127.0.0.1", port)
        self.programs[1].wait_answering(self.address)
        self._wait_for_redis()

    def _wait_for_redis(self) -> None:
        """Waits until messages are taken: nginx listens before each of its workers has its connection to Redis.

        Raises:
            BenchError: they are not.
        """
        deadline, taken = time.monotonic() + READY_SECONDS, 0
        while taken < 10 * self._workers:  # new connections, so that each worker has some
            answer = self._publish()
            taken = taken + 1 if answer.startswith("2") else 0
            if not taken and time.monotonic() > deadline:
                raise BenchError(f"nchan takes no message: {answer}")

    def _publish(self) -> str:
        """Publishes to a channel of its own; returns the status, or what went wrong: a worker that was asked before it
        had its Redis may never answer."""
        connection = http.client.HTTPConnection(*self.address, timeout=PUBLISH_SECONDS)
        with contextlib.closing(connection):
            try:
                connection.request("POST", f"/publish?id=ready-{secrets.token_hex(4)}", b"ready")
                return str(connection.getresponse().status)
            except (OSError, http.client.HTTPException) as error:
                return str(error)

    def dialect(self, group: int = 1) -> Dialect:
        return Dialect("/subscribe?id={channel}", group=group, greeting=b": hi", send_path="/publish?id={channel}")

    @property
    def workers(self) -> list[int]:
        return self.programs[1].family

    @property
    def redis(self) -> list[int]:
        return self.programs[0].family


class NchanInboxes(Nchan):
    """nchan with a channel per user: a message goes to those of its recipient and of its sender."""

    def dialect(self, group: int = 1) -> Dialect:
        return Dialect(
            "/subscribe?id={channel}", greeting=b": hi", send_path="/publish-to-both?one={user}&other={other}"
        )
