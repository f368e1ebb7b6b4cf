"""The protocol class, driven with bytes over a fake transport: ordinary requests, and streams handed over."""

import asyncio
import gc
import weakref
from typing import Any, cast

import pytest

from connections import GET, Connection
from ssechat.events import frames
from ssechat.http.exchange import Request, Response, StreamHandover
from ssechat.server import GRACE_SECONDS
from ssechat.server.protocol import HEADERS_SECONDS, LAST_SECONDS, LINGER_SECONDS
from ssechat.server.request_parser import HEADERS_LIMIT

pytestmark = pytest.mark.anyio


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


async def test_after_a_handover_the_request_is_freed() -> None:
    connection = Connection()
    await connection.request(GET)
    gone = weakref.ref(connection.protocol)
    connections: list[object] = [*connection.state.connections]  # the set is uvicorn's, as are the types in it
    [left] = connections
    assert left is connection.app.sink
    gc.disable()
    try:
        del connection.protocol
        assert gone() is None  # freed by reference counting
    finally:
        gc.enable()


async def test_after_a_handover_the_stream_gets_the_transports_callbacks() -> None:
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


@pytest.mark.parametrize(("final", "last"), [(True, b"0\r\n\r\n"), (False, b"")])
async def test_the_end_of_a_stream_completes_the_response_only_if_it_is_final(final: bool, last: bytes) -> None:
    connection = Connection()
    head = await connection.request(GET)
    sink = connection.app.sink
    assert sink is not None
    sink.end(final=final)
    assert connection.transport.buffer == head + last
    assert connection.transport.closed
    assert not connection.transport.aborted


async def test_a_stream_can_drop_its_connection() -> None:
    connection = Connection()
    await connection.request(GET)
    sink = connection.app.sink
    assert sink is not None
    sink.abort()
    assert connection.transport.aborted


async def test_a_reader_that_left_before_the_handover_gets_no_stream() -> None:
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
    sink.end(final=True)
    assert connection.transport.buffer == head + b"event: hello\ndata: {}\n\n"
    assert connection.transport.closed


async def test_graceful_shutdown_a_new_stream_is_drained_at_once() -> None:
    connection = Connection()
    connection.protocol.data_received(GET)
    connection.protocol.shutdown()
    await connection.request()
    await asyncio.sleep(0)
    assert connection.app.stream.told == ["drain"]


PLAIN = b"POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


async def test_graceful_shutdown_a_request_on_its_way_is_answered_with_connection_close() -> None:
    connection = Connection()
    assert b"connection: close" not in await connection.request(PLAIN)
    connection.protocol.shutdown()
    assert not connection.transport.closed
    assert b"connection: close\r\n" in (await connection.request(PLAIN)).rpartition(b"HTTP/1.1 200")[2]
    assert connection.transport.closed


@pytest.mark.parametrize("before", [b"", PLAIN])
async def test_graceful_shutdown_closes_idle_keep_alive_connections_soon(before: bytes) -> None:
    connection = Connection()
    await connection.request(before)
    connection.protocol.shutdown()
    connection.time.pass_by(LINGER_SECONDS)
    await asyncio.sleep(0)
    assert connection.transport.closed


async def test_graceful_shutdown_a_stream_that_opens_meanwhile_gets_a_bye() -> None:
    connection = Connection()
    await connection.request(PLAIN)
    connection.protocol.shutdown()
    await connection.request(GET)
    connection.time.pass_by(LINGER_SECONDS)
    await asyncio.sleep(0)
    assert connection.app.stream.told == ["drain"]
    assert not connection.transport.closed


async def test_an_endless_header_is_refused_while_it_grows() -> None:
    connection = Connection()
    connection.protocol.data_received(b"GET / HTTP/1.1\r\nx: ")
    for _ in range(HEADERS_LIMIT // 1000 + 1):
        connection.protocol.data_received(b"y" * 1000)
    assert connection.transport.buffer.startswith(b"HTTP/1.1 431 ")
    assert connection.transport.ended


async def test_a_connection_without_a_request_is_closed_after_the_header_timeout() -> None:
    silent, mute, busy = Connection(), Connection(), Connection()
    busy.protocol.keep_alive_seconds = 2 * HEADERS_SECONDS
    silent.protocol.data_received(b"GET / HT")
    await busy.request(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    for each in (silent, mute, busy):
        each.time.pass_by(HEADERS_SECONDS)
    assert mute.transport.closed
    assert mute.transport.buffer == b""
    assert silent.transport.buffer.startswith(b"HTTP/1.1 408 ")
    assert silent.transport.ended
    assert not busy.transport.closed


async def test_keep_alive_ordinary_requests_keep_their_connection() -> None:
    connection = Connection()
    for count in (1, 2):
        assert (await connection.request(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")).count(b"plain") == count
    assert not connection.transport.closed
    connections: list[object] = [*connection.state.connections]
    assert connections == [connection.protocol]


async def test_an_ordinary_request_of_http_1_0_is_answered() -> None:
    connection = Connection()
    answer = await connection.request(b"GET / HTTP/1.0\r\n\r\n")
    assert answer == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nplain"
    assert connection.transport.closed


async def test_pipelining_requests_in_one_packet_are_answered_in_order() -> None:
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


async def test_endless_headers_are_refused() -> None:
    connection = Connection()
    head = b"GET / HTTP/1.1\r\n" + b"".join(b"x-%d: %b\r\n" % (i, b"y" * 1000) for i in range(80))
    assert len(head) > HEADERS_LIMIT
    assert (await connection.request(head)).startswith(b"HTTP/1.1 431 ")
    assert connection.transport.ended


async def test_a_connection_that_was_reset_leaves_no_timer_behind() -> None:
    connection = Connection()
    await connection.request(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.protocol._timer is not None
    connection.protocol.connection_lost(ConnectionResetError())
    assert connection.protocol._timer is None
    assert connection.protocol.request is None


async def test_backpressure_a_stream_begins_paused_if_its_write_buffer_is_full() -> None:
    connection = Connection()

    async def begin(request: Request) -> Response:
        def take(hand_over: StreamHandover) -> None:
            connection.protocol.pause_writing()  # as the response headers do if earlier responses are unread
            hand_over(cast(Any, connection.app.stream), 4096)

        return Response(200, stream=take)

    connection.use(begin)
    await connection.request(GET)
    assert connection.app.stream.told == ["pause"]


async def test_backpressure_an_ended_stream_is_aborted_if_its_reader_does_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ssechat.server.stream_protocol.LAST_WORD_SECONDS", 0.0)
    connection = Connection()
    await connection.request(GET)
    assert connection.app.sink is not None
    connection.app.sink.end(final=True)
    assert not connection.transport.aborted
    await asyncio.sleep(0.01)
    assert connection.transport.aborted


async def test_graceful_shutdown_does_not_wait_for_an_incomplete_request() -> None:
    connection = Connection()
    connection.app.reads = True
    connection.protocol.data_received(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe")
    connection.protocol.shutdown()
    connection.time.pass_by(LAST_SECONDS)
    assert connection.transport.buffer.startswith(b"HTTP/1.1 408 ")
    connection.time.pass_by(LAST_SECONDS)
    assert connection.transport.aborted
    await connection.request_tasks()
    assert 2 * LAST_SECONDS < GRACE_SECONDS


async def test_a_connection_that_is_cut_as_its_stream_begins_is_no_error_of_the_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connection = Connection()
    write = connection.transport.write

    def write_and_go(data: bytes) -> None:
        write(data)
        connection.transport.abort()

    monkeypatch.setattr(connection.transport, "write", write_and_go)
    await connection.request(GET)
    assert connection.app.sink is None
    assert caplog.text == ""
