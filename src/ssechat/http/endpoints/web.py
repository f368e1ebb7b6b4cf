"""The endpoints of static files: the page at `/`, the documentation and the browser's client library."""

import asyncio
from importlib import resources
from typing import NoReturn

from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Message

from ssechat.errors import NotFound
from ssechat.http.contract import server
from ssechat.http.exchange import Request, Response
from ssechat.http.routing import Route

SECURITY_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    # File names have no version: the browser revalidates each time, and mostly gets 304.
    (b"cache-control", b"no-cache"),
)


class WebEndpoint:
    """`/`, `/docs` and `/web`."""

    def __init__(self) -> None:
        self._files = StaticFiles(directory=str(resources.files("ssechat").joinpath("web")))

    def routes(self) -> list[Route]:
        return [
            Route.of(server.PAGE, self.page),
            Route.of(server.DOCS, self.docs),
            Route("GET", "/web/", self.file),
        ]

    async def page(self, request: Request) -> Response:
        """`GET /`: the chat."""
        return await self._serve(request, "/index.html")

    async def docs(self, request: Request) -> Response:
        """`GET /docs`: the documentation of the HTTP interface; it needs no JavaScript."""
        return await self._serve(request, "/docs.html")

    async def file(self, request: Request) -> Response:
        """`GET /web/…`."""
        return await self._serve(request, request.scope["path"].removeprefix("/web"))

    async def _serve(self, request: Request, path: str) -> Response:
        """Responds with a file by way of Starlette, which handles validators, ranges and media types."""
        scope = {**request.scope, "method": "GET", "path": path, "root_path": "", "extensions": {}}
        scope["asgi"] = {
            "spec_version": "2.4"
        }  # from this version on Starlette does not wait for the client's disconnect
        response = Response(headers=SECURITY_HEADERS)
        parts: list[bytes] = []

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                response.status = message["status"]
                response.headers += tuple(pair for pair in message["headers"] if pair[0] != b"content-length")
            else:
                parts.append(message.get("body", b""))

        try:
            await self._files(scope, _nothing, send)
        except HTTPException:
            raise NotFound("not_found", "This file does not exist.") from None
        response.body = b"".join(parts)
        return response


async def _nothing() -> NoReturn:
    await asyncio.Future()
    raise AssertionError
