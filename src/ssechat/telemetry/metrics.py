"""What one worker has counted: plain numbers, incremented where things happen.

On the path of a message an increment must cost next to nothing, so there is no metrics library here, no lock and
no label that is not an attribute of its own. Once a second `snapshot` is written where all workers find it
(snapshots.py), and only a scrape makes Prometheus's text of it (http/endpoints/metrics.py).
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

Snapshot = dict[str, Any]
"""Numbers by name, lists of numbers, or dicts of these; JSON can carry it, and `add` adds it up."""

SECONDS = (0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets of a latency, in seconds."""

PAUSES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
"""Upper bounds of the buckets of a pause of the loop, in seconds."""

ITEMS = (1, 2, 4, 8, 16, 32, 64, 128)
"""Upper bounds of the buckets of a batch's size."""

TIMED = 500
"""Wake-ups a second whose latency is measured, about; that costs more than to count them."""

COMMANDS = "commands"
SUBSCRIPTIONS = "subscriptions"
"""The two connections to Redis."""

REFUSALS = ("OOM", "READONLY", "NOREPLICAS", "MISCONF", "NOPERM", "LOADING", "BUSY")
"""Redis's codes that are counted each; all others are "other"."""


class Histogram:
    """How many observations fell into each bucket, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """One for each bound (observations up to and including it), and one for what is above them all."""
        self.sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Counts `value` that many times; a negative one, as clocks of two machines can make it, as 0."""
        self.counts[bisect_left(self.bounds, value)] += times
        if value > 0:
            self.sum += value * times


class Metrics:
    """All counts of this worker, since it began."""

    __slots__ = (
        "_paced_at",
        "batch_items",
        "closes",
        "conflicts",
        "connects",
        "conversation_resets",
        "events_from_log",
        "events_live",
        "gc_pauses",
        "holes",
        "latency_from_log",
        "latency_live",
        "pubsub_lag",
        "redis_connected",
        "redis_lost",
        "redis_refusals",
        "redis_refuses",
        "redis_seconds",
        "requests",
        "resets",
        "resumes",
        "slow_readers",
        "streams_behind",
        "stride",
        "wake_ups",
    )

    def __init__(self) -> None:
        self.connects = 0
        """Streams opened."""
        self.resumes = 0
        """Streams that went on from a valid cursor."""
        self.resets = _zeros("expired", "unknown", "lost")
        """Resets of a stream, by reason."""
        self.conversation_resets = _zeros("expired", "unknown", "lost")
        """Resets of one conversation in an inbox, by reason."""
        self.conflicts = 0
        """Sends whose client_msg_id was used for another message: refused with 422, as invalid ones are."""
        self.closes = _zeros("drain", "unavailable", "token_expired", "signed_out", "slow", "too_many", "gone")
        """Streams ended, by the reason in their `bye`; "gone": the reader left, there was none."""
        self.wake_ups = 0
        """Publishes heard on users' channels."""
        self.events_live = _zeros("message", "reset")
        """Events written to streams straight from a wake-up, by kind; a kind appears when it is first counted."""
        self.events_from_log = _zeros("message", "reset")
        """Events written to streams from a page of the inbox, by kind."""
        self.latency_live = Histogram(SECONDS)
        """Seconds from a message's created_at until it was written to a stream from a wake-up."""
        self.latency_from_log = Histogram(SECONDS)
        """The same for what streams that were open read from the log: after a hole, or by a slow reader."""
        self.holes = _zeros("wake_up", "audit")
        """Live streams that lacked an event and read it from the log, by what showed that."""
        self.slow_readers = 0
        """Streams whose buffer is full, as last looked at."""
        self.streams_behind = 0
        """Streams that are not level with their inbox, as last looked at."""
        self.pubsub_lag = Histogram(SECONDS)
        """Seconds that a ping on the subscriptions' connection took: its answer stands behind all publishes."""
        self.redis_seconds = Histogram(SECONDS)
        """Seconds from sending a command until its reply came, to the millisecond of the loop's clock."""
        self.batch_items = Histogram(ITEMS)
        """Items in one call of a script."""
        self.gc_pauses = Histogram(PAUSES)
        """Seconds for which a collection of garbage stopped the loop."""
        self.redis_connected = _zeros(COMMANDS, SUBSCRIPTIONS)
        """1 for each connection to Redis that is up."""
        self.redis_lost = _zeros(COMMANDS, SUBSCRIPTIONS)
        """Connections to Redis that were up and were lost."""
        self.redis_refusals = _zeros(*REFUSALS, "other")
        """Error replies of Redis, by code; what was asked only to see whether it is allowed is not counted."""
        self.redis_refuses = 0
        """1 while Redis refuses something that is needed, as last tried."""
        self.requests: Counter[tuple[str, str, int]] = Counter()
        """Requests by method, the route's template and status."""
        self.stride = 1
        """Of so many wake-ups one is timed."""
        self._paced_at = 0

    @property
    def streams(self) -> int:
        """Streams open now."""
        return self.connects - self.closes.total()

    def pace(self) -> None:
        """To be called once a second: under load only some wake-ups are timed, evenly spread."""
        self.stride = max(1, (self.wake_ups - self._paced_at) // TIMED)
        self._paced_at = self.wake_ups

    def disconnected(self, connection: str) -> None:
        """A connection to Redis that was up is lost."""
        self.redis_connected[connection] = 0
        self.redis_lost[connection] += 1

    def refused(self, code: str) -> None:
        """Redis answered with an error."""
        self.redis_refusals[code if code in REFUSALS else "other"] += 1

    def snapshot(self) -> Snapshot:
        """What only ever grows."""
        return {
            "connects": self.connects,
            "resumes": self.resumes,
            "resets": dict(self.resets),
            "conversation_resets": dict(self.conversation_resets),
            "conflicts": self.conflicts,
            "closes": dict(self.closes),
            "wake_ups": self.wake_ups,
            "events": {"live": dict(self.events_live), "log": dict(self.events_from_log)},
            "latency": {"live": _values(self.latency_live), "log": _values(self.latency_from_log)},
            "holes": dict(self.holes),
            "pubsub_lag": _values(self.pubsub_lag),
            "redis_seconds": _values(self.redis_seconds),
            "batch_items": _values(self.batch_items),
            "gc_pauses": _values(self.gc_pauses),
            "redis_lost": dict(self.redis_lost),
            "redis_refusals": dict(self.redis_refusals),
            "requests": {" ".join(map(str, key)): count for key, count in self.requests.items()},
        }

    def state(self) -> Snapshot:
        """What is so now, and ends with this worker."""
        return {
            "streams": self.streams,
            "slow_readers": self.slow_readers,
            "streams_behind": self.streams_behind,
            "redis_connected": dict(self.redis_connected),
            "redis_refuses": self.redis_refuses,
        }


def add(snapshots: Iterable[Snapshot]) -> Snapshot:
    """The sum of several snapshots."""
    total: Snapshot = {}
    for snapshot in snapshots:
        for name, value in snapshot.items():
            total[name] = _sum(total[name], value) if name in total else value
    return total


def _sum(one: Any, other: Any) -> Any:
    if isinstance(one, dict):
        return add((one, other))
    if isinstance(one, list):
        return [a + b for a, b in zip(one, other, strict=True)]
    return one + other


def _values(histogram: Histogram) -> list[float]:
    return [*histogram.counts, histogram.sum]


def _zeros(*names: str) -> Counter[str]:
    """A count for each name, there before it first happens: a rate needs the 0 before the 1."""
    return Counter(dict.fromkeys(names, 0))
