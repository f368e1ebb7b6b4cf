"""`ssechat serve` whose workers carry requests in one way only: `python -m tests.bench.ways_server WAY serve …`.

The ways differ in what is taken out of the server as it is shipped, here and nowhere in it.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from ssechat import app
from ssechat.cli import main as cli
from ssechat.server import protocol, supervisor
from ssechat.settings import Settings


class _InATask:
    """What `Eager` does, by a task of asyncio's: it begins in the next turn of the loop."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], ended: Callable[[Any], None]) -> None:
        self._coroutine = coroutine
        self._ended = ended

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._coroutine)
        self._task.add_done_callback(lambda _: self._ended(self))

    def cancel(self, msg: object = None) -> None:
        self._task.cancel(msg)


def asgi(settings: Settings) -> Any:
    """All requests through ASGI."""
    made = app.create_app(settings)
    made.state.direct = None
    return made


def direct(settings: Settings) -> Any:
    """Sends and streams without ASGI, each in a task of asyncio's."""
    protocol.Eager = _InATask  # type: ignore[assignment,misc]
    return eager(settings)


def eager(settings: Settings) -> Any:
    """The same, begun at once."""
    made = app.create_app(settings)
    made.state.direct.heads.find = lambda data: None
    made.state.direct.heads.remember = lambda data, found: None
    return made


def cached(settings: Settings) -> Any:
    """The same, and heads that were parsed before are not parsed again."""
    return app.create_app(settings)


WAYS = ("asgi", "direct", "eager", "cached")


if __name__ == "__main__":
    # Workers look for modules elsewhere than where this was started.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH"))))
    arguments = ("--app", f"{__spec__.name}:{sys.argv.pop(1)}")
    supervisor.Supervisor = partial(supervisor.Supervisor, worker_arguments=arguments)  # type: ignore[assignment,misc]
    sys.exit(cli.main())
