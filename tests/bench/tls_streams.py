"""A client process that holds streams over TLS and HTTP/2, one connection each, and sends events to them."""

import asyncio
import random
import ssl
from collections.abc import Coroutine
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events

from ssechat.identity.tokens import Tokens
from ssechat.settings import load_settings

from .dialects import LIFETIME, user_name
from .errors import BenchError
from .generator import Gauges, Player
from .streams import ARRIVED, ENDED, OPENED

AT_ONCE = 64
"""Upper bound of the streams that are being opened at a time; TLS handshakes take most of the time."""

HELLO = b"event: hello\n"
MESSAGE = b"event: message\n"


@dataclass(frozen=True, slots=True)
class TlsPlan:
    """A proxy and its app."""

    address: tuple[str, int]
    name: str
    """The host name in the proxy's certificate."""
    certificate: Path
    data: Path
    """The app's data folder: its key signs the users' tokens."""
    app: tuple[str, int]
    """The app's address: events are sent directly to it, so that the proxy's CPU time is for the streams."""


class TlsHolder(Player):
    """A client process on asyncio, for its TLS support."""

    def __init__(self, control: Connection, gauges: Gauges, plan: TlsPlan) -> None:
        super().__init__(control, gauges)
        self.plan = plan
        self._tokens = Tokens.from_settings(load_settings({"data": plan.data}, {}))
        self.context = ssl.create_default_context(cafile=str(plan.certificate))
        self.context.set_alpn_protocols(["h2"])
        self._streams: list[_Stream] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: BaseException | None = None

    def play(self) -> None:
        """Serves the parent until it has ended."""
        asyncio.run(self._play())

    def authorization(self, user: int) -> str:
        """The value of a user's Authorization header."""
        return f"Bearer {self._tokens.mint(user_name(user), LIFETIME)}"

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        over = asyncio.Event()

        def obey() -> None:
            try:
                name, arguments = self._control.recv()
            except (EOFError, ConnectionError):
                over.set()
                return
            commands: dict[str, Any] = {"open": self._open, "send": self._send, "close": self._close}
            self._begin(commands[name](*arguments), over)

        loop.add_reader(self._control.fileno(), obey)
        await over.wait()
        loop.remove_reader(self._control.fileno())
        for stream in self._streams:
            stream.abort()
        if self._failed is not None:
            raise self._failed

    def _begin(self, work: Coroutine[Any, Any, None], over: asyncio.Event) -> None:
        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._failed = self._failed or (None if task.cancelled() else task.exception())
            if self._failed is not None:
                over.set()

        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(done)

    async def _open(self, first: int, count: int) -> None:
        limit = asyncio.Semaphore(AT_ONCE)

        async def open_one(user: int) -> None:
            async with limit:
                self._streams.append(await _Stream.open(self, user))
                self.gauges[OPENED] += 1

        await asyncio.gather(*(open_one(user) for user in range(first, first + count)))
        self._control.send(self.gauges[OPENED])

    async def _close(self) -> None:
        for stream in self._streams:
            stream.abort()
        self._streams.clear()
        await asyncio.sleep(0.1)
        self._control.send(None)

    async def _send(self, users: int, rate: float, seconds: float) -> None:
        """Users write notes at a rate, each an event on one stream; replies with the number of notes."""
        reader, writer = await asyncio.open_connection(*self.plan.app)
        loop = asyncio.get_running_loop()
        began, number = loop.time(), 0
        while (now := loop.time() - began) < seconds:
            user = random.randrange(users)
            body = b'{"to":"%b","text":"%b"}' % (user_name(user).encode(), b"x" * 80)
            head = f"POST /v1/messages HTTP/1.1\r\nHost: app\r\nAuthorization: {self.authorization(user)}\r\n"
            length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(f"{head}{length}".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 201"):
                raise BenchError(f"a message was refused: {answer[:200]!r}")
            await reader.readexactly(int(answer.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
            number += 1
            await asyncio.sleep(max(0.0, number / rate - now))
        writer.close()
        await writer.wait_closed()
        self._control.send(number)


class _Stream(asyncio.Protocol):
    """One connection with one stream."""

    def __init__(self, holder: TlsHolder, user: int) -> None:
        self._holder = holder
        self._user = user
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self._greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._aborted = False

    @classmethod
    async def open(cls, holder: TlsHolder, user: int) -> "_Stream":
        """Connects, and waits for the greeting.

        Raises:
            BenchError: no greeting arrived.
        """
        plan = holder.plan
        _, stream = await asyncio.get_running_loop().create_connection(
            lambda: cls(holder, user), *plan.address, ssl=holder.context, server_hostname=plan.name
        )
        await stream._greeted
        return stream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        plan = self._holder.plan
        self._http.initiate_connection()
        headers = [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", f"{plan.name}:{plan.address[1]}"),
            (":path", "/v1/events"),
            ("authorization", self._holder.authorization(self._user)),
            ("accept", "text/event-stream"),
        ]
        self._http.send_headers(1, headers, end_stream=True)
        transport.write(self._http.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self._http.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                part = event.data or b""
                self._holder.gauges[ARRIVED] += part.count(MESSAGE)
                self._http.acknowledge_received_data(event.flow_controlled_length or 0, 1)
                if not self._greeted.done() and HELLO in part:
                    self._greeted.set_result(None)
            elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset | h2.events.ConnectionTerminated):
                self._end(f"the front ended the stream: {event}")
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._http.data_to_send())

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"the connection was lost: {exc}")

    def _end(self, why: str) -> None:
        if self._aborted:
            return
        self.abort()
        if self._greeted.done():
            self._holder.gauges[ENDED] += 1
        else:
            self._greeted.set_exception(BenchError(why))

    def abort(self) -> None:
        """Close the connection at once."""
        self._aborted = True
        if self._transport is not None:
            self._transport.abort()
