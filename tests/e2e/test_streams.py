"""Streams: last event ids, replay, and the events about the stream itself."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest

from e2e.api import SERIES, Person, Reader, message_of, problem, serve
from e2e.frames import numbers
from serving import Server, until

INBOX_LIMIT = 100
STREAMS = 8


@pytest.fixture(scope="module", params=SERIES[:1])
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("streams")
    options = {
        "--ping-seconds": 0.5,
        "--audit-seconds": 2,
        "--drain-seconds": 0,
        "--inbox-limit": INBOX_LIMIT,
        "--streams-per-user": STREAMS,
    }
    arguments = [str(word) for option in options.items() for word in option]
    with serve(folder, *arguments, series=request.param) as running:
        yield running


def test_a_fresh_stream_is_greeted_with_the_head_and_gets_only_what_comes_after(alice: Person, bob: Person) -> None:
    alice.say("before", bob.user)
    with bob.listen() as stream:
        hello = stream.first("hello")
        assert hello.data == {"user": bob.user, "resumed": False, "missed": 0}
        assert hello.id is not None
        assert hello.id.startswith("1-")
        assert stream.retry is not None
        assert 1000 <= stream.retry <= 3000
        sent = alice.say("after", bob.user)
        assert stream.messages(1) == [sent]
        assert [event.name for event in stream.events if event.name != "ping"] == ["hello", "message"]
        assert numbers(stream.events) == [2]


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_the_cursor_of_an_empty_inbox_stays_valid_when_messages_have_arrived(alice: Person, bob: Person) -> None:
    with bob.listen() as stream:
        empty = stream.first("hello").id
    assert empty is not None
    assert empty.startswith("0-")
    with bob.listen(empty) as stream:
        assert stream.first("hello").data == {"user": bob.user, "resumed": True, "missed": 0}
    for number in range(3):
        alice.say(str(number), bob.user)
    with bob.listen(empty) as stream:
        assert stream.first("hello").data == {"user": bob.user, "resumed": True, "missed": 3}
        stream.first("caught_up")
        assert stream.texts == ["0", "1", "2"]
        assert not stream.named("reset")


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_a_stream_resumes_after_the_last_event_id_of_its_header_or_query(alice: Person, bob: Person) -> None:
    with bob.listen() as stream:
        stream.live()
        for number in range(5):
            alice.say(str(number), bob.user)
        stream.messages(5)
        ids = [event.id for event in stream.named("message")]
    with bob.listen(ids[1]) as stream:
        hello = stream.first("hello")
        assert (hello.id, hello.data) == (ids[1], {"user": bob.user, "resumed": True, "missed": 3})
        assert stream.first("caught_up").data == {"id": ids[4]}
        assert stream.texts == ["2", "3", "4"]
        assert [event.id for event in stream.named("message")] == ids[2:]
        names = [event.name for event in stream.events if event.name != "ping"]
        assert names == ["hello", "message", "message", "message", "caught_up"]
        assert stream.opening is not None
        assert stream.opening.id == ids[1]
    for name in ("last_event_id", "lastEventId"):
        with bob.listen(query=f"?{name}={ids[2]}") as stream:
            stream.first("caught_up")
            assert stream.texts == ["3", "4"]
        with bob.listen(ids[3], query=f"?{name}={ids[0]}") as stream:
            stream.first("caught_up")
            assert stream.texts == ["4"]
    # A polyfill may append the newest id to a URL that has an older one: the last one counts.
    with bob.listen(query=f"?lastEventId={ids[0]}&lastEventId={ids[3]}") as stream:
        stream.first("caught_up")
        assert stream.texts == ["4"]
    with bob.listen(ids[4]) as stream:  # level: there is nothing to replay
        stream.first("ping")
        assert [event.name for event in stream.events if event.name != "ping"] == ["hello"]
        alice.say("live", bob.user)
        stream.messages(1)
    with bob.listen("0-0") as stream:
        assert stream.first("hello").data["missed"] == 6
        assert stream.first("hello").id == "0-0"
        stream.first("caught_up")
        assert stream.texts == ["0", "1", "2", "3", "4", "live"]


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_a_replay_of_many_pages_has_every_event_once_and_in_order(alice: Person, bob: Person) -> None:
    texts = [str(number) for number in range(90)]
    with bob.listen() as stream:
        start = stream.first("hello").id
        for text in texts:
            alice.say(text, bob.user)
        stream.messages(90)
    with bob.listen(start) as stream:
        alice.say("meanwhile", bob.user)
        stream.messages(91)
        assert stream.texts == [*texts, "meanwhile"]
        assert numbers(stream.events) == list(range(1, 92))


@pytest.mark.parametrize(
    "cursor",
    [
        "x", "-", "+", "$", "*", "0", "1", "1-", "-1", "1-1-1", "01-1", "1-x", "1.5-1", "9" * 40, "99-1", "2-1",
        "999999999999999999-9999999999999999999", "1-99999999999999999999", "null", "undefined", "(1-1", "x" * 8000,
        "%00", "\xff", "0-1", "1-18446744073709551615",
    ],
)  # fmt: skip
def test_an_invalid_last_event_id_gets_a_reset_and_then_live_events(alice: Person, bob: Person, cursor: str) -> None:
    alice.say("one", bob.user)
    alice.say("two", bob.user)
    for how in ({"cursor": cursor}, {"query": f"?last_event_id={quote(cursor)}"}):
        with bob.listen(**how) as stream:
            reset = stream.first("reset")
            assert stream.first("hello").data == {"user": bob.user, "resumed": False, "missed": 0}
            assert stream.first("hello").id is None
            assert reset.data["reason"] == "unknown" if not cursor.startswith("0-") else True
            assert reset.data["newest"] == reset.id
            assert str(reset.data["oldest"]).startswith("1-")
            sent = alice.say("three", bob.user)
            assert stream.messages(1) == [sent]


def test_another_users_last_event_id_gets_a_reset_that_says_unknown(alice: Person, bob: Person) -> None:
    with alice.listen() as hers, bob.listen() as his:
        foreign = [hers.first("hello").id]
        his.live()
        alice.say("one", bob.user)
        hers.messages(1)
        his.messages(1)
        foreign.append(hers.cursor)
        assert hers.cursor != his.cursor
    for cursor in foreign:
        with bob.listen(cursor) as stream:
            assert stream.first("reset").data["reason"] == "unknown"


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_a_last_event_id_older_than_what_is_kept_gets_a_reset_that_says_expired(alice: Person, bob: Person) -> None:
    with bob.listen() as stream:
        stream.first("hello")
        alice.say("first", bob.user)
        stream.messages(1)
        old = stream.cursor
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: alice.say(str(number), bob.user), range(INBOX_LIMIT + 60)))
    with bob.listen(old) as stream:
        reset = stream.first("reset")
        assert reset.data["reason"] == "expired"
        assert int(reset.data["oldest"].partition("-")[0]) > 1
        assert reset.id == reset.data["newest"]
        sent = alice.say("later", bob.user)
        assert stream.messages(1) == [sent]
    with bob.listen(reset.id) as stream:  # the stream resumes from the id of the reset
        assert stream.first("hello").data == {"user": bob.user, "resumed": True, "missed": 1}
        stream.first("caught_up")
    with bob.listen("0-0") as stream:  # all stored events
        stream.first("caught_up")
        kept = numbers(stream.events)
        assert len(kept) >= INBOX_LIMIT
        assert kept == list(range(kept[0], INBOX_LIMIT + 63))
        assert not stream.named("reset")
    with bob.listen(reset.data["oldest"]) as stream:
        stream.first("caught_up")
        assert not stream.named("reset")


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_a_quiet_stream_is_pinged_with_the_last_id_written_to_it(alice: Person, bob: Person) -> None:
    with bob.listen() as stream:
        head = stream.first("hello").id
        ping = stream.first("ping")
        assert (ping.id, ping.data) == (None, {"id": head})
        alice.say("hi", bob.user)
        stream.messages(1)
        stream.until(lambda it: it.named("ping")[-1].data == {"id": it.cursor})
    with bob.listen(head) as stream:
        stream.first("ping")
        assert stream.named("ping")[0].data == {"id": stream.first("caught_up").data["id"]}


def test_the_id_in_a_ping_is_a_valid_cursor_also_when_all_was_asked_of_an_empty_inbox(
    alice: Person, bob: Person
) -> None:
    with bob.listen("0-0") as stream:
        assert stream.first("hello").data == {"user": bob.user, "resumed": True, "missed": 0}
        cursor = stream.first("ping").data["id"]
    alice.say("hi", bob.user)
    with bob.listen(cursor) as stream:
        stream.messages(1)
        assert not stream.named("reset")


@pytest.mark.parametrize("query", ["?last-event-id=1-1", "?since=1-1", "?ticket=x&Last_Event_Id=1-1", "?=", "?x"])
def test_a_parameter_that_the_stream_does_not_have_is_an_error_before_it_begins(bob: Person, query: str) -> None:
    problem(bob.http.get(f"/v1/events{query}"), 422, "invalid_request")


def test_a_ticket_is_not_used_up_by_a_request_with_an_error_in_it(bob: Person) -> None:
    ticket = bob.http.post("/v1/tickets", json={}).json()["ticket"]
    problem(bob.http.get(f"/v1/events?ticket={ticket}&since=1-1"), 422, "invalid_request")
    with Reader(bob.server, None, query=f"?ticket={ticket}") as stream:
        assert stream.first("hello").data["user"] == bob.user


def test_streams_per_user_is_limited(bob: Person) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(2 * STREAMS + 1):  # as many as both workers allow, and one more
            stream = stack.enter_context(bob.listen())
            stream.until(lambda it: it.events)
            if stream.named("bye"):
                break
        assert stream.first("bye").data == {"reason": "too_many"}
        assert stream.retry is not None
        assert 15_000 <= stream.retry <= 60_000
        stream.until(lambda it: it.ended)
        assert stream.ended != "clean"  # some clients would not reconnect after a complete response
    until(lambda: opens(bob))


def opens(person: Person) -> bool:
    """Whether the user can open a stream on both workers."""
    for worker in person.server.workers():
        try:
            with person.listen_on(worker) as stream:
                if stream.until(lambda it: it.events).named("bye"):
                    return False
        except LookupError:  # it has ended already
            return False
    return True


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_history_and_stream_have_no_hole_between_them(alice: Person, bob: Person) -> None:
    total = 60
    with ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as stack:
        sending = pool.submit(lambda: [alice.say(str(number), bob.user) for number in range(total)])
        readers: list[tuple[Reader, list[dict[str, Any]]]] = []
        while not sending.done() and len(readers) < 2 * STREAMS - 1:
            stream = stack.enter_context(bob.listen())
            if stream.until(lambda it: it.events).named("bye"):
                continue  # this worker is at its limit
            readers.append((stream, bob.history(alice.user, limit=200)))
        sent = sending.result()
        assert readers
        for stream, history in readers:
            stream.until(lambda it: it.named("message") and message_of(it.named("message")[-1]) == sent[-1])
            known = {message["seq"] for message in history}
            known |= {event.data["seq"] for event in stream.named("message")}
            assert known == set(range(1, total + 1))
