"""The pauses between attempts to reach a server."""

import random
import time
from collections.abc import Callable

from ssechat.backoff import Backoff

# Seconds.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0
# Statuses after which a retry can succeed: too many requests, or a proxy, the server or its Redis is unavailable.
RETRY_STATUSES = frozenset({429, 502, 503, 504})


class Pauses:
    """How long to wait, a clock, and who is told. The parameters but `note` are for tests."""

    def __init__(
        self,
        note: Callable[[str], None] = lambda text: None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.note = note
        self.sleep = sleep
        self.clock = clock
        self._chance = chance

    @staticmethod
    def backoff() -> Backoff:
        """The pauses after the first failure, for which the server's value stands."""
        return Backoff(2 * FIRST_PAUSE, LONGEST_PAUSE, at_once=True)

    def seconds(self, least: float, backoff: Backoff) -> float:
        """Seconds to wait: `least`, longer after each failure, with jitter on top."""
        return max(least, backoff.pause()) * (1 + self._chance() / 4)
