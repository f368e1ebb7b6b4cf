"""The queue and the thread priority of password hashing."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from ssechat.errors import TooMany
from ssechat.identity import hashing
from ssechat.identity.hashing import HashingPool

pytestmark = pytest.mark.anyio


class Slow:
    """Work that ends on demand, and the groups that submitted it."""

    def __init__(self) -> None:
        self.may_end = threading.Semaphore(0)
        self.done: list[str] = []

    def of(self, who: str) -> Callable[[], str]:
        def work() -> str:
            assert self.may_end.acquire(timeout=10)
            self.done.append(who)
            return who

        return work


@pytest.fixture
async def pool() -> AsyncIterator[HashingPool]:
    pool = HashingPool(1)
    yield pool
    pool.close()


async def waiting(pool: HashingPool, slow: Slow, group: str) -> "asyncio.Task[str]":
    """Submits work, and waits until it is queued."""
    task = asyncio.create_task(pool.run(group, slow.of(group)))
    await asyncio.sleep(0)
    return task


async def test_the_hashing_queue_is_served_round_robin_by_group(pool: HashingPool) -> None:
    slow = Slow()
    tasks = [await waiting(pool, slow, "flood") for _ in range(6)]
    tasks += [await waiting(pool, slow, group) for group in ("alice", "bob", "alice")]
    slow.may_end.release(len(tasks))
    await asyncio.gather(*tasks)
    assert slow.done == ["flood", "flood", "alice", "bob", "flood", "alice", "flood", "flood", "flood"]


async def test_one_group_cannot_fill_the_hashing_queue(pool: HashingPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "MAX_WAITING_PER_GROUP", 3)
    slow = Slow()
    tasks = [await waiting(pool, slow, "flood") for _ in range(1 + 3)]
    with pytest.raises(TooMany) as caught:
        await pool.run("flood", slow.of("flood"))
    assert (caught.value.status, caught.value.code, caught.value.retry_after) == (503, "busy", 2)
    tasks.append(await waiting(pool, slow, "alice"))
    slow.may_end.release(5)
    assert len(await asyncio.gather(*tasks)) == 5


async def test_a_full_hashing_queue_drops_a_job_of_the_largest_group(
    pool: HashingPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "MAX_WAITING", 4)
    slow = Slow()
    tasks = [await waiting(pool, slow, "flood") for _ in range(1 + 4)]
    honest = [await waiting(pool, slow, "alice"), await waiting(pool, slow, "bob")]
    for task in tasks[-2:]:
        with pytest.raises(TooMany):
            await task
    with pytest.raises(TooMany):  # no group has more queued work than this one
        await pool.run("flood", slow.of("flood"))
    slow.may_end.release(5)
    assert await asyncio.gather(*honest) == ["alice", "bob"]
    assert await asyncio.gather(*tasks[:-2]) == ["flood"] * 3
    assert pool._waiting == 0
    assert not pool._queues


async def test_a_cancelled_hash_takes_no_thread(pool: HashingPool) -> None:
    slow = Slow()
    tasks = [await waiting(pool, slow, group) for group in ("first", "gone", "last")]
    tasks[1].cancel()
    slow.may_end.release(2)
    assert await tasks[2] == "last"
    assert slow.done == ["first", "last"]
    slow.may_end.release()
    assert await pool.run("next", slow.of("next")) == "next"


async def test_a_hash_that_fails_passes_its_turn_on(pool: HashingPool) -> None:
    def fails() -> None:
        raise ValueError

    slow = Slow()
    for _ in range(3):
        with pytest.raises(ValueError):
            await pool.run("alice", fails)
    slow.may_end.release()
    assert await pool.run("alice", slow.of("alice")) == "alice"


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has a priority of its own on Linux only")
async def test_hashing_threads_give_way_to_the_loop(pool: HashingPool) -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    niceness = await pool.run("", lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    assert niceness == min(19, hashing.NICENESS)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
