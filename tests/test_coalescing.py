"""What changes often is told once in a while, as it stands, and the last change is never lost."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from ssechat.chat.coalescing import Changed, Coalescing
from ssechat.errors import RedisUnavailable

pytestmark = pytest.mark.anyio


class Teller:
    """Time that the test moves, and what was told when."""

    def __init__(self, **more: Any) -> None:
        self.now = 0.0
        self.told: list[tuple[float, dict[str, Changed]]] = []
        self.fails = 0
        self.error: Exception = RedisUnavailable("away")
        self._sleepers: list[tuple[float, asyncio.Event]] = []
        how = {"pause": 1.0, "at_once": 2, "most_keys": 5, "most_changed": 2, **more}
        self.coalescing: Coalescing[str] = Coalescing(self._tell, clock=lambda: self.now, sleep=self._sleep, **how)

    async def _sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._sleepers.append((self.now + seconds, woken))
        await woken.wait()

    async def _tell(self, changed: Mapping[str, Changed]) -> None:
        self.told.append((self.now, dict(changed)))
        if self.fails:
            self.fails -= 1
            raise self.error

    async def pass_by(self, seconds: float) -> None:
        """Moves the clock, and lets what is due happen."""
        self.now += seconds
        for until, woken in self._sleepers:
            if until <= self.now:
                woken.set()
        self._sleepers = [one for one in self._sleepers if one[0] > self.now]
        for _ in range(20):
            await asyncio.sleep(0)


async def test_the_first_change_is_told_at_once_and_what_follows_after_the_pause_in_one() -> None:
    teller = Teller()
    teller.coalescing.note("c", "bob")
    await teller.pass_by(0)
    for user in ("bob", "bob", "carol"):
        teller.coalescing.note("c", user)
    await teller.pass_by(0.9)
    assert teller.told == [(0.0, {"c": {"bob"}})]
    await teller.pass_by(0.1)
    assert teller.told[1:] == [(1.0, {"c": {"bob", "carol"}})]
    await teller.pass_by(5)
    assert len(teller.told) == 2, "what does not change is not told again"
    assert len(teller.coalescing) == 0
    teller.coalescing.note("c", "bob")
    await teller.pass_by(0)
    assert teller.told[2:] == [(6.0, {"c": {"bob"}})]


async def test_a_change_while_it_is_told_is_told_after_the_pause() -> None:
    teller = Teller()
    tell = teller._tell
    changes = ["late"]

    async def and_it_changes(changed: Mapping[str, Changed]) -> None:
        if changes:
            teller.coalescing.note("c", changes.pop())
        await tell(changed)

    teller.coalescing._notify = and_it_changes
    teller.coalescing.note("c", "bob")
    await teller.pass_by(0)
    await teller.pass_by(1)
    assert teller.told == [(0.0, {"c": {"bob"}}), (1.0, {"c": {"late"}})]


async def test_keys_do_not_wait_for_each_other_and_few_are_told_in_one_call() -> None:
    teller = Teller()
    for key in "abc":
        teller.coalescing.note(key, "bob")
    await teller.pass_by(0)
    assert teller.told == [(0.0, {"a": {"bob"}, "b": {"bob"}}), (0.0, {"c": {"bob"}})]
    await teller.pass_by(0.5)
    teller.coalescing.note("d", "bob")
    await teller.pass_by(0)
    assert teller.told[2:] == [(0.5, {"d": {"bob"}})], "it does not wait for the pauses of the others"


async def test_many_changes_of_one_key_are_remembered_as_all() -> None:
    teller = Teller()
    for number in range(3):
        teller.coalescing.note("c", f"user{number}")
    await teller.pass_by(0)
    for number in range(3):
        teller.coalescing.note("c", f"user{number}")
    teller.coalescing.note("c", "one more")
    await teller.pass_by(1)
    assert teller.told == [(0.0, {"c": None}), (1.0, {"c": None})]


async def test_no_more_keys_are_remembered_than_may_be_and_the_log_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    teller = Teller()
    with caplog.at_level(logging.WARNING):
        for number in range(20):
            teller.coalescing.note(f"c{number}", "bob")
    assert len(teller.coalescing) == 5
    assert len(caplog.records) == 1
    for _ in range(9):
        await teller.pass_by(1)
    assert sum(len(changed) for _, changed in teller.told) == 5
    assert len(teller.coalescing) == 0


async def test_what_could_not_be_told_is_told_when_redis_is_back() -> None:
    teller = Teller()
    teller.fails = 2
    teller.coalescing.note("c", "bob")
    await teller.pass_by(0)
    teller.coalescing.note("c", "carol")
    await teller.pass_by(1)
    await teller.pass_by(1)
    await teller.pass_by(1)
    assert teller.told == [(0.0, {"c": {"bob"}}), (1.0, {"c": {"bob", "carol"}}), (2.0, {"c": {"bob", "carol"}})]


async def test_what_redis_refuses_only_after_the_pause_is_not_lost() -> None:
    teller = Teller()
    tell, slow = teller._tell, asyncio.Event()

    async def slowly(changed: Mapping[str, Changed]) -> None:
        if not slow.is_set():
            await slow.wait()
            raise RedisUnavailable("no answer")
        await tell(changed)

    teller.coalescing._notify = slowly
    teller.coalescing.note("c", "bob")
    await teller.pass_by(0)
    await teller.pass_by(1.5)
    slow.set()
    await teller.pass_by(0)
    await teller.pass_by(1)
    assert [changed for _, changed in teller.told] == [{"c": {"bob"}}]


async def test_a_bug_in_the_telling_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    teller = Teller()
    teller.fails, teller.error = 1, ValueError("a bug")
    teller.coalescing.note("c", "bob")
    await teller.pass_by(0)
    assert "could not be told" in caplog.text
    teller.coalescing.note("c", "carol")
    await teller.pass_by(1)
    assert teller.told[1:] == [(1.0, {"c": {"carol"}})]


async def test_once_closed_nothing_is_told_and_nothing_runs() -> None:
    teller = Teller()
    teller.coalescing.note("c", "bob")
    await teller.pass_by(0)
    teller.coalescing.note("c", "bob")
    before = len(teller.told)
    await teller.coalescing.close()
    teller.coalescing.note("c", "bob")
    await teller.pass_by(5)
    assert len(teller.told) == before
    assert len(teller.coalescing) == 0
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "coalescing"]
    await teller.coalescing.close()
