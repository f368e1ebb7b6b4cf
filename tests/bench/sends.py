"""CPU per message, messages per second and latency: ssechat, and nchan with Redis."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from .arrivals import Checking
from .load import Load, LoadFigures, measure_load
from .peers import measure_peer, present
from .progress import Progress
from .server import Ssechat
from .streams import check_descriptors


@dataclass(frozen=True, slots=True)
class SendsFigures:
    """The figures of each server, per load."""

    runs: list[LoadFigures]
    absent: list[str]
    """Notes on peers that are not installed."""


def measure_sends(loads: Sequence[Load], workers: int, peers: Sequence[str], progress: Progress) -> SendsFigures:
    """Measures each load on ssechat, then on each peer, with new servers each time.

    Raises:
        BenchError: the measurement failed.
    """
    able, absent = present(peers)
    runs = []
    for load in loads:
        check_descriptors(load.streams, workers, load.readers)
        with Ssechat(workers) as server:
            runs.append(measure_load(server, load, progress))
        for name in able:
            # Events of other servers have no numbers for counting.
            exact = replace(load, checking=Checking.EXACT)
            runs += measure_peer(name, workers, partial(measure_load, load=exact, progress=progress), absent)
    return SendsFigures(runs, absent)
