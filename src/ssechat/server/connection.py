"""The transport side of an HTTP connection: deadlines, limits and closing. protocol.py has the HTTP side."""

import asyncio
import logging
from abc import abstractmethod
from http import HTTPStatus
from typing import Any, cast

from ssechat.events import frames
from ssechat.http.exchange import Header, header_lines
from ssechat.server.connection_limits import ConnectionLimits
from ssechat.server.request_parser import RequestRefused

logger = logging.getLogger(__name__)

SCARCE_SECONDS = 5.0
"""Upper bound of all timeouts for silent clients while connections are scarce."""

UNREAD_SECONDS = 60.0
"""Seconds that a client has to read a response."""

CLOSING_SECONDS = 5.0
"""Seconds that a client that is still sending has to read the last response."""

CLOSING_BYTES = 1024 * 1024
"""Upper bound of the bytes that such a client may send meanwhile."""

WRITE_BUFFER = 16384
"""Bytes of a response that may be buffered without a deadline for the client."""


STATUS_LINE = {int(status): f"HTTP/1.1 {status:d} {status.phrase}\r\n".encode() for status in HTTPStatus}


class DefaultLines:
    """The default headers as bytes of HTTP/1.1, made once for all responses between two changes of Date."""

    def __init__(self) -> None:
        self._headers: list[Header] = []
        self._lines = b""

    def of(self, headers: list[Header]) -> bytes:
        """The lines of these headers. uvicorn makes a new list whenever they change."""
        if headers is not self._headers:
            self._headers, self._lines = headers, header_lines(headers)
        return self._lines


class Flow:
    """Flow control of a transport, in both directions.

    Reading stays paused while pipelined bytes are buffered.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._reads = True
        self.write_paused = False
        """Whether the write buffer is full: the client must read before more is written. It is asked three times for
        each request, so it does not follow from `_writable`."""
        self._writable: asyncio.Event | None = None
        self.holds = False
        """Whether pipelined bytes are buffered."""

    def hold(self) -> None:
        """Pauses reading until `release`."""
        self.holds = True
        self.pause_reading()

    def release(self) -> None:
        """Ends a hold, and resumes reading."""
        self.holds = False
        self.resume_reading()

    def pause_reading(self) -> None:
        """Pauses reading until `resume_reading`."""
        if self._reads:
            self._reads = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Resumes reading, except during a hold."""
        if not self._reads and not self.holds:
            self._reads = True
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """Called when the write buffer is full."""
        if not self.write_paused:
            self.write_paused = True
            self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        """Called when the write buffer has room again, or the connection is lost."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None
            self.write_paused = False

    async def drain(self) -> None:
        """Waits until the write buffer has room."""
        if self._writable is not None:
            await self._writable.wait()


class Connection(asyncio.Protocol):
    """A connection with deadlines. It closes so that the client can read the last response."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: ConnectionLimits) -> None:
        self.loop = loop
        self._limits = limits

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER)
        self.flow = Flow(self.transport)
        # The addresses are not read from the socket: uvloop would create a socket object and keep it.
        self.server = _address(transport.get_extra_info("sockname"))
        self.client = _address(transport.get_extra_info("peername"))
        self._user: str | None = None
        """The user for whom the limits count this connection."""
        self._end_of_input = False
        self._closing = False
        """Whether the last response is written; from then on input is discarded."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    @abstractmethod
    def default_lines(self) -> bytes:
        """The headers of every response, such as Date, as bytes of HTTP/1.1."""

    @property
    @abstractmethod
    def is_answering(self) -> bool:
        """Whether the server is processing a request; deadlines of the client do not apply then."""

    @property
    @abstractmethod
    def is_receiving(self) -> bool:
        """Whether a request has begun and is incomplete."""

    @abstractmethod
    def on_taken(self) -> None:
        """Called when the client has read what was written."""

    @abstractmethod
    def on_too_slow(self) -> None:
        """Called when a request was not complete in time."""

    @abstractmethod
    def evict(self) -> None:
        """Closes the connection now, to make room for another one."""

    # Callbacks of the transport.

    def pause_writing(self) -> None:
        self.flow.pause_writing()
        reader = self._user or (self.client[0] if self.client is not None else "")
        self._limits.note_unread(self, reader, self.transport.get_write_buffer_size())
        self.set_deadline(UNREAD_SECONDS)

    def resume_writing(self) -> None:
        self._limits.read(self)
        self.flow.resume_writing()
        if not self._closing:
            self.on_taken()

    def connection_lost(self, exc: Exception | None) -> None:
        self.flow.resume_writing()
        self.let_go()

    # Interface to the request (ConnectionWriter).

    def write(self, data: bytes) -> None:
        """Sends a part of a response."""
        self.transport.write(data)

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self._closing or self.transport.is_closing()

    def close(self) -> None:
        """Closes the connection after the last response is written."""
        if (self.is_receiving or self.flow.holds) and not self._end_of_input:
            self.close_when_read()
        else:
            self.end()

    def end(self, seconds: float = UNREAD_SECONDS) -> None:
        """Closes the connection when the client has read the write buffer, after `seconds` at the latest."""
        self.transport.close()
        self.set_deadline(seconds)

    def close_when_read(self) -> None:
        """Closes the connection so that a client that is still sending can read the response.

        After an immediate close, unread input would make the kernel reset the connection, and the client would lose the
        response (RFC 9112 §9.6).
        """
        if self.is_closing():
            return
        self._closing = True
        self._discarded = 0
        self.flow.release()
        if self._end_of_input:
            self.transport.close()
        else:
            self.transport.write_eof()
        self.set_deadline(CLOSING_SECONDS)

    def discard(self, size: int) -> None:
        """Discards input after the last response, up to a limit."""
        self._discarded += size
        if self._discarded > CLOSING_BYTES:
            self.transport.abort()

    def refuse(self, refusal: RequestRefused) -> None:
        """Sends a problem response to bytes that are not a valid request, and closes."""
        logger.debug("a request was refused: %d %s", refusal.status, refusal.code)
        problem = {"type": "about:blank", "title": HTTPStatus(refusal.status).phrase, "status": refusal.status}
        body = frames.encode({**problem, "code": refusal.code, "detail": refusal.detail})
        lines = [STATUS_LINE[refusal.status], self.default_lines]
        lines.append(b"content-type: application/problem+json\r\ncache-control: no-store\r\nconnection: close\r\n")
        if refusal.status == 503:
            lines.append(b"retry-after: 5\r\n")
        self.transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (b"".join(lines), len(body), body))
        self.close_when_read()

    # Deadlines.

    def patience(self, seconds: float, connections: int) -> float:
        """The timeout for a silent client: `seconds`, or less while connections are scarce."""
        return min(SCARCE_SECONDS, seconds) if self._limits.is_scarce(connections) else seconds

    def set_deadline(self, seconds: float) -> None:
        """Sets the deadline to `seconds` from now. An earlier timer is kept and checks the clock: a new timer per
        request would cost more."""
        self._deadline = self.loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= self._deadline:
                return
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        must_read = self._closing or self.flow.write_paused or self.transport.is_closing()
        if self.is_answering and not must_read:
            return  # the response sets the next deadline
        left = self._deadline - self.loop.time()
        if left > 0:
            self._timer = self.loop.call_later(left, self._on_timer)
        elif must_read:
            self.transport.abort()
        elif self.is_receiving:
            self.on_too_slow()
        else:
            self.end()

    # The connection's user.

    def belongs_to(self, user: str | None) -> bool:
        """Records the user of a request; returns whether the connection may be kept alive.

        A request without a user leaves the connection's user as it was; otherwise such requests would free a user of
        the limit.
        """
        if user is not None and user is not self._user and user != self._user:
            self._note_user(user)
        return user is None or self._user is not None

    def _note_user(self, user: str | None) -> None:
        if self._user is None:
            self._limits.is_known(self)
        else:
            self._limits.closed(self, self._user)
        self._user = user if user is not None and self._limits.open(self, user) else None

    def let_go(self) -> None:
        """Stops the timer, and releases this connection in the limits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._limits.read(self)
        self._note_user(None)


def _address(name: Any) -> tuple[str, int | None] | None:
    """Returns a socket's address in ASGI's form: host and port, or the path of a Unix socket and None."""
    if isinstance(name, tuple):
        return str(name[0]), int(name[1])
    return (name, None) if isinstance(name, str) and name else None
