import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from parts import ALICE, FOR_EVER, FakeClock, FakeSink
from ssechat.errors import RedisUnavailable
from ssechat.events import frames
from ssechat.events.source import START, Event, Page, Source
from ssechat.events.wake_ups import WakeUp
from ssechat.identity.tokens import Identity
from ssechat.ids import number_of
from ssechat.streams.stream import Stream
from ssechat.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio


class FakeInbox:
    """An inbox in memory; wake-ups are sent only by `publish`."""

    def __init__(self) -> None:
        self.birth = "0-77"
        self.entries: list[str] = []
        self.trimmed = 0
        self.reads = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails = False

    skips: bool = False

    async def heads(self, names: Sequence[str]) -> list[str]:
        return [self.newest() for _ in names]

    def append(self, count: int = 1) -> None:
        for _ in range(count):
            n = self.trimmed + len(self.entries) + 1
            self.entries.append(f"{n}-{n * 10}")

    def newest(self) -> str:
        return self.entries[-1] if self.entries else self.birth

    async def head(self, name: str) -> str:
        await self.gate.wait()
        return self.newest()

    async def read(self, name: str, cursor: str, count: int, room: int) -> Page:
        self.reads += 1
        await asyncio.sleep(0)
        if self.fails:
            raise RedisUnavailable("away")
        entries, head = list(self.entries), self.newest()
        await self.gate.wait()
        oldest = entries[0] if entries else head
        if cursor == START:
            after = entries
        elif cursor in entries:
            after = entries[entries.index(cursor) + 1 :]
        elif cursor == self.birth and not self.trimmed:
            after = entries
        else:
            return Page(False, head, oldest, ())
        return Page(True, head, oldest, [Event(number_of(one), one, "message", chunk(one)) for one in after[:count]])


def chunk(entry: str) -> bytes:
    return frames.durable(entry, "message", b"{}")


class FakeOwner:
    """A fake of the hub for a stream."""

    def __init__(self) -> None:
        self.fake = FakeInbox()
        self.clock = FakeClock()
        self.tasks: list[asyncio.Task[None]] = []
        self.gone: list[Stream] = []
        self.metrics = Metrics()
        self.source = Source(self.fake, "alice", b"alice")

    @property
    def now(self) -> Callable[[], float]:
        return self.clock

    def catch_up(self, stream: Stream) -> None:
        self.tasks.append(asyncio.create_task(stream.catch_up()))

    def closed(self, stream: Stream) -> None:
        self.gone.append(stream)

    def drain_delay(self) -> float:
        return 0.0

    async def settle(self) -> None:
        while self.tasks:
            await self.tasks.pop()


@pytest.fixture
def owner() -> FakeOwner:
    return FakeOwner()


def a_stream(owner: FakeOwner) -> tuple[Stream, FakeSink]:
    stream, sink = Stream(owner, Identity(ALICE, FOR_EVER), owner.source), FakeSink()
    stream.opened(sink, None)
    return stream, sink


def publish(owner: FakeOwner, stream: Stream, entry: str | None = None) -> None:
    newest = entry or owner.fake.newest()
    position = owner.fake.entries.index(newest)
    before = owner.fake.entries[position - 1] if position else owner.fake.birth
    offer(stream, newest, before)


def offer(stream: Stream, entry: str, before: str) -> None:
    stream.offer(WakeUp("message", 0, entry, before, b"{}", number_of(entry)), chunk(entry), False)


async def test_a_stream_without_last_event_id_begins_at_the_newest_event(owner: FakeOwner) -> None:
    owner.fake.append(3)
    stream, sink = a_stream(owner)
    await stream.begin(None)
    retry, hello = sink.events()
    assert (retry["event"], retry["data"]) == ("retry", "{}")
    assert "id" not in retry  # it disconnected before Redis returned the newest id
    assert 1000 <= int(retry["retry"]) <= 3000
    assert (hello["event"], hello["id"]) == ("hello", "3-30")
    assert json.loads(hello["data"]) == {"user": "alice", "resumed": False, "missed": 0}
    assert stream.live


async def test_a_live_stream_writes_what_comes_next_and_drops_what_it_has(owner: FakeOwner) -> None:
    stream, sink = a_stream(owner)
    await stream.begin(None)
    owner.fake.append()
    publish(owner, stream)
    publish(owner, stream)
    assert sink.ids() == ["1-10"]


async def test_a_hole_is_filled_from_the_inbox_without_closing(owner: FakeOwner) -> None:
    stream, sink = a_stream(owner)
    await stream.begin(None)
    owner.fake.append(3)
    publish(owner, stream)  # the wake-ups of the first two were lost
    assert not stream.live
    await owner.settle()
    assert sink.ids() == ["1-10", "2-20", "3-30"]
    assert stream.live
    assert sink.names() == ["hello", "message", "message", "message"]


async def test_what_comes_while_a_page_is_read_is_neither_lost_nor_doubled(owner: FakeOwner) -> None:
    stream, sink = a_stream(owner)
    await stream.begin(None)
    owner.fake.append(2)
    owner.fake.gate.clear()
    publish(owner, stream)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    owner.fake.append()  # after the page was read, before it is written
    publish(owner, stream)
    owner.fake.gate.set()
    await owner.settle()
    assert sink.ids() == ["1-10", "2-20", "3-30"]
    assert stream.live


async def test_replay_sends_what_was_missed_and_then_caught_up(owner: FakeOwner) -> None:
    owner.fake.append(5)
    stream, sink = a_stream(owner)
    await stream.begin("2-20")
    hello = sink.events()[1]
    assert json.loads(hello["data"]) == {"user": "alice", "resumed": True, "missed": 3}
    assert hello["id"] == "2-20"
    assert sink.ids() == ["3-30", "4-40", "5-50"]
    assert sink.names()[-1] == "caught_up"
    assert json.loads(sink.events()[-1]["data"]) == {"id": "5-50"}


async def test_a_replay_longer_than_a_page_is_complete(owner: FakeOwner) -> None:
    owner.fake.append(300)
    stream, sink = a_stream(owner)
    await stream.begin("0-77")
    assert sink.ids() == owner.fake.entries
    assert sink.names().count("caught_up") == 1
    assert stream.live


async def test_replay_of_nothing_sends_no_event(owner: FakeOwner) -> None:
    owner.fake.append(2)
    stream, sink = a_stream(owner)
    await stream.begin("2-20")
    assert sink.names() == ["hello"]
    assert stream.live


async def test_last_event_id_0_0_replays_all_stored_events(owner: FakeOwner) -> None:
    owner.fake.append(5)
    del owner.fake.entries[:2]
    owner.fake.trimmed = 2
    stream, sink = a_stream(owner)
    await stream.begin("0-0")
    assert sink.ids() == ["3-30", "4-40", "5-50"]
    assert json.loads(sink.events()[1]["data"])["missed"] == 3
    assert sink.events()[1]["id"] == "0-0"  # so that a client that is disconnected now reads from the beginning again
    owner.fake.append()
    publish(owner, stream)
    assert sink.ids()[-1] == "6-60"


async def test_last_event_id_0_0_of_an_empty_inbox_replays_nothing(owner: FakeOwner) -> None:
    stream, sink = a_stream(owner)
    await stream.begin("0-0")
    assert sink.names() == ["hello"]
    assert sink.events()[1]["id"] == stream.cursor == "0-77"
    owner.fake.append()
    publish(owner, stream)
    assert sink.ids() == ["1-10"]


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [("nonsense", "unknown"), ("4-99", "unknown"), ("9-90", "unknown"), ("1-10", "expired"), ("0-77", "expired")],
)
async def test_an_invalid_last_event_id_gets_a_reset(owner: FakeOwner, cursor: str, reason: str) -> None:
    owner.fake.append(5)
    del owner.fake.entries[:2]
    owner.fake.trimmed = 2
    stream, sink = a_stream(owner)
    await stream.begin(cursor)
    hello, reset = sink.events()[1:]
    assert json.loads(hello["data"])["resumed"] is False
    assert "id" not in hello  # the reset may be lost with the connection, and must be sent again then
    assert (reset["event"], reset["id"]) == ("reset", "5-50")
    assert json.loads(reset["data"]) == {"reason": reason, "oldest": "3-30", "newest": "5-50"}
    owner.fake.append()
    publish(owner, stream)
    assert sink.ids() == ["6-60"]


async def test_an_inbox_that_lost_what_was_written_makes_a_reset_not_silence(owner: FakeOwner) -> None:
    owner.fake.append(3)
    stream, sink = a_stream(owner)
    await stream.begin(None)
    owner.fake.entries, owner.fake.birth = [], "0-88"
    stream.behind()
    await owner.settle()
    assert json.loads(sink.events()[-1]["data"]) == {"reason": "lost", "oldest": "0-88", "newest": "0-88"}
    owner.fake.append()
    publish(owner, stream)
    assert sink.ids() == ["1-10"]


async def test_news_of_what_was_written_already_is_no_hole(owner: FakeOwner) -> None:
    owner.fake.append(3)
    stream, sink = a_stream(owner)
    await stream.begin(None)
    for entry in ("2-20", "3-30"):
        publish(owner, stream, entry)
    assert stream.live
    assert not owner.metrics.holes["wake_up"]
    assert sink.ids() == []


async def test_an_event_after_a_data_loss_is_not_taken_for_the_next_one(owner: FakeOwner) -> None:
    owner.fake.append(3)
    stream, sink = a_stream(owner)
    await stream.begin(None)
    owner.fake.entries = ["1-10", "2-20", "3-31", "4-41"]  # a failover lost 3-30, and the log went on
    offer(stream, "4-41", "3-31")
    await owner.settle()
    assert json.loads(sink.events()[-1]["data"])["reason"] == "lost"
    assert sink.ids() == []
    assert stream.cursor == "4-41"


async def test_the_number_that_was_written_with_another_tag_is_another_history(owner: FakeOwner) -> None:
    owner.fake.append(3)
    stream, sink = a_stream(owner)
    await stream.begin(None)
    owner.fake.entries = ["1-10", "2-20", "3-31"]
    offer(stream, "3-31", "2-20")
    await owner.settle()
    assert json.loads(sink.events()[-1]["data"])["reason"] == "lost"


async def test_entries_gone_from_the_end_of_an_inbox_make_a_reset_and_no_endless_loop(owner: FakeOwner) -> None:
    owner.fake.append(5)
    owner.fake.newest = lambda: "9-90"  # type: ignore[method-assign]
    stream, sink = a_stream(owner)
    await stream.begin("5-50")
    assert json.loads(sink.events()[-1]["data"])["reason"] == "lost"
    assert stream.live


async def test_an_inbox_trimmed_past_a_reader_makes_a_reset(owner: FakeOwner) -> None:
    stream, sink = a_stream(owner)
    await stream.begin(None)
    stream.pause()
    owner.fake.append(10)
    del owner.fake.entries[:5]
    owner.fake.trimmed = 5
    stream.resume()
    await owner.settle()
    assert json.loads(sink.events()[-1]["data"])["reason"] == "expired"


async def test_a_hole_in_the_inbox_itself_makes_a_reset(owner: FakeOwner) -> None:
    owner.fake.append(4)
    del owner.fake.entries[2]
    stream, sink = a_stream(owner)
    await stream.begin("1-10")
    assert sink.ids() == ["2-20"]
    assert json.loads(sink.events()[-1]["data"])["reason"] == "lost"


async def test_backpressure_a_slow_reader_costs_no_memory_and_is_caught_up_when_it_drains(owner: FakeOwner) -> None:
    stream, sink = a_stream(owner)
    await stream.begin(None)
    stream.pause()
    written = len(sink.chunks)
    for _ in range(100):
        owner.fake.append()
        publish(owner, stream)
    assert len(sink.chunks) == written
    assert owner.fake.reads == 0
    stream.resume()
    await owner.settle()
    assert sink.ids() == owner.fake.entries
    assert stream.live


class PausingSink(FakeSink):
    """A sink whose buffer is full after `limit` chunks."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.stream: Stream | None = None

    def write(self, chunk: bytes) -> None:
        super().write(chunk)
        self.room -= 1
        if self.room == 0 and self.stream is not None:
            self.stream.pause()


async def test_backpressure_during_a_replay_loses_nothing(owner: FakeOwner) -> None:
    owner.fake.append(20)
    sink = PausingSink(room=8)
    stream = sink.stream = Stream(owner, Identity(ALICE, FOR_EVER), owner.source)
    stream.opened(sink, None)
    await stream.begin("0-77")
    assert len(sink.ids()) == 6
    assert not stream.live
    sink.room = 7
    stream.resume()
    await owner.settle()
    sink.room = 1000
    stream.resume()
    await owner.settle()
    assert sink.ids() == owner.fake.entries
    assert sink.names()[-1] == "caught_up"
    assert stream.live


async def test_redis_away_leaves_the_stream_behind_and_open(owner: FakeOwner) -> None:
    stream, sink = a_stream(owner)
    await stream.begin(None)
    owner.fake.append(2)
    owner.fake.fails = True
    publish(owner, stream)
    with pytest.raises(RedisUnavailable):
        await owner.tasks.pop()
    assert not stream.live
    assert not sink.ended
    owner.fake.fails = False
    stream.behind()
    await owner.settle()
    assert sink.ids() == ["1-10", "2-20"]


async def test_a_ping_names_the_last_event_written_and_waits_for_a_replay(owner: FakeOwner) -> None:
    stream, sink = a_stream(owner)
    stream.ping()
    assert sink.names() == []  # `hello` is not written yet
    await stream.begin(None)
    stream.ping()
    assert sink.events()[-1] == {"event": "ping", "data": '{"id":"0-77"}'}
    stream.pause()
    stream.ping()
    assert sink.names().count("ping") == 1


@pytest.mark.parametrize(
    ("cursor", "comes_back"),
    [
        ("2-20", "2-20"), ("7-1", "7-1"), ("0-0", "0-0"), ("nonsense", None), ("01-1", None), ("1-1\nid: 2-2", None),
        ("9" * 40, None), ("1-1 ", None),
    ],
)  # fmt: skip
def test_the_first_event_repeats_a_well_formed_last_event_id(
    owner: FakeOwner, cursor: str, comes_back: str | None
) -> None:
    stream, sink = Stream(owner, Identity(ALICE, FOR_EVER), owner.source), FakeSink()
    stream.opened(sink, cursor)
    [retry] = sink.events()
    assert retry.get("id") == comes_back


@pytest.mark.parametrize(
    ("reason", "final", "soonest", "latest"),
    [
        ("drain", False, 1000, 8000), ("unavailable", False, 1000, 8000), ("slow", False, 1000, 8000),
        ("too_many", False, 15_000, 60_000), ("token_expired", True, 1000, 8000), ("signed_out", True, 1000, 8000),
    ],
)  # fmt: skip
def test_a_stream_ends_as_a_complete_response_only_where_it_is_useless_to_come_back(
    owner: FakeOwner, reason: str, final: bool, soonest: int, latest: int
) -> None:
    stream, sink = a_stream(owner)
    stream.bye(reason)
    assert sink.final is final
    assert soonest <= int(sink.events()[-1]["retry"]) <= latest


async def test_bye_has_a_reason_and_a_retry_and_ends_the_stream(owner: FakeOwner) -> None:
    stream, sink = a_stream(owner)
    await stream.begin(None)
    stream.bye("signed_out")
    bye = sink.events()[-1]
    assert json.loads(bye["data"]) == {"reason": "signed_out"}
    assert 1000 <= int(bye["retry"]) <= 8000
    assert sink.ended
    assert owner.gone == [stream]
    owner.fake.append()
    publish(owner, stream)
    stream.bye("drain")
    stream.lost()
    assert owner.gone == [stream]
    assert sink.names()[-1] == "bye"


async def test_backpressure_a_stuck_reader_gets_bye_slow_and_is_aborted(
    owner: FakeOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.streams.stream.LAST_WORD_SECONDS", 0.01)
    stream, sink = a_stream(owner)
    await stream.begin(None)
    stream.pause()
    stream.cut()
    assert json.loads(sink.events()[-1]["data"]) == {"reason": "slow"}
    assert sink.ended
    assert not sink.aborted
    await asyncio.sleep(0.05)
    assert sink.aborted
    assert owner.gone == [stream]


async def test_a_reader_that_leaves_during_its_replay_is_written_to_no_more(owner: FakeOwner) -> None:
    owner.fake.append(2)
    owner.fake.gate.clear()
    stream, sink = a_stream(owner)
    beginning = asyncio.create_task(stream.begin("1-10"))
    await asyncio.sleep(0)
    stream.lost()
    owner.fake.gate.set()
    await beginning
    assert sink.names() == []
    assert not stream.live


async def test_graceful_shutdown_of_a_stream_sends_bye_drain(owner: FakeOwner) -> None:
    stream, sink = a_stream(owner)
    await stream.begin(None)
    stream.drain()
    await asyncio.sleep(0.01)
    assert json.loads(sink.events()[-1]["data"]) == {"reason": "drain"}


async def test_a_hole_is_as_late_as_the_newest_event_that_was_heard_of(owner: FakeOwner) -> None:
    owner.fake.append(1)
    stream, _ = a_stream(owner)
    await stream.begin(None)
    made = int(time.time() * 1000)
    for count in (3, 2):  # again, in a history that went back
        owner.fake.append(count)
        newest = number_of(owner.fake.newest())
        stream.note(newest, made - 1000)
        stream.note(newest - 1, made - 100_000)  # of a worker that was slower
        await owner.settle()
        owner.fake.entries = ["1-10"]
        stream.behind()
        await owner.settle()
        assert stream.cursor == "1-10"
    assert sum(owner.metrics.latency_from_log.counts) == 2
    assert 1.9 < owner.metrics.latency_from_log.sum < 60


async def test_an_event_for_which_a_later_one_stands_moves_the_cursor_and_is_not_written(owner: FakeOwner) -> None:
    owner.fake.append(3)
    read = owner.fake.read

    async def without_the_second(*arguments: Any) -> Page:
        page = await read(*arguments)
        return page._replace(events=[event._replace(chunk=b"") if event.n == 2 else event for event in page.events])

    owner.fake.read = without_the_second  # type: ignore[assignment,method-assign]
    stream, sink = a_stream(owner)
    await stream.begin("0-77")
    assert sink.ids() == ["1-10", "3-30"]
    assert b"" not in sink.chunks
    assert owner.metrics.events_from_log["message"] == 2
    assert stream.live


async def test_a_page_may_pass_over_numbers_only_where_its_log_says_so(owner: FakeOwner) -> None:
    for skips in (False, True):
        owner.fake.entries, owner.fake.skips = ["1-10", "2-20", "5-50"], skips
        stream, sink = a_stream(owner)
        await stream.begin("1-10")
        assert sink.ids() == (["2-20", "5-50"] if skips else ["2-20"])
        assert ("reset" in sink.names()) is not skips
        assert stream.cursor == "5-50"


async def test_what_comes_during_a_replay_is_not_counted_as_late(owner: FakeOwner) -> None:
    owner.fake.append(3)
    stream, sink = a_stream(owner)
    owner.fake.gate.clear()
    beginning = asyncio.create_task(stream.begin("1-10"))
    await asyncio.sleep(0)
    stream.note(3, int(time.time() * 1000) - 1000)
    owner.fake.gate.set()
    await beginning
    assert sink.ids() == ["2-20", "3-30"]
    assert sum(owner.metrics.latency_from_log.counts) == 0
