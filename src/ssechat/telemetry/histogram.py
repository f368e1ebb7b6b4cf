"""A histogram: observations counted in buckets."""

from bisect import bisect_left
from collections.abc import Sequence


class Histogram:
    """The number of observations in each bucket, and the sum of their values."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        """The buckets' upper bounds, ascending; each bound belongs to its bucket."""
        self.counts = [0] * (len(bounds) + 1)
        """One count for each bucket, and one for the values above all bounds."""
        self.sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Counts `value` that many times. A negative value, the work of two machines' clocks, counts as 0."""
        self.counts[bisect_left(self.bounds, value)] += times
        if value > 0:
            self.sum += value * times
