"""`ssechat serve` with an app of a few lines in the workers: for tests of the supervisor.

`python -m stub serve …`; STUB in the environment makes the app fail: see `create_app`.
"""

import asyncio
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ssechat.cli import main as cli
from ssechat.errors import SettingsError
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

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            if how == "slow start":
                await asyncio.sleep(60)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        if scope["path"] == "/slow":
            await asyncio.sleep(1)
        if scope["path"] == "/stuck":
            await asyncio.sleep(3600)
        body = settings.redis_url or "" if scope["path"] == "/redis" else str(os.getpid())
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body.encode()})

    return app


WORKER_ARGUMENTS = ("--app", "stub:create_app", "--http", "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol")


if __name__ == "__main__":
    patch.object(supervisor, "Supervisor", partial(supervisor.Supervisor, worker_arguments=WORKER_ARGUMENTS)).start()
    sys.exit(cli.main())
