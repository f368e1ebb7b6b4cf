"""The pauses between attempts to reach a server."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable

from ssechat.backoff import Backoff

# Seconds.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0
# Statuses after which a retry can succeed: too many requests, or a proxy, the server or its Redis is unavailable.
RETRY_STATUSES = frozenset({429, 502, 503, 504})


class Pauses:
    """How long to wait, and a clock. The parameters are for tests."""

    def __init__(
        self,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.clock = clock
        self._sleep = sleep
        self._chance = chance

    async def sleep(self, seconds: float, ended: asyncio.Event | None = None) -> None:
        """Waits, but no longer than until it has `ended`."""
        if self._sleep is not None:
            await self._sleep(seconds)
        elif ended is None:
            await asyncio.sleep(seconds)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await ended.wait()

    @staticmethod
    def backoff() -> Backoff:
        """The pauses after the first failure, for which the server's value stands."""
        return Backoff(2 * FIRST_PAUSE, LONGEST_PAUSE, at_once=True)

    def seconds(self, least: float, backoff: Backoff) -> float:
        """Seconds to wait: `least`, longer after each failure, with jitter on top."""
        return max(least, backoff.pause()) * (1 + self._chance() / 4)
