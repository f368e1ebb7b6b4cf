"""The endpoints of static files: the page at `/` and the browser's client library."""

from ssechat.errors import NotFound
from ssechat.http.contract import server
from ssechat.http.exchange import Request, Response
from ssechat.http.routing import Route
from ssechat.http.web_files import WebFiles

BELOW = "/web/"
EXAMPLES = "examples/"
"""The folder of the pages of examples, and of their files."""


class WebEndpoint:
    """`/`, `/web` and `/examples`."""

    def __init__(self, *, pictures: bool = False, examples: bool = True) -> None:
        """`pictures`: whether the page may load those of people, from any host. `examples`: whether there are some."""
        self._files = WebFiles(pictures=pictures)
        self._examples = examples

    def routes(self) -> list[Route]:
        return [
            Route.of(server.PAGE, self.page),
            Route("GET", BELOW, self.file),
            *self._of_examples(),
        ]

    def _of_examples(self) -> list[Route]:
        if not self._examples:
            return []
        return [Route.of(server.EXAMPLES, self.examples), Route.of(server.EXAMPLE, self.example)]

    async def page(self, request: Request) -> Response:
        """`GET /`: the chat."""
        return self._files.page.answer(request)

    async def file(self, request: Request) -> Response:
        """`GET /web/…`."""
        name = request.scope["path"].removeprefix(BELOW)
        if name.startswith(EXAMPLES) and not self._examples:
            raise NotFound("not_found", "This file does not exist.")
        return self._answer(request, name)

    async def examples(self, request: Request) -> Response:
        """`GET /examples`: which examples there are."""
        return self._answer(request, f"{EXAMPLES}index.html")

    async def example(self, request: Request) -> Response:
        """`GET /examples/{example}`."""
        return self._answer(request, f"{EXAMPLES}{request.parameters['example']}.html")

    def _answer(self, request: Request, name: str) -> Response:
        file = self._files.named(name)
        if file is None:
            raise NotFound("not_found", "This file does not exist.")
        return file.answer(request)
