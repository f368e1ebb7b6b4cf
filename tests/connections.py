"""Runs the HTTP protocol class on a fake transport, without a socket."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from ssechat.errors import BadRequest
from ssechat.http.exchange import USER, ClientGone, Endpoint, Request, Response, StreamHandover
from ssechat.server.connection_limits import ConnectionLimits
from ssechat.server.protocol import ChatProtocol, Shared
from ssechat.server.stream_protocol import StreamProtocol

GET = b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n"


class FakeTransport(asyncio.Transport):
    """Records the written bytes."""

    def __init__(self, client: tuple[str, int] | None = None) -> None:
        super().__init__({"peername": client})
        self.buffer = b""
        self.closed = False
        self.aborted = False
        self.ended = False
        """Whether `write_eof` was called."""
        self.waiting = 0
        self.reading = True
        self.limit: int | None = None
        self.protocol: asyncio.BaseProtocol | None = None

    def write(self, data: Any) -> None:
        assert not self.closed
        self.buffer += bytes(data)

    def close(self) -> None:
        self.closed = True

    def write_eof(self) -> None:
        self.ended = True

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.limit = high

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class FakeTimer:
    """A scheduled call, which can be cancelled."""

    def __init__(self, when: float, callback: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._when = when
        self.call: tuple[Callable[..., Any], tuple[Any, ...]] | None = callback, arguments

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        self.call = None


class FakeTime:
    """The running loop with a fake clock."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._now = 1000.0
        self._timers: list[FakeTimer] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def time(self) -> float:
        return self._now

    def call_later(self, delay: float, callback: Callable[..., Any], *arguments: Any) -> FakeTimer:
        timer = FakeTimer(self._now + delay, callback, arguments)
        self._timers.append(timer)
        return timer

    def pass_by(self, seconds: float) -> None:
        """Advances the clock by `seconds`, and runs the calls that fall due, in order."""
        until = self._now + seconds
        while due := [timer for timer in self._timers if timer.when() <= until]:
            first = min(due, key=FakeTimer.when)
            self._timers.remove(first)
            self._now = max(self._now, first.when())
            if first.call is not None:
                callback, arguments = first.call
                callback(*arguments)
        self._now = until


class FakeStream:
    """Records the calls of the connection."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")

    def drain(self) -> None:
        self.told.append("drain")

    def lost(self) -> None:
        self.told.append("lost")


class App:
    """An endpoint with a stream at /events, a POST at /post that records bodies, and a text at any other path."""

    def __init__(self) -> None:
        self.stream = FakeStream()
        self.sink: StreamProtocol | None = None
        self.scopes: list[Any] = []
        self.full: list[bool] = []
        """For each request, whether the server was full."""
        self.reads = False
        """Whether the app reads the body of each request."""
        self.user: str | None = None
        """The user of all requests."""
        self.bodies: list[bytes] = []
        """The bodies of `POST /post`."""
        self.open = asyncio.Event()
        """Set when the app may respond."""
        self.open.set()

    async def __call__(self, request: Request) -> Response:
        self.scopes.append(request.scope)
        self.full.append(request.server_is_full)
        if self.user is not None:
            request.scope[USER] = self.user
        if request.scope["path"] == "/events":
            await self.open.wait()
            return Response(200, b"", ((b"content-type", b"text/event-stream"),), self._take)
        if request.scope["path"] == "/post":
            self.bodies.append(await self._read(request))
            await self.open.wait()
            return Response(201, b"%d %b" % (len(self.bodies), self.bodies[-1]))
        if self.reads:
            await self._read(request)
        return Response(200, b"plain")

    async def _read(self, request: Request) -> bytes:
        try:
            return await request.body(100_000)
        except BadRequest:
            return b"too large"
        except ClientGone:
            return b"gone"

    def _take(self, hand_over: StreamHandover) -> None:
        self.sink = cast(Any, hand_over(cast(Any, self.stream), 4096))


class Connection:
    """A protocol on a fake transport."""

    def __init__(self, limits: ConnectionLimits | None = None) -> None:
        self.app = App()
        shared = Shared.of(limits or ConnectionLimits(10**9))
        self.header_cache = shared.header_cache
        self.served: Any = SimpleNamespace(state=SimpleNamespace(answer=self.app, shared=shared))
        self.state = ServerState()
        self.time = FakeTime()
        self.connect()

    def connect(self, client: tuple[str, int] | None = None) -> None:
        """Opens another connection to the same server."""
        config = Config(self.served, log_config=None, lifespan="off", ws="none", date_header=False)
        self.protocol = ChatProtocol(config, self.state, {}, cast(Any, self.time))
        self.transport = FakeTransport(client)
        self.protocol.connection_made(self.transport)

    def use(self, endpoint: Endpoint) -> None:
        """Connects to a server with this endpoint."""
        self.served.state.answer = endpoint
        self.protocol.connection_lost(None)
        self.connect()

    async def request(self, data: bytes = b"", *, waits: bool = False) -> bytes:
        """Sends bytes, and returns all bytes that the connection has written.

        `waits`: the last request cannot be answered yet.
        """
        if data:
            self.protocol.data_received(data)
        return await self.request_tasks(100 if waits else 10_000)

    async def request_tasks(self, turns: int = 10_000) -> bytes:
        for turn in range(turns):
            if not self.state.tasks and not self.protocol._behind:
                break
            await asyncio.sleep(0 if turn < 1000 else 0.001)  # what a thread makes takes its time on a busy machine
        return self.transport.buffer
