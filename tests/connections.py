"""The protocol class on a fake transport: bytes in, bytes out, and no socket."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from ssechat.http.event_stream import HANDOVER
from ssechat.http.fast_path import NO_ROOM, USER, Answer, Direct, Endpoint
from ssechat.server.handed_over import StreamProtocol
from ssechat.server.limits import Limits
from ssechat.server.protocol import ChatProtocol

GET = b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n"


class FakeTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self, client: tuple[str, int] | None = None) -> None:
        super().__init__({"peername": client})
        self.buffer = b""
        self.closed = False
        self.aborted = False
        self.ended = False
        """Whether nothing more is sent, and what comes is thrown away."""
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
    """A call that is due at a time, unless it is cancelled."""

    def __init__(self, when: float, callback: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._when = when
        self.call: tuple[Callable[..., Any], tuple[Any, ...]] | None = callback, arguments

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        self.call = None


class FakeTime:
    """The running loop, but for its time, which passes when it is told to."""

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
        """Lets so much time pass: what falls due meanwhile is called in its order."""
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
    """Notes what the connection tells it."""

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
    """Hands every request for a stream over."""

    def __init__(self) -> None:
        self.stream = FakeStream()
        self.sink: StreamProtocol | None = None
        self.scopes: list[Any] = []
        self.full: list[bool] = []
        """Of each request, whether the server had no room for it."""
        self.reads = False
        """Whether it asks for each request's body."""
        self.user: str | None = None
        """Whose requests they are."""
        self.state: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        hand_over = scope.get("extensions", {}).get(HANDOVER)
        self.scopes.append((scope["http_version"], hand_over is not None))
        self.full.append(NO_ROOM in scope)
        if self.user is not None:
            scope[USER] = self.user
        while self.reads and (await receive()).get("more_body"):
            pass
        if scope["path"] == "/events":
            headers = [(b"content-type", b"text/event-stream")]
            hand_over.prepare()
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            self.sink = hand_over.take(self.stream, 4096)
        else:
            headers = [(b"content-length", b"5")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"plain"})


class Postbox:
    """An endpoint that answers without ASGI, when it is let."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, scope: Any, body: bytes) -> Answer:
        self.bodies.append(body)
        await self.open.wait()
        return Answer(201, b"%d %b" % (len(self.bodies), body))


class Connection:
    """A protocol on a fake transport."""

    def __init__(self, unless: frozenset[bytes] = frozenset(), limits: Limits | None = None) -> None:
        self.app = App()
        self.postbox = Postbox()
        direct = Direct({(b"POST", b"/direct"): self.postbox}, unless)
        self.app.state = SimpleNamespace(direct=direct, limits=limits)
        self.state = ServerState()
        self.time = FakeTime()
        self.connect()

    def connect(self, client: tuple[str, int] | None = None) -> None:
        """Another connection to the same server."""
        config = Config(self.app, log_config=None, lifespan="off", ws="none", date_header=False)
        self.protocol = ChatProtocol(config, self.state, {}, cast(Any, self.time))
        self.transport = FakeTransport(client)
        self.protocol.connection_made(self.transport)

    def use(self, *endpoints: tuple[bytes, bytes, Endpoint]) -> Direct:
        """A connection to a server that has these endpoints."""
        direct = Direct({(method, path): endpoint for method, path, endpoint in endpoints}, frozenset())
        self.app.state.direct = direct
        self.protocol.connection_lost(None)
        self.connect()
        return direct

    async def request(self, data: bytes = b"") -> bytes:
        """Sends something, and returns all that was answered on this connection."""
        if data:
            self.protocol.data_received(data)
        return await self.request_tasks()

    async def request_tasks(self) -> bytes:
        for _ in range(10_000):
            if not self.state.tasks and not self.protocol._behind:
                break
            await asyncio.sleep(0)
        return self.transport.buffer
