"""Batches: what of a feed comes in quick succession is one write, with the newest of each key, and leaves no hole."""

import pytest

from parts import parse_frames
from polling import until
from ssechat.events import frames
from ssechat.events.wake_ups import WakeUp
from ssechat.streams.batches import Batches

pytestmark = pytest.mark.anyio

CHANNEL = b"{f1}x/live"
Written = tuple[str, str, list[str], int]


class Readers:
    """What all readers of a feed are written."""

    def __init__(self) -> None:
        self.writes: list[Written] = []
        self.batches = Batches(self._emit, lambda channel: 3)
        self._newest = "0-1"

    def _emit(self, channel: bytes, event: WakeUp, chunk: bytes, count: int) -> None:
        assert channel == CHANNEL
        found = parse_frames(frames.unchunk(chunk))
        assert found[-1]["id"] == event.id
        self.writes.append((event.before, event.id, [frame["id"] for frame in found], count))

    def comes(self, n: int, key: str = "", *, before: str = "", size: int = 1) -> None:
        data = b'{"key":"%b","data":"%b"}' % (key.encode(), b"x" * size) if key else b'{"data":"%b"}' % (b"x" * size)
        entry = f"{n}-1"
        self.batches.add(CHANNEL, WakeUp("tick", 0, entry, before or self._newest, data, n))
        self._newest = entry


async def test_the_first_is_written_at_once_and_those_that_follow_together() -> None:
    readers = Readers()
    readers.comes(1)
    assert readers.writes == [("0-1", "1-1", ["1-1"], 1)]
    for n in (2, 3, 4):
        readers.comes(n)
    assert len(readers.writes) == 1
    await until(lambda: len(readers.writes) == 2)
    assert readers.writes[1] == ("1-1", "4-1", ["2-1", "3-1", "4-1"], 3)
    await until(lambda: not readers.batches._batches)
    readers.comes(5)
    assert readers.writes[2] == ("4-1", "5-1", ["5-1"], 1), "after a pause the next is written at once again"


async def test_of_each_key_only_the_newest_is_written_in_the_order_of_the_log() -> None:
    readers = Readers()
    readers.comes(1, "a")
    for n, key in ((2, "a"), (3, "b"), (4, "a"), (5, 'quoted \\" one'), (6, 'quoted \\" one'), (7, "b")):
        readers.comes(n, key)
    await until(lambda: len(readers.writes) == 2)
    assert readers.writes[1] == ("1-1", "7-1", ["4-1", "6-1", "7-1"], 3)


async def test_no_batch_spans_a_hole() -> None:
    readers = Readers()
    readers.comes(1)
    readers.comes(2)
    readers.comes(5, before="4-1")
    await until(lambda: len(readers.writes) == 3)
    assert [write[:2] for write in readers.writes] == [("0-1", "1-1"), ("1-1", "2-1"), ("4-1", "5-1")]


async def test_a_batch_is_written_before_its_time_when_it_is_large() -> None:
    readers = Readers()
    for n in range(1, 12):
        readers.comes(n, size=16_000)
    assert [write[3] for write in readers.writes] == [1, 4, 4]
    await until(lambda: sum(write[3] for write in readers.writes) == 11)
    assert [one for write in readers.writes for one in write[2]] == [f"{n}-1" for n in range(1, 12)]
