"""Fan-out of one event to many streams of a worker: its cost, and the delay of other requests."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from . import senders, streams
from .arrivals import Checking, StreamPlan, Tally
from .deliveries import Latency, Verdict, compare
from .errors import BenchError
from .generator import Crew
from .load import COLLECT_SECONDS, CONNECT_SECONDS, SETTLE_SECONDS, wait_until_quiet
from .peers import present, start_peer
from .progress import Progress
from .saturation import Shares, sample, saturation, shares
from .senders import Count, Sender, SendPlan
from .server import Ssechat, Subject
from .streams import StreamHolder, check_descriptors, open_streams
from .tables import ratio, shown_complaints, shown_latency, shown_verdict, table

FAN_OUT = 0
"""The number of the user, or channel, with the many streams."""


@dataclass(frozen=True, slots=True)
class FanoutOptions:
    """Options of the measurement."""

    streams: int
    """Streams of one user."""
    rate: float
    """Events per second to all these streams."""
    others: int
    """Other users with one stream each, who write to each other meanwhile."""
    others_rate: float
    """Messages per second of the other users."""
    readers: int
    seconds: float
    """Seconds of each of two measurements: the others alone, and with the events to the many streams."""
    peers: Sequence[str]


@dataclass(frozen=True, slots=True)
class FanoutFigures:
    """The figures of one server."""

    server: str
    streams: int
    seconds: float
    events: int
    """Events during the measurement."""
    delivered: int
    """Deliveries to the many streams during the measurement."""
    alone_cpu: float
    """CPU seconds of server and Redis while only the others wrote."""
    cpu: float
    """CPU seconds with the events to the many streams."""
    generator_cpu: float
    to_stream: Latency
    """Latency from POST to each of the many streams."""
    to_last: Latency
    """Latency from POST to the last of the many streams."""
    others_alone: Latency
    """Latency from POST to stream, of the others."""
    others_during: Latency
    shares: Shares
    verdict: Verdict
    saturation: str
    complaints: list[str] = field(default_factory=list)

    @property
    def microseconds_each(self) -> float:
        """CPU microseconds of server and Redis per event and stream, without the cost of the others."""
        return (self.cpu - self.alone_cpu) * 1e6 / max(1, self.delivered)


def measure_fanout(options: FanoutOptions, progress: Progress) -> tuple[list[FanoutFigures], list[str]]:
    """Measures ssechat, then the peers; also returns a note on each peer that is not installed.

    Raises:
        BenchError: the measurement failed.
    """
    check_descriptors(options.streams + options.others, 1, 1)
    able, absent = present(options.peers)
    with Ssechat(1, "--streams-per-user", str(options.streams + 1)) as server:
        figures = [_measure(server, options, progress)]
    for name in able:
        # The figures so far are kept if a peer fails.
        try:
            with start_peer(name, 1) as peer:
                figures.append(_measure(peer, options, progress))
        except BenchError as error:
            absent.append(f"{name}: could not be measured: {error}")
    return figures, absent


def _measure(server: Subject, options: FanoutOptions, progress: Progress) -> FanoutFigures:
    many, few = server.dialect(options.streams), server.dialect()
    few = few if few.ours else server.dialect(2)
    # The others' numbers follow, from an even one: a pair shares a channel.
    first = options.streams + options.streams % 2

    def plan(users: int, rate: float, connections: int) -> SendPlan:
        fan_out = users == 1
        return SendPlan(
            server.address, many if fan_out else few, users, process=0, processes=1, connections=connections,
            depth=4, text_bytes=80, rate=rate, rest=0.0005, keep=False, first=FAN_OUT if fan_out else first,
        )  # fmt: skip

    counting = Checking.COUNTING
    with (
        Crew(StreamHolder, [StreamPlan(server.address, many, counting)] * options.readers) as crowd,
        Crew(StreamHolder, [StreamPlan(server.address, few, counting)]) as others,
        Crew(Sender, [plan(1, options.rate, 1)]) as to_crowd,
        Crew(Sender, [plan(options.others, options.others_rate, min(16, options.others))]) as to_others,
    ):
        open_streams(others, 1, options.others, first=first)
        open_streams(
            crowd,
            options.readers,
            options.streams,
            tick=lambda: progress.show(f"{server.name}: {crowd.gauge(streams.OPENED):,} streams open"),
        )
        # Not earlier: a server closes idle connections.
        for sending in (to_crowd, to_others):
            sending.tell("connect")
            sending.gather(CONNECT_SECONDS)
        progress.wait(SETTLE_SECONDS, lambda left: f"{server.name}: settling")
        clients = [*crowd.pids, *others.pids, *to_crowd.pids, *to_others.pids]
        parts = {"workers": server.workers, "redis": server.redis, "generator": clients}
        everybody = [pid for pids in parts.values() for pid in pids]
        to_others.tell("start")
        progress.wait(1, lambda left: f"{server.name}: the others alone")
        start = sample(everybody)
        progress.wait(options.seconds, lambda left: f"{server.name}: the others alone, {left:.0f} s to go")
        middle = sample(everybody)
        to_crowd.tell("start")
        began = time.monotonic_ns()
        progress.wait(
            options.seconds,
            lambda left: f"{server.name}: {to_crowd.gauge(senders.ACKNOWLEDGED):,} events, {left:.0f} s to go",
        )
        end = sample(everybody)
        to_crowd.tell("stop")
        wait_until_quiet(server.name, crowd, to_crowd, progress)
        to_others.tell("stop")
        wait_until_quiet(server.name, others, to_others, progress)
        for crew in (crowd, others, to_crowd, to_others):
            crew.tell("collect")
        crowd_tallies, other_tallies = crowd.gather(COLLECT_SECONDS), others.gather(COLLECT_SECONDS)
        crowd_counts, other_counts = to_crowd.gather(COLLECT_SECONDS), to_others.gather(COLLECT_SECONDS)
    verdict = _verdict(crowd_counts[0], crowd_tallies, other_counts, other_tallies)
    on_crowd = [pair for tally in crowd_tallies for pair in _pairs(tally)]
    measured = [(at, took) for at, took in on_crowd if began <= at - took < end.at]
    last: dict[int, int] = {}
    for at, took in measured:
        last[at - took] = max(took, last.get(at - took, 0))
    on_others = [(at - took, took) for at, took in _pairs(other_tallies[0])]
    cpu = {name: end.of(pids) - middle.of(pids) for name, pids in parts.items()}
    served = [*parts["workers"], *parts["redis"]]
    used = shares(middle, end, parts)
    return FanoutFigures(
        server=server.name,
        streams=options.streams,
        seconds=(end.at - middle.at) / 1e9,
        events=len(last),
        delivered=sum(middle.at <= at < end.at for at, _ in on_crowd),
        alone_cpu=(middle.of(served) - start.of(served)) * (end.at - middle.at) / (middle.at - start.at),
        cpu=cpu["workers"] + cpu["redis"],
        generator_cpu=cpu["generator"],
        to_stream=Latency.of(took for _, took in measured),
        to_last=Latency.of(last.values()),
        others_alone=Latency.of(took for at, took in on_others if start.at <= at < middle.at),
        others_during=Latency.of(took for at, took in on_others if began <= at < end.at),
        shares=used,
        verdict=verdict,
        saturation=saturation(used),
        complaints=server.complaints,
    )


def _pairs(tally: Tally) -> list[tuple[int, int]]:
    """The time of arrival of each message, and the nanoseconds since it was sent."""
    return list(zip(tally.arrivals[::2], tally.arrivals[1::2], strict=True))


def _verdict(to_crowd: Count, crowd: list[Tally], to_others: list[Count], others: list[Tally]) -> Verdict:
    verdict = compare(to_others, others)
    acknowledged = len(to_crowd.answers) // 2
    verdict.unexpected += to_crowd.unanswered + len(to_crowd.refusals)
    for tally in crowd:
        verdict.misordered += tally.jumps
        verdict.doubled += tally.doubled + sum(max(0, came - acknowledged) for came in tally.came)
        verdict.lost += sum(max(0, acknowledged - came) for came in tally.came)
        for other in tally.others:
            verdict.wonder(other[:200])
    return verdict


def fanout_report(figures: Sequence[FanoutFigures], absent: Sequence[str]) -> str:
    """A table with a column per server, ssechat first."""
    base = figures[0]
    rows = [
        ["Fan-out", *(one.server for one in figures)],
        ["streams of one user, or channel, on one worker", *(f"{one.streams:,}" for one in figures)],
        ["measured, s", *(f"{one.seconds:.1f}" for one in figures)],
        ["events to all these streams", *(f"{one.events:,}" for one in figures)],
        ["deliveries", *(f"{one.delivered:,}" for one in figures)],
        ["CPU per event and stream, µs: server and Redis", *(f"{one.microseconds_each:.1f}" for one in figures)],
        ["    times ssechat's", *(ratio(one.microseconds_each, base.microseconds_each) for one in figures)],
        ["    generator", *(f"{one.generator_cpu * 1e6 / max(1, one.delivered):.1f}" for one in figures)],
        ["POST to each stream, ms: p50 · p95 · p99", *(shown_latency(one.to_stream) for one in figures)],
        ["POST to the last stream, ms", *(shown_latency(one.to_last) for one in figures)],
        ["others' POST to stream, ms: alone", *(shown_latency(one.others_alone) for one in figures)],
        ["    while the events go out", *(shown_latency(one.others_during) for one in figures)],
        ["of a core: the worker", *(f"{one.shares.worker:.0%}" for one in figures)],
        ["    Redis", *(f"{one.shares.redis:.0%}" for one in figures)],
        ["    busiest client process", *(f"{one.shares.client:.0%}" for one in figures)],
        ["lost · doubled · misordered · unexpected", *(shown_verdict(one.verdict) for one in figures)],
    ]
    lines = [table(rows)]
    for one in figures:
        lines += [f"{one.server}: {one.saturation}", *one.verdict.examples]
        if one.complaints:
            lines.append(shown_complaints(one.server, one.complaints))
    return "\n".join([*lines, *absent])
