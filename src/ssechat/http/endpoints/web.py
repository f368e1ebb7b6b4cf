"""The page at `/` and the browser's client library, served as they are."""

from importlib import resources

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    # The files have no version in their names: a browser asks each time, and mostly hears 304.
    "cache-control": "no-cache",
}


class Web:
    """`/`, `/docs` and `/web`."""

    def __init__(self) -> None:
        self._folder = str(resources.files("ssechat").joinpath("web"))

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.page, methods=["GET"]),
            Route("/docs", self.docs, methods=["GET"]),
            Mount("/web", _SecurityHeaders(StaticFiles(directory=self._folder))),
        ]

    async def page(self, _: Request) -> Response:
        """`GET /`: the chat."""
        return FileResponse(f"{self._folder}/index.html", headers=SECURITY_HEADERS)

    async def docs(self, _: Request) -> Response:
        """`GET /docs`: the HTTP interface, for a person; it needs no JavaScript."""
        return FileResponse(f"{self._folder}/docs.html", headers=SECURITY_HEADERS)


class _SecurityHeaders:
    """Adds the headers to every answer of the app behind it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self._app(scope, receive, send_with_headers)
