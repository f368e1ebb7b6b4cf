"""People of an MQTT 3.1.1 broker: QoS 1, and a session that the broker keeps while they are away."""

import asyncio
import struct
import time
from typing import cast

from .person import CONNECT_SECONDS, Person, Refused, Spec

CONNACK, PUBLISH, PUBACK, SUBACK = 2, 3, 4, 9
ANSWER_SECONDS = 20.0


def packet(kind: int, flags: int, body: bytes) -> bytes:
    """A control packet."""
    length, size = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        size.append(digit | (0x80 if length else 0))
        if not length:
            return bytes([kind << 4 | flags]) + bytes(size) + body


def text(value: str) -> bytes:
    """A string with its length."""
    encoded = value.encode()
    return struct.pack("!H", len(encoded)) + encoded


class _Connection(asyncio.Protocol):
    def __init__(self, person: "MqttPerson") -> None:
        self._person = person
        self._rest = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (found := self._next()) is not None:
            self._person.take(*found)

    def _next(self) -> tuple[int, int, bytes] | None:
        length = shift = 0
        for at in range(1, min(5, len(self._rest))):
            digit = self._rest[at]
            length |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                start, end = at + 1, at + 1 + length
                if len(self._rest) < end:
                    return None
                first, body = self._rest[0], self._rest[start:end]
                self._rest = self._rest[end:]
                return first >> 4, first & 15, body
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._person.lost(ConnectionResetError(f"the connection was closed: {exc}"))


class MqttPerson(Person):
    """Subscribes to a topic of its own."""

    def __init__(self, spec: Spec, number: int, source: str, scene: str) -> None:
        super().__init__(spec, number, source, scene)
        self._connection: _Connection | None = None
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._packet = 0

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_SECONDS):
            _, self._connection = await loop.create_connection(
                lambda: _Connection(self), *self.spec.address, local_addr=self.source
            )
            await self._ask(0, packet(1, 0, text("MQTT") + bytes([4, 0]) + struct.pack("!H", 600) + text(self.name)))
            number = self._number()
            await self._ask(number, packet(8, 2, struct.pack("!H", number) + text(self.name) + b"\1"))

    async def send(self, to: str, text_: str) -> None:
        number = self._number()
        await self._ask(number, packet(PUBLISH, 2, text(to) + struct.pack("!H", number) + text_.encode()))

    def _number(self) -> int:
        self._packet = self._packet % 65_000 + 1
        return self._packet

    async def _ask(self, number: int, data: bytes) -> None:
        if self._connection is None or self._connection.transport is None or self._connection.transport.is_closing():
            raise ConnectionResetError("there is no connection")
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._connection.transport.write(data)
        async with asyncio.timeout(ANSWER_SECONDS):
            await waiting

    def take(self, kind: int, flags: int, body: bytes) -> None:
        """Takes a packet."""
        if kind == PUBLISH:
            topic = 2 + int.from_bytes(body[:2], "big")
            self.got.take(body[topic + 2 :], time.monotonic_ns())
            if flags & 6 and self._connection is not None and self._connection.transport is not None:
                self._connection.transport.write(packet(PUBACK, 0, body[topic : topic + 2]))
        elif kind == CONNACK:
            refused = Refused(f"the broker refused: code {body[1]}") if body[1] else None
            self._answer(0, refused)
        elif kind in (PUBACK, SUBACK):
            self._answer(int.from_bytes(body[:2], "big"))

    def _answer(self, number: int, error: ConnectionError | None = None) -> None:
        waiting = self._waiting.pop(number, None)
        if waiting is not None and not waiting.done():
            if error is None:
                waiting.set_result(None)
            else:
                waiting.set_exception(error)

    def lost(self, error: ConnectionError) -> None:
        """Fails what waits for an answer."""
        for number in list(self._waiting):
            self._answer(number, error)

    def drop(self) -> None:
        if self._connection is not None and self._connection.transport is not None:
            self._connection.transport.abort()
