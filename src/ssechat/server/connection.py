"""The lower half of a connection: its time, its room, and its end. What it says is the upper half's (protocol.py)."""

import asyncio
import logging
from abc import abstractmethod
from http import HTTPStatus
from typing import Any

from ssechat.events import frames
from ssechat.http.exchange import Header, header_lines
from ssechat.server.connection_limits import ConnectionLimits
from ssechat.server.request_parser import RequestRefused

logger = logging.getLogger(__name__)

SCARCE_SECONDS = 5.0
"""Any patience with a client that says nothing, while connections are scarce."""

UNREAD_SECONDS = 60.0
"""Time that a reader has to take an answer."""

CLOSING_SECONDS = 5.0
"""Time in which a client that is still sending may read why the connection ends."""

CLOSING_BYTES = 1024 * 1024
"""Bytes that it may go on to send meanwhile."""

WRITE_BUFFER = 16384
"""Bytes of an answer that may wait for their reader without a deadline."""


STATUS_LINE = {int(status): f"HTTP/1.1 {status:d} {status.phrase}\r\n".encode() for status in HTTPStatus}


class Flow:
    """Whether a transport reads, and whether it takes what is written.

    It does not read while what was read waits for its turn, whoever would go on reading.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._reads = True
        self._writable: asyncio.Event | None = None
        self.holds = False
        """Whether something waits for its turn."""

    def hold(self) -> None:
        """Reads nothing more until `release`."""
        self.holds = True
        self.pause_reading()

    def release(self) -> None:
        """Reads on."""
        self.holds = False
        self.resume_reading()

    def pause_reading(self) -> None:
        """Reads nothing more until `resume_reading`."""
        if self._reads:
            self._reads = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Reads on, unless there is something that waits."""
        if not self._reads and not self.holds:
            self._reads = True
            self._transport.resume_reading()

    @property
    def write_paused(self) -> bool:
        """Whether the client must read before more is written."""
        return self._writable is not None

    def pause_writing(self) -> None:
        """The transport is full."""
        if self._writable is None:
            self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        """The transport has room, or is gone."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    async def drain(self) -> None:
        """Waits until there is room."""
        if self._writable is not None:
            await self._writable.wait()


class Connection(asyncio.Protocol):
    """A transport with deadlines, that ends so that its client can read why."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: ConnectionLimits) -> None:
        self.loop = loop
        self._limits = limits

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        # asyncio declares any transport here.
        self.transport = transport
        transport.set_write_buffer_limits(high=WRITE_BUFFER)
        self.flow = Flow(transport)
        # Not by asking for the socket: that is an object which uvloop makes and then keeps.
        self.server = _address(transport.get_extra_info("sockname"))
        self.client = _address(transport.get_extra_info("peername"))
        self._user: str | None = None
        """Whose connection this is in the limits."""
        self._end_of_input = False
        self._closing = False
        """Whether all is said, and the client may read it."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    @abstractmethod
    def default_headers(self) -> list[Header]:
        """What each answer has, such as the date."""

    @property
    @abstractmethod
    def is_answering(self) -> bool:
        """Whether it is the server's turn: then time is not the client's."""

    @property
    @abstractmethod
    def is_receiving(self) -> bool:
        """Whether a request has begun and is not whole."""

    @abstractmethod
    def on_taken(self) -> None:
        """The client has taken what was written."""

    @abstractmethod
    def on_too_slow(self) -> None:
        """The request that has begun did not come in time."""

    @abstractmethod
    def evict(self) -> None:
        """Ends it now: its room is needed."""

    # What the transport calls.

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

    # What a request knows of its connection.

    def write(self, data: bytes) -> None:
        """Sends a part of an answer."""
        self.transport.write(data)

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self._closing or self.transport.is_closing()

    def close(self) -> None:
        """The last answer is written."""
        if (self.is_receiving or self.flow.holds) and not self._end_of_input:
            self.close_when_read()
        else:
            self.end()

    def end(self, seconds: float = UNREAD_SECONDS) -> None:
        """Ends the connection once what was written is taken, which may take so many seconds."""
        self.transport.close()
        self.set_deadline(seconds)

    def close_when_read(self) -> None:
        """Ends the connection so that the client reads the answer, even while it sends.

        Closed at once, what it sent and nobody read would have the kernel reset the connection, and the answer be
        thrown away with it (RFC 9112 §9.6).
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
        """Throws away what comes after the last word, up to a limit."""
        self._discarded += size
        if self._discarded > CLOSING_BYTES:
            self.transport.abort()

    def refuse(self, refusal: RequestRefused) -> None:
        """Answers what is no request, and ends."""
        logger.debug("a request was refused: %d %s", refusal.status, refusal.code)
        problem = {"type": "about:blank", "title": HTTPStatus(refusal.status).phrase, "status": refusal.status}
        body = frames.encode({**problem, "code": refusal.code, "detail": refusal.detail})
        lines = [STATUS_LINE[refusal.status], header_lines(self.default_headers)]
        lines.append(b"content-type: application/problem+json\r\ncache-control: no-store\r\nconnection: close\r\n")
        if refusal.status == 503:
            lines.append(b"retry-after: 5\r\n")
        self.transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (b"".join(lines), len(body), body))
        self.close_when_read()

    # Time.

    def patience(self, seconds: float, connections: int) -> float:
        """So many seconds for a client to say something; less while there are too many connections."""
        return min(SCARCE_SECONDS, seconds) if self._limits.is_scarce(connections) else seconds

    def set_deadline(self, seconds: float) -> None:
        """From now on so many seconds. Setting a timer each time would cost more than to look at the clock."""
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
            return  # the answer sets another one
        left = self._deadline - self.loop.time()
        if left > 0:
            self._timer = self.loop.call_later(left, self._on_timer)
        elif must_read:
            self.transport.abort()
        elif self.is_receiving:
            self.on_too_slow()
        else:
            self.end()

    # Whose it is.

    def belongs_to(self, user: str | None) -> bool:
        """Notes whose request this was; returns whether the connection may be kept for a next one.

        With a request that is nobody's it stays whose it was, or such requests would get a user any number of them.
        """
        if user is not None and user is not self._user and user != self._user:
            self._note_user(user)
        return user is None or self._user is not None

    def _note_user(self, user: str | None) -> None:
        if self._user is not None:
            self._limits.closed(self, self._user)
        self._user = None
        if user is not None:
            self._limits.is_known(self)
            if self._limits.keeps_open(user):
                self._limits.opened(self, user)
                self._user = user

    def let_go(self) -> None:
        """Gives back what it took up."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._limits.read(self)
        self._note_user(None)


def _address(name: Any) -> tuple[str, int | None] | None:
    """What the socket's address looks like in a scope: host and port, or the path of a Unix socket."""
    if isinstance(name, tuple):
        return str(name[0]), int(name[1])
    return (name, None) if isinstance(name, str) and name else None
