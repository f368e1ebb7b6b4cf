"""A metric's declaration: the one place that names it.

`metrics.py` declares each metric as a field of a dataclass. The snapshot of a worker, the sum over all workers and
the text for Prometheus follow from the fields (`series_of`).
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ssechat.telemetry.histogram import Histogram

Type = Literal["counter", "gauge", "histogram", "info"]

Counts = defaultdict
"""Numbers by a label, 0 at first. No `Counter`: to count one up takes three times as long."""

Sample = tuple[tuple[str, ...], Any]
"""The values of a metric's labels, and a number; of a histogram, the counts of its buckets and then the sum."""

SERIES = "series"
"""The key of a `Series` in its field's metadata."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A metric as Prometheus knows it."""

    type: Type
    name: str
    """The name without the suffix of its type (`_total`, `_info`)."""
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """The upper bounds of a histogram's buckets."""


@dataclass(frozen=True, slots=True)
class Series:
    """The series of a metric that one field counts: those whose first labels have the given values."""

    declaration: Declaration
    values: tuple[str, ...]

    def samples(self, number: Any) -> Iterator[Sample]:
        """The samples in the field's part of a snapshot."""
        free = len(self.declaration.labels) - len(self.values)
        if free:
            for key, value in number.items():
                yield (*self.values, *key.split(" ", free - 1)), value
        else:
            yield self.values, number


def series(declaration: Declaration, *values: str, zeros: Iterable[str] = ()) -> Any:
    """A field for the series of a metric whose first labels have these values.

    The field holds a `Histogram`; or `Counts` by the value of the label that is left, or by a tuple if several
    are left; or a number if no label is left. A counter is 0 at first for each of `zeros`: a rate needs the 0
    before the 1.
    """

    def start() -> Any:
        if declaration.type == "histogram":
            return Histogram(declaration.buckets)
        return Counts(int, dict.fromkeys(zeros, 0)) if len(values) < len(declaration.labels) else 0

    return dataclasses.field(default_factory=start, metadata={SERIES: Series(declaration, values)})


def counter(name: str, text: str, *labels: str, zeros: Iterable[str] = ()) -> Any:
    """A field for all series of a metric that only rises; its sum outlives a worker."""
    return series(Declaration("counter", name, text, labels), zeros=zeros)


def gauge(name: str, text: str, *labels: str, zeros: Iterable[str] = ()) -> Any:
    """A field for all series of a metric that rises and falls; its value ends with the worker."""
    return series(Declaration("gauge", name, text, labels), zeros=zeros)


def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Any:
    """A field for a histogram without labels."""
    return series(Declaration("histogram", name, text, (), buckets))


def series_of(kind: type[Any]) -> dict[str, Series]:
    """The series that the fields of a dataclass count, by the field's name."""
    return {field.name: field.metadata[SERIES] for field in dataclasses.fields(kind) if SERIES in field.metadata}


def plain(number: Any) -> Any:
    """A field's value as JSON can carry it: a number, a dict of numbers, or a list of numbers for a histogram."""
    if isinstance(number, Histogram):
        return [*number.counts, number.sum]
    if isinstance(number, Counts):
        return {key if isinstance(key, str) else " ".join(map(str, key)): value for key, value in number.items()}
    return number
