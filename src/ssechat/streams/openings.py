"""How often streams of a source are opened in this worker."""

from collections import OrderedDict
from collections.abc import Callable

WINDOW = 60.0
"""Seconds in which so many may be opened."""

MAX_SOURCES = 20_000
"""Sources that are remembered, at most."""


class Openings:
    """Counts openings by the source's channel against a limit, which refills evenly.

    A source is remembered until its limit is full again: after one opening for half a second, by default.
    """

    def __init__(self, limit: int, now: Callable[[], float]) -> None:
        """`limit` openings within `WINDOW` seconds."""
        self._each = WINDOW / limit
        self._now = now
        # Ordered: to find the first of a dict takes long after many others were dropped.
        self._full_at: OrderedDict[bytes, float] = OrderedDict()
        """When the limits of sources are full again (seconds of the clock), those asked for last at the end."""

    def admit(self, channel: bytes) -> bool:
        """Counts an opening; False: there are too many, and this one does not count."""
        now = self._now()
        self._forget(now)
        before = max(now, self._full_at.pop(channel, now))
        full_at = before + self._each
        admitted = full_at <= now + WINDOW + self._each / 2
        self._full_at[channel] = full_at if admitted else before
        return admitted

    def free(self) -> None:
        """Frees the table when all limits are full again: after a rush it has kept its size."""
        now = self._now()
        if self._full_at and all(full_at <= now for full_at in self._full_at.values()):
            self._full_at.clear()

    def _forget(self, now: float) -> None:
        """Forgets two at most of which nothing need be known any more, or, if there are too many, those asked for
        first: no opening takes long, and more are forgotten than come."""
        for _ in range(2):
            first = next(iter(self._full_at), None)
            if first is None or (self._full_at[first] > now and len(self._full_at) < MAX_SOURCES):
                return
            del self._full_at[first]
