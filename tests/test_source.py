"""A source other than inboxes: its pages skip replaced events, and it shares a hub with inboxes."""

from collections.abc import Sequence
from itertools import count

import pytest

from parts import FOR_EVER, FakeSink, Worker
from polling import until
from redises import RedisProcess
from ssechat.events import frames
from ssechat.events.source import START, Event, Page, Source
from ssechat.identity.tokens import Identity
from ssechat.ids import UserId, number_of
from ssechat.streams.stream import PAGE, PAGE_BYTES_OF_NEWEST, Stream

pytestmark = pytest.mark.anyio


class Ticker:
    """A log that keeps only the newest value of each key: its pages skip replaced events."""

    skips = True
    sort = "feed"

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        """Key → the id of the event with its newest value."""
        self.head_of_all = "0-7"
        self.asked: list[tuple[str, int, int]] = []
        self.heads_asked = 0
        self._tags = count(100)

    def put(self, key: str) -> tuple[str, str]:
        """Appends a value; returns its event id and the id before it."""
        before, self.head_of_all = self.head_of_all, f"{number_of(self.head_of_all) + 1}-{next(self._tags)}"
        self.values[key] = self.head_of_all
        return self.head_of_all, before

    async def head(self, name: str) -> str:
        return self.head_of_all

    async def heads(self, names: Sequence[str]) -> list[str]:
        self.heads_asked += 1
        return [self.head_of_all for _ in names]

    async def read(self, name: str, cursor: str, count: int, room: int) -> Page:
        self.asked.append((cursor, count, room))
        after = -1 if cursor == START else number_of(cursor)
        ids = sorted((entry for entry in self.values.values() if number_of(entry) > after), key=number_of)
        events = [Event(number_of(one), one, "tick", frames.durable(one, "tick", b"{}")) for one in ids[:count]]
        return Page(True, self.head_of_all, ids[0] if ids else self.head_of_all, events)


def opened(worker: Worker, log: Ticker, cursor: str | None) -> tuple[Stream, FakeSink]:
    source = Source(log, "prices", b"channel of prices")
    stream, sink = Stream(worker.hub, Identity(UserId("bob"), FOR_EVER), source), FakeSink()
    stream.opened(sink, cursor)
    worker.hub.attach(stream, cursor, worker.auth.sign_outs)
    return stream, sink


def ticks(sink: FakeSink) -> list[str]:
    return [event["id"] for event in sink.events() if event["event"] == "tick"]


async def test_a_stream_reads_pages_that_skip_without_a_reset(worker: Worker) -> None:
    log = Ticker()
    for key in ("a", "b", "a", "a", "c", "b"):
        log.put(key)
    stream, sink = opened(worker, log, "1-100")
    await until(lambda: stream.live)
    assert [number_of(entry) for entry in ticks(sink)] == [4, 5, 6]
    assert "reset" not in sink.names()
    assert log.asked[0] == ("1-100", PAGE, PAGE_BYTES_OF_NEWEST)


async def test_a_stream_of_a_log_that_must_not_skip_gets_a_reset_for_a_hole(worker: Worker) -> None:
    log = Ticker()
    log.skips = False
    for key in ("a", "b", "a"):
        log.put(key)
    _, sink = opened(worker, log, "0-7")
    await until(lambda: "reset" in sink.names())


async def test_one_hub_has_streams_of_several_logs_and_audits_each_with_one_question(worker: Worker) -> None:
    log = Ticker()
    of_feed, feed_sink = opened(worker, log, None)
    another, _ = opened(worker, log, None)
    of_inbox, inbox_sink = worker.open_stream("bob")
    await until(lambda: of_feed.live and another.live and of_inbox.live)
    worker.hub.subscriptions._on_message = lambda *_: None  # all wake-ups are lost
    log.put("a")
    await worker.say("hi")
    worker.clock.time += 601
    await worker.hub.sweep()
    await until(lambda: ticks(feed_sink) and inbox_sink.ids())
    assert log.heads_asked == 1
    assert worker.hub.metrics.events_from_log["tick"] == 2


async def test_a_wake_up_of_one_source_is_not_shown_to_the_streams_of_another(
    worker: Worker, redis: RedisProcess
) -> None:
    log = Ticker()
    of_feed, feed_sink = opened(worker, log, None)
    of_inbox, inbox_sink = worker.open_stream("bob")
    await until(lambda: of_feed.live and of_inbox.live)
    entry, before = log.put("a")
    with redis.client() as client:
        client.publish("channel of prices", f"message 0 {entry} {before}\n{{}}")
    await until(lambda: of_feed.cursor == entry)
    assert inbox_sink.ids() == []
    assert feed_sink.ids() == [entry]
    assert worker.hub.has_room(of_feed.source)
