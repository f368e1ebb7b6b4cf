"""A worker process, `python -m ssechat.server.worker`; only the supervisor starts it.

It reads the settings as a line of JSON from stdin, which stays open as long as the supervisor lives. It inherits
listening sockets, and a pipe into which it writes its readiness and beats, or its error (heartbeat.py).
"""

import argparse
import asyncio
import contextlib
import faulthandler
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import uvicorn
from uvicorn.importer import import_from_string

from ssechat.errors import ChatError
from ssechat.server import GRACE_SECONDS, KILL_SECONDS, garbage_collection
from ssechat.server.connection_limits import ConnectionLimits
from ssechat.server.heartbeat import Report
from ssechat.server.protocol import Shared
from ssechat.server.sockets import BACKLOG
from ssechat.settings import Settings
from ssechat.telemetry.logging import configure_logging

CANNOT_START = 2

TICKS_PER_COLLECTION = 10
"""A collection runs once a second (uvicorn ticks every 0.1 s), so that it visits the objects of one second."""


class WorkerServer(uvicorn.Server):
    """uvicorn's server, with a callback when it serves."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], paused: Callable[[float], None]) -> None:
        """`ready` is called when the server accepts connections.

        `paused` is called after each garbage collection, with the seconds for which it stopped the event loop.
        """
        super().__init__(config)
        self._ready = ready
        self._paused = paused

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Has SIGTERM stop the server, from now on: the handler only sets a flag, so it may stay.

        uvicorn's own would put the former handler back at its end, and raise the signal once more.
        """
        signal.signal(signal.SIGTERM, self.handle_exit)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts the app, accepts connections, and calls `ready`."""
        await super().startup(sockets)
        if self.started:
            garbage_collection.begin(self._paused)
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second."""
        if counter % TICKS_PER_COLLECTION == 0:
            garbage_collection.collect_and_freeze()
        return await super().on_tick(counter)


def serve(settings: Settings, listening: list[socket.socket], started: Callable[[], None], app: str, http: str) -> None:
    """Runs the app on the sockets until SIGTERM, or until the supervisor has ended.

    `started` is called in the event loop when connections are accepted.

    Raises:
        ChatError: the app cannot start with these settings.
    """
    create_app: Callable[[Settings], Any] = import_from_string(app)
    application = create_app(settings)
    config = uvicorn.Config(
        application,
        http=http,
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # http/forwarded.py parses the X-Forwarded headers on use, not for each request.
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=int(settings.drain_seconds) + GRACE_SECONDS,
        # uvicorn calls listen() again, and its default would shorten the queue.
        backlog=BACKLOG,
    )
    application.state.shared = Shared.of(ConnectionLimits.of_process())
    server = WorkerServer(config, started, paused=application.state.paused)
    threading.Thread(target=_follow_parent, args=(server, settings.drain_seconds), daemon=True).start()
    server.run(sockets=listening)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the worker; returns the exit code."""
    options = _options(arguments)
    # No signal raises an exception, which could hit any line, also while the interpreter exits: before the worker
    # serves, SIGTERM ends it at once; later it sets a flag. The supervisor handles Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Unbuffered: a buffered stdin that a daemon thread reads cannot be closed at exit.
    with open(0, "rb", buffering=0, closefd=False) as stdin:
        settings = Settings.model_validate_json(stdin.readline())
    configure_logging(settings.log_level, settings.log_format)
    # Writes the stacks of all threads to the log, also on SIGABRT, which the supervisor sends to a worker that hangs.
    faulthandler.enable()
    _raise_file_limit()
    report = Report(options.report_fd)
    try:
        if options.check_redis:
            asyncio.run(_check_surroundings(settings))
        listening = [socket.socket(fileno=fd) for fd in options.listen_fd]
        serve(settings, listening, report.begin, options.app, options.http)
    except ChatError as error:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the worker ends by itself
        report.fail(str(error))
        return CANNOT_START
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ssechat.server.worker", description=__doc__)
    parser.add_argument("--listen-fd", type=int, action="append", required=True)
    parser.add_argument("--report-fd", type=int)
    parser.add_argument("--check-redis", action="store_true")
    parser.add_argument("--app", default="ssechat.app:create_app")
    parser.add_argument("--http", default="ssechat.server.protocol:ChatProtocol")
    return parser.parse_args(arguments)


async def _check_surroundings(settings: Settings) -> None:
    """Checks that a replacement worker can use Redis, and can fetch the keys of the tokens' issuer.

    Raises:
        SettingsError: one of them cannot be used.
    """
    from ssechat.identity.tokens import Tokens
    from ssechat.redis.checks import check_redis

    assert settings.redis_url is not None
    await check_redis(settings.redis_url, settings.redis_timeout)
    issuer = Tokens.from_settings(settings).issuer_keys
    if issuer is not None:
        await issuer.check()


def _follow_parent(server: uvicorn.Server, drain_seconds: float) -> None:
    """Stops the worker when the supervisor's end of stdin closes. A thread does this, so that a blocked loop ends,
    too."""
    while os.read(0, 4096):
        pass
    server.should_exit = True
    time.sleep(drain_seconds + KILL_SECONDS)
    os._exit(1)


def _raise_file_limit() -> None:
    """Raises the soft limit of open files, often 1,024: each stream uses a file descriptor."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return


if __name__ == "__main__":
    sys.exit(main())
