"""Where passwords are hashed: in threads that give way to everything else, and in turns.

A hash (argon2id) takes tens of milliseconds of all cores and 64 MiB, on purpose. So few run at a time; those who wait
are taken in turns by whose they are, or one address that asks all the time would keep everybody else waiting.
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

MOST_THREADS = 2
MOST_WAITING = 256
MOST_WAITING_OF_ONE = 128
"""An office of a hundred people has one address, and begins to work at nine."""

NICENESS = 5
"""The loop of a worker and Redis get three times as much of a core (sched(7)). With more, a sign-in took seconds on a
busy machine (`python -m tests.fuzz` prints how long)."""


class HashingPool:
    """Runs work in a few threads; whoever asks for it says whose turn it is to count as."""

    def __init__(self, threads: int = MOST_THREADS) -> None:
        threads = max(1, min(MOST_THREADS, threads))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2", initializer=_give_way)
        self._free = threads
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        """Those who wait, by whose they are; the line whose turn comes next is the first."""
        self._waiting = 0

    async def run(self, whose: str, work: Callable[[], Result]) -> Result:
        """What `work` returns.

        Raises:
            TooMany: 503 `busy`: too many wait, and of nobody more than of `whose`.
        """
        if self._free:
            self._free -= 1
        else:
            await self._turn(whose)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._pass_on()

    def close(self) -> None:
        """Lets the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _turn(self, whose: str) -> None:
        line = self._lines.get(whose, ())
        if len(line) >= MOST_WAITING_OF_ONE:
            raise _busy()
        if self._waiting >= MOST_WAITING:
            longest = max(self._lines.values(), key=len)
            if len(longest) <= len(line) + 1:
                raise _busy()
            self._waiting -= 1
            _tell(longest.pop(), _busy())
        self._waiting += 1
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(whose, deque()).append(turn)
        await turn

    def _pass_on(self) -> None:
        """Gives the thread to the next in turn."""
        while self._lines:
            whose, line = self._lines.popitem(last=False)
            turn = line.popleft()
            self._waiting -= 1
            if line:
                self._lines[whose] = line  # behind the others
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def _busy() -> TooMany:
    return TooMany("busy", "Too many people are signing in just now; try again.", status=503, retry_after=2)


def _tell(turn: "asyncio.Future[None]", error: Exception) -> None:
    if not turn.done():
        turn.set_exception(error)


def _give_way() -> None:
    """Makes this thread, and those that a hash starts from it, run when nothing else wants to."""
    if sys.platform == "linux":  # elsewhere a priority is the whole process's (setpriority(2))
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
