"""A request on a connection: its state and the part of its body that has arrived."""

import asyncio
from typing import Protocol

from starlette.types import Message, Scope

from ssechat.server.connection import Flow

HIGH_WATER = 65536
"""Bytes of a body that may be buffered before reading pauses."""


class ConnectionWriter(Protocol):
    """The part of a connection that a request uses."""

    loop: asyncio.AbstractEventLoop
    flow: Flow

    def write(self, data: bytes) -> None:
        """Sends bytes."""

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""


class IncomingRequest:
    """A request whose headers have arrived."""

    __slots__ = (
        "_body",
        "_connection",
        "_waiter",
        "_waits_for_continue",
        "disconnected",
        "keep_alive",
        "more_body",
        "packet",
        "response_complete",
        "scope",
        "task",
    )

    def __init__(
        self,
        connection: ConnectionWriter,
        scope: Scope,
        expects_continue: bool,
        keep_alive: bool,
        body: bytes | None = None,
    ) -> None:
        """`body`: all of it, if it has arrived."""
        self.scope = scope
        self.keep_alive = keep_alive
        """Whether the connection may be kept alive after the response."""
        self.more_body = body is None
        """Whether a part of the body is still to come."""
        self.disconnected = False
        """Whether the client has disconnected."""
        self.packet: bytes | None = None
        """All bytes of the request if it arrived alone in one packet, for the header cache."""
        self.response_complete = False
        self.task: asyncio.Task[None] | None = None
        """The task that processes the request. It is stored because asyncio.current_task costs a system call."""
        self._connection = connection
        self._body: bytes | bytearray = body or b""
        self._waiter: asyncio.Future[None] | None = None
        self._waits_for_continue = expects_continue

    def take(self, part: bytes) -> None:
        """Adds a part of the body."""
        if not self._body:
            self._body = part
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += part
        if len(self._body) > HIGH_WATER:
            self._connection.flow.pause_reading()
        self._wake()

    def end(self) -> None:
        """Called when the request is complete."""
        self.more_body = False
        self._wake()

    def disconnect(self) -> None:
        """Called when the client has disconnected."""
        self.disconnected = True
        self._wake()

    def whole(self) -> bytes | None:
        """The body, if all of it has arrived."""
        return None if self.more_body or self.disconnected else bytes(self._body)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def receive(self) -> Message:
        """Returns the next part of the body as an ASGI message."""
        if self._waits_for_continue and not self._connection.is_closing():
            self._waits_for_continue = False
            self._connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.more_body and not self.disconnected:
            self._connection.flow.resume_reading()
            if not self._body:
                self._waiter = self._connection.loop.create_future()
                await self._waiter
        if self.disconnected:
            return {"type": "http.disconnect"}
        body, self._body = self._body, b""
        return {"type": "http.request", "body": bytes(body), "more_body": self.more_body}
