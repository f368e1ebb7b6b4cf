"""Batches: what of a feed comes in quick succession is one write, with the newest of each key, and leaves no hole."""

import pytest

from parts import parse_frames
from polling import until
from ssechat.events import frames
from ssechat.events.wake_ups import WakeUp
from ssechat.streams import batches
from ssechat.streams.batches import Batch, Batches

pytestmark = pytest.mark.anyio

CHANNEL = b"{f1}x/live"
Written = tuple[str, str, list[str], int]


def ids(batch: Batch, cursor: str) -> list[str]:
    """Of the events that a reader gets that has had this one."""
    chunk = batch.after(cursor)
    return [frame["id"] for frame in parse_frames(frames.unchunk(chunk))] if chunk else []


def came(n: int, key: str = "", before: str = "", size: int = 1) -> WakeUp:
    data = b'{"key":"%b","data":"%b"}' % (key.encode(), b"x" * size) if key else b'{"data":"%b"}' % (b"x" * size)
    return WakeUp("tick", 0, f"{n}-1", before or f"{n - 1}-1", data, n)


class Readers:
    """What all readers of a feed are written."""

    def __init__(self) -> None:
        self.writes: list[Written] = []
        self.emitted: list[Batch] = []
        self.busy, self.asked = False, 0
        self.batches = Batches(self._emit, lambda channel: 3, self._is_busy)

    def _is_busy(self, channel: bytes) -> bool:
        self.asked += 1
        return self.busy

    def _emit(self, channel: bytes, batch: Batch) -> None:
        assert channel == CHANNEL
        found = ids(batch, batch.before)
        assert found[-1] == batch.newest.id
        self.emitted.append(batch)
        self.writes.append((batch.before, batch.newest.id, found, len(batch)))

    def comes(self, n: int, key: str = "", *, before: str = "", size: int = 1) -> None:
        self.batches.add(CHANNEL, came(n, key, before, size))


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


def batch_of(*keys: str) -> Batch:
    """Events 11, 12 and so on, of these keys."""
    batch = Batch(came(11, keys[0]))
    for n, key in enumerate(keys[1:], 12):
        batch.add(came(n, key))
    return batch


async def test_a_reader_that_has_some_events_of_a_batch_gets_the_others_and_none_twice() -> None:
    batch = batch_of("a", "b", "a", "c")
    assert ids(batch, "10-1") == ["12-1", "13-1", "14-1"]
    assert ids(batch, "11-1") == ["12-1", "13-1", "14-1"]
    assert ids(batch, "12-1") == ["13-1", "14-1"]
    assert ids(batch, "13-1") == ["14-1"]
    plain = batch_of("", "", "")
    assert [ids(plain, cursor) for cursor in ("11-1", "12-1")] == [["12-1", "13-1"], ["13-1"]]


@pytest.mark.parametrize("cursor", ["", "9-1", "10-2", "12-2", "14-1", "15-1", "0-0"])
async def test_a_reader_of_whom_it_is_not_known_that_a_batch_follows_gets_nothing_of_it(cursor: str) -> None:
    assert batch_of("a", "b", "a", "c").after(cursor) == b""


async def test_while_readers_are_written_to_newer_values_take_the_place_of_older_ones() -> None:
    readers = Readers()
    readers.comes(1, "a")
    readers.busy = True
    for n in range(2, 42):
        readers.comes(n, "ab"[n % 2], size=6000)
    asked = readers.asked
    await until(lambda: readers.asked > asked + 3)
    assert len(readers.writes) == 1, "nothing new waits behind what is being written"
    readers.busy = False
    await until(lambda: len(readers.writes) == 2)
    assert readers.writes[1][2] == ["40-1", "41-1"]


async def test_what_is_gathered_while_readers_are_written_to_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_EVENTS", 50)
    readers = Readers()
    readers.busy = True
    for n in range(1, 102):
        readers.comes(n, "a")
    assert [write[:2] for write in readers.writes] == [("0-1", "1-1"), ("1-1", "51-1")]
    for n in range(102, 125):
        readers.comes(n, f"k{n}", size=16_000)
    assert max(batch.size for batch in readers.emitted) <= batches.MOST_BYTES_OF_KEYS
    assert len(readers.writes) > 3
