"""The metrics of one worker: plain numbers, incremented where things happen.

On the path of a message an increment must cost next to nothing, so there is no metrics library here, no lock, and
no lookup of a label where an attribute can do. Each worker publishes its `snapshot` once a second to all workers
(snapshots.py), and only a scrape makes Prometheus's text of the snapshots (exposition.py).
"""
# ruff: noqa: RUF009 - the calls in the dataclass make fields

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ssechat.events.kinds import KINDS
from ssechat.telemetry.declarations import Counts, Declaration, counter, gauge, histogram, plain, series, series_of
from ssechat.telemetry.histogram import Histogram

Snapshot = dict[str, Any]
"""Numbers by name, lists of numbers, or dicts of these; JSON can carry it, and `add` adds it up."""

SECONDS = (0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets of a latency, in seconds."""

PAUSES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
"""Upper bounds of the buckets of a pause of the event loop, in seconds."""

ITEMS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""Upper bounds of the buckets of a batch's size."""

TIMED = 500
"""Wake-ups a second whose latency is measured, about; a measurement costs more than a count."""

COMMANDS = "commands"
SUBSCRIPTIONS = "subscriptions"
"""The two connections to Redis."""

REFUSALS = ("OOM", "READONLY", "NOREPLICAS", "MISCONF", "NOPERM", "LOADING", "BUSY")
"""Redis's error codes that have a count each; all others are "other"."""

QUOTAS = ("deliveries", "sign-up", "sign-in-address", "sign-in-account", "sign-in-known", "ticket")
"""The names of quotas, as `GET /v1/limits` has them."""

KIND_NAMES = (*(kind.name for kind in KINDS), "feed")
"""All events of feeds count as one kind: their publishers name them."""

SENDS = Declaration("counter", "ssechat_sends", "Messages sent in, by how that ended.", ("outcome",))

EVENTS_WRITTEN = Declaration(
    "counter",
    "ssechat_events_written",
    "Events written to streams, by kind: live from a wake-up, or from the log.",
    ("source", "kind"),
)

DELIVERY_LATENCY = Declaration(
    "histogram",
    "ssechat_delivery_latency_seconds",
    "From a message's created_at until it was written to a stream: live (sampled) or from the log.",
    ("source",),
    SECONDS,
)


@dataclass(slots=True, eq=False)
class Metrics:
    """The metrics of this worker since its start."""

    connects: int = counter("ssechat_stream_connects", "Streams opened.")
    resumes: int = counter("ssechat_stream_resumes", "Streams that went on from a valid cursor.")
    resets: Counts[str, int] = counter(
        "ssechat_stream_resets",
        "Streams told to reload, by reason.",
        "reason",
        zeros=("expired", "unknown", "lost"),
    )
    closes: Counts[str, int] = counter(
        "ssechat_stream_closes",
        "Streams ended, by the reason told; gone: the reader left.",
        "reason",
        zeros=("drain", "unavailable", "token_expired", "signed_out", "slow", "too_many", "changed", "gone"),
    )
    conversation_resets: Counts[str, int] = counter(
        "ssechat_conversation_resets",
        "Inboxes told to reload one conversation, by reason.",
        "reason",
        zeros=("expired", "unknown", "lost"),
    )
    holes: Counts[str, int] = counter(
        "ssechat_stream_holes",
        "Live streams that lacked an event and were filled from the log, by what showed it.",
        "found_by",
        zeros=("wake_up", "audit"),
    )
    events_live: Counts[str, int] = series(EVENTS_WRITTEN, "live", zeros=KIND_NAMES)
    events_from_log: Counts[str, int] = series(EVENTS_WRITTEN, "log", zeros=KIND_NAMES)
    latency_live: Histogram = series(DELIVERY_LATENCY, "live")
    latency_from_log: Histogram = series(DELIVERY_LATENCY, "log")
    """Only streams that were open when the message was sent: they had a hole, or their reader is slow."""
    wake_ups: int = counter("ssechat_wake_ups", "Wake-ups heard from Redis on users' channels.")
    watched: int = gauge("ssechat_presence_watched", "People who are watched by users with streams on a worker.")
    presence_asked: int = counter("ssechat_presence_asked", "Names of which Redis was asked whether they are there.")
    presence_told: int = counter("ssechat_presence_told", "Times that a user was told whether somebody is there.")
    slow_readers: int = gauge("ssechat_slow_readers", "Streams whose reader takes less than it is sent.")
    streams_behind: int = gauge("ssechat_streams_behind", "Streams that are not level with their inbox.")
    requests: Counts[tuple[str, str, int], int] = counter(
        "ssechat_http_requests", "Requests answered, by the template of the route.", "method", "route", "status"
    )
    over_quota: Counts[str, int] = counter(
        "ssechat_over_quota", "Requests refused because a quota was used up, by its name.", "quota", zeros=QUOTAS
    )
    conflicts: int = series(SENDS, "conflict")
    """Sends whose client_msg_id belongs to another message: refused with 422, as invalid sends are."""
    pubsub_lag: Histogram = histogram(
        "ssechat_pubsub_lag_seconds", "Round trip of a ping behind all that is published.", SECONDS
    )
    redis_seconds: Histogram = histogram(
        "ssechat_redis_command_seconds", "From a command to Redis to its reply.", SECONDS
    )
    batch_items: Histogram = histogram("ssechat_redis_batch_items", "Items that shared one call of a script.", ITEMS)
    redis_connected: Counts[str, int] = gauge(
        "ssechat_redis_connected_workers",
        "Workers whose connection to Redis is up.",
        "connection",
        zeros=(COMMANDS, SUBSCRIPTIONS),
    )
    """1 for each connection that is up."""
    redis_lost: Counts[str, int] = counter(
        "ssechat_redis_connections_lost",
        "Connections to Redis that were lost.",
        "connection",
        zeros=(COMMANDS, SUBSCRIPTIONS),
    )
    redis_refusals: Counts[str, int] = counter(
        "ssechat_redis_refusals", "Error replies of Redis, by its code.", "code", zeros=(*REFUSALS, "other")
    )
    """Without the replies to commands that only ask for a right."""
    redis_refuses: int = gauge("ssechat_redis_refused_workers", "Workers to which Redis refuses what they need.")
    """1 while Redis refuses something that this worker needs, as last tried."""
    key_fetches: Counts[str, int] = counter(
        "ssechat_key_set_fetches",
        "Requests for the keys at --jwks-url, by how that ended.",
        "outcome",
        zeros=("ok", "failed"),
    )
    issuer_away: int = gauge(
        "ssechat_key_set_unavailable_workers", "Workers whose last request for the keys at --jwks-url failed."
    )
    """1 while this worker's last request failed."""
    without_keys: int = gauge(
        "ssechat_key_set_missing_workers", "Workers that have no keys from --jwks-url, and answer tokens with 503."
    )
    """1 while this worker has none."""
    gc_pauses: Histogram = histogram(
        "ssechat_gc_pause_seconds", "For how long a collection of garbage stopped a loop.", PAUSES
    )
    stride: int = 1
    """One wake-up of this many is timed."""
    _paced_at: int = 0

    @property
    def streams(self) -> int:
        """Streams open now."""
        return self.connects - sum(self.closes.values())

    def pace(self) -> None:
        """Sets `stride`, once a second: under load only some wake-ups are timed, evenly spread."""
        self.stride = max(1, (self.wake_ups - self._paced_at) // TIMED)
        self._paced_at = self.wake_ups

    def disconnected(self, connection: str) -> None:
        """Counts the loss of a connection to Redis that was up."""
        self.redis_connected[connection] = 0
        self.redis_lost[connection] += 1

    def refused(self, code: str) -> None:
        """Counts an error reply of Redis."""
        self.redis_refusals[code if code in REFUSALS else "other"] += 1

    def snapshot(self) -> Snapshot:
        """The counters and histograms: their sums outlive this worker."""
        return {name: plain(getattr(self, name)) for name, one in SERIES.items() if one.declaration.type != "gauge"}

    def state(self) -> Snapshot:
        """The gauges, and the streams that are open: they end with this worker."""
        gauges = {name: plain(getattr(self, name)) for name, one in SERIES.items() if one.declaration.type == "gauge"}
        return {"streams": self.streams, **gauges}


SERIES = series_of(Metrics)
"""The series of each field of `Metrics`."""


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
