"""The endpoint of the contract that programs read."""

from collections.abc import Iterable

from ssechat.events import frames
from ssechat.http.contract import openapi, server
from ssechat.http.contract.openapi import Version
from ssechat.http.contract.operation import Operation
from ssechat.http.exchange import Request, Response
from ssechat.http.made_once import MadeOnce
from ssechat.http.responses import tagged_response
from ssechat.http.routing import Route

JSON = (b"content-type", b"application/json")
HEADERS = (
    (b"cache-control", b"no-cache"),
    (b"access-control-allow-origin", b"*"),  # a viewer on any page may show it: it holds no secret
)


class ContractEndpoint:
    """`/openapi.json` and `/openapi-3.2.json`."""

    def __init__(self, operations: Iterable[Operation], cookie: str) -> None:
        """`operations` are all that the server has; `cookie` is the name of the session cookie."""
        self._operations = tuple(operations)
        self._cookie = cookie
        self._documents = MadeOnce(self._make)

    def routes(self) -> list[Route]:
        return [
            Route.of(server.OPENAPI, self.openapi),
            Route.of(server.OPENAPI_32, self.openapi_32),
        ]

    async def openapi(self, request: Request) -> Response:
        """`GET /openapi.json`: OpenAPI 3.1."""
        return await self._document(request, "3.1")

    async def openapi_32(self, request: Request) -> Response:
        """`GET /openapi-3.2.json`: OpenAPI 3.2."""
        return await self._document(request, "3.2")

    async def _document(self, request: Request, version: Version) -> Response:
        return tagged_response(request, await self._documents.get(version), JSON, HEADERS)

    def _make(self, version: Version) -> bytes:
        return frames.encode(openapi.document(self._operations, version, cookie=self._cookie))
