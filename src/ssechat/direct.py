"""Answers without ASGI: for the one request that a chat server gets far more of than all others, a send.

An ASGI request costs a scope, events in dictionaries, layers that wrap each other and a response that leaves in
two writes. A server that can do without (see server/protocol.py) looks into `app.state.direct` for the endpoint,
hands it the scope and the body, and writes what it returns. On any other server the same endpoint is a route
(`python -m tests.bench sends` prints what a send costs).
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from starlette.types import Scope

JSON_HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


class Answer(NamedTuple):
    """A response whose body is known when it starts."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = JSON_HEADERS
    """All but `content-length` and what the server adds of its own."""


Endpoint = Callable[[Scope, bytes], Awaitable[Answer]]


class Direct:
    """The endpoints that answer without ASGI, by method and target."""

    def __init__(self, endpoints: Mapping[tuple[bytes, bytes], Endpoint], unless: frozenset[bytes]) -> None:
        """`unless`: names of headers with which a request must take the way through all layers."""
        self._endpoints = endpoints
        self._unless = unless

    def find(self, method: bytes, target: bytes, headers: list[tuple[bytes, bytes]]) -> Endpoint | None:
        """The endpoint for a request, if it may be answered without ASGI."""
        endpoint = self._endpoints.get((method, target))
        if endpoint is not None and self._unless and not self._unless.isdisjoint(name for name, _ in headers):
            return None
        return endpoint
