import asyncio
from typing import Any

import pytest

from ssechat.streams.fanout import QUEUE, STREAMS_AT_ONCE, FanOut

pytestmark = pytest.mark.anyio

CHANNEL = b"bob"


class Listener:
    """Stands for a stream: what it was told."""

    def __init__(self) -> None:
        self.told: list[int] = []


class Crowd:
    """Some streams of one user."""

    def __init__(self, count: int) -> None:
        self.streams = [Listener() for _ in range(count)]
        self.tasks: list[asyncio.Task[None]] = []
        self.fan_out = FanOut(lambda _: self.streams, self._run)  # type: ignore[arg-type, return-value]

    def _run(self, work: Any) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    def tell(self, number: int) -> None:
        self.fan_out.broadcast(CHANNEL, lambda stream: stream.told.append(number))

    async def finish(self) -> None:
        await asyncio.gather(*self.tasks)


async def test_a_few_streams_are_told_at_once() -> None:
    crowd = Crowd(STREAMS_AT_ONCE)
    crowd.tell(1)
    assert [stream.told for stream in crowd.streams] == [[1]] * STREAMS_AT_ONCE
    assert not crowd.tasks


async def test_many_streams_are_told_in_slices_and_others_have_their_turn_between() -> None:
    crowd = Crowd(5 * STREAMS_AT_ONCE)
    crowd.tell(1)
    counts = []
    while not crowd.tasks[0].done():
        await asyncio.sleep(0)
        counts.append(sum(len(stream.told) for stream in crowd.streams))
    assert set(counts) == {STREAMS_AT_ONCE * part for part in range(1, 6)}


async def test_each_stream_is_told_everything_in_order_however_fast_it_comes() -> None:
    crowd = Crowd(3 * STREAMS_AT_ONCE)
    for number in range(5):
        crowd.tell(number)
        await asyncio.sleep(0)
    await crowd.finish()
    assert all(stream.told == [0, 1, 2, 3, 4] for stream in crowd.streams)
    assert len(crowd.tasks) == 1


async def test_streams_that_have_become_few_are_told_after_what_was_on_its_way() -> None:
    crowd = Crowd(3 * STREAMS_AT_ONCE)
    crowd.tell(1)
    del crowd.streams[2:]
    crowd.tell(2)
    await crowd.finish()
    assert [stream.told for stream in crowd.streams] == [[1, 2], [1, 2]]
    crowd.tell(3)
    assert [stream.told for stream in crowd.streams] == [[1, 2, 3], [1, 2, 3]]


async def test_a_stream_that_fails_does_not_stop_what_comes_later() -> None:
    crowd = Crowd(2 * STREAMS_AT_ONCE)
    crowd.fan_out.broadcast(CHANNEL, lambda stream: 1 / 0)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        await crowd.finish()
    crowd.tasks.clear()
    crowd.tell(1)
    await crowd.finish()
    assert all(stream.told == [1] for stream in crowd.streams)


async def test_of_what_comes_much_too_fast_the_newest_is_kept() -> None:
    crowd = Crowd(2 * STREAMS_AT_ONCE)
    for number in range(QUEUE + 50):
        crowd.tell(number)
    await crowd.finish()
    assert all(len(stream.told) == QUEUE and stream.told[-1] == QUEUE + 49 for stream in crowd.streams)
