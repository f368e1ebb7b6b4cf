"""`ssechat serve` with an app of a few lines in the workers: for tests of the supervisor.

`python -m stub serve …`; STUB in the environment makes the app fail: see `create_app`.
"""

import asyncio
import os
import signal
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from ssechat.cli import main as cli
from ssechat.errors import SettingsError
from ssechat.http.exchange import Request, Response
from ssechat.server import supervisor
from ssechat.settings import Settings


def create_app(settings: Settings) -> Any:
    """Creates an app that answers /pid, /redis (the URL), and /slow (after 1 s). With STUB=file:PATH the start fails
    while PATH exists."""
    how = os.environ.get("STUB", "")
    if how == "SIGTERM at the start":
        os.kill(os.getpid(), signal.SIGTERM)
    if how == "settings":
        raise SettingsError("the stub was told to refuse its settings")
    if how == "die" or (how.startswith("file:") and Path(how[5:]).exists()):
        raise RuntimeError("the stub was told to die")

    return App(settings.redis_url or "", starts_slowly=how == "slow start")


class App:
    """What the server's protocol calls: `state.answer` for a request, and ASGI's lifespan."""

    def __init__(self, redis_url: str, *, starts_slowly: bool) -> None:
        self.state = SimpleNamespace(answer=self._answer, paused=lambda seconds: None)
        self._redis_url = redis_url
        self._starts_slowly = starts_slowly

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        if self._starts_slowly:
            await asyncio.sleep(60)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, request: Request) -> Response:
        path = request.scope["path"]
        await asyncio.sleep({"/slow": 1, "/stuck": 3600}.get(path, 0))
        return Response(200, (self._redis_url if path == "/redis" else str(os.getpid())).encode())


WORKER_ARGUMENTS = ("--app", "stub:create_app")


if __name__ == "__main__":
    patch.object(supervisor, "Supervisor", partial(supervisor.Supervisor, worker_arguments=WORKER_ARGUMENTS)).start()
    sys.exit(cli.main())
