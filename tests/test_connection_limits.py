"""Limits of connections: file descriptors, incomplete requests, unread responses, and timeouts."""

import logging
import resource

import pytest

from connections import Connection
from ssechat.http.exchange import USER, Request, Response
from ssechat.server.connection import CLOSING_BYTES, CLOSING_SECONDS, SCARCE_SECONDS, UNREAD_SECONDS
from ssechat.server.connection_limits import LOOK_AT, UNFINISHED, UNREAD, UNREAD_PER_READER, ConnectionLimits
from ssechat.server.protocol import BODY_SECONDS

pytestmark = pytest.mark.anyio

END = b"\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: x" + END
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"


async def names_its_user(request: Request) -> Response:
    """An endpoint that takes the user's name from the request's body."""
    request.scope[USER] = str(await request.body(100), "ascii")
    return Response(200)


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class LimitedConnection:
    """A fake connection that records its eviction."""

    is_answering = False
    evicted = False

    def evict(self) -> None:
        self.evicted = True


async def test_a_reached_limit_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    limits = ConnectionLimits(10, clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            clock.time += 1
            limits.admit(LimitedConnection(), 11)
        assert len(caplog.records) == 1
        assert "the limit of 10 connections is reached" in caplog.text
        clock.time += 61
        limits.admit(LimitedConnection(), 11)
        assert len(caplog.records) == 2


async def test_over_the_connection_limit_the_oldest_anonymous_connection_is_closed() -> None:
    limits = ConnectionLimits(3)
    first, known, busy, idle, new = guests = [LimitedConnection() for _ in range(5)]
    busy.is_answering = True
    for count, connection in enumerate((first, known, busy), 1):
        assert limits.admit(connection, count)
    limits.is_known(known)
    assert limits.admit(idle, 4)
    assert limits.admit(new, 4)
    assert [connection.evicted for connection in guests] == [True, False, False, True, False]
    limits.is_known(new)
    assert not limits.admit(LimitedConnection(), 4)  # a connection with a request in progress is not evicted


async def test_a_process_keeps_descriptors_for_itself() -> None:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = ConnectionLimits.of_process()
    assert limits.hard_limit < most - 8
    assert limits.most >= 8


async def test_over_the_connection_limit_a_request_gets_503_full() -> None:
    limits = ConnectionLimits(1)
    connection = Connection(limits=limits)
    first = connection.protocol
    limits.is_known(first)
    connection.connect()
    answer = await connection.request(GET)
    assert connection.app.full == [True]
    assert b"connection: close" in answer
    assert connection.transport.closed
    connections: set[object] = {*connection.state.connections}  # the set is uvicorn's, as are the types in it
    assert first in connections


async def test_over_the_hard_limit_503_comes_before_the_request() -> None:
    limits = ConnectionLimits(1)
    connection = Connection(limits=limits)
    for _ in range(5):
        limits.is_known(connection.protocol)
        connection.connect()
    assert connection.transport.buffer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 5\r\n" in connection.transport.buffer
    assert connection.transport.closed


async def test_near_the_connection_limit_timeouts_are_shorter() -> None:
    connection = Connection(limits=ConnectionLimits(4))
    patient = connection.transport
    for _ in range(3):
        connection.connect()
    connection.time.pass_by(SCARCE_SECONDS)
    assert connection.transport.closed
    assert not patient.closed


async def test_body_timeout_is_408() -> None:
    connection = Connection()
    connection.app.reads = True
    connection.protocol.data_received(POST + b"he")
    connection.time.pass_by(BODY_SECONDS - 1)
    connection.protocol.data_received(b"l")  # slow bytes do not extend the deadline
    assert connection.transport.buffer == b""
    connection.time.pass_by(1)
    assert connection.transport.buffer.startswith(b"HTTP/1.1 408 ")
    assert connection.transport.ended
    await connection.request_tasks()  # the waiting endpoint is notified
    assert connection.transport.buffer.count(b"HTTP/1.1") == 1


async def test_a_client_that_still_sends_can_read_the_last_response() -> None:
    connection = Connection()
    await connection.request(b"NONSENSE\r\n\r\n")
    assert connection.transport.ended
    assert not connection.transport.closed
    before = connection.transport.buffer
    await connection.request(GET * 100)
    assert connection.transport.buffer == before
    assert not connection.transport.aborted
    connection.time.pass_by(CLOSING_SECONDS)
    assert connection.transport.aborted


async def test_a_client_that_goes_on_sending_after_the_last_response_is_cut() -> None:
    connection = Connection()
    connection.protocol.data_received(b"NONSENSE\r\n\r\n")
    connection.protocol.data_received(bytes(CLOSING_BYTES))
    assert not connection.transport.aborted
    connection.protocol.data_received(b"x")
    assert connection.transport.aborted


async def test_an_answer_before_the_body_is_the_last_one() -> None:
    connection = Connection()
    answer = await connection.request(POST)
    assert b"connection: close" in answer
    assert connection.transport.ended
    assert await connection.request(b"hello" + GET) == answer


async def test_over_the_limit_of_incomplete_request_bytes_the_oldest_connection_is_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits = ConnectionLimits(1000)
    connection = Connection(limits=limits)
    oldest = connection.transport
    connection.protocol.data_received(b"GET / HT")
    other = LimitedConnection()
    limits.begin(other, UNFINISHED - 10)
    assert oldest.buffer == b""
    connection.connect()
    connection.protocol.data_received(b"GET / HT")
    assert oldest.buffer.startswith(b"HTTP/1.1 503 ")
    assert oldest.closed
    assert "incomplete requests use 64 MiB" in caplog.text
    assert not other.evicted
    assert connection.transport.buffer == b""


@pytest.mark.parametrize("rest", [b"TP/1.1\r\nHost: x\r\n\r\n", None])
async def test_the_room_of_a_request_is_free_when_it_is_whole_or_gone(rest: bytes | None) -> None:
    limits = ConnectionLimits(1000)
    connection = Connection(limits=limits)
    connection.protocol.data_received(b"GET / HT")
    if rest is not None:
        await connection.request(rest)
    else:
        connection.protocol.connection_lost(None)
    other = LimitedConnection()
    limits.begin(other, UNFINISHED)
    assert not other.evicted
    limits.begin(other, 1)
    assert other.evicted


async def test_pipelined_bytes_count_as_incomplete_request_bytes() -> None:
    limits = ConnectionLimits(1000)
    connection = Connection(limits=limits)
    connection.protocol.data_received(GET * 100)
    other = LimitedConnection()
    limits.begin(other, UNFINISHED - len(GET) * 99)
    assert not connection.transport.aborted
    limits.begin(other, 1)
    assert connection.transport.aborted
    connection = Connection(limits=ConnectionLimits(1000))
    assert (await connection.request(GET * 100)).count(b"plain") == 100


async def test_backpressure_no_request_is_read_from_a_client_that_does_not_read() -> None:
    connection = Connection()
    connection.transport.waiting = 20_000
    await connection.request(GET)
    connection.protocol.pause_writing()
    await connection.request(GET, waits=True)
    assert connection.transport.buffer.count(b"plain") == 1
    assert not connection.transport.reading
    connection.time.pass_by(UNREAD_SECONDS - 1)
    connection.protocol.resume_writing()
    assert (await connection.request()).count(b"plain") == 2
    connection.protocol.pause_writing()
    connection.time.pass_by(UNREAD_SECONDS)
    assert connection.transport.aborted


async def test_backpressure_unread_response_bytes_are_limited_per_reader(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits = ConnectionLimits(1000)
    connection = Connection(limits=limits)

    connection.use(names_its_user)
    transports = []
    for user in (b"alice", b"bobby", b"alice", b"alice"):
        connection.connect()
        await connection.request(POST.replace(b" / ", b" /post ") + user)
        connection.transport.waiting = UNREAD_PER_READER // 2
        connection.protocol.pause_writing()
        transports.append(connection.transport)
    assert [transport.aborted for transport in transports] == [True, False, False, False]
    assert "leaves 4 MiB of responses unread" in caplog.text
    connection.protocol.connection_lost(None)
    connection.connect()
    connection.protocol.pause_writing()
    assert not connection.transport.aborted


async def test_keep_alive_connections_are_limited_per_user() -> None:
    limits = ConnectionLimits(80)
    connection = Connection(limits=limits)

    connection.use(names_its_user)
    kept = []
    for user in (*[b"alice"] * 12, b"bobby"):
        connection.connect()
        await connection.request(POST.replace(b" / ", b" /post ") + user)
        kept.append(not connection.transport.closed)
    assert kept == [True] * 10 + [False] * 2 + [True]
    assert b"connection: close" not in connection.transport.buffer


async def test_a_connection_stays_its_users_when_it_asks_for_what_anybody_may_have() -> None:
    connection = Connection(limits=ConnectionLimits(80))

    async def endpoint(request: Request) -> Response:
        if request.method == "POST":
            request.scope[USER] = "alice"
        return Response(200)

    connection.use(endpoint)
    kept = []
    for _ in range(12):
        connection.connect()
        await connection.request(POST.replace(b" / ", b" /post ") + b"hello")
        await connection.request(GET)
        kept.append(not connection.transport.closed)
    assert kept == [True] * 10 + [False] * 2


async def test_an_answer_that_comes_too_late_for_its_connection_counts_for_no_user() -> None:
    limits = ConnectionLimits(80)
    connection = Connection(limits=limits)
    for _ in range(limits.max_per_user):
        connection.connect()
        connection.app.user = "alice"
        connection.protocol.data_received(GET)
        connection.protocol.connection_lost(None)
        await connection.request_tasks()
    connection.connect()
    assert limits.open(connection.protocol, "alice")


async def test_of_a_request_that_was_answered_nothing_stays() -> None:
    connection = Connection()
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX-Large: " + b"x" * 10_000 + END
    await connection.request(head)
    assert connection.protocol.request is None
    assert connection.protocol._parser._headers == []
    await connection.request(POST.replace(b" / ", b" /post ") + b"hello")
    assert connection.protocol.request is None
    assert b"201" in connection.transport.buffer


async def test_a_connection_that_is_closed_goes_in_time_though_little_of_an_answer_was_not_read() -> None:
    connection = Connection()
    await connection.request(GET)
    connection.time.pass_by(connection.protocol.keep_alive_seconds)
    assert connection.transport.closed  # which waits until the client has read the write buffer
    assert not connection.transport.aborted
    connection.time.pass_by(UNREAD_SECONDS)
    assert connection.transport.aborted


async def test_backpressure_the_oldest_unread_response_is_cut() -> None:
    limits = ConnectionLimits(1000)
    connection = Connection(limits=limits)
    each = UNREAD_PER_READER // 2
    transports = []
    for user in "abcdefghijklmnopqrstuvwxyz":
        for _ in range(3):
            connection.connect((user, 1))
            connection.transport.waiting = each
            connection.protocol.pause_writing()
            transports.append(connection.transport)
    cut = [transport.aborted for transport in transports]
    assert cut[:3] == [True, True, True]
    assert cut[-3:] == [True, False, False]
    assert sum(each for transport in transports if not transport.aborted) == UNREAD


async def test_a_connection_with_an_unread_response_is_evicted_at_once() -> None:
    connection = Connection(limits=ConnectionLimits(1))
    connection.transport.waiting = 20_000
    await connection.request(GET)
    connection.protocol.pause_writing()
    unread = connection.transport
    connection.connect()
    assert unread.aborted


async def test_strangers_that_are_answered_do_not_hide_those_that_are_idle() -> None:
    limits = ConnectionLimits(1000)
    busy = [LimitedConnection() for _ in range(LOOK_AT)]
    idle = LimitedConnection()
    for connection in (*busy, idle):
        limits.admit(connection, 1)
    for connection in busy:
        connection.is_answering = True
    assert not limits.admit(LimitedConnection(), 1001)
    assert limits.admit(LimitedConnection(), 1001)
    assert idle.evicted


async def test_a_newcomer_is_refused_while_those_who_make_room_for_it_are_not_gone() -> None:
    limits = ConnectionLimits(8)
    for _ in range(9):
        limits.admit(LimitedConnection(), 8)
    assert limits.admit(LimitedConnection(), limits.hard_limit)
    assert not limits.admit(LimitedConnection(), limits.hard_limit + 1)


async def test_where_no_stranger_can_go_the_user_with_most_connections_makes_room() -> None:
    limits = ConnectionLimits(40)
    connection = Connection(limits=limits)
    transports = []
    for user in (*["bob"] * 2, *["alice"] * 8, *["carol"] * 3):
        connection.connect()
        connection.app.user = user
        await connection.request(GET)
        transports.append((user, connection.transport))
    limits.most = limits.max_per_user = 13  # of 14 connections, including the first one
    connection.app.user = "alice"
    connection.connect()
    await connection.request(GET)
    connection.connect()
    assert not connection.protocol._full
    assert [user for user, transport in transports if transport.closed] == ["alice"]
