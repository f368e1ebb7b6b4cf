"""People who use a WebSocket (RFC 6455): the textbook's server, and the frames that socketio.py puts its own into."""

import asyncio
import base64
import json
import os
import struct
import time
from abc import abstractmethod
from typing import cast

from websockets.utils import apply_mask

from .person import CONNECT_SECONDS, Person, Refused, Spec

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Frames(asyncio.Protocol):
    """One WebSocket."""

    def __init__(self, person: "WebSocketPerson") -> None:
        self._person = person
        self._rest = b""
        self._upgraded = False
        self._transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def closed(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._person.frames = self
        spec = self._person.spec
        protocol = f"Sec-WebSocket-Protocol: {self._person.protocol}\r\n" if self._person.protocol else ""
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET {self._person.path} HTTP/1.1\r\nHost: {spec.host}:{spec.address[1]}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{protocol}"
            "\r\n".encode()
        )

    def send(self, data: bytes, opcode: int = TEXT) -> None:
        """Sends one frame.

        Raises:
            ConnectionError: the WebSocket is closed.
        """
        if self.closed:
            raise ConnectionResetError("the WebSocket is closed")
        assert self._transport is not None
        length = len(data)
        size = bytes([0x80 | length]) if length < 126 else b"\xfe" + struct.pack("!H", length)
        mask = os.urandom(4)
        self._transport.write(bytes([0x80 | opcode]) + size + mask + apply_mask(data, mask))

    def data_received(self, data: bytes) -> None:
        self._rest += data
        if not self._upgraded:
            head, end, rest = self._rest.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._fail(Refused(f"the WebSocket was answered {head[:100]!r}"))
                self.abort()
                return
            self._upgraded, self._rest = True, rest
            if not self._person.greeted:
                self.opened.set_result(None)
        now = time.monotonic_ns()
        while (frame := self._frame()) is not None:
            opcode, payload = frame
            if opcode == TEXT:
                self._person.take(payload, now)
            elif opcode == PING:
                self.send(payload, PONG)
            elif opcode == CLOSE:
                self.abort()

    def _frame(self) -> tuple[int, bytes] | None:
        rest = self._rest
        if len(rest) < 2:
            return None
        length, at = rest[1] & 0x7F, 2
        if length == 126 and len(rest) >= 4:
            length, at = struct.unpack_from("!H", rest, 2)[0], 4
        elif length == 127 and len(rest) >= 10:
            length, at = struct.unpack_from("!Q", rest, 2)[0], 10
        elif length > 125:
            return None
        if len(rest) < at + length:
            return None
        self._rest = rest[at + length :]
        return rest[0] & 0x0F, rest[at : at + length]

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(ConnectionResetError(f"the WebSocket was closed: {exc}"))

    def _fail(self, error: ConnectionError) -> None:
        if not self.opened.done():
            self.opened.set_exception(error)
        self._person.lost(error)

    def abort(self) -> None:
        """Closes it at once."""
        if self._transport is not None:
            self._transport.abort()


class WebSocketPerson(Person):
    """A person with one WebSocket for everything. What is sent while there is none waits, as in all such clients."""

    protocol = ""
    """The subprotocol that is asked for, if there is one."""
    greeted = True
    """Whether the server says so when messages can come."""

    def __init__(self, spec: Spec, number: int, source: str, scene: str) -> None:
        super().__init__(spec, number, source, scene)
        self.frames: Frames | None = None

    @property
    @abstractmethod
    def path(self) -> str:
        """What is asked for."""

    @abstractmethod
    def take(self, payload: bytes, now: int) -> None:
        """Called with each text that comes."""

    def lost(self, error: ConnectionError) -> None:
        """Called when the WebSocket was closed."""

    async def connect(self) -> None:
        context = self.spec.context("http/1.1")
        async with asyncio.timeout(CONNECT_SECONDS):
            _, frames = await asyncio.get_running_loop().create_connection(
                lambda: Frames(self), *self.spec.address, ssl=context,
                server_hostname="localhost" if context else None, local_addr=self.source,
            )  # fmt: skip
            await frames.opened

    def drop(self) -> None:
        if self.frames is not None:
            self.frames.abort()


class TextbookPerson(WebSocketPerson):
    """A person of the textbook's server (chats.py): no answer to what is sent, and no log."""

    @property
    def path(self) -> str:
        return f"/chat?user={self.name}"

    def take(self, payload: bytes, now: int) -> None:
        if payload == b'"hello"' and self.frames is not None and not self.frames.opened.done():
            self.frames.opened.set_result(None)
        else:
            self.got.take(payload, now)

    async def send(self, to: str, text: str) -> None:
        if self.frames is None:
            raise ConnectionResetError("there is no WebSocket")
        self.frames.send(json.dumps({"to": to, "text": text}, separators=(",", ":")).encode())
