"""Sends one attack to the server, and receives the responses."""

import asyncio
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

from .answers import Answer, Answers, NotHTTP
from .attack import Attack, Await, End, Pause

HOST = "127.0.0.1"
"""The server's address, which is also that of a trusted proxy."""

STRANGERS = tuple(f"127.0.1.{number}" for number in range(1, 21))
"""The client addresses of attacks. Several are needed: each connection occupies a port for a minute."""

CONNECT_SECONDS = 20.0

QUIET_SECONDS = 0.15
"""Seconds without a byte after which the client half-closes, if no response is due."""

STREAM_SECONDS = 0.03
"""Seconds for which a stream is read."""


@dataclass(slots=True)
class Outcome:
    """The responses, and how the connection ended."""

    answers: list[Answer] = field(default_factory=list)
    """The responses in order; a stream is the last one."""
    trouble: str = ""
    """The error of an invalid or missing response."""
    closed: bool = False
    """Whether the server closed the connection."""
    left: bool = False
    """Whether the client closed the connection without waiting."""


class Client(asyncio.Protocol):
    """The client's end of a connection."""

    def __init__(self, bodiless: frozenset[str]) -> None:
        self.answers = Answers(bodiless)
        self.trouble = ""
        self.closed = False
        self.heard = 0
        self._more = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.heard += 1
        if not self.trouble:
            try:
                self.answers.feed(data)
            except NotHTTP as error:
                self.trouble = str(error)
        self._more.set()

    def eof_received(self) -> None:
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        # A reset discards bytes in flight: then a truncated response is not the server's fault.
        self._end(reset=exc is not None)

    def _end(self, reset: bool = False) -> None:
        if not self.closed and not self.trouble and not reset:
            try:
                self.answers.end()
            except NotHTTP as error:
                self.trouble = str(error)
        self.closed = True
        self._more.set()

    @property
    def count(self) -> int:
        """The number of responses so far, including a stream."""
        return len(self.answers.whole) + (self.answers.stream is not None)

    @property
    def over(self) -> bool:
        """Whether no other response can come."""
        return self.closed or bool(self.trouble) or self.answers.stream is not None

    async def more(self, seconds: float) -> bool:
        """Waits for bytes; returns whether some arrived."""
        self._more.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._more.wait()
        except TimeoutError:
            return False
        return True


async def perform(attack: Attack, port: int, patience: float) -> Outcome:
    """Performs an attack. `patience`: seconds in which the server must respond or close."""
    loop = asyncio.get_running_loop()
    source = HOST if attack.number % 2 else STRANGERS[attack.number // 2 % len(STRANGERS)]
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            transport, client = await loop.create_connection(
                lambda: Client(attack.bodiless), HOST, port, local_addr=(source, 0)
            )
    except (OSError, TimeoutError) as error:
        return Outcome(trouble=f"no connection: {type(error).__name__}")
    try:
        left = await _send(attack, transport, client, patience)
        hung = "" if left else await _listen(attack, transport, client, patience)
    finally:
        transport.abort()
    stream = client.answers.stream
    answers = [*client.answers.whole, *([stream] if stream is not None else [])]
    return Outcome(answers, client.trouble or hung, client.closed, left)


async def _send(attack: Attack, transport: Any, client: Client, patience: float) -> bool:
    """Sends the steps; returns whether the client has disconnected."""
    for step in attack.steps:
        if client.closed:
            return False
        if isinstance(step, bytes):
            transport.write(step)
        elif isinstance(step, Pause):
            await (asyncio.sleep(step.seconds) if not attack.held else client.more(step.seconds))
        elif isinstance(step, Await):
            until = asyncio.get_running_loop().time() + patience
            while client.count < step.answers and not client.over and asyncio.get_running_loop().time() < until:
                await client.more(patience if attack.due else QUIET_SECONDS)
                if not attack.due:
                    break
        elif step is End.HALF_CLOSE:
            transport.write_eof()
        else:
            if step is End.RESET:
                client_socket: socket.socket = transport.get_extra_info("socket")
                client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return True
    return False


async def _listen(attack: Attack, transport: Any, client: Client, patience: float) -> str:
    """Waits for the responses and the end; returns the error of a wait without an end, if any."""
    while attack.due and not client.over and client.count < len(attack.ids):
        if not await client.more(patience):
            return f"no answer within {patience:g} s"
    while not attack.due and not attack.held and not client.over and await client.more(QUIET_SECONDS):
        pass
    if client.answers.stream is not None and not client.closed:
        await client.more(STREAM_SECONDS)
        return ""
    if not attack.held and not client.closed and End.HALF_CLOSE not in attack.steps and transport.can_write_eof():
        transport.write_eof()
    until = asyncio.get_running_loop().time() + patience
    while not client.closed and not client.trouble and client.answers.stream is None:
        if not await client.more(max(0.0, until - asyncio.get_running_loop().time())):
            return f"neither answered nor closed within {patience:g} s"
    return ""
