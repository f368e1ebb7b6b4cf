"""The request and response types of the endpoints, independent of ASGI and of the server's protocol.

Two adapters call the endpoints: ssechat's own protocol (server/protocol.py), and on any other server ASGI (asgi.py). An
endpoint does not depend on either: it is a function from a `Request` to a `Response`, with a row in the route table
(routing.py). api.py has the handling that all requests share.

The protocol does not go through ASGI because this saves a third of the CPU of a send; `python -m tests.bench ways`
measures both, and server/protocol.py has the figures.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from ssechat.errors import BadRequest
from ssechat.http.headers import REPEATED, by_name, repeated
from ssechat.identity.leases import Allowance
from ssechat.streams.sink import Sink
from ssechat.streams.stream import Stream

USER = "ssechat.user"
"""The key in a request's scope under which its user is stored after authentication."""

BEARER = "ssechat.bearer"
"""The key under which the bearer token of a scope's headers is stored. The header cache keeps it, and with it the hash
of the token, under which its identity is cached: that saves 3,000 instructions of a request."""

SERVER_FULL = "ssechat.server_full"
"""The key that marks the scope of a request on a connection over the limit: the request must be refused with 503."""

Header: TypeAlias = tuple[bytes, bytes]
"""A header's name, in lower case, and its value."""

StreamHandover: TypeAlias = Callable[[Stream, int], Sink | None]
"""Hands the connection over to a stream, with a limit of buffered bytes; returns its sink, or None if the client has
disconnected."""


class ClientGone(Exception):
    """The client disconnected before the end of the body."""


class Request:
    """A request: its line and headers, and its body, which may still be arriving."""

    __slots__ = ("_headers", "_receive", "allowance", "id", "parameters", "scope", "whole")

    def __init__(self, scope: Scope, receive: Receive, whole: bytes | None = None) -> None:
        """`scope` and `receive` are ASGI's; `whole` is the body, if all of it has arrived."""
        self.scope = scope
        self._headers = by_name(scope)
        self._receive = receive
        self.whole = whole
        """The body, as soon as all of it has arrived."""
        self.id = ""
        """The request's id, for logs and responses; api.py sets it."""
        self.allowance: Allowance | None = None
        """That of the user who sent it, since it has been let in."""
        self.parameters: Mapping[str, str] = {}
        """The values of the route's path parameters."""

    @property
    def method(self) -> str:
        """The method, in capitals."""
        method: str = self.scope["method"]
        return method

    @property
    def query(self) -> dict[str, str]:
        """The query parameters; a repeated one has its last value."""
        text: bytes = self.scope["query_string"]
        return dict(parse_qsl(text.decode("latin-1"), keep_blank_values=True)) if text else {}

    @property
    def server_is_full(self) -> bool:
        """Whether the request must be refused because the server is full."""
        return SERVER_FULL in self.scope

    def header(self, name: bytes) -> str | None:
        """Returns the value of a header; see `headers.header`."""
        value = self._headers.get(name)
        if value is REPEATED:
            raise repeated(name)
        return value

    def bearer(self) -> str | None:
        """The bearer token (RFC 6750 §2.1); None if the request has none."""
        token: str | None
        try:
            token = self.scope[BEARER]
        except KeyError:
            scheme, _, bearer = (self.header(b"authorization") or "").partition(" ")
            token = bearer.strip() if scheme.lower() == "bearer" and bearer else None
            self.scope[BEARER] = token
        return token

    async def body(self, limit: int) -> bytes:
        """Reads the body. If its Content-Length exceeds `limit` bytes, nothing is read.

        Raises:
            BadRequest: 413 `too_large`.
            ClientGone: the client disconnected before its end.
        """
        if self.whole is not None:
            _check_size(len(self.whole), limit)
            return self.whole
        announced = (self.header(b"content-length") or "").lstrip("0")
        # The value may have thousands of digits.
        _check_size(int(announced[:19]) if announced.isdecimal() else 0, limit)
        body = bytearray()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part: bytes = message.get("body", b"")
            _check_size(len(body) + len(part), limit)
            if not message.get("more_body", False):
                self.whole = bytes(body + part) if body else part
                return self.whole
            body += part


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        text = f"The body is too large: a request may have {limit / 1024:g} KiB at most."
        raise BadRequest("too_large", text, status=413)


@dataclass(slots=True)
class Response:
    """A response with a complete body, or with a stream."""

    status: int = 200
    body: bytes = b""
    headers: tuple[Header, ...] = ()
    """All headers but X-Request-Id, Content-Length and Connection, which the adapter or protocol adds."""
    stream: Callable[[StreamHandover], None] | None = None
    """A function that is called instead of sending a body; it takes the connection over."""
    request_id: bytes = b""
    """The id of the request; api.py sets it."""

    @property
    def all_headers(self) -> tuple[Header, ...]:
        """The headers, with X-Request-Id."""
        return (*self.headers, (b"x-request-id", self.request_id)) if self.request_id else self.headers

    def length(self) -> int | None:
        """The value of Content-Length; None if the response has none (RFC 9110 §8.6)."""
        return None if self.status in (204, 304) else len(self.body)


Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


def header_lines(headers: Iterable[Header]) -> bytes:
    """Returns the headers as bytes of HTTP/1.1."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])
