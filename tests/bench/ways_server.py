"""`ssechat serve` with workers of one variant: `python -m tests.bench.ways_server WAY serve …`.

The variants are the shipped server without some parts. This file removes them; the server has no switch for it.
"""

import sys
from typing import Any
from unittest.mock import patch

from starlette.types import Scope

from ssechat import app
from ssechat.server.header_cache import HeaderCache
from ssechat.server.incoming_request import IncomingRequest
from ssechat.server.protocol import ChatProtocol
from ssechat.settings import Settings

from .eager import Eager
from .worker_variant import serve


def parsed(settings: Settings) -> Any:
    """The app on a server without the header cache."""
    patch.object(HeaderCache, "find", lambda self, data, last=None: None).start()
    patch.object(HeaderCache, "remember", lambda self, data, scope: None).start()
    return app.create_app(settings)


def eager(settings: Settings) -> Any:
    """The same, whose requests begin when their packet is parsed, and not in the next iteration of the loop."""
    take = ChatProtocol._take

    def begin(
        self: ChatProtocol, scope: Scope, keep_alive: bool, expects_continue: bool = False, body: bytes | None = None
    ) -> None:
        self.request = request = IncomingRequest(self, scope, expects_continue, keep_alive, body)
        answering: Any = Eager(self._answer(request))
        request.task = answering
        self.tasks.add(answering)

    def take_and_start(self: ChatProtocol, data: bytes) -> None:
        take(self, data)
        answering: Any = self.request.task if self.request is not None else None
        if answering is not None:
            answering.start()

    patch.object(ChatProtocol, "_begin", begin).start()
    patch.object(ChatProtocol, "_take", take_and_start).start()
    return parsed(settings)


WAYS = {
    "ASGI": ("--http", "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol"),
    "protocol": ("--app", f"{__spec__.name}:parsed"),
    "protocol, eager tasks": ("--app", f"{__spec__.name}:eager"),
    "protocol, header cache": (),
}
"""The workers' arguments per variant: uvicorn's protocol; ssechat's without the header cache, its requests in tasks and
at once; ssechat's as shipped."""

BEFORE = {"protocol": "ASGI", "protocol, eager tasks": "protocol", "protocol, header cache": "protocol"}
"""What each variant is compared with."""


if __name__ == "__main__":
    serve(WAYS[sys.argv.pop(1)])
