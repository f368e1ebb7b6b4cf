"""Batches: what of a feed comes in quick succession is one write, with the newest of each key."""

import asyncio

import pytest

from polling import until
from ssechat.streams.batches import Batches
from ssechat.streams.latest import Latest
from test_latest import came, ids

pytestmark = pytest.mark.anyio

CHANNEL = b"{f1}x/live"


class Readers:
    """What all readers of a feed are written, who have had all that came before."""

    def __init__(self) -> None:
        self.writes: list[list[str] | None] = []
        self.busy, self.asked = False, 0
        self.cursor = "0-1"
        self.batches = Batches(self._emit, lambda channel: 3, self._is_busy)

    def _is_busy(self, channel: bytes) -> bool:
        self.asked += 1
        return self.busy

    def _emit(self, channel: bytes, latest: Latest) -> None:
        assert channel == CHANNEL
        self.writes.append(ids(latest, self.cursor))
        self.cursor = latest.newest.id

    def comes(self, n: int, key: str = "", *, before: str = "", size: int = 1) -> None:
        self.batches.add(CHANNEL, came(n, key, before, size))


async def test_the_first_is_written_at_once_and_those_that_follow_together() -> None:
    readers = Readers()
    readers.comes(1)
    assert readers.writes == [["1-1"]]
    for n in (2, 3, 4):
        readers.comes(n)
    assert len(readers.writes) == 1
    await until(lambda: len(readers.writes) == 2)
    assert readers.writes[1] == ["2-1", "3-1", "4-1"]
    await until(lambda: readers.batches.latest(CHANNEL) is None)
    readers.comes(5)
    assert readers.writes[2:] == [["5-1"]], "after a pause the next is written at once again"


async def test_of_each_key_only_the_newest_is_written_in_the_order_of_the_log() -> None:
    readers = Readers()
    readers.comes(1, "a")
    for n, key in ((2, "a"), (3, "b"), (4, "a"), (5, "c"), (6, "c"), (7, "b")):
        readers.comes(n, key)
    await until(lambda: len(readers.writes) == 2)
    assert readers.writes[1] == ["4-1", "6-1", "7-1"]


async def test_after_a_hole_nothing_is_written_to_who_has_not_had_what_is_missing() -> None:
    readers = Readers()
    readers.comes(1)
    readers.comes(2)
    readers.comes(5, before="4-1")
    await until(lambda: len(readers.writes) == 2)
    assert readers.writes[1] is None
    readers.comes(6)
    await until(lambda: len(readers.writes) == 3)
    assert readers.writes[2] == ["6-1"]


async def test_what_waits_is_written_before_its_time_when_it_is_large() -> None:
    readers = Readers()
    for n in range(1, 12):
        readers.comes(n, size=16_000)
    assert readers.writes == [["1-1"], [f"{n}-1" for n in range(2, 7)], [f"{n}-1" for n in range(7, 12)]]


async def test_while_readers_are_written_to_newer_values_take_the_place_of_older_ones() -> None:
    readers = Readers()
    readers.comes(1, "a")
    readers.busy = True
    for n in range(2, 42):
        readers.comes(n, f"k{n % 10}", size=16_000)
    asked = readers.asked
    await until(lambda: readers.asked > asked + 3)
    assert len(readers.writes) == 1, "nothing new waits behind what is being written"
    readers.busy = False
    await until(lambda: len(readers.writes) == 2)
    assert readers.writes[1] == [f"{n}-1" for n in range(32, 42)]


@pytest.mark.parametrize(("readers", "pause"), [(1, 0.02), (500, 0.1), (100_000, 0.25)])
def test_the_more_readers_there_are_the_more_is_gathered_for_a_write_within_bounds(
    monkeypatch: pytest.MonkeyPatch, readers: int, pause: float
) -> None:
    waits: list[float] = []

    class Loop:
        def call_later(self, seconds: float, *_: object) -> None:
            waits.append(seconds)

    monkeypatch.setattr(asyncio, "get_running_loop", Loop)
    Batches(lambda channel, latest: None, lambda channel: readers).add(CHANNEL, came(1))
    assert waits == [pytest.approx(pause)]
