"""One stream: what it replays, writes live and reads again, and when it says `reset`."""

import asyncio
import json
import time
from typing import Any

import pytest

from fake_inbox import FakeOwner, a_stream, offer, publish
from parts import ALICE, FOR_EVER, FakeSink
from ssechat.errors import RedisUnavailable
from ssechat.events import frames
from ssechat.events.source import Page
from ssechat.identity.tokens import Identity
from ssechat.ids import number_of
from ssechat.streams.stream import Stream

pytestmark = pytest.mark.anyio


@pytest.fixture
def owner() -> FakeOwner:
    return FakeOwner()


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


async def test_a_stream_that_could_not_show_an_ephemeral_event_says_when_it_is_live_again(owner: FakeOwner) -> None:
    stream, sink = a_stream(owner)
    stream.show(b"")  # before its `hello`: the client asks after that
    await stream.begin(None)
    assert stream.show(frames.ephemeral("typing", b"{}"))
    owner.fake.append(2)
    publish(owner, stream)
    assert not stream.show(frames.ephemeral("typing", b"{}"))
    await owner.settle()
    assert sink.names() == ["hello", "typing", "message", "message", "caught_up"]
    stream.pause()
    stream.show(frames.ephemeral("typing", b"{}"))
    stream.resume()
    await owner.settle()
    assert sink.names()[5:] == ["caught_up"]
    assert stream.live


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


async def test_entries_gone_from_the_end_of_an_inbox_make_a_reset_and_no_endless_loop(
    owner: FakeOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.fake.append(5)
    monkeypatch.setattr(owner.fake, "newest", lambda: "9-90")
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


async def test_an_event_for_which_a_later_one_stands_moves_the_cursor_and_is_not_written(
    owner: FakeOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.fake.append(3)
    read = owner.fake.read

    async def without_the_second(*arguments: Any) -> Page:
        page = await read(*arguments)
        return page._replace(events=[event._replace(chunk=b"") if event.n == 2 else event for event in page.events])

    monkeypatch.setattr(owner.fake, "read", without_the_second)
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
