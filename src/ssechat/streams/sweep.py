"""A sweep over all streams, a part at a time: pings of streams that were opened together spread over a whole sweep."""

from collections.abc import Callable, Iterator
from itertools import islice

from ssechat.streams.stream import Stream
from ssechat.telemetry.metrics import Metrics

PARTS = 5
"""Parts of a sweep."""

SMALL = 100
"""Streams up to which a sweep is not divided."""


class Sweep:
    """The streams that the next sweep visits."""

    def __init__(self, all_streams: Callable[[], Iterator[Stream]], metrics: Metrics) -> None:
        self._all_streams = all_streams
        self._metrics = metrics
        self._rest: Iterator[Stream] = iter(())
        self._slow = self._behind = 0

    def next_part(self, count: int) -> list[Stream]:
        """The next part of a sweep over `count` streams, about; what it saw is counted at its end."""
        size = max(SMALL, count // PARTS + 1)
        part = list(islice(self._rest, size))
        if not part:
            self._rest = self._all_streams()
            part = list(islice(self._rest, size))
        self._slow += sum(stream.paused_at is not None for stream in part)
        self._behind += sum(not stream.live and not stream.closed for stream in part)
        if len(part) < size:
            self._metrics.slow_readers, self._metrics.streams_behind = self._slow, self._behind
            self._slow = self._behind = 0
        return part
