"""How often streams of a source are opened in this worker."""

from collections.abc import Callable

from ssechat.recent import Recent

WINDOW = 60.0
"""Seconds in which so many may be opened."""

MAX_SOURCES = 20_000
"""Sources that are remembered, at least."""


class _Bucket:
    """Is full again at a time, in seconds of the clock."""

    __slots__ = ("full_at",)

    def __init__(self) -> None:
        self.full_at = 0.0


class Openings:
    """Counts openings by the source's channel against a limit, which refills evenly."""

    def __init__(self, limit: int, now: Callable[[], float]) -> None:
        """`limit` openings within `WINDOW` seconds."""
        self._each = WINDOW / limit
        self._now = now
        self._buckets: Recent[bytes, _Bucket] = Recent(MAX_SOURCES, lambda channel: _Bucket())

    def admit(self, channel: bytes) -> bool:
        """Counts an opening; False: there are too many, and this one does not count."""
        bucket, now = self._buckets[channel], self._now()
        full_at = max(now, bucket.full_at) + self._each
        if full_at > now + WINDOW + self._each / 2:
            return False
        bucket.full_at = full_at
        return True
