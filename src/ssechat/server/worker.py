"""One worker: `python -m ssechat.server.worker`, started by the supervisor and by nobody else.

What it is given: the settings as a line of JSON on stdin, which then stays open as long as the supervisor
lives; listening sockets; and a pipe into which it writes READY, or why it cannot start.
"""

import argparse
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.importer import import_from_string

from ssechat.errors import ChatError
from ssechat.server import GRACE_SECONDS, KILL_SECONDS, READY, garbage
from ssechat.server.header_cache import Heads
from ssechat.server.limits import Limits
from ssechat.server.protocol import Shared
from ssechat.server.sockets import BACKLOG
from ssechat.settings import Settings
from ssechat.telemetry.logging import configure_logging

CANNOT_START = 2

TICKS_PER_SETTLING = 10
"""Once a second, so that what one settling has to visit is what came in one."""


class WorkerServer(uvicorn.Server):
    """uvicorn's server, which says when it is up."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], paused: Callable[[float], None]) -> None:
        """`paused` is told for how long each collection of garbage stopped the loop, in seconds."""
        super().__init__(config)
        self._ready = ready
        self._paused = paused

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the app and listen, then tell the supervisor."""
        await super().startup(sockets)
        if self.started:
            garbage.begin(self._paused)
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if counter % TICKS_PER_SETTLING == 0:
            garbage.settle()
        return await super().on_tick(counter)


def serve(
    settings: Settings, listening: list[socket.socket], tell: Callable[[bytes], None], app: str, http: str
) -> None:
    """Run the app on the sockets until SIGTERM, or until the supervisor is gone.

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
        # Read where they are needed (http/forwarded.py), not for each request.
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=int(settings.drain_seconds) + GRACE_SECONDS,
        # uvicorn calls listen() again, and would shorten the queue.
        backlog=BACKLOG,
    )
    state = getattr(application, "state", None)  # any ASGI app can be served; ours counts the pauses
    if state is not None:
        state.shared = Shared(Limits.of_process(), Heads())
    paused: Callable[[float], None] = getattr(state, "paused", lambda seconds: None)
    server = WorkerServer(config, ready=lambda: tell(READY), paused=paused)
    threading.Thread(target=_follow_parent, args=(server, settings.drain_seconds), daemon=True).start()
    server.run(sockets=listening)


def main(arguments: Sequence[str] | None = None) -> int:
    """The worker's life. Returns the exit code."""
    options = _options(arguments)
    # uvicorn raises the signal that stopped it once more when it is done: SIGTERM is a normal end then, and
    # before it has begun. Ctrl-C is the supervisor's to handle.
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Unbuffered: a buffered stdin that a daemon thread reads cannot be closed at exit.
    with open(0, "rb", buffering=0, closefd=False) as stdin:
        settings = Settings.model_validate_json(stdin.readline())
    configure_logging(settings.log_level, settings.log_format)
    _raise_file_limit()

    def tell(text: bytes) -> None:
        if options.ready_fd is not None:
            os.write(options.ready_fd, text)
            os.close(options.ready_fd)
            options.ready_fd = None

    try:
        listening = [socket.socket(fileno=fd) for fd in options.listen_fd]
        serve(settings, listening, tell, options.app, options.http)
    except ChatError as error:
        tell(str(error).encode())
        return CANNOT_START
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ssechat.server.worker", description=__doc__)
    parser.add_argument("--listen-fd", type=int, action="append", required=True)
    parser.add_argument("--ready-fd", type=int)
    parser.add_argument("--app", default="ssechat.app:create_app")
    parser.add_argument("--http", default="ssechat.server.protocol:ChatProtocol")
    return parser.parse_args(arguments)


def _follow_parent(server: uvicorn.Server, drain_seconds: float) -> None:
    """Stop when the supervisor's end of stdin closes. In a thread, so that a stuck loop ends as well."""
    while os.read(0, 4096):
        pass
    server.should_exit = True
    time.sleep(drain_seconds + KILL_SECONDS)
    os._exit(1)


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def _raise_file_limit() -> None:
    """Each stream is a file descriptor, and the soft limit is often 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return


if __name__ == "__main__":
    sys.exit(main())
