"""The endpoints of static files: the page at `/` and the browser's client library."""

from ssechat.errors import NotFound
from ssechat.http.contract import server
from ssechat.http.exchange import Request, Response
from ssechat.http.routing import Route
from ssechat.http.web_files import WebFiles

BELOW = "/web/"


class WebEndpoint:
    """`/` and `/web`."""

    def __init__(self, *, pictures: bool = False) -> None:
        """`pictures`: whether the page may load those of people, from any host."""
        self._files = WebFiles(pictures=pictures)

    def routes(self) -> list[Route]:
        return [
            Route.of(server.PAGE, self.page),
            Route("GET", BELOW, self.file),
        ]

    async def page(self, request: Request) -> Response:
        """`GET /`: the chat."""
        return self._files.page.answer(request)

    async def file(self, request: Request) -> Response:
        """`GET /web/…`."""
        file = self._files.named(request.scope["path"].removeprefix(BELOW))
        if file is None:
            raise NotFound("not_found", "This file does not exist.")
        return file.answer(request)
