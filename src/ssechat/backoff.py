"""Pauses between attempts at something that fails."""

import random


class Backoff:
    """Each pause is twice the one before, up to the longest."""

    def __init__(self, first: float, longest: float, *, at_once: bool = False, jitter: float = 0.0) -> None:
        """`first` and `longest` are in seconds; `at_once` puts no pause in front of the first attempt after a failure.

        A random part of each pause, up to `jitter` (0 to 1), is left out, so that clients do not come all together.
        """
        self._first = first
        self._longest = longest
        self._at_once = at_once
        self._jitter = jitter
        self._next = 0.0
        self.reset()

    def reset(self) -> None:
        """The last attempt went well: begins with the first pause again."""
        self._next = 0.0 if self._at_once else self._first

    def pause(self) -> float:
        """Seconds to wait before the next attempt."""
        pause = self._next
        self._next = min(max(self._first, 2 * pause), self._longest)
        return pause * (1 - random.uniform(0, self._jitter))
