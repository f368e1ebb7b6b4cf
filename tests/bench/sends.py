"""CPU per message, messages per second and latency: ssechat, and nchan with Redis."""

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
            try:
                with start_peer(name, workers) as peer:
                    # Events of other servers have no numbers for counting.
                    runs.append(measure_load(peer, replace(load, checking=Checking.EXACT), progress))
            except BenchError as error:
                # The figures so far are kept if a peer fails.
                absent.append(f"{name}: could not be measured: {error}")
    return SendsFigures(runs, absent)
