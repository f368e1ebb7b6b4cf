"""CPU per message, messages a second and latency: ssechat, and nchan with Redis beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .arrivals import Checking
from .errors import BenchError
from .load import Load, LoadFigures, measure_load
from .peers import present, start_peer
from .progress import Progress
from .server import Ssechat
from .streams import check_descriptors


@dataclass(frozen=True, slots=True)
class SendsFigures:
    """What came of it: for each load each server's."""

    runs: list[LoadFigures]
    absent: list[str]
    """A sentence on each peer that is not installed."""


def measure_sends(loads: Sequence[Load], workers: int, peers: Sequence[str], progress: Progress) -> SendsFigures:
    """Each load on ssechat, then on each peer; servers are new for each.

    Raises:
        BenchError: it cannot be measured.
    """
    able, absent = present(peers)
    runs = []
    for load in loads:
        check_descriptors(load.streams, workers, load.readers)
        with Ssechat(workers) as server:
            runs.append(measure_load(server, load, progress))
        for name in able:
            try:
                with start_peer(name, workers) as peer:
                    # What other servers bring has no numbers to count by.
                    runs.append(measure_load(peer, replace(load, checking=Checking.EXACT), progress))
            except BenchError as error:
                # It does not spoil what was measured before.
                absent.append(f"{name}: could not be measured: {error}")
    return SendsFigures(runs, absent)
