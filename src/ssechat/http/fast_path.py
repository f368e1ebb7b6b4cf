"""Answers without ASGI: for what a chat server gets far more of than of all else, sends, and streams after a restart.

An ASGI request costs events in dictionaries, layers that wrap each other and a response that leaves in two writes.
A server that can do without (see server/protocol.py) looks into `app.state.direct` for the endpoint, hands it the
scope and the body, and writes what it returns. On any other server the same endpoint is a route
(`python -m tests.bench sends` and `storm` print what they cost).
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from starlette.types import Scope

from ssechat.http.header_cache import Heads

USER = "ssechat.user"
"""Where a request's scope has who sent it, once that is known."""

NO_ROOM = "ssechat.no_room"
"""In the scope of a request for which there is no room: it is to be told so, and nothing else."""


def header_lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Headers as they go over the wire."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])


JSON_LINES = header_lines(((b"content-type", b"application/json"), (b"cache-control", b"no-store")))

HandOver = Callable[[Any, int], Any]
"""Gives a stream the connection, of which so many bytes may wait in it; its sink, or None if the reader has gone."""


@dataclass(slots=True)
class Answer:
    """A response whose body is known when it starts."""

    status: int
    body: bytes
    headers: bytes = JSON_LINES
    """As lines: all but those of its length and what the server adds of its own."""
    stream: Callable[[HandOver], None] | None = None
    """Instead of a body: what takes the connection over once the response has started."""


Endpoint = Callable[[Scope, bytes], Awaitable[Answer]]


class KnownHead(NamedTuple):
    """What the head of a request says that was answered without ASGI and may be followed by others."""

    endpoint: Endpoint
    scope: Scope
    """The first one's, to be copied for each request that follows: with its headers by name (headers.py), once they
    were asked for. Its addresses and its request's id are the first one's, too."""


class Direct:
    """The endpoints that answer without ASGI, by method and path."""

    def __init__(self, endpoints: Mapping[tuple[bytes, bytes], Endpoint], unless: frozenset[bytes]) -> None:
        """`unless`: names of headers with which a request must take the way through all layers."""
        self._endpoints = endpoints
        self._unless = unless
        self.heads: Heads[KnownHead] = Heads()

    def find(self, method: bytes, path: bytes, headers: list[tuple[bytes, bytes]]) -> Endpoint | None:
        """The endpoint for a request, if it may be answered without ASGI."""
        endpoint = self._endpoints.get((method, path))
        if endpoint is not None and self._unless and not self._unless.isdisjoint(name for name, _ in headers):
            return None
        return endpoint
