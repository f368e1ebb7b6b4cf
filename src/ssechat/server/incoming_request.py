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
        """Sends something."""

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""


class IncomingRequest:
    """A request that has begun."""

    __slots__ = (
        "_body",
        "_line",
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

    def __init__(self, line: ConnectionWriter, scope: Scope, *, expects_continue: bool, keep_alive: bool) -> None:
        self.scope = scope
        self.keep_alive = keep_alive
        """Whether the connection may be kept for a next one."""
        self.more_body = True
        """Whether it is not whole."""
        self.disconnected = False
        """Whether the client has disconnected."""
        self.packet: bytes | None = None
        """All bytes of the request if it arrived alone in one packet, for the header cache."""
        self.response_complete = False
        self.task: asyncio.Task[None] | None = None
        """The task that answers it; kept, for asyncio.current_task costs a system call."""
        self._line = line
        self._body: bytes | bytearray = b""
        self._waiter: asyncio.Future[None] | None = None
        self._waits_for_continue = expects_continue

    def take(self, part: bytes) -> None:
        """Takes a part of the body."""
        if not self._body:
            self._body = part
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += part
        if len(self._body) > HIGH_WATER:
            self._line.flow.pause_reading()
        self._wake()

    def end(self) -> None:
        """It is whole."""
        self.more_body = False
        self._wake()

    def disconnect(self) -> None:
        """The client has disconnected."""
        self.disconnected = True
        self._wake()

    @property
    def whole(self) -> bytes | None:
        """The body, if all of it has arrived."""
        return None if self.more_body or self.disconnected else bytes(self._body)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def receive(self) -> Message:
        """Returns the next part of the body as an ASGI message."""
        if self._waits_for_continue and not self._line.is_closing():
            self._waits_for_continue = False
            self._line.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.more_body and not self.disconnected:
            self._line.flow.resume_reading()
            if not self._body:
                self._waiter = self._line.loop.create_future()
                await self._waiter
        if self.disconnected:
            return {"type": "http.disconnect"}
        body, self._body = self._body, b""
        return {"type": "http.request", "body": bytes(body), "more_body": self.more_body}
