"""Pushpin, with clients of its built-in test resource: one channel, and no storage.

A backend that chooses channels would add its own cost. Debian: pushpin.
"""

import contextlib
import json
import socket
import time
from pathlib import Path

from .dialects import Dialect
from .errors import BenchError
from .programs import READY_SECONDS, Program, free_port
from .server import Subject

INTERNAL = Path("/usr/lib/pushpin/internal.conf")
PROGRAMS = ("pushpin", "condure", "zurl")
INSTALL = "apt-get install pushpin"

CONFIGURATION = """
[global]
include={internal}
rundir={folder}/run
ipc_prefix=bench-
port_offset=0
stats_connection_ttl=120
[runner]
services=condure,pushpin-proxy,pushpin-handler
http_port=127.0.0.1:{port}
logdir={folder}/logs
log_level=1
client_buffer_size=8192
client_maxconn=19000
[proxy]
routesfile=routes
updates_check=off
[handler]
push_in_spec=ipc://{folder}/run/push
push_in_sub_specs=ipc://{folder}/run/sub
command_spec=ipc://{folder}/run/command
push_in_http_addr=127.0.0.1
push_in_http_port={publish}
push_in_http_max_headers_size=10000
push_in_http_max_body_size=1000000
message_rate=1000000
message_hwm=1000000
"""


class Pushpin(Subject):
    """Pushpin's three processes."""

    def __init__(self, name: str, workers: int) -> None:
        super().__init__("pushpin")
        self.publish_address = ("", 0)

    def start(self) -> None:
        if not INTERNAL.exists():
            raise BenchError(f"pushpin is not installed: {INSTALL}")
        port, publish = free_port(), free_port()
        for name in ("run", "logs"):
            (self.folder / name).mkdir(exist_ok=True)
        configuration = self.folder / "pushpin.conf"
        configuration.write_text(
            CONFIGURATION.format(internal=INTERNAL, folder=self.folder, port=port, publish=publish)
        )
        (self.folder / "routes").write_text("* test\n")
        self.programs.append(Program("pushpin", self.folder, ("pushpin", f"--config={configuration}")))
        self.address, self.publish_address = ("127.0.0.1", port), ("127.0.0.1", publish)
        for address in (self.publish_address, self.address):
            self.programs[0].wait_answering(address)
        wait_open(self.address)

    def dialect(self, group: int = 1) -> Dialect:
        # With many streams at once its proxy times out on its handler, and responds 500.
        return Dialect("/stream", greeting=b"[stream opened]", at_once=4)


def wait_open(address: tuple[str, int]) -> None:
    """Waits until Pushpin opens streams: its processes connect to each other after the port is open; until then it
    responds 500, or keeps a request and never answers it.

    Raises:
        BenchError: it does not.
    """
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(address, 1) as probe:
            probe.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if probe.recv(4096).startswith(b"HTTP/1.1 200"):
                return
        time.sleep(0.1)
    raise BenchError("pushpin does not open streams")


def publication(content: str) -> bytes:
    """The body of a POST that publishes to all subscribers."""
    item = {"channel": "test", "formats": {"http-stream": {"content": f"data: {content}\n\n"}}}
    return json.dumps({"items": [item]}).encode()
