"""The protocol class, driven with bytes over a fake transport; no socket."""

import asyncio
import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from ssechat import frames
from ssechat.direct import Answer, Direct
from ssechat.response import HANDOVER
from ssechat.server.handed_over import StreamProtocol
from ssechat.server.protocol import HEAD_LIMIT, ChatProtocol

pytestmark = pytest.mark.anyio

GET = b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n"


class FakeTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = b""
        self.closed = False
        self.aborted = False
        self.reading = True
        self.limit: int | None = None
        self.protocol: asyncio.BaseProtocol | None = None

    def write(self, data: Any) -> None:
        assert not self.closed
        self.buffer += bytes(data)

    def close(self) -> None:
        self.closed = True

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
        self.state: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        hand_over = scope.get("extensions", {}).get(HANDOVER)
        self.scopes.append((scope["http_version"], hand_over is not None))
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

    def __init__(self, unless: frozenset[bytes] = frozenset()) -> None:
        self.app = App()
        self.postbox = Postbox()
        self.app.state = SimpleNamespace(direct=Direct({(b"POST", b"/direct"): self.postbox}, unless))
        config = Config(self.app, log_config=None, lifespan="off", ws="none", date_header=False)
        self.state = ServerState()
        self.protocol = ChatProtocol(config, self.state, {}, asyncio.get_running_loop())
        self.transport = FakeTransport()
        self.protocol.connection_made(self.transport)

    async def request(self, data: bytes) -> bytes:
        self.protocol.data_received(data)
        return await self.request_tasks()

    async def request_tasks(self) -> bytes:
        while self.state.tasks:
            await asyncio.sleep(0)
        return self.transport.buffer


async def test_a_stream_gets_the_transport_once_its_response_has_started() -> None:
    connection = Connection()
    head = await connection.request(GET)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"transfer-encoding: chunked\r\n" in head
    assert b"connection:" not in head
    sink = connection.app.sink
    assert sink is not None
    assert connection.transport.protocol is sink
    assert connection.transport.limit == 4096
    assert not connection.transport.closed
    sink.write(frames.event("hello", {}))
    assert connection.transport.buffer == head + b"17\r\nevent: hello\ndata: {}\n\n\r\n"


async def test_of_a_request_that_was_handed_over_nothing_stays() -> None:
    connection = Connection()
    await connection.request(GET)
    gone = weakref.ref(connection.protocol)
    [left] = list(connection.state.connections)
    assert left is connection.app.sink  # type: ignore[comparison-overlap]
    gc.disable()
    try:
        del connection.protocol
        assert gone() is None  # without the collector's help
    finally:
        gc.enable()


async def test_the_connections_news_reaches_the_stream() -> None:
    connection = Connection()
    await connection.request(GET)
    sink = connection.app.sink
    assert sink is not None
    sink.data_received(b"GET / HTTP/1.1\r\n\r\n")
    sink.pause_writing()
    sink.resume_writing()
    sink.shutdown()
    sink.connection_lost(None)
    assert connection.app.stream.told == ["pause", "resume", "drain", "lost"]
    assert connection.state.connections == set()


async def test_the_end_of_a_stream_ends_the_response_in_good_order() -> None:
    connection = Connection()
    await connection.request(GET)
    sink = connection.app.sink
    assert sink is not None
    sink.end()
    assert connection.transport.buffer.endswith(b"0\r\n\r\n")
    assert connection.transport.closed
    assert not connection.transport.aborted


async def test_a_stream_can_drop_its_connection() -> None:
    connection = Connection()
    await connection.request(GET)
    sink = connection.app.sink
    assert sink is not None
    sink.abort()
    assert connection.transport.aborted


async def test_a_reader_that_left_before_the_hand_over_gets_none() -> None:
    connection = Connection()
    connection.protocol.data_received(GET)
    connection.transport.close()
    while connection.state.tasks:
        await asyncio.sleep(0)
    assert connection.app.sink is None


async def test_a_reader_of_http_1_0_gets_no_chunks() -> None:
    connection = Connection()
    head = await connection.request(b"GET /events HTTP/1.0\r\n\r\n")
    assert b"connection: close\r\n" in head
    assert b"transfer-encoding" not in head
    sink = connection.app.sink
    assert sink is not None
    sink.write(frames.event("hello", {}))
    sink.end()
    assert connection.transport.buffer == head + b"event: hello\ndata: {}\n\n"
    assert connection.transport.closed


async def test_a_stream_that_begins_while_the_server_stops_is_told_at_once() -> None:
    connection = Connection()
    connection.protocol.data_received(GET)
    connection.protocol.shutdown()
    await connection.request(b"")
    await asyncio.sleep(0)
    assert connection.app.stream.told == ["drain"]


PLAIN = b"POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


async def test_a_request_that_crosses_the_servers_end_is_answered_as_the_last_one() -> None:
    connection = Connection()
    assert b"connection: close" not in await connection.request(PLAIN)
    connection.protocol.shutdown()
    assert not connection.transport.closed
    assert b"connection: close\r\n" in (await connection.request(PLAIN)).rpartition(b"HTTP/1.1 200")[2]
    assert connection.transport.closed


@pytest.mark.parametrize("before", [b"", PLAIN])
async def test_a_connection_without_a_request_ends_soon_after_the_server(
    before: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.server.protocol.LINGER_SECONDS", 0.0)
    connection = Connection()
    await connection.request(before)
    connection.protocol.shutdown()
    await asyncio.sleep(0.001)
    assert connection.transport.closed


async def test_a_stream_that_crosses_the_servers_end_is_said_goodbye_and_not_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ssechat.server.protocol.LINGER_SECONDS", 0.0)
    connection = Connection()
    await connection.request(PLAIN)
    connection.protocol.shutdown()
    await connection.request(GET)
    await asyncio.sleep(0.001)
    assert connection.app.stream.told == ["drain"]
    assert not connection.transport.closed


async def test_a_header_without_end_is_refused_as_it_grows() -> None:
    connection = Connection()
    connection.protocol.data_received(b"GET / HTTP/1.1\r\nx: ")
    for _ in range(HEAD_LIMIT // 1000 + 1):
        if not connection.transport.closed:
            connection.protocol.data_received(b"y" * 1000)
    assert connection.transport.buffer.startswith(b"HTTP/1.1 400 ")
    assert connection.transport.closed


async def test_a_connection_that_asks_for_nothing_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssechat.server.protocol.HEAD_SECONDS", 0.01)
    silent, busy = Connection(), Connection()
    silent.protocol.data_received(b"GET / HT")
    await busy.request(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.sleep(0.05)
    assert silent.transport.closed
    assert not busy.transport.closed


async def test_ordinary_requests_keep_their_connection() -> None:
    connection = Connection()
    for count in (1, 2):
        assert (await connection.request(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")).count(b"plain") == count
    assert not connection.transport.closed
    assert connection.state.connections == {connection.protocol}


async def test_an_ordinary_request_of_http_1_0_is_answered() -> None:
    connection = Connection()
    answer = await connection.request(b"GET / HTTP/1.0\r\n\r\n")
    assert answer == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nplain"
    assert connection.transport.closed


async def test_requests_in_one_packet_are_answered_in_order() -> None:
    connection = Connection()
    await connection.request(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
    assert connection.transport.buffer.count(b"plain") == 3


async def test_a_stream_after_an_ordinary_request_on_the_same_connection_is_handed_over() -> None:
    connection = Connection()
    await connection.request(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await connection.request(GET)
    assert connection.app.sink is not None
    await asyncio.sleep(0)
    assert not connection.transport.closed


async def test_headers_without_end_are_refused() -> None:
    connection = Connection()
    head = b"GET / HTTP/1.1\r\n" + b"".join(b"x-%d: %b\r\n" % (i, b"y" * 1000) for i in range(80))
    assert len(head) > HEAD_LIMIT
    assert (await connection.request(head)).startswith(b"HTTP/1.1 400 ")
    assert connection.transport.closed


async def test_a_connection_that_was_reset_leaves_no_timer_behind() -> None:
    connection = Connection()
    await connection.request(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.protocol.timeout_keep_alive_task is not None
    connection.protocol.connection_lost(ConnectionResetError())
    assert connection.protocol.timeout_keep_alive_task is None
    assert connection.protocol.scope is None


def post(body: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join([b"POST /direct HTTP/1.1", b"Host: x", *lines, b"Content-Length: %d" % len(body), b"", body])


async def test_what_can_be_answered_without_asgi_is() -> None:
    connection = Connection()
    answer = await connection.request(post(b"hi", b"X-A: b"))
    assert answer == (
        b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncache-control: no-store\r\n"
        b"content-length: 4\r\n\r\n1 hi"
    )
    assert connection.app.scopes == []
    assert not connection.transport.closed
    assert connection.protocol.timeout_keep_alive_task is not None


async def test_a_body_in_pieces_is_waited_for() -> None:
    connection = Connection()
    request = post(b"hello")
    for at in range(len(request)):
        assert connection.transport.buffer == b""
        connection.protocol.data_received(request[at : at + 1])
    assert (await connection.request(b"")).endswith(b"1 hello")


async def test_requests_in_one_packet_are_answered_one_after_another_whoever_answers() -> None:
    connection = Connection()
    connection.postbox.open.clear()
    plain = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    connection.protocol.data_received(post(b"a") + post(b"b") + plain + post(b"c"))
    assert not connection.transport.reading  # no more than this is taken meanwhile
    for _ in range(5):
        await asyncio.sleep(0)
    assert connection.postbox.bodies == [b"a"]
    connection.postbox.open.set()
    answers = await connection.request(b"")
    assert [answers.index(part) for part in (b"1 a", b"2 b", b"plain", b"3 c")] == sorted(
        answers.index(part) for part in (b"1 a", b"2 b", b"plain", b"3 c")
    )
    assert answers.count(b"HTTP/1.1 201") == 3
    assert connection.transport.reading


async def test_a_request_that_waits_its_turn_may_get_its_body_later() -> None:
    connection = Connection()
    connection.postbox.open.clear()
    second = post(b"second")
    connection.protocol.data_received(post(b"first") + second[:-3])
    connection.postbox.open.set()
    assert (await connection.request(b"")).count(b"HTTP/1.1 201") == 1
    assert (await connection.request(second[-3:])).endswith(b"2 second")


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /direct HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi",
        b"POST /direct HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"POST /direct HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70000,
        post(b"hi", b"Expect: 100-continue"),
        post(b"hi", b"Connection: upgrade", b"Upgrade: h2c"),
        post(b"hi", b"Origin: http://elsewhere"),
        b"PUT /direct HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi",
    ],
    ids=["1.0", "chunked", "large", "expect", "upgrade", "origin", "method"],
)
async def test_what_is_unusual_goes_through_asgi(request_: bytes) -> None:
    connection = Connection(unless=frozenset({b"origin"}))
    assert b"plain" in await connection.request(request_)
    assert len(connection.app.scopes) == 1
    assert connection.postbox.bodies == []


async def test_who_closes_the_connection_after_a_request_is_told_so() -> None:
    connection = Connection()
    assert b"connection: close\r\n" in await connection.request(post(b"hi", b"Connection: close"))
    assert connection.transport.closed


async def test_a_server_that_stops_answers_what_it_has_taken_and_closes() -> None:
    connection = Connection()
    connection.postbox.open.clear()
    connection.protocol.data_received(post(b"hi"))
    connection.protocol.shutdown()
    assert not connection.transport.closed
    connection.postbox.open.set()
    assert b"connection: close\r\n" in await connection.request(b"")
    assert connection.transport.closed


async def test_an_answer_that_nobody_waits_for_any_more_is_dropped() -> None:
    connection = Connection()
    connection.postbox.open.clear()
    connection.protocol.data_received(post(b"a") + post(b"b"))
    connection.transport.close()
    connection.protocol.connection_lost(None)
    connection.postbox.open.set()
    assert await connection.request_tasks() == b""


async def test_an_answer_waits_until_the_client_takes_what_was_sent() -> None:
    connection = Connection()
    connection.protocol.pause_writing()
    connection.protocol.data_received(post(b"hi"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert connection.transport.buffer == b""
    connection.protocol.resume_writing()
    assert (await connection.request(b"")).endswith(b"1 hi")


class Opener:
    """An endpoint whose answer is a stream."""

    def __init__(self) -> None:
        self.stream = FakeStream()
        self.sink: StreamProtocol | None = None
        self.asked: list[tuple[str, str, bytes]] = []

    async def __call__(self, scope: Any, body: bytes) -> Answer:
        self.asked.append((scope["method"], scope["path"], scope["query_string"]))
        return Answer(200, b"", ((b"content-type", b"text/event-stream"),), self._open)

    def _open(self, hand_over: Any) -> None:
        self.sink = hand_over(self.stream, 4096)


async def test_a_stream_can_begin_without_asgi() -> None:
    connection = Connection()
    opener = Opener()
    connection.app.state.direct = Direct({(b"GET", b"/events"): opener}, frozenset())
    connection.protocol.connection_made(connection.transport)
    head = await connection.request(b"GET /events?last_event_id=1-2 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head == b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    assert opener.asked == [("GET", "/events", b"last_event_id=1-2")]
    assert connection.app.scopes == []
    assert opener.sink is not None
    assert connection.transport.protocol is opener.sink
    assert connection.transport.limit == 4096
    gone = weakref.ref(connection.protocol)
    [left] = list(connection.state.connections)
    assert left is opener.sink  # type: ignore[comparison-overlap]
    gc.disable()
    try:
        del connection.protocol
        assert gone() is None  # without the collector's help
    finally:
        gc.enable()
    opener.sink.shutdown()
    assert opener.stream.told == ["drain"]


async def test_a_reader_that_left_before_its_stream_could_begin_gets_none() -> None:
    connection = Connection()
    opener = Opener()
    connection.app.state.direct = Direct({(b"GET", b"/events"): opener}, frozenset())
    connection.protocol.connection_made(connection.transport)
    connection.protocol.data_received(GET)
    connection.transport.close()
    await connection.request_tasks()
    assert opener.sink is None
    assert connection.transport.buffer == b""
