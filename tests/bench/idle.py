"""Memory per idle stream, compared with other servers."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from . import processes, streams
from .arrivals import Checking, StreamPlan
from .errors import BenchError
from .generator import Crew
from .peers import PEERS, measure_peer, present
from .processes import Memory
from .progress import Progress
from .server import Ssechat, Subject
from .streams import OPEN_SECONDS, StreamHolder, check_descriptors, open_streams

FIRST = 1000
"""Streams that are open before the measurement, at most half of all. What they take is not what each takes: they fill
the memory that is free after the start, 0.2 MB of a worker or 0.8, as the imports happen to leave it.
"""

SETTLE_SECONDS = 3.0

MAX_ENDED = 0.01
"""Upper bound of the share of streams that a peer may end (pushpin ends some); they are reported and not counted."""


@dataclass(frozen=True, slots=True)
class IdleOptions:
    """Options of the measurement."""

    streams: int
    workers: int
    clients: int
    """Client processes."""
    peers: Sequence[str]
    peer_streams: int


@dataclass(frozen=True, slots=True)
class IdleFigures:
    """The figures of one server."""

    server: str
    workers: int
    streams: int
    """Streams open at the end."""
    first: int
    """Streams open before the measurement."""
    ended: int
    """Streams that the server ended."""
    opened_a_second: float
    before: Memory
    """Memory of all workers with the first streams open, in bytes."""
    after: Memory
    """Memory of all workers with all streams open."""
    redis_growth: Memory
    """Memory growth of its Redis, in bytes."""
    complaints: list[str] = field(default_factory=list)
    """Warnings and errors in its log."""

    @property
    def more(self) -> int:
        """Streams that were opened during the measurement."""
        return self.streams - self.first

    @property
    def bytes_each(self) -> float:
        """Bytes of process memory (PSS) per stream."""
        return (self.after.pss - self.before.pss) / self.more

    @property
    def private_bytes_each(self) -> float:
        """Bytes of private process memory per stream."""
        return (self.after.private - self.before.private) / self.more

    @property
    def redis_bytes_each(self) -> float:
        """Bytes of Redis's memory (PSS) per stream."""
        return self.redis_growth.pss / self.more


def measure_idle(options: IdleOptions, progress: Progress) -> tuple[list[IdleFigures], list[str]]:
    """Measures ssechat, then the peers; also returns a note on each peer that is not installed.

    Raises:
        BenchError: a server does not start or loses streams, or file descriptors are too few.
    """
    unknown = set(options.peers) - set(PEERS)
    assert not unknown, unknown
    check_descriptors(options.streams, options.workers, options.clients)
    if options.peers:
        check_descriptors(options.peer_streams, 1, options.clients)
    able, absent = present(options.peers)
    with Ssechat(options.workers) as server:
        figures = [_measure(server, options.streams, options.clients, progress)]
    for name in able:
        figures += measure_peer(
            name, options.workers, lambda peer: _measure(peer, options.peer_streams, options.clients, progress), absent
        )
    return figures, absent


def _measure(server: Subject, count: int, clients: int, progress: Progress) -> IdleFigures:
    plans = [StreamPlan(server.address, server.dialect(), Checking.NOTHING) for _ in range(clients)]
    with Crew(StreamHolder, plans) as crew:
        first = min(FIRST, count // 2)
        open_streams(crew, clients, first)
        progress.wait(SETTLE_SECONDS, lambda left: f"{server.name}: the first {first:,} are open, {left:.0f} s")
        workers, redis = server.workers, server.redis
        before, redis_before = processes.memory(workers), processes.memory(redis)
        began = time.monotonic()
        open_streams(
            crew,
            clients,
            count - first,
            first=first,
            tick=lambda: progress.show(f"{server.name}: {crew.gauge(streams.OPENED):,} of {count:,} streams open"),
        )
        took = time.monotonic() - began
        progress.wait(SETTLE_SECONDS, lambda left: f"{server.name}: settling, {left:.0f} s")
        crew.check()
        after, redis_after = processes.memory(workers), processes.memory(redis)
        ended = crew.gauge(streams.ENDED)
        crew.tell("close")
        crew.gather(OPEN_SECONDS)
    if ended > count * (0 if server.name == "ssechat" else MAX_ENDED):
        raise BenchError(f"{server.name} ended {ended:,} of {count:,} idle streams: {server.complaints[-3:]}")
    return IdleFigures(
        server=server.name,
        workers=len(workers),
        streams=count - ended,
        first=first,
        ended=ended,
        opened_a_second=(count - first) / took,
        before=before,
        after=after,
        redis_growth=redis_after - redis_before,
        complaints=server.complaints,
    )
