"""Feeds with keys that change all the time: who is slow gets the newest values, from what came lately or the log."""

import asyncio
import json
from typing import Any

import pytest

from feeding import kept, make, opened, publish, values
from parts import FakeSink, Worker
from polling import until
from ssechat.streams import batches
from ssechat.streams.stream import ALL, PAGE_BYTES, PAGE_BYTES_OF_NEWEST, Stream

pytestmark = pytest.mark.anyio


async def level(worker: Worker) -> tuple[Stream, FakeSink]:
    """A reader of a feed with keys that has all there is."""
    await make(worker, keyed=True)
    stream, sink = opened(worker)
    await until(lambda: stream.live)
    return stream, sink


def changes_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the next write wait for longer than a test lasts, as it does where changes come all the time."""
    monkeypatch.setattr(batches, "SHORTEST", 10.0)
    monkeypatch.setattr(batches, "LONGEST", 10.0)


async def test_a_slow_reader_gets_the_newest_values_and_reads_no_others(worker: Worker) -> None:
    stream, sink = await level(worker)
    stream.pause()
    for number in range(200):
        await publish(worker, number, f"k{number % 10}")
    assert values(sink) == []
    await until(lambda: worker.hub.latest(stream.channel) is None)
    reads = worker.hub.metrics.events_from_log["feed"]
    stream.resume()
    await until(lambda: stream.live)
    assert values(sink) == [*range(190, 200)]
    assert worker.hub.metrics.events_from_log["feed"] - reads == 10


async def test_a_slow_reader_gets_the_newest_values_without_a_read_while_they_change(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, sink = await level(worker)
    changes_go_on(monkeypatch)
    monkeypatch.setattr(worker.chat.feeds.feeds, "stored", None)  # whoever asks for it fails
    stream.pause()
    for number in range(60):
        await publish(worker, number, f"k{number % 10}")
    await until(lambda: worker.hub.metrics.wake_ups == 60)
    stream.resume()
    await until(lambda: stream.live)
    assert values(sink) == [*range(50, 60)]
    assert stream.cursor == await worker.chat.feeds.feeds.head("ticks")
    before = worker.hub.metrics.events_live["feed"]
    stream.pause()
    stream.resume()
    await until(lambda: stream.live)
    assert worker.hub.metrics.events_live["feed"] == before == 10, "there was nothing new"


async def test_a_slow_reader_takes_of_what_came_lately_as_much_at_a_time_as_fits(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, sink = await level(worker)
    changes_go_on(monkeypatch)
    monkeypatch.setattr(worker.chat.feeds.feeds, "stored", None)
    stream.pause()
    for number in range(10):
        await publish(worker, "x" * 14_000, f"k{number}")
    sink.chunks.clear()
    taken, write = list[int](), sink.write

    def write_and_be_full(chunk: bytes) -> None:
        taken.append(len(chunk))
        write(chunk)
        stream.pause()

    monkeypatch.setattr(sink, "write", write_and_be_full)
    stream.resume()
    await until(lambda: taken)
    await publish(worker, "newer", "k0")
    await publish(worker, "newer", "k9")
    await until(lambda: worker.hub.metrics.wake_ups == 12)
    for count in range(2, 5):
        stream.resume()
        await until(lambda: stream.live or len(taken) == count)  # noqa: B023 – awaited at once
    assert max(taken) <= PAGE_BYTES + 10
    keys = [json.loads(event["data"])["key"] for event in sink.events()]
    assert keys == ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k0", "k9"], "k9 was replaced while it waited"


async def test_what_pub_sub_lost_of_many_changes_is_found_by_a_slow_reader_too(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has come lately is not all that there is then, and the audit knows it."""
    stream, sink = await level(worker)
    changes_go_on(monkeypatch)
    worker.clock.time += 601  # the audit is due
    stream.pause()
    await publish(worker, 1, "a")
    await publish(worker, 2, "b")
    await until(lambda: worker.hub.metrics.wake_ups == 2)
    worker.hub.subscriptions._on_message = lambda *_: None
    await publish(worker, 3, "c")
    await worker.hub.sweep()
    stream.resume()
    await until(lambda: stream.live)
    assert values(sink) == [1, 2, 3]


async def test_a_slow_reader_reads_as_much_at_a_time_as_fits(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, _ = await level(worker)
    feed, sizes = worker.chat.feeds.feeds, list[tuple[int, int]]()
    stored = feed.stored

    async def counted(*given: Any) -> Any:
        terms, events = await stored(*given)
        sizes.append((len(events), sum(len(event.data) for event in events)))
        return terms, events

    monkeypatch.setattr(feed, "stored", counted)
    for size, pages in ((10, [40]), (2000, [7] * 5 + [5])):
        stream.pause()
        for number in range(40):
            await publish(worker, "x" * size, f"k{number}")
        await until(lambda: worker.hub.latest(stream.channel) is None)
        sizes.clear()
        stream.resume()
        await until(lambda: stream.live)
        assert [events for events, _ in sizes] == pages
        assert max(size for _, size in sizes) <= PAGE_BYTES_OF_NEWEST


async def test_many_changes_in_a_moment_are_one_write_a_reader_with_the_newest_of_each_key(worker: Worker) -> None:
    stream, sink = await level(worker)
    await asyncio.gather(*(publish(worker, number, f"k{number % 5}") for number in range(100)))
    head = await worker.chat.feeds.feeds.head("ticks")
    await until(lambda: stream.cursor == head)
    assert len(sink.chunks) < 50
    newest = {}
    for event in sink.events():
        if event["event"] == "tick":
            item = json.loads(event["data"])
            newest[item["key"]] = item["data"]
    assert await kept(worker) == sorted(newest.values(), key=[*newest.values()].index)
    assert stream.live
    assert not any(worker.hub.metrics.holes.values())


async def test_a_reader_that_comes_between_two_writes_is_live_and_reads_the_log_no_more(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits to be written is in the log already, so whoever has read that has had a part of the next write."""
    monkeypatch.setattr(batches, "SHORTEST", 0.3)
    monkeypatch.setattr(batches, "LONGEST", 0.3)
    await make(worker, keyed=True)
    early, early_sink = opened(worker)
    await until(lambda: early.live)
    for number in (0, 1, 2):
        await publish(worker, number, "abc"[number])
    late, sink = opened(worker, since=ALL)
    slow, slow_sink = opened(worker)
    slow.pause()
    await until(lambda: late.live)
    slow.resume()
    await until(lambda: slow.live)
    reads = worker.hub.metrics.events_from_log["feed"]
    assert values(early_sink) == [0], "the others wait"
    for number in (3, 4):
        await publish(worker, number, "abc"[number - 3])
    head = await worker.chat.feeds.feeds.head("ticks")
    await until(lambda: early.cursor == late.cursor == slow.cursor == head)
    assert (values(early_sink), values(sink), values(slow_sink)) == ([0, 2, 3, 4], [0, 1, 2, 3, 4], [3, 4])
    assert worker.hub.metrics.events_from_log["feed"] == reads
    assert not any(worker.hub.metrics.holes.values())
