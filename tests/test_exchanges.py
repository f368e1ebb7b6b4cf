"""Requests and their responses on one connection: bodies, pipelining, the end of a connection, streams that begin."""

import asyncio

import pytest

from connections import GET, Connection
from ssechat.http.exchange import ClientGone, Request, Response
from ssechat.server.connection_limits import ConnectionLimits
from ssechat.server.incoming_request import HIGH_WATER
from ssechat.server.protocol import HEADERS_SECONDS
from ssechat.server.request_parser import RequestHeaders
from ssechat.server.stream_protocol import StreamProtocol

pytestmark = pytest.mark.anyio


def post(body: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join([b"POST /post HTTP/1.1", b"Host: x", *lines, b"Content-Length: %d" % len(body), b"", body])


async def test_fast_path_waits_for_a_body_in_pieces() -> None:
    connection = Connection()
    request = post(b"hello")
    for at in range(len(request)):
        assert connection.transport.buffer == b""
        connection.protocol.data_received(request[at : at + 1])
    assert (await connection.request()).endswith(b"1 hello")


async def test_pipelining_requests_over_fast_path_and_asgi_are_answered_in_order() -> None:
    connection = Connection()
    connection.app.open.clear()
    plain = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    connection.protocol.data_received(post(b"a") + post(b"b") + plain + post(b"c"))
    assert not connection.transport.reading  # reading is paused meanwhile
    for _ in range(5):
        await asyncio.sleep(0)
    assert connection.app.bodies == [b"a"]
    connection.app.open.set()
    answers = await connection.request()
    assert [answers.index(part) for part in (b"1 a", b"2 b", b"plain", b"3 c")] == sorted(
        answers.index(part) for part in (b"1 a", b"2 b", b"plain", b"3 c")
    )
    assert answers.count(b"HTTP/1.1 201") == 3
    assert connection.transport.reading


async def test_pipelining_a_waiting_request_may_get_its_body_later() -> None:
    connection = Connection()
    connection.app.open.clear()
    second = post(b"second")
    connection.protocol.data_received(post(b"first") + second[:-3])
    connection.app.open.set()
    assert (await connection.request(waits=True)).count(b"HTTP/1.1 201") == 1
    assert (await connection.request(second[-3:])).endswith(b"2 second")


async def test_connection_close_is_answered_with_connection_close() -> None:
    connection = Connection()
    assert b"connection: close\r\n" in await connection.request(post(b"hi", b"Connection: close"))
    assert connection.transport.closed


async def test_graceful_shutdown_answers_requests_on_the_fast_path() -> None:
    connection = Connection()
    connection.app.open.clear()
    connection.protocol.data_received(post(b"hi"))
    connection.protocol.shutdown()
    assert not connection.transport.closed
    connection.app.open.set()
    assert b"connection: close\r\n" in await connection.request()
    assert connection.transport.closed


async def test_a_response_after_a_disconnect_is_dropped() -> None:
    connection = Connection()
    connection.app.open.clear()
    connection.protocol.data_received(post(b"a") + post(b"b"))
    connection.transport.close()
    connection.protocol.connection_lost(None)
    connection.app.open.set()
    assert await connection.request_tasks() == b""


async def test_backpressure_the_next_response_waits_until_the_client_reads() -> None:
    connection = Connection()
    connection.protocol.pause_writing()
    connection.protocol.data_received(post(b"hi"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert connection.transport.buffer == b""
    connection.protocol.resume_writing()
    assert (await connection.request()).endswith(b"1 hi")


async def test_keep_alive_timeout_closes_an_idle_connection() -> None:
    connection = Connection()
    seconds = connection.protocol.keep_alive_seconds
    await connection.request(post(b"hi"))
    for _ in range(4):
        connection.time.pass_by(seconds - 1)
        await connection.request(post(b"hi"))
    assert not connection.transport.closed
    connection.app.open.clear()
    connection.protocol.data_received(post(b"slow"))
    connection.time.pass_by(2 * seconds)
    assert not connection.transport.closed  # its response is being written
    connection.app.open.set()
    await connection.request_tasks()
    connection.time.pass_by(seconds)
    assert connection.transport.closed


async def test_pipelining_any_number_of_requests_in_one_packet_is_answered() -> None:
    connection = Connection()
    connection.protocol.data_received(post(b"x") * 1000)
    while connection.transport.buffer.count(b"201 Created") < 1000:
        await asyncio.sleep(0)
    assert len(connection.app.bodies) == 1000
    assert connection.transport.reading


async def test_an_absurd_content_length_is_answered() -> None:
    connection = Connection()
    data = post(b"hi").replace(b"Content-Length: 2", b"Content-Length: " + b"2".rjust(5000, b"0"))
    assert (await connection.request(data)).startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize("leftover", [b"\r\n", b"POST /dir"])
async def test_what_is_no_request_does_not_keep_a_connection_for_ever(leftover: bytes) -> None:
    connection = Connection()
    await connection.request(post(b"hi"))
    connection.protocol.data_received(leftover)
    connection.time.pass_by(max(HEADERS_SECONDS, connection.protocol.keep_alive_seconds))
    assert connection.transport.closed or connection.transport.ended


async def test_a_response_leaves_in_one_write_with_the_headers_it_has() -> None:
    connection = Connection()

    async def endpoint(request: Request) -> Response:
        return Response(201, b"done", ((b"x-a", b"b"), (b"x-a", b"c")))

    connection.use(endpoint)
    assert await connection.request(post(b"hi")) == (
        b"HTTP/1.1 201 Created\r\nx-a: b\r\nx-a: c\r\ncontent-length: 4\r\n\r\ndone"
    )
    assert not connection.transport.closed
    assert connection.protocol._timer is not None


@pytest.mark.parametrize("status", [204, 304])
async def test_what_can_have_no_body_has_no_content_length(status: int) -> None:
    connection = Connection()

    async def endpoint(_: Request) -> Response:
        return Response(status)

    connection.use(endpoint)
    assert b"content-length" not in await connection.request(post(b"hi"))
    assert not connection.transport.closed


async def test_a_head_request_is_answered_with_the_length_and_without_the_body() -> None:
    connection = Connection()
    for path in (b"/", b"/events"):
        connection.connect()
        answer = await connection.request(b"HEAD %b HTTP/1.1\r\nHost: x\r\n\r\n" % path)
        assert answer.endswith(b"content-length: %d\r\n\r\n" % (5 if path == b"/" else 0))
        assert not connection.transport.closed
    assert connection.app.sink is None


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /post HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
        b"POST /post HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        post(b"hello", b"Expect: 100-continue"),
        post(b"hello", b"Connection: upgrade", b"Upgrade: h2c"),
    ],
    ids=["1.0", "chunked", "expect", "upgrade"],
)
async def test_a_request_in_any_form_is_answered_by_the_same_endpoint(request_: bytes) -> None:
    connection = Connection()
    answer = await connection.request(request_)
    assert b"\r\ncontent-length: 7\r\n" in answer
    assert answer.endswith(b"\r\n\r\n1 hello")
    assert connection.app.bodies == [b"hello"]


async def test_a_large_body_is_read_no_faster_than_it_is_asked_for() -> None:
    connection = Connection()
    go = asyncio.Event()

    async def endpoint(request: Request) -> Response:
        await go.wait()
        return Response(200, b"%d" % len(await request.body(10 * HIGH_WATER)))

    connection.use(endpoint)
    body = b"x" * HIGH_WATER
    head = b"POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (3 * len(body))
    connection.protocol.data_received(head + body)
    assert connection.transport.reading
    connection.protocol.data_received(body)
    assert not connection.transport.reading
    go.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert connection.transport.reading
    assert (await connection.request(body)).endswith(b"\r\n%d" % (3 * len(body)))


async def test_who_expects_it_is_told_to_go_on_when_the_body_is_asked_for_and_not_before() -> None:
    connection = Connection()
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    assert b"100 Continue" not in await connection.request(head % b"/")
    assert connection.transport.ended
    connection.connect()
    connection.protocol.data_received(head % b"/post")
    for _ in range(5):
        await asyncio.sleep(0)
    assert connection.transport.buffer == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (await connection.request(b"hello")).endswith(b"1 hello")


async def test_an_endpoint_that_waits_for_a_body_hears_that_its_client_has_gone() -> None:
    connection = Connection()
    heard = []

    async def endpoint(request: Request) -> Response:
        try:
            await request.body(100)
        except ClientGone:
            heard.append("gone")
        return Response(200)

    connection.use(endpoint)
    connection.protocol.data_received(post(b"hello")[:-1])
    await asyncio.sleep(0)
    connection.transport.close()
    connection.protocol.connection_lost(None)
    assert await connection.request_tasks() == b""
    assert heard == ["gone"]


async def test_a_reader_that_left_before_its_stream_could_begin_gets_none() -> None:
    connection = Connection()
    connection.app.open.clear()
    connection.protocol.data_received(GET)
    connection.transport.close()
    connection.app.open.set()
    await connection.request_tasks()
    assert connection.app.sink is None
    assert connection.transport.buffer == b""


async def test_pipelining_a_request_behind_a_stream_is_not_answered_into_it() -> None:
    connection = Connection()
    plain = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await connection.request(GET + post(b"a") + plain)
    for _ in range(5):
        await asyncio.sleep(0)
    assert connection.transport.buffer == answer
    assert answer.count(b"HTTP/1.1") == 1
    assert type(connection.app.sink) is StreamProtocol  # chunked, as announced in the response headers
    assert connection.transport.protocol is connection.app.sink
    assert connection.app.bodies == []


def note_parsed(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records the paths of requests whose headers are parsed from now on."""
    paths: list[str] = []
    on_headers = connection.protocol.on_headers

    def parsed(head: RequestHeaders) -> None:
        paths.append(head.path)
        on_headers(head)

    monkeypatch.setattr(connection.protocol, "on_headers", parsed)
    return paths


async def test_header_cache_known_headers_are_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection()
    paths = note_parsed(connection, monkeypatch)
    for body in (b"one", b"the second"):
        assert (await connection.request(post(body, b"X-A: b"))).endswith(b" " + body)
    assert paths == ["/post"]
    assert (await connection.request(post(b"x", b"X-A: c"))).endswith(b"3 x")
    assert paths == ["/post", "/post"]


async def test_header_cache_does_not_cache_the_clients_address() -> None:
    connection = Connection()
    for client in (("1.1.1.1", 1), ("2.2.2.2", 2)):
        connection.connect(client)
        await connection.request(post(b"hi"))
        connection.app.scopes[-1]["noted"] = True
    assert [scope["client"] for scope in connection.app.scopes] == [("1.1.1.1", 1), ("2.2.2.2", 2)]
    connection.connect()
    await connection.request(post(b"hi"))
    assert connection.app.scopes[-1]["client"] is None


@pytest.mark.parametrize("garbage", [b"B@D /post HTTP/1.1", b"POST /elsewhere HTTP/1.1", b"POST /post HTTP/1.0"])
async def test_a_request_that_resembles_a_known_one_is_not_taken_for_it(garbage: bytes) -> None:
    connection = Connection()
    await connection.request(post(b"hi"))
    data = post(b"hi").replace(b"POST /post HTTP/1.1", garbage)
    for _ in range(3):
        connection.connect()
        answer = await connection.request(data)
        assert b"201 Created" not in answer or b"connection: close" in answer
    assert len(connection.header_cache._known) == 1 + (b"/elsewhere" in garbage)


async def test_pipelining_requests_behind_cached_headers_are_all_answered() -> None:
    connection = Connection()
    await connection.request(post(b"a"))
    answers = await connection.request(post(b"b") + post(b"c"))
    places = [answers.index(part) for part in (b"1 a", b"2 b", b"3 c")]
    assert places == sorted(places)
    assert (await connection.request(post(b"d"))).endswith(b"4 d")


async def test_graceful_shutdown_a_request_with_cached_headers_gets_connection_close() -> None:
    connection = Connection()
    await connection.request(post(b"hi"))
    connection.protocol.shutdown()
    assert b"connection: close\r\n" in await connection.request(post(b"hi"))
    assert connection.transport.closed


async def test_header_cache_does_not_keep_refused_requests() -> None:
    connection = Connection()
    statuses = iter((401, 201, 201))

    async def endpoint(_: Request) -> Response:
        return Response(next(statuses))

    connection.use(endpoint)
    await connection.request(post(b"hi"))
    assert connection.header_cache.find(post(b"hi")) is None
    await connection.request(post(b"hi"))
    assert connection.header_cache.find(post(b"hi")) is not None


async def test_a_known_head_is_not_looked_for_where_there_is_no_room() -> None:
    connection = Connection(limits=ConnectionLimits(1))
    await connection.request(post(b"hi"))
    connection.protocol._limits.is_known(connection.protocol)
    connection.connect()
    assert b"connection: close\r\n" in await connection.request(post(b"hi"))
    assert connection.app.full == [False, True]


async def test_each_answer_has_the_date_of_its_own_time() -> None:
    connection = Connection()
    for second in (b"1", b"2"):
        connection.state.default_headers = [(b"date", second)]
        assert (await connection.request(post(b"hi"))).count(b"date: %b\r\n" % second) == 1


async def test_a_connection_ends_where_there_is_no_answer_to_be_had(caplog: pytest.LogCaptureFixture) -> None:
    connection = Connection()

    async def endpoint(_: Request) -> Response:
        raise RuntimeError("the inside")

    connection.use(endpoint)
    assert await connection.request(post(b"hi")) == b""
    assert connection.transport.aborted
    assert [record.getMessage() for record in caplog.records] == [
        "the API raised an exception; the connection is closed"
    ]
