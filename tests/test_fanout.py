import asyncio
from typing import Any

import pytest

from ssechat.streams.fanout import QUEUE, STREAMS_AT_ONCE, FanOut

pytestmark = pytest.mark.anyio

CHANNEL = b"bob"


class Listener:
    """A fake stream that records its calls."""

    def __init__(self) -> None:
        self.told: list[int] = []


class Crowd:
    """Some streams of one user."""

    def __init__(self, count: int) -> None:
        self.channels: Any = {CHANNEL: tuple(Listener() for _ in range(count))}  # of a stream only what is used
        self.tasks: list[asyncio.Task[None]] = []
        self.fan_out = FanOut(self.channels, self._run, self._count)
        self.counted: list[tuple[str, int, int]] = []

    @property
    def streams(self) -> Any:
        return self.channels[CHANNEL]

    def _run(self, work: Any) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    def _count(self, kind: str, at: int, written: int) -> None:
        self.counted.append((kind, at, written))

    def tell(self, number: int) -> None:
        self.fan_out.broadcast(CHANNEL, lambda stream: stream.told.append(number))

    async def finish(self) -> None:
        await asyncio.gather(*self.tasks)


async def test_fan_out_writes_to_a_few_streams_at_once() -> None:
    crowd = Crowd(STREAMS_AT_ONCE)
    crowd.tell(1)
    assert [stream.told for stream in crowd.streams] == [[1]] * STREAMS_AT_ONCE
    assert not crowd.tasks


async def test_fan_out_to_many_streams_yields_to_the_loop_between_slices() -> None:
    crowd = Crowd(5 * STREAMS_AT_ONCE)
    crowd.tell(1)
    counts = []
    while not crowd.tasks[0].done():
        await asyncio.sleep(0)
        counts.append(sum(len(stream.told) for stream in crowd.streams))
    assert set(counts) == {STREAMS_AT_ONCE * part for part in range(1, 6)}


async def test_fan_out_keeps_the_order_of_events_for_each_stream() -> None:
    crowd = Crowd(3 * STREAMS_AT_ONCE)
    for number in range(5):
        crowd.tell(number)
        await asyncio.sleep(0)
    await crowd.finish()
    assert all(stream.told == [0, 1, 2, 3, 4] for stream in crowd.streams)
    assert len(crowd.tasks) == 1


async def test_fan_out_to_streams_that_became_few_keeps_the_order() -> None:
    crowd = Crowd(3 * STREAMS_AT_ONCE)
    crowd.tell(1)
    crowd.channels[CHANNEL] = crowd.streams[:2]
    crowd.tell(2)
    await crowd.finish()
    assert [stream.told for stream in crowd.streams] == [[1, 2], [1, 2]]
    crowd.tell(3)
    assert [stream.told for stream in crowd.streams] == [[1, 2, 3], [1, 2, 3]]


async def test_fan_out_goes_on_after_a_stream_that_fails() -> None:
    crowd = Crowd(2 * STREAMS_AT_ONCE)
    crowd.fan_out.broadcast(CHANNEL, lambda stream: bool(1 / 0))
    with pytest.raises(ZeroDivisionError):
        await crowd.finish()
    crowd.tasks.clear()
    crowd.tell(1)
    await crowd.finish()
    assert all(stream.told == [1] for stream in crowd.streams)


async def test_fan_out_drops_the_oldest_events_of_a_full_queue() -> None:
    crowd = Crowd(2 * STREAMS_AT_ONCE)
    for number in range(QUEUE + 50):
        crowd.tell(number)
    await crowd.finish()
    assert all(len(stream.told) == QUEUE and stream.told[-1] == QUEUE + 49 for stream in crowd.streams)


async def test_what_may_be_missed_takes_no_room_from_what_must_be_found_missing() -> None:
    crowd = Crowd(2 * STREAMS_AT_ONCE)
    crowd.tell(0)
    crowd.tell(1)
    for _ in range(3 * QUEUE):
        crowd.fan_out.broadcast(CHANNEL, lambda stream: stream.told.append(-1), may_be_missed=True)
    crowd.tell(2)
    await crowd.finish()
    for stream in crowd.streams:
        assert [number for number in stream.told if number >= 0] == [0, 1, 2]
        assert 0 < stream.told.count(-1) <= QUEUE // 2


async def test_fan_out_counts_the_streams_that_were_written_to_a_slice_at_a_time() -> None:
    for count, slices in ((7, [4]), (2 * STREAMS_AT_ONCE + 1, [STREAMS_AT_ONCE // 2, STREAMS_AT_ONCE // 2, 1])):
        crowd = Crowd(count)
        chosen = {id(stream) for stream in crowd.streams[::2]}
        crowd.fan_out.broadcast(CHANNEL, lambda stream, of: id(stream) in of, (chosen,), "message", 7)
        await crowd.finish()
        assert crowd.counted == [("message", 7, written) for written in slices]
