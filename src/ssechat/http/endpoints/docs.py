"""The endpoint of the documentation: `/docs`."""

import re

from ssechat.errors import NotFound
from ssechat.http.contract import server
from ssechat.http.docs.book import INDEX, Book
from ssechat.http.docs.curls import ADDRESS
from ssechat.http.exchange import Request, Response
from ssechat.http.forwarded import TrustedProxies
from ssechat.http.page_headers import PAGE_HEADERS
from ssechat.http.responses import tagged_response
from ssechat.http.routing import Route

HTML = (b"content-type", b"text/html; charset=utf-8")

PLAIN_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,255})(:[0-9]{1,5})?").fullmatch
"""A host that means nothing else in a shell or in HTML."""


class DocsEndpoint:
    """`/docs`, and the pages below."""

    def __init__(self, book: Book, proxies: TrustedProxies, default_address: str) -> None:
        """`default_address` is shown where the request does not tell the server's."""
        self._book = book
        self._proxies = proxies
        self._default_address = default_address

    def routes(self) -> list[Route]:
        return [
            Route.of(server.DOCS, self.index),
            Route.of(server.DOCS_PAGE, self.page),
            Route.of(server.DOCS_EVENT, self.event),
        ]

    async def index(self, request: Request) -> Response:
        """`GET /docs`."""
        return await self._serve(request, INDEX)

    async def page(self, request: Request) -> Response:
        """`GET /docs/{page}`: a topic, or one of the other pages."""
        return await self._serve(request, request.parameters["page"])

    async def event(self, request: Request) -> Response:
        """`GET /docs/events/{event}`."""
        return await self._serve(request, f"events/{request.parameters['event']}")

    async def _serve(self, request: Request, name: str) -> Response:
        if not self._book.has(name):
            raise NotFound("not_found", "There is no such page; GET /docs lists all pages.")
        page = await self._book.page(name)
        body = page.replace(ADDRESS.encode(), self._address(request).encode())
        return tagged_response(request, body, HTML, PAGE_HEADERS)

    def _address(self, request: Request) -> str:
        """The server's address as the reader has it, for commands to paste."""
        host = self._proxies.host(request.scope) or request.header(b"host") or ""
        if PLAIN_HOST(host) is None:
            return self._default_address
        return f"{self._proxies.scheme(request.scope)}://{host}"
