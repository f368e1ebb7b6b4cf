"""What there is to see of all workers, for Prometheus."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from platform import python_version
from typing import Any

from prometheus_client import exposition
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from ssechat import __version__
from ssechat.errors import TooMany
from ssechat.http.exchange import Request, Response
from ssechat.http.responses import NO_STORE
from ssechat.http.routing import Route
from ssechat.telemetry.metrics import ITEMS, PAUSES, SECONDS, Snapshot
from ssechat.telemetry.snapshots import Snapshots

COUNTERS = (
    ("connects", "ssechat_stream_connects", "Streams opened.", ""),
    ("resumes", "ssechat_stream_resumes", "Streams that went on from a valid cursor.", ""),
    ("resets", "ssechat_stream_resets", "Streams told to reload, by reason.", "reason"),
    ("closes", "ssechat_stream_closes", "Streams ended, by the reason told; gone: the reader left.", "reason"),
    (
        "conversation_resets",
        "ssechat_conversation_resets",
        "Inboxes told to reload one conversation, by reason.",
        "reason",
    ),
    (
        "holes",
        "ssechat_stream_holes",
        "Live streams that lacked an event and were filled from the log, by what showed it.",
        "found_by",
    ),
    (
        "events",
        "ssechat_events_written",
        "Events of inboxes written to streams: live from a wake-up, or from the log.",
        "source",
    ),
    ("wake_ups", "ssechat_wake_ups", "Wake-ups heard from Redis on users' channels.", ""),
    ("redis_lost", "ssechat_redis_connections_lost", "Connections to Redis that were lost.", "connection"),
    ("redis_refusals", "ssechat_redis_refusals", "Error replies of Redis, by its code.", "code"),
)
"""Of a snapshot: the name in it, the metric's, what it says, and what its label is."""

STATES = (
    ("streams", "ssechat_streams_open", "Streams open now."),
    ("slow_readers", "ssechat_slow_readers", "Streams whose reader takes less than it is sent."),
    ("streams_behind", "ssechat_streams_behind", "Streams that are not level with their inbox."),
    (
        "redis_refuses",
        "ssechat_redis_refused_workers",
        "Workers to which Redis refuses what they need.",
    ),
)

OF_A_WORKER = (
    ("streams", "ssechat_worker_streams", "Streams open on this worker."),
    ("resident_bytes", "ssechat_worker_resident_memory_bytes", "Resident memory of this worker."),
    ("open_fds", "ssechat_worker_open_fds", "Files and sockets that this worker has open."),
    ("start_time_seconds", "ssechat_worker_start_time_seconds", "When this worker began, since the epoch."),
)


class MetricsEndpoint:
    """`/metrics`."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    def routes(self) -> list[Route]:
        return [Route("GET", "/metrics", self.show)]

    async def show(self, request: Request) -> Response:
        """`GET /metrics`: all workers' numbers, in the format that the scraper asks for."""
        try:
            counts, workers = await self._snapshots.read()
        except TimeoutError:
            raise TooMany("metrics_locked", "Another worker holds the metrics; scrape again.", status=503) from None
        try:
            encode, media_type = exposition.choose_encoder(request.header(b"accept") or "")
        except (TypeError, ValueError):  # of a version that is none
            encode, media_type = exposition.choose_encoder("")
        headers = ((b"content-type", media_type.encode("latin-1")), NO_STORE)
        return Response(200, encode(Exposition(counts, workers)), headers)


@dataclass(frozen=True, slots=True)
class Exposition(Collector):
    """Numbers as Prometheus's metrics."""

    counts: Snapshot
    workers: Sequence[Mapping[str, Any]]

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        yield InfoMetricFamily("ssechat_build", "What runs.", {"version": __version__, "python": python_version()})
        yield GaugeMetricFamily("ssechat_workers", "Worker processes.", len(self.workers))
        for key, name, text in STATES:
            yield GaugeMetricFamily(name, text, sum(worker[key] for worker in self.workers))
        yield _labelled(
            GaugeMetricFamily(
                "ssechat_redis_connected_workers", "Workers whose connection to Redis is up.", labels=["connection"]
            ),
            (
                (connection, sum(worker["redis_connected"][connection] for worker in self.workers))
                for connection in self.counts["redis_lost"]
            ),
        )
        for key, name, text, label in COUNTERS:
            value = self.counts[key]
            if label:
                yield _labelled(CounterMetricFamily(name, text, labels=[label]), value.items())
            else:
                yield CounterMetricFamily(name, text, value)
        yield from self._requests()
        yield from self._histograms()
        yield from self._processes()

    def _requests(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "ssechat_http_requests",
            "Requests answered, by the template of the route.",
            labels=["method", "route", "status"],
        )
        sends = dict.fromkeys(("created", "repeated", "conflict", "refused", "unavailable", "failed"), 0)
        for key, count in self.counts["requests"].items():
            method, route, status = key.split(" ")
            requests.add_metric([method, route, status], count)
            if (method, route) == ("POST", "/v1/messages"):
                sends[_outcome(int(status))] += count
        sends["conflict"] = self.counts["conflicts"]
        sends["refused"] = max(0, sends["refused"] - sends["conflict"])
        yield requests
        family = CounterMetricFamily("ssechat_sends", "Messages sent in, by how that ended.", labels=["outcome"])
        yield _labelled(family, sends.items())

    def _histograms(self) -> Iterator[Metric]:
        latency = HistogramMetricFamily(
            "ssechat_delivery_latency_seconds",
            "From a message's created_at until it was written to a stream: live (sampled) or from the log.",
            labels=["source"],
        )
        for source, values in self.counts["latency"].items():
            latency.add_metric([source], *_buckets(SECONDS, values))
        yield latency
        for key, name, text, bounds in (
            ("pubsub_lag", "ssechat_pubsub_lag_seconds", "Round trip of a ping behind all that is published.", SECONDS),
            ("redis_seconds", "ssechat_redis_command_seconds", "From a command to Redis to its reply.", SECONDS),
            ("batch_items", "ssechat_redis_batch_items", "Items that shared one call of a script.", ITEMS),
            ("gc_pauses", "ssechat_gc_pause_seconds", "For how long a collection of garbage stopped a loop.", PAUSES),
        ):
            histogram = HistogramMetricFamily(name, text, labels=[])
            histogram.add_metric([], *_buckets(bounds, self.counts[key]))
            yield histogram

    def _processes(self) -> Iterator[Metric]:
        cpu = CounterMetricFamily("ssechat_worker_cpu_seconds", "CPU time of this worker.", labels=["pid"])
        yield _labelled(cpu, ((str(worker["pid"]), worker["cpu_seconds"]) for worker in self.workers))
        for key, name, text in OF_A_WORKER:
            family = GaugeMetricFamily(name, text, labels=["pid"])
            yield _labelled(family, ((str(worker["pid"]), worker[key]) for worker in self.workers if key in worker))


def _labelled(family: Any, values: Iterable[tuple[str, float]]) -> Metric:
    for label, value in values:
        family.add_metric([label], value)
    assert isinstance(family, Metric)
    return family


def _buckets(bounds: Sequence[float], values: Sequence[float]) -> tuple[list[tuple[str, float]], float]:
    """A histogram's counts and sum as Prometheus has them: each bucket holds those below it, too."""
    *counts, total = values
    limits = [*map(floatToGoString, bounds), "+Inf"]
    return list(zip(limits, accumulate(counts), strict=True)), total


def _outcome(status: int) -> str:
    """How a send ended, by its answer; of those that were refused, some are conflicts."""
    known = {201: "created", 200: "repeated", 503: "unavailable"}
    return known.get(status, "failed" if status >= 500 else "refused")
