"""A request and its response as endpoints have them, whatever carries the two.

Two carriers do: the connection itself (server/protocol.py), and ASGI, on any other server (asgi.py). Which of them it
is does not show in an endpoint: that is a function of a `Request` which returns a `Response`, and a row in the table
of routes (routing.py). What all requests have in common is done in between (api.py).

The connection carries by itself because that takes a third off the CPU of a send; `python -m tests.bench ways`
measures both, and the figures stand in server/protocol.py.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from ssechat.errors import BadRequest
from ssechat.http.headers import header
from ssechat.streams.stream import Sink, Stream

USER = "ssechat.user"
"""Where a request's scope has who sent it, once that is known."""

SERVER_FULL = "ssechat.no_room"
"""In the scope of a request for which there is no room: it is to be told so, and nothing else."""

Header: TypeAlias = tuple[bytes, bytes]
"""Its name in lower case, and its value."""

StreamHandover: TypeAlias = Callable[[Stream, int], Sink | None]
"""Gives a stream the connection, of which so many bytes may wait in it; its sink, or None if the reader has gone."""


class ClientGone(Exception):
    """The client left in the middle of its body."""


class Request:
    """A request: its head, and its body as it comes."""

    __slots__ = ("_receive", "id", "parameters", "scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        """Both as ASGI has them."""
        self.scope = scope
        self._receive = receive
        self.id = ""
        """For logs and answers; given when the request is let in (api.py)."""
        self.parameters: Mapping[str, str] = {}
        """What stands in the path for the names in the route's."""

    @property
    def method(self) -> str:
        """In capitals, as all methods that mean something are."""
        method: str = self.scope["method"]
        return method

    @property
    def query(self) -> dict[str, str]:
        """The parameters behind the path; one that is given twice is as it was given last."""
        text: bytes = self.scope["query_string"]
        return dict(parse_qsl(text.decode("latin-1"), keep_blank_values=True)) if text else {}

    @property
    def has_room(self) -> bool:
        """Whether there is room for it on this server."""
        return SERVER_FULL not in self.scope

    def header(self, name: bytes) -> str | None:
        """As `headers.header` has it, with what it raises."""
        return header(self.scope, name)

    async def body(self, limit: int) -> bytes:
        """All of the body; nothing is read of one that says that it is larger than `limit` bytes.

        Raises:
            BadRequest: 413 `too_large`.
            ClientGone: the client left before its end.
        """
        announced = (self.header(b"content-length") or "").lstrip("0")
        _check_size(int(announced[:19]) if announced.isdecimal() else 0, limit)  # there may be thousands of digits
        body = bytearray()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part: bytes = message.get("body", b"")
            _check_size(len(body) + len(part), limit)
            if not message.get("more_body", False):
                return bytes(body + part) if body else part
            body += part


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        text = f"This is too large: a request may have {limit / 1024:g} KiB at most."
        raise BadRequest("too_large", text, status=413)


@dataclass(slots=True)
class Response:
    """A response: one whose body is known when it starts, or a stream."""

    status: int = 200
    body: bytes = b""
    headers: tuple[Header, ...] = ()
    """All but those of the body's length and of the connection, which are the carrier's."""
    stream: Callable[[StreamHandover], None] | None = None
    """Instead of a body: what takes the connection over once the response has started."""

    @property
    def length(self) -> int | None:
        """What its Content-Length says; None: it has none (RFC 9110 §8.6)."""
        return None if self.status in (204, 304) else len(self.body)


Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


def header_lines(headers: Iterable[Header]) -> bytes:
    """Headers as they go over the wire."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])
