"""The contract of streams with both adapters: after a handover, and over ASGI with sse-starlette."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import pytest
import uvicorn
from sse_starlette.sse import AppStatus
from starlette.applications import Starlette

from parts import FOR_EVER, FakeSink, Worker, parse_frames
from ssechat.http.asgi import ASGIAdapter, QueueSink
from ssechat.http.event_stream import stream_response
from ssechat.http.exchange import Request, Response
from ssechat.identity.tokens import Identity
from ssechat.ids import UserId
from ssechat.streams.stream import Stream

pytestmark = [pytest.mark.anyio]

OURS = "ssechat.server.protocol:ChatProtocol"
ANY_OTHER = "h11"


class Running:
    """A uvicorn that serves one user's stream with the components of one worker."""

    def __init__(self, worker: Worker, http: str) -> None:
        async def endpoint(request: Request) -> Response:
            cursor = request.scope["query_string"].decode() or None
            identity, source = Identity(UserId("bob"), FOR_EVER), worker.inbox.source(UserId("bob"))
            return stream_response(
                worker.hub, identity, source, cursor, 8192, refusal=None, sign_outs=worker.auth.sign_outs
            )

        app = Starlette()
        app.middleware_stack = ASGIAdapter(endpoint, app.router)
        app.state.answer = endpoint
        config = uvicorn.Config(
            app, http=http, lifespan="off", ws="none", log_config=None, access_log=False, timeout_graceful_shutdown=10
        )
        self.server = uvicorn.Server(config)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]


@asynccontextmanager
async def running(worker: Worker, http: str) -> AsyncIterator[Running]:
    one = Running(worker, http)
    task = asyncio.create_task(one.server._serve([one.socket]))
    while not one.server.started:
        await asyncio.sleep(0.005)
    try:
        yield one
    finally:
        one.server.should_exit = True
        AppStatus.should_exit = True
        await task
        AppStatus.should_exit = False


class Reader:
    """A client of one stream: the raw bytes, and the frames in them."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.raw, self.writer = reader, writer
        self.head = b""
        self.frames: list[dict[str, str]] = []
        self.ended = False
        self._begun = b""  # an incomplete frame

    @classmethod
    async def connect(cls, port: int, cursor: str = "", version: str = "1.1") -> "Reader":
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # a small buffer, so that backpressure shows
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
        writer.write(f"GET /?{cursor} HTTP/{version}\r\nHost: x\r\n\r\n".encode())
        found = cls(reader, writer)
        found.head = await reader.readuntil(b"\r\n\r\n")
        return found

    async def until(self, condition: Callable[[list[dict[str, str]]], object]) -> list[dict[str, str]]:
        """Reads chunks until the frames fulfil the condition; returns the frames."""
        async with asyncio.timeout(8):
            while not self.ended and not condition(self.frames):
                line = await self.raw.readline()
                if not line:
                    break  # the stream was truncated
                size = int(line, 16)
                self.ended = size == 0
                chunk = (await self.raw.readexactly(size + 2))[:-2]
                whole, _, self._begun = (self._begun + chunk).rpartition(b"\n\n")
                self.frames += parse_frames(whole)
        return self.frames


def named(name: str, count: int = 1) -> Callable[[list[dict[str, str]]], bool]:
    return lambda frames: [frame.get("event") for frame in frames].count(name) >= count


@pytest.fixture(params=[OURS, ANY_OTHER], ids=["handed-over", "carried"])
def http(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_the_headers_are_those_that_proxies_and_browsers_need(worker: Worker, http: str) -> None:
    async with running(worker, http) as server:
        reader = await Reader.connect(server.port)
        headers = {}
        for line in reader.head.decode().split("\r\n")[1:-2]:
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert headers["cache-control"] == "no-store, no-transform"
        assert headers["x-accel-buffering"] == "no"
        assert headers["transfer-encoding"] == "chunked"
        assert "connection" not in headers
        reader.writer.close()


async def test_a_stream_begins_with_hello_and_then_has_live_events(worker: Worker, http: str) -> None:
    async with running(worker, http) as server:
        reader = await Reader.connect(server.port)
        frames = await reader.until(named("hello"))
        assert frames[0]["event"] == "retry"
        await worker.say("one")
        await worker.say("two")
        frames = await reader.until(named("message", 2))
        assert [json.loads(frame["data"])["text"] for frame in frames[2:]] == ["one", "two"]
        reader.writer.close()


async def test_a_stream_resumes_after_its_last_event_id(worker: Worker, http: str) -> None:
    for i in range(100):
        await worker.say(f"m{i}")
    cursor = (await worker.events("bob"))[9][1]
    async with running(worker, http) as server:
        reader = await Reader.connect(server.port, cursor)
        frames = await reader.until(named("caught_up"))
        texts = [json.loads(frame["data"])["text"] for frame in frames if frame.get("event") == "message"]
        assert texts == [f"m{i}" for i in range(10, 100)]
        reader.writer.close()


async def test_a_disconnect_closes_the_stream(worker: Worker, http: str) -> None:
    async with running(worker, http) as server:
        reader = await Reader.connect(server.port)
        await reader.until(named("hello"))
        assert len(worker.hub) == 1
        reader.writer.close()
        async with asyncio.timeout(5):
            while len(worker.hub):
                await asyncio.sleep(0.01)


async def test_backpressure_a_slow_reader_is_buffered_within_a_bound_and_misses_nothing(
    worker: Worker, http: str
) -> None:
    async with running(worker, http) as server:
        reader = await Reader.connect(server.port)
        await reader.until(named("hello"))
        text = "x" * 3000
        for i in range(400):
            await worker.say(f"{i} {text}")
        [stream] = worker.hub._all()
        assert stream.paused_at is not None or stream.busy
        frames = await reader.until(named("message", 400))
        found = [json.loads(frame["data"])["text"] for frame in frames if frame.get("event") == "message"]
        assert found == [f"{i} {text}" for i in range(400)]
        reader.writer.close()


async def test_the_server_can_end_a_stream(worker: Worker, http: str) -> None:
    async with running(worker, http) as server:
        reader = await Reader.connect(server.port)
        await reader.until(named("hello"))
        for stream in worker.hub._all():
            stream.bye("signed_out")
        frames = await reader.until(lambda _: False)
        assert json.loads(frames[-1]["data"]) == {"reason": "signed_out"}
        assert reader.ended
        reader.writer.close()


async def test_graceful_shutdown_sends_bye(worker: Worker, http: str) -> None:
    async with running(worker, http) as server:
        reader = await Reader.connect(server.port)
        await reader.until(named("hello"))
        server.server.should_exit = AppStatus.should_exit = True  # as a signal does
        frames = await reader.until(lambda _: False)
        assert json.loads(frames[-1]["data"]) == {"reason": "drain"}
        # Many clients reconnect only after a truncated response, which ASGI does not allow.
        assert reader.ended is (http == ANY_OTHER)
        reader.writer.close()


async def test_a_reader_of_http_1_0_gets_the_same_without_chunks(worker: Worker) -> None:
    async with running(worker, OURS) as server:
        reader = await Reader.connect(server.port, version="1.0")
        assert b"transfer-encoding" not in reader.head
        hello = await reader.raw.readuntil(b'"missed":0}\n')
        assert hello.startswith(b"event: retry\nretry: ")
        await worker.say("one")
        await reader.raw.readuntil(b'"text":"one"')
        reader.writer.close()


async def test_a_stream_over_asgi_can_be_aborted(worker: Worker) -> None:
    stream = Stream(worker.hub, Identity(UserId("bob"), FOR_EVER), worker.inbox.source(UserId("bob")))
    sink = QueueSink(stream, 100)
    sink.write(b"3\r\nabc\r\n")
    sink.abort()
    assert [frame async for frame in sink.frames(anyio.Event())] == []


async def test_a_stream_that_is_refused_counts_as_one_that_began_and_ended(worker: Worker) -> None:
    identity, sink = Identity(UserId("bob"), FOR_EVER), FakeSink()
    response = stream_response(
        worker.hub, identity, worker.inbox.source(UserId("bob")), None, 8192, refusal="too_many", sign_outs=0
    )
    assert response.stream is not None
    response.stream(lambda stream, buffer: sink)
    assert sink.names() == ["bye"]
    assert worker.hub.metrics.closes["too_many"] == 1
    assert worker.hub.metrics.streams == len(worker.hub) == 0
