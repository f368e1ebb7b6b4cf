"""The metrics of all workers in the form of Prometheus's client library."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from platform import python_version
from typing import Any

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
from ssechat.telemetry.declarations import Declaration, Sample
from ssechat.telemetry.metrics import SENDS, SERIES, Snapshot, add
from ssechat.telemetry.process import USAGE

Workers = Sequence[Snapshot]
"""The state of each worker that lives."""

SENDS_ROUTE = ("POST", "/v1/messages")

FAMILIES = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
    "info": InfoMetricFamily,
}


class Exposition(Collector):
    """One scrape: all metrics, from the counts of all workers and the state of those that live."""

    def __init__(self, counts: Snapshot, workers: Workers) -> None:
        self._totals = add((counts, *workers))
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        """Each declared metric with all its series."""
        families = {one: FAMILIES[one.type](one.name, one.help, labels=one.labels) for one in declarations()}
        for declaration, (labels, value) in self._samples():
            _add(families[declaration], declaration, labels, value)
        yield from families.values()

    def _samples(self) -> Iterator[tuple[Declaration, Sample]]:
        for name, series in SERIES.items():
            for sample in series.samples(self._totals[name]):
                yield series.declaration, sample
        for declaration, derive in DERIVED:
            for sample in derive(self._totals, self._workers):
                yield declaration, sample


def declarations() -> list[Declaration]:
    """All metrics that there are, each once."""
    counted = (series.declaration for series in SERIES.values())
    return list(dict.fromkeys((*counted, *(declaration for declaration, _ in DERIVED))))


def _build(totals: Snapshot, workers: Workers) -> Iterator[Sample]:
    yield (__version__, python_version()), 1


def _count(totals: Snapshot, workers: Workers) -> Iterator[Sample]:
    yield (), len(workers)


def _total(key: str, totals: Snapshot, workers: Workers) -> Iterator[Sample]:
    yield (), totals[key]


def _each(key: str, totals: Snapshot, workers: Workers) -> Iterator[Sample]:
    """The value of each worker that has one, by its pid."""
    return (((str(worker["pid"]),), worker[key]) for worker in workers if key in worker)


def _sends(totals: Snapshot, workers: Workers) -> Iterator[Sample]:
    """The outcomes of sends, from the answers; those with 422 without the conflicts, which are counted apart."""
    sends = dict.fromkeys(("created", "repeated", "refused", "unavailable", "failed"), 0)
    for key, count in totals["requests"].items():
        *route, status = key.split(" ")
        if tuple(route) == SENDS_ROUTE:
            sends[_outcome(int(status))] += count
    sends["refused"] = max(0, sends["refused"] - totals["conflicts"])
    return (((outcome,), count) for outcome, count in sends.items())


def _outcome(status: int) -> str:
    known = {201: "created", 200: "repeated", 503: "unavailable"}
    return known.get(status, "failed" if status >= 500 else "refused")


DERIVED: Sequence[tuple[Declaration, Callable[[Snapshot, Workers], Iterator[Sample]]]] = (
    (Declaration("info", "ssechat_build", "What runs.", ("version", "python")), _build),
    (Declaration("gauge", "ssechat_workers", "Worker processes."), _count),
    (Declaration("gauge", "ssechat_streams_open", "Streams open now."), partial(_total, "streams")),
    (
        Declaration("gauge", "ssechat_worker_streams", "Streams open on this worker.", ("pid",)),
        partial(_each, "streams"),
    ),
    (SENDS, _sends),
    *((declaration, partial(_each, declaration.name)) for declaration in USAGE),
)
"""The metrics that no field counts, and the function that makes their samples of what there is."""


def _add(family: Any, declaration: Declaration, labels: Sequence[str], value: Any) -> None:
    if declaration.type == "histogram":
        family.add_metric(labels, *_buckets(declaration.buckets, value))
    elif declaration.type == "info":
        family.add_metric((), dict(zip(declaration.labels, labels, strict=True)))
    else:
        family.add_metric(labels, value)


def _buckets(bounds: Sequence[float], values: Sequence[float]) -> tuple[list[tuple[str, float]], float]:
    """A histogram's counts and sum in Prometheus's form: each bucket includes those below it."""
    *counts, total = values
    limits = [*map(floatToGoString, bounds), "+Inf"]
    return list(zip(limits, accumulate(counts), strict=True)), total
