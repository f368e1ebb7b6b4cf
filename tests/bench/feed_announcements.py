"""One event to many readers of a feed: how long until the last has it, and what it costs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from math import ceil

from . import processes, streams
from .arrivals import Checking, StreamPlan, Tally
from .deliveries import Latency, Verdict
from .events import NUMBER
from .feed_server import Announcer, FeedServer
from .generator import Crew
from .load import COLLECT_SECONDS, SETTLE_SECONDS
from .peers import measure_peer, present
from .processes import Memory
from .progress import Progress
from .saturation import Cpu, Parts, Sample, Shares, saturation, usable_cores
from .server import Subject
from .streams import OPEN_SECONDS, Stream, StreamHolder, check_descriptors
from .tables import KIB, ratio, shown_end, shown_latency, shown_verdict, table

PER_WORKER = 8_000
"""Readers of a worker: strangers may have half of its file descriptors."""

PER_PEERS_WORKER = 16_000
PER_CLIENT = 18_000

BLOCK = 1000
"""Streams that are opened before it is looked at how long that takes."""

LAST_SECONDS = 60.0
"""How long it may take until the last reader has an event."""

GAP_SECONDS = 0.5
"""Between two events: whoever publishes in quicker succession has them joined."""

PEERS = ("nchan", "pushpin")


@dataclass(frozen=True, slots=True)
class AnnouncementOptions:
    """Options of the measurement."""

    streams: int
    """Readers of the feed."""
    events: int
    """Events, each published when all have the one before."""
    quiet: float
    """Seconds in which nothing is published, of which the CPU is subtracted."""
    patience: float
    """Seconds in which a peer may open streams: with as many as it has then it is measured."""
    peers: Sequence[str]


@dataclass(frozen=True, slots=True)
class AnnouncementFigures:
    """The figures of one server."""

    server: str
    workers: int
    streams: int
    """Readers when the first event was published."""
    ended: int
    """Streams that the server ended before that."""
    opened_a_second: float
    memory: Memory
    """What the workers' memory has grown by with these streams."""
    events: int
    delivered: int
    to_stream: Latency
    """From before the POST to each reader."""
    to_last: Latency
    """From before the POST to the last reader, of all events."""
    cpu: Cpu
    """From the first event to the last arrival, without what the open streams cost anyway."""
    shares: Shares
    verdict: Verdict
    saturation: str
    complaints: list[str] = field(default_factory=list)

    @property
    def microseconds_each(self) -> Cpu:
        """CPU microseconds per event and reader."""
        return self.cpu.each(self.delivered)

    @property
    def bytes_each(self) -> float:
        """Bytes of the workers' memory (PSS) per reader."""
        return self.memory.pss / max(1, self.streams)


class FeedHolder(StreamHolder):
    """A client process that holds streams of a feed. Its gauge of arrivals counts events."""

    def turned(self) -> None:
        super().turned()
        self.gauges[streams.ARRIVED] = len(self.tally.arrivals) // 2

    def stream(self, user: int) -> Stream:
        return FeedStream(self, user)


class FeedStream(Stream):
    """A stream on which nothing but events of the feed may come."""

    __slots__ = ()

    def _take(self, part: bytes, now: int) -> None:
        part = self._complete(part)
        arrivals = self._holder.tally.arrivals
        for number in NUMBER.findall(part):
            self.came += 1
            arrivals.extend((now, now - int(number)))
        self._look(part)


def measure_announcements(
    options: AnnouncementOptions, progress: Progress
) -> tuple[list[AnnouncementFigures], list[str]]:
    """Measures ssechat, then the peers; also returns a note on each that is not installed, or could not be measured.

    Raises:
        BenchError: the measurement failed.
    """
    able, absent = present(options.peers)
    workers = max(usable_cores(), ceil(options.streams / PER_WORKER))
    check_descriptors(options.streams, workers, clients_for(options.streams))
    with FeedServer(workers, keyed=False) as server:
        figures = [_measure(server, options, options.streams, OPEN_SECONDS, progress)]
    for name in able:
        # Pushpin has one process for all connections.
        count = min(options.streams, PER_PEERS_WORKER) if name == "pushpin" else options.streams
        measure = partial(_measure, options=options, count=count, patience=options.patience, progress=progress)
        figures += measure_peer(name, max(usable_cores(), ceil(count / PER_PEERS_WORKER)), measure, absent)
    return figures, absent


def clients_for(count: int) -> int:
    """The client processes that hold so many streams."""
    return max(1, ceil(count / PER_CLIENT))


def _measure(
    server: Subject, options: AnnouncementOptions, count: int, patience: float, progress: Progress
) -> AnnouncementFigures:
    clients = clients_for(count)
    plan = StreamPlan(server.address, server.dialect(count), Checking.COUNTING)
    with Crew(FeedHolder, [plan] * clients) as crew:
        before = processes.memory(server.workers)
        began = time.monotonic()
        opened = _open(crew, clients, count, patience, server.name, progress)
        took = time.monotonic() - began
        progress.wait(SETTLE_SECONDS, lambda left: f"{server.name}: settling")
        memory = processes.memory(server.workers) - before
        ended = crew.gauge(streams.ENDED)
        parts = Parts.of(server, crew)
        idle = parts.sample()
        progress.wait(options.quiet, lambda left: f"{server.name}: nothing is published, {left:.0f} s to go")
        first = parts.sample()
        with Announcer(server) as announcer:
            for number in range(options.events):
                progress.show(f"{server.name}: event {number + 1} of {options.events} to {opened - ended:,} readers")
                announcer.publish(time.monotonic_ns())
                _wait_for(crew, (number + 1) * (opened - ended))
                last = parts.sample()
                time.sleep(GAP_SECONDS)
        crew.tell("collect")
        tallies: list[Tally] = crew.gather(COLLECT_SECONDS)
    return _figures(server, options, opened, ended, opened / took, memory, tallies, parts, (idle, first, last))


def _open(crew: Crew, clients: int, count: int, patience: float, name: str, progress: Progress) -> int:
    """Opens streams in blocks, until there are enough or it has taken too long; returns how many there are."""
    deadline, opened = time.monotonic() + patience, 0
    while opened < count and time.monotonic() < deadline:
        end = min(count, opened + BLOCK * clients)
        edges = [opened + (end - opened) * client // clients for client in range(clients + 1)]
        crew.tell_each("open", [(edge, following - edge) for edge, following in pairwise(edges)])
        crew.gather(
            OPEN_SECONDS,
            lambda: progress.show(f"{name}: {crew.gauge(streams.OPENED):,} of {count:,} streams open"),
        )
        opened = end
    return opened


def _wait_for(crew: Crew, arrivals: int) -> None:
    deadline = time.monotonic() + LAST_SECONDS
    while crew.gauge(streams.ARRIVED) < arrivals and time.monotonic() < deadline:
        crew.check()
        time.sleep(0.01)


def _figures(
    server: Subject,
    options: AnnouncementOptions,
    opened: int,
    ended: int,
    opened_a_second: float,
    memory: Memory,
    tallies: Sequence[Tally],
    parts: Parts,
    samples: tuple[Sample, Sample, Sample],
) -> AnnouncementFigures:
    idle, first, last = samples
    pairs = [pair for tally in tallies for pair in tally.pairs]
    to_last: dict[int, int] = {}
    for at, took in pairs:
        to_last[at - took] = max(took, to_last.get(at - took, 0))
    shares = parts.shares(first, last)
    unpublished = parts.cpu(idle, first) * (last.since(first) / first.since(idle))
    return AnnouncementFigures(
        server=server.name,
        workers=len(server.workers),
        streams=opened - ended,
        ended=ended,
        opened_a_second=opened_a_second,
        memory=memory,
        events=options.events,
        delivered=len(pairs),
        to_stream=Latency.of(took for _, took in pairs),
        to_last=Latency.of(to_last.values()),
        cpu=parts.cpu(first, last) - unpublished,
        shares=shares,
        verdict=_verdict(options.events, ended, tallies),
        saturation=saturation(shares),
        complaints=server.complaints,
    )


def _verdict(events: int, ended: int, tallies: Sequence[Tally]) -> Verdict:
    verdict = Verdict()
    for tally in tallies:
        verdict.doubled += sum(max(0, came - events) for came in tally.came)
        verdict.lost += sum(max(0, events - came) for came in tally.came)
        for other in tally.others[ended:]:
            verdict.wonder(other[:200])
    verdict.lost -= ended * events
    return verdict


def announcements_report(figures: Sequence[AnnouncementFigures], absent: Sequence[str]) -> str:
    """A table with a column per server, ssechat first."""
    base = figures[0]
    rows = [
        ["A feed: one event to all readers", *(one.server for one in figures)],
        ["readers", *(f"{one.streams:,}" for one in figures)],
        ["worker processes", *(str(one.workers) for one in figures)],
        ["opened a second", *(f"{one.opened_a_second:,.0f}" for one in figures)],
        ["memory per reader (PSS, workers), KB", *(f"{one.bytes_each / KIB:.2f}" for one in figures)],
        ["events", *(str(one.events) for one in figures)],
        ["POST to each reader, ms: p50 · p95 · p99", *(shown_latency(one.to_stream) for one in figures)],
        ["POST to the last reader, ms: p50 · p95 · p99", *(shown_latency(one.to_last) for one in figures)],
        ["CPU per event and reader, µs: server and Redis", *(f"{one.microseconds_each.server:.1f}" for one in figures)],
        [
            "    times ssechat's",
            *(ratio(one.microseconds_each.server, base.microseconds_each.server) for one in figures),
        ],
        ["    generator", *(f"{one.microseconds_each.generator:.1f}" for one in figures)],
        ["readers served in a second, by the last one", *(f"{_served(one):,.0f}" for one in figures)],
        ["    times ssechat's", *(ratio(_served(one), _served(base)) for one in figures)],
        ["of the machine: all of these", *(f"{one.shares.machine:.0%}" for one in figures)],
        ["    other programs", *(f"{one.shares.others:.0%}" for one in figures)],
        ["lost · doubled · misordered · unexpected", *(shown_verdict(one.verdict) for one in figures)],
    ]
    ends = [shown_end(one.server, one.saturation, one.verdict, one.complaints) for one in figures]
    return "\n".join([table(rows), *ends, *absent])


def _served(figures: AnnouncementFigures) -> float:
    return figures.streams / max(1e-3, figures.to_last.p50 / 1000)
