"""Requests that are answered without ASGI, and the unusual ones that are not."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from connections import GET, Connection, FakeStream
from ssechat.http.fast_path import Answer
from ssechat.server.handed_over import StreamProtocol
from ssechat.server.protocol import HEAD_SECONDS
from ssechat.server.request_parser import Head

pytestmark = pytest.mark.anyio


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
    assert connection.protocol._timer is not None


async def test_a_body_in_pieces_is_waited_for() -> None:
    connection = Connection()
    request = post(b"hello")
    for at in range(len(request)):
        assert connection.transport.buffer == b""
        connection.protocol.data_received(request[at : at + 1])
    assert (await connection.request()).endswith(b"1 hello")


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
    answers = await connection.request()
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
    assert (await connection.request()).count(b"HTTP/1.1 201") == 1
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
    assert b"connection: close\r\n" in await connection.request()
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
    assert (await connection.request()).endswith(b"1 hi")


class Opener:
    """An endpoint whose answer is a stream."""

    def __init__(self) -> None:
        self.stream = FakeStream()
        self.sink: StreamProtocol | None = None
        self.asked: list[tuple[str, str, bytes]] = []
        self.may = asyncio.Event()
        self.may.set()

    async def __call__(self, scope: Any, body: bytes) -> Answer:
        self.asked.append((scope["method"], scope["path"], scope["query_string"]))
        await self.may.wait()
        return Answer(200, b"", b"content-type: text/event-stream\r\n", self._open)

    def _open(self, hand_over: Any) -> None:
        self.sink = hand_over(self.stream, 4096)


async def test_a_stream_can_begin_without_asgi() -> None:
    connection = Connection()
    opener = Opener()
    connection.use((b"GET", b"/events", opener))
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
    connection.use((b"GET", b"/events", opener))
    opener.may.clear()
    connection.protocol.data_received(GET)
    connection.transport.close()
    opener.may.set()
    await connection.request_tasks()
    assert opener.sink is None
    assert connection.transport.buffer == b""


async def test_a_head_that_was_parsed_before_is_not_parsed_again() -> None:
    connection = Connection()
    paths: list[str] = []
    take = connection.protocol._take_directly

    def parsed(head: Head) -> bool:
        paths.append(head.path)
        return take(head)

    connection.protocol._take_directly = parsed  # type: ignore[method-assign]
    for body in (b"one", b"the second"):
        assert (await connection.request(post(body, b"X-A: b"))).endswith(b" " + body)
    assert paths == ["/direct"]
    assert (await connection.request(post(b"x", b"X-A: c"))).endswith(b"3 x")
    assert paths == ["/direct", "/direct"]


async def test_a_known_head_says_nothing_of_who_is_at_the_other_end() -> None:
    connection = Connection()
    scopes: list[Any] = []

    async def endpoint(scope: Any, body: bytes) -> Answer:
        scopes.append(scope)
        scope["noted"] = len(scopes)
        return Answer(200, b"")

    connection.use((b"POST", b"/direct", endpoint))
    for client in (("1.1.1.1", 1), ("2.2.2.2", 2)):
        connection.connect(client)
        await connection.request(post(b"hi"))
    assert [scope["client"] for scope in scopes] == [("1.1.1.1", 1), ("2.2.2.2", 2)]
    assert [scope["noted"] for scope in scopes] == [1, 2]


@pytest.mark.parametrize("garbage", [b"B@D /direct HTTP/1.1", b"POST /elsewhere HTTP/1.1", b"POST /direct HTTP/1.0"])
async def test_what_follows_a_request_is_not_taken_for_one_like_it(garbage: bytes) -> None:
    connection = Connection()
    await connection.request(post(b"hi"))
    data = post(b"hi").replace(b"POST /direct HTTP/1.1", garbage)
    await connection.request(data)
    for _ in range(2):
        connection.connect()
        assert b"201 Created" not in await connection.request(data)
    assert connection.postbox.bodies == [b"hi"]


async def test_requests_in_one_packet_behind_a_known_head_are_all_answered() -> None:
    connection = Connection()
    await connection.request(post(b"a"))
    answers = await connection.request(post(b"b") + post(b"c"))
    assert [answers.index(part) for part in (b"1 a", b"2 b", b"3 c")] == sorted(
        answers.index(part) for part in (b"1 a", b"2 b", b"3 c")
    )
    assert (await connection.request(post(b"d"))).endswith(b"4 d")


async def test_a_known_head_that_comes_while_the_server_stops_is_answered_as_the_last_one() -> None:
    connection = Connection()
    await connection.request(post(b"hi"))
    connection.protocol.shutdown()
    assert b"connection: close\r\n" in await connection.request(post(b"hi"))
    assert connection.transport.closed


async def test_a_connection_is_closed_when_it_has_been_silent_for_long_and_not_before() -> None:
    connection = Connection()
    seconds = connection.protocol.keep_alive_seconds
    await connection.request(post(b"hi"))
    for _ in range(4):
        connection.time.pass_by(seconds - 1)
        await connection.request(post(b"hi"))
    assert not connection.transport.closed
    connection.postbox.open.clear()
    connection.protocol.data_received(post(b"slow"))
    connection.time.pass_by(2 * seconds)
    assert not connection.transport.closed  # its answer is under way
    connection.postbox.open.set()
    await connection.request_tasks()
    connection.time.pass_by(seconds)
    assert connection.transport.closed


async def test_what_stands_behind_a_request_for_a_stream_in_one_packet_is_not_answered_into_it() -> None:
    connection = Connection()
    opener = Opener()
    connection.use((b"GET", b"/events", opener), (b"POST", b"/direct", connection.postbox))
    plain = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await connection.request(GET + post(b"a") + plain)
    for _ in range(5):
        await asyncio.sleep(0)
    assert connection.transport.buffer == answer
    assert answer.count(b"HTTP/1.1") == 1
    assert type(opener.sink) is StreamProtocol  # the chunked one, as the head has said
    assert connection.transport.protocol is opener.sink
    assert connection.postbox.bodies == []


async def test_any_number_of_requests_in_one_packet_is_answered() -> None:
    connection = Connection()
    connection.protocol.data_received(post(b"x") * 1000)
    while connection.transport.buffer.count(b"201 Created") < 1000:
        await asyncio.sleep(0)
    assert len(connection.postbox.bodies) == 1000
    assert connection.transport.reading


async def test_heads_of_requests_that_were_refused_are_not_kept() -> None:
    connection = Connection()
    statuses = iter((401, 201, 201))

    async def endpoint(scope: Any, body: bytes) -> Answer:
        return Answer(next(statuses), b"")

    direct = connection.use((b"POST", b"/direct", endpoint))
    await connection.request(post(b"hi"))
    assert direct.heads.find(post(b"hi")) is None
    await connection.request(post(b"hi"))
    assert direct.heads.find(post(b"hi")) is not None


async def test_a_length_beyond_all_reason_is_answered() -> None:
    connection = Connection()
    data = post(b"hi").replace(b"Content-Length: 2", b"Content-Length: " + b"2".rjust(5000, b"0"))
    assert (await connection.request(data)).startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize("leftover", [b"\r\n", b"POST /dir"])
async def test_what_is_no_request_does_not_keep_a_connection_for_ever(leftover: bytes) -> None:
    connection = Connection()
    await connection.request(post(b"hi"))
    connection.protocol.data_received(leftover)
    connection.time.pass_by(max(HEAD_SECONDS, connection.protocol.keep_alive_seconds))
    assert connection.transport.closed or connection.transport.ended
