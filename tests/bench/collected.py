"""Pauses of the garbage collector, as the workers report them in `/metrics`."""

import re
from dataclasses import dataclass
from math import inf
from urllib.request import urlopen

BUCKET = re.compile(r'^ssechat_gc_pause_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)

SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Collections:
    """Cumulative counts of garbage collections, by the upper bound of their duration in seconds."""

    below: dict[float, float]

    @classmethod
    def read(cls, address: tuple[str, int]) -> "Collections":
        """Reads the counts of all workers so far."""
        with urlopen(f"http://{address[0]}:{address[1]}/metrics", timeout=SECONDS) as answer:
            return cls({float(bound): float(count) for bound, count in BUCKET.findall(answer.read().decode())})

    def since(self, earlier: "Collections") -> "Collections":
        """The counts since `earlier` was read."""
        return Collections({bound: count - earlier.below[bound] for bound, count in self.below.items()})

    @property
    def count(self) -> int:
        """The number of collections."""
        return int(self.below[inf])

    @property
    def longest_below(self) -> float:
        """An upper bound of the longest collection, in milliseconds: the lowest bucket above it."""
        return min(bound for bound, count in self.below.items() if count == self.below[inf]) * 1000
