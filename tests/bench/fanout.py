"""Fan-out of one event to many streams of a worker: its cost, and the delay of other requests."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from . import senders, streams
from .arrivals import Checking, StreamPlan, Tally
from .deliveries import Latency, Verdict
from .generator import Crew
from .load import COLLECT_SECONDS, CONNECT_SECONDS, SETTLE_SECONDS, wait_until_quiet
from .others import Others, OthersFigures
from .peers import measure_peer, present
from .progress import Progress
from .saturation import Cpu, Parts, Shares, saturation
from .senders import Count, Sender, SendPlan
from .server import Ssechat, Subject
from .streams import StreamHolder, check_descriptors, open_streams
from .tables import ratio, shown_end, shown_latency, shown_verdict, table

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
    alone_cpu: Cpu
    """While only the others wrote, in an equal time."""
    cpu: Cpu
    """With the events to the many streams."""
    to_stream: Latency
    """Latency from POST to each of the many streams."""
    to_last: Latency
    """Latency from POST to the last of the many streams."""
    others: OthersFigures
    shares: Shares
    verdict: Verdict
    saturation: str
    complaints: list[str] = field(default_factory=list)

    @property
    def microseconds_each(self) -> float:
        """CPU microseconds of server and Redis per event and stream, without the cost of the others."""
        return (self.cpu - self.alone_cpu).each(self.delivered).server


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
        figures += measure_peer(name, 1, lambda peer: _measure(peer, options, progress), absent)
    return figures, absent


def _measure(server: Subject, options: FanoutOptions, progress: Progress) -> FanoutFigures:
    many = server.dialect(options.streams)
    plan = SendPlan(
        server.address, many, 1, process=0, processes=1, connections=1, depth=4, text_bytes=80, rate=options.rate,
        rest=0.0005, keep=False, first=FAN_OUT,
    )  # fmt: skip
    with (
        Crew(StreamHolder, [StreamPlan(server.address, many, Checking.COUNTING)] * options.readers) as crowd,
        Crew(Sender, [plan]) as to_crowd,
        # The others' numbers follow, from an even one: a pair shares a channel.
        Others(server, options.others, options.others_rate, options.streams + options.streams % 2) as others,
    ):
        open_streams(
            crowd,
            options.readers,
            options.streams,
            tick=lambda: progress.show(f"{server.name}: {crowd.gauge(streams.OPENED):,} streams open"),
        )
        # Not earlier: a server closes idle connections.
        others.open()
        to_crowd.tell("connect")
        to_crowd.gather(CONNECT_SECONDS)
        progress.wait(SETTLE_SECONDS, lambda left: f"{server.name}: settling")
        parts = Parts.of(server, crowd, to_crowd, *others.crews)
        others.start()
        progress.wait(1, lambda left: f"{server.name}: the others alone")
        start = parts.sample()
        progress.wait(options.seconds, lambda left: f"{server.name}: the others alone, {left:.0f} s to go")
        middle = parts.sample()
        to_crowd.tell("start")
        progress.wait(
            options.seconds,
            lambda left: f"{server.name}: {to_crowd.gauge(senders.ACKNOWLEDGED):,} events, {left:.0f} s to go",
        )
        end = parts.sample()
        to_crowd.tell("stop")
        wait_until_quiet(server.name, crowd, to_crowd, progress)
        for crew in (crowd, to_crowd):
            crew.tell("collect")
        tallies: list[Tally] = crowd.gather(COLLECT_SECONDS)
        [count] = to_crowd.gather(COLLECT_SECONDS)
        verdict = _verdict(count, tallies)
        verdict.add(others.finish(progress))
    on_crowd = [pair for tally in tallies for pair in tally.pairs]
    measured = [(at, took) for at, took in on_crowd if middle.at <= at - took < end.at]
    last: dict[int, int] = {}
    for at, took in measured:
        last[at - took] = max(took, last.get(at - took, 0))
    used = parts.shares(middle, end)
    return FanoutFigures(
        server=server.name,
        streams=options.streams,
        seconds=end.since(middle),
        events=len(last),
        delivered=sum(middle.at <= at < end.at for at, _ in on_crowd),
        alone_cpu=parts.cpu(start, middle) * (end.since(middle) / middle.since(start)),
        cpu=parts.cpu(middle, end),
        to_stream=Latency.of(took for _, took in measured),
        to_last=Latency.of(last.values()),
        others=others.figures((start, middle), (middle, end)),
        shares=used,
        verdict=verdict,
        saturation=saturation(used),
        complaints=server.complaints,
    )


def _verdict(sent: Count, came: list[Tally]) -> Verdict:
    verdict, acknowledged = Verdict(unexpected=sent.unanswered + len(sent.refusals)), len(sent.pairs)
    for tally in came:
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
        ["    generator", *(f"{one.cpu.each(one.delivered).generator:.1f}" for one in figures)],
        ["POST to each stream, ms: p50 · p95 · p99", *(shown_latency(one.to_stream) for one in figures)],
        ["POST to the last stream, ms", *(shown_latency(one.to_last) for one in figures)],
        ["others' POST to stream, ms: alone", *(shown_latency(one.others.stream_alone) for one in figures)],
        ["    while the events go out", *(shown_latency(one.others.stream_during) for one in figures)],
        ["of a core: the worker", *(f"{one.shares.worker:.0%}" for one in figures)],
        ["    Redis", *(f"{one.shares.redis:.0%}" for one in figures)],
        ["    busiest client process", *(f"{one.shares.client:.0%}" for one in figures)],
        ["lost · doubled · misordered · unexpected", *(shown_verdict(one.verdict) for one in figures)],
    ]
    ends = [shown_end(one.server, one.saturation, one.verdict, one.complaints) for one in figures]
    return "\n".join([table(rows), *ends, *absent])
