"""The endpoints of static files: the page at `/` and the browser's client library."""

import asyncio
from importlib import resources
from typing import NoReturn

from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Message

from ssechat.errors import NotFound
from ssechat.http.browser_library import LIBRARY, library_name
from ssechat.http.contract import server
from ssechat.http.exchange import Header, Request, Response
from ssechat.http.page_headers import FOREVER, PAGE_HEADERS, PICTURE_HEADERS
from ssechat.http.routing import Route

OF_RANGES = (b"range", b"if-range")
NOT_TAKEN = (b"content-length", b"accept-ranges")
"""Headers of Starlette's answer that ours does not have from there."""


class WebEndpoint:
    """`/` and `/web`."""

    def __init__(self, *, pictures: bool = False) -> None:
        """`pictures`: whether the page may load those of people, from any host."""
        self._headers = PICTURE_HEADERS if pictures else PAGE_HEADERS
        self._files = StaticFiles(directory=str(resources.files("ssechat").joinpath("web")))
        self._library = f"/{library_name()}"

    def routes(self) -> list[Route]:
        return [
            Route.of(server.PAGE, self.page),
            Route("GET", "/web/", self.file),
        ]

    async def page(self, request: Request) -> Response:
        """`GET /`: the chat."""
        return await self._serve(request, "/index.html")

    async def file(self, request: Request) -> Response:
        """`GET /web/…`."""
        path = request.scope["path"].removeprefix("/web")
        if path == self._library:
            return await self._serve(request, f"/{LIBRARY}", FOREVER)
        return await self._serve(request, path)

    async def _serve(self, request: Request, path: str, headers: tuple[Header, ...] | None = None) -> Response:
        """Responds with a file by way of Starlette, which handles validators and media types."""
        scope = {**request.scope, "method": "GET", "path": path, "root_path": "", "extensions": {}}
        scope["asgi"] = {
            "spec_version": "2.4"
        }  # from this version on Starlette does not wait for the client's disconnect
        # Small files are sent whole: with ranges a page would have four more statuses.
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in OF_RANGES]
        response = Response(headers=self._headers if headers is None else headers)
        parts: list[bytes] = []

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                response.status = message["status"]
                response.headers += tuple(pair for pair in message["headers"] if pair[0] not in NOT_TAKEN)
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
