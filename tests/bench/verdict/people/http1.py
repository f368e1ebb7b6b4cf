"""People who use ssechat over HTTP/1.1: a stream, and a few connections that are kept for what they send."""

import asyncio
import contextlib
import json
import time
from collections import deque
from datetime import timedelta
from typing import Protocol, cast

import httptools

from ssechat.identity.tokens import Tokens
from ssechat.settings import load_settings

from .person import CONNECT_SECONDS, ROOM, TEXT_START, Got, Person, Refused, Spec

MAX_CONNECTIONS = 5
"""A browser opens six to a host; one of them has the stream."""
LIFETIME = timedelta(hours=1)


class Connection(asyncio.Protocol):
    """One connection. `answer` asks for one thing at a time; a stream is what has no end."""

    def __init__(self, stream: "Stream | None" = None) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._stream = stream
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._parts: list[bytes] = []
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, spec: Spec, source: tuple[str, int], stream: "Stream | None" = None) -> "Connection":
        """Connects, with TLS if the spec has a certificate."""
        context = spec.context("http/1.1")
        async with asyncio.timeout(CONNECT_SECONDS):
            _, made = await asyncio.get_running_loop().create_connection(
                lambda: cls(stream), *spec.address, ssl=context, server_hostname="localhost" if context else None,
                local_addr=source,
            )  # fmt: skip
        return made

    @property
    def closed(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def write(self, request: bytes) -> None:
        """Sends a request whose answer is a stream."""
        assert self._transport is not None
        self._transport.write(request)

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Sends a request; returns the status and the body of the answer.

        Raises:
            ConnectionError: the connection was closed before it.
        """
        if self.closed:
            raise ConnectionResetError("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._end(Refused(f"this is no answer: {error}"))
            self.abort()

    def on_body(self, body: bytes) -> None:
        if self._stream is not None:
            self._stream.feed(body)
        else:
            self._parts.append(body)

    def on_headers_complete(self) -> None:
        if self._stream is not None and self._parser.get_status_code() != 200:
            self._stream.fail(Refused(f"the stream was answered {self._parser.get_status_code()}"))

    def on_message_complete(self) -> None:
        answer = (self._parser.get_status_code(), b"".join(self._parts))
        self._parts.clear()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(ConnectionResetError(f"the connection was closed: {exc}"))

    def _end(self, error: ConnectionError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        if self._stream is not None:
            self._stream.fail(error)

    def abort(self) -> None:
        """Closes the connection at once."""
        if self._transport is not None:
            self._transport.abort()


class Reader(Protocol):
    """Whose stream it is."""

    cursor: str
    got: Got


class Stream:
    """Reads a stream of events, however its bytes are cut."""

    def __init__(self, person: "Reader", greeting: bytes = b"event: hello") -> None:
        """`greeting` is what comes first on an open stream."""
        self._person = person
        self._greeting = greeting
        self._rest = b""
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def feed(self, part: bytes) -> None:
        """Takes bytes of the body."""
        now = time.monotonic_ns()
        if not self.greeted.done() and self._greeting in self._rest + part:
            self.greeted.set_result(None)
        *events, self._rest = (self._rest + part).split(b"\n\n")
        for event in events:
            for line in event.split(b"\n"):
                if line.startswith(b"id: "):
                    self._person.cursor = line[4:].decode()
                elif line.startswith(b"data: "):
                    self._person.got.take(line, now)

    async def wait(self, seconds: float) -> None:
        """Waits until it is open.

        Raises:
            ConnectionError: it will not be.
        """
        async with asyncio.timeout(seconds):
            await self.greeted

    def fail(self, error: ConnectionError) -> None:
        """Says that the stream will not come, if it has not."""
        if not self.greeted.done():
            self.greeted.set_exception(error)


class SsechatPerson(Person):
    """A person of ssechat: the requests, whatever carries them."""

    repeats = True

    def __init__(self, spec: Spec, number: int, source: str, scene: str) -> None:
        super().__init__(spec, number, source, scene)
        assert spec.data is not None
        self.token = Tokens.from_settings(load_settings({"data": spec.data}, {})).mint(self.name, LIFETIME)
        self.cursor = ""

    def body(self, to: str, text: str) -> bytes:
        """The body of a send. The same text is the same message, however often it is sent."""
        where = {"conversation_id": self.spec.room} if to == ROOM else {"to": to}
        return json.dumps({**where, "text": text, "client_msg_id": text[:TEXT_START]}, separators=(",", ":")).encode()

    def head(self, method: str, path: str, length: int = 0) -> bytes:
        """The head of a request over HTTP/1.1."""
        lines = [
            f"{method} {path} HTTP/1.1", f"Host: {self.spec.host}:{self.spec.address[1]}",
            f"Authorization: Bearer {self.token}",
        ]  # fmt: skip
        if method == "GET":
            lines.append("Accept: text/event-stream")
            lines += [f"Last-Event-ID: {self.cursor}"] if self.cursor else []
        else:
            lines += ["Content-Type: application/json", f"Content-Length: {length}"]
        return "\r\n".join([*lines, "\r\n"]).encode()


class Http1Person(SsechatPerson):
    """Keeps connections for what it sends, as a browser does: a new one only while all are in use."""

    def __init__(self, spec: Spec, number: int, source: str, scene: str) -> None:
        super().__init__(spec, number, source, scene)
        self._reading: Connection | None = None
        self._idle: deque[Connection] = deque()
        self._all: set[Connection] = set()
        self._turns = asyncio.Semaphore(MAX_CONNECTIONS)

    async def connect(self) -> None:
        stream = Stream(self)
        self._reading = await Connection.open(self.spec, self.source, stream)
        self._reading.write(self.head("GET", "/v1/events"))
        await stream.wait(CONNECT_SECONDS)

    async def send(self, to: str, text: str) -> None:
        body = self.body(to, text)
        request = self.head("POST", "/v1/messages", len(body)) + body
        async with self._turns:
            connection = await self._free()
            status, answer = await connection.ask(request)
            self._idle.append(connection)
        if status not in (200, 201):
            raise Refused(f"a message was answered {status}: {answer[:200]!r}")

    async def _free(self) -> Connection:
        while self._idle:
            # The one that was used last: the others end by themselves when they are not needed.
            connection = self._idle.pop()
            if not connection.closed:
                return connection
        made = await Connection.open(self.spec, self.source)
        self._all.add(made)
        return made

    def drop(self) -> None:
        for connection in (self._reading, *self._all):
            if connection is not None:
                connection.abort()
        self._all.clear()
        self._idle.clear()


class CarelessPerson(Http1Person):
    """Opens a connection for each message, as a client does that keeps none."""

    async def send(self, to: str, text: str) -> None:
        body = self.body(to, text)
        connection = await Connection.open(self.spec, self.source)
        self._all.add(connection)
        try:
            with contextlib.closing(_Aborting(connection)):
                status, answer = await connection.ask(self.head("POST", "/v1/messages", len(body)) + body)
        finally:
            self._all.discard(connection)
        if status not in (200, 201):
            raise Refused(f"a message was answered {status}: {answer[:200]!r}")


class _Aborting:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def close(self) -> None:
        self._connection.abort()
