"""Hashes passwords in a few low-priority threads, with a fair queue in front of them.

A hash (argon2id) takes tens of milliseconds of all cores and 64 MiB, on purpose, so only `MAX_THREADS` run at a time.
The waiting jobs are served round-robin by group (a client's network, or an account at a network that it is known at):
one address that sends sign-ins all the time does not delay everybody else's.
"""

import asyncio
import os
import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ssechat.errors import TooMany

Result = TypeVar("Result")

MAX_THREADS = 2
MAX_WAITING = 256
MAX_WAITING_PER_GROUP = 128
"""Jobs that may wait in all, and in one group. A hundred people of one office have one address, and sign in at nine."""

NICENESS = 5
"""Niceness of the threads: the event loop and Redis get three times their share of a core (sched(7)). With a niceness
of 10 a sign-in took 5 s on a busy machine, with 5 half a second (`python -m tests.fuzz` prints how long)."""


class HashingPool:
    """Runs jobs in a few threads, round-robin by the group that each job is submitted for."""

    def __init__(self, threads: int = MAX_THREADS) -> None:
        threads = max(1, min(MAX_THREADS, threads))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2", initializer=_lower_priority)
        self._free_threads = threads
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        """The waiting jobs of each group; the first group is served next."""
        self._waiting = 0

    async def run(self, group: str, work: Callable[[], Result]) -> Result:
        """Runs `work` in a thread and returns its result.

        Raises:
            TooMany: 503 `busy`: too many jobs wait, and no other group has more of them.
        """
        if self._free_threads:
            self._free_threads -= 1
        else:
            await self._wait_for_turn(group)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._release_thread()

    def close(self) -> None:
        """Shuts the threads down; jobs that have not begun are cancelled."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _wait_for_turn(self, group: str) -> None:
        queue = self._queues.get(group, ())
        if len(queue) >= MAX_WAITING_PER_GROUP:
            raise _busy()
        if self._waiting >= MAX_WAITING:
            longest = max(self._queues.values(), key=len)
            if len(longest) <= len(queue) + 1:
                raise _busy()
            self._waiting -= 1
            _reject(longest.pop(), _busy())
        self._waiting += 1
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(group, deque()).append(turn)
        await turn

    def _release_thread(self) -> None:
        """Gives the free thread to the next waiting job."""
        while self._queues:
            group, queue = self._queues.popitem(last=False)
            turn = queue.popleft()
            self._waiting -= 1
            if queue:
                self._queues[group] = queue  # last in the round
            if not turn.done():
                turn.set_result(None)
                return
        self._free_threads += 1


def _busy() -> TooMany:
    return TooMany("busy", "Too many sign-ins are waiting on this server; try again.", status=503, retry_after=2)


def _reject(turn: "asyncio.Future[None]", error: Exception) -> None:
    if not turn.done():
        turn.set_exception(error)


def _lower_priority() -> None:
    """Lowers the priority of this thread, and of those that a hash starts from it."""
    if sys.platform == "linux":  # elsewhere a priority is the whole process's (setpriority(2))
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
