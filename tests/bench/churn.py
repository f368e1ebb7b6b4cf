"""Churn: memory growth after many opened and closed streams, and the longest pause of the loop."""

import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from . import processes, streams
from .arrivals import Checking, StreamPlan
from .collected import Collections
from .dialects import Dialect
from .generator import Crew, Gauges
from .probes import Pauses, ProbePlan, Prober
from .processes import Memory
from .progress import Progress
from .saturation import Parts, Shares
from .server import Ssechat
from .streams import OPEN_SECONDS, Stream, StreamHolder, check_descriptors, open_streams
from .tables import KIB, MIB, shown_complaints, shown_latency, table

SETTLE_SECONDS = 20.0
"""Seconds: a worker keeps the subscriptions of closed streams for 15 s, for those that reconnect."""

CHURN_SECONDS = 3600.0
PROBES = 8
PROBE_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class ChurnOptions:
    """Options of the measurement."""

    connects: int
    users: int
    """Users to whom the streams belong, in turn."""
    held: int
    """Streams that stay open meanwhile."""
    workers: int
    clients: int
    settle: float
    """Seconds until memory is read."""
    watch: float
    """Seconds in which the loops are probed with the held streams only."""


@dataclass(frozen=True, slots=True)
class ChurnFigures:
    """The figures."""

    connects: int
    held: int
    workers: int
    connects_a_second: float
    before: Memory
    """Memory of all workers, with the held streams open and after a twentieth of the connects."""
    half: Memory
    """Memory after half of the connects."""
    after: Memory
    """Memory after all connects."""
    redis_growth: Memory
    held_pauses: Pauses
    """Durations of `/healthz/live` with the held streams only."""
    churn_pauses: Pauses
    """Durations of `/healthz/live` while streams connected and disconnected."""
    held_collections: Collections
    """Garbage collections with the held streams only."""
    churn_collections: Collections
    held_shares: Shares
    cpu: float
    """CPU seconds of workers and Redis for the connects."""
    complaints: list[str] = field(default_factory=list)

    @property
    def bytes_each(self) -> float:
        """Memory growth (PSS) per connect, in bytes."""
        return (self.after.pss - self.before.pss) / self.connects

    @property
    def later_bytes_each(self) -> float:
        """Memory growth per connect in the second half: memory of the first half may be reused."""
        return (self.after.pss - self.half.pss) / (self.connects - self.connects // 2)


class Churner(StreamHolder):
    """Opens streams, and closes each at its greeting."""

    def __init__(self, control: Connection, gauges: Gauges, plan: StreamPlan) -> None:
        super().__init__(control, gauges, plan)
        self.commands |= {"churn": self._churn}

    def _churn(self, first: int, users: int, count: int) -> None:
        """Opens and closes `count` streams of these users in turn; replies at the greeting of the last one."""
        self.opened = 0
        self.start(first + number % users for number in range(count))

    def greeted(self, stream: Stream) -> None:
        stream.close()
        # Their handlers hold references to streams that are being opened.
        self.streams.clear()
        super().greeted(stream)


def measure_churn(options: ChurnOptions, progress: Progress) -> ChurnFigures:
    """Holds some streams, then opens and closes others.

    Raises:
        BenchError: the measurement failed.
    """
    check_descriptors(options.held + Dialect("").at_once, options.workers, options.clients)
    with Ssechat(options.workers) as server:
        plan = StreamPlan(server.address, server.dialect(), Checking.NOTHING)
        probe_plan = ProbePlan(server.address, "/healthz/live", PROBES * options.workers, PROBE_SECONDS)
        with (
            Crew(StreamHolder, [plan] * options.clients) as holders,
            Crew(Churner, [plan]) as churner,
            Crew(Prober, [probe_plan]) as prober,
        ):
            open_streams(
                holders,
                options.clients,
                options.held,
                tick=lambda: progress.show(f"churn: {holders.gauge(streams.OPENED):,} streams open"),
            )
            progress.wait(2, lambda left: "churn: settling")
            parts = Parts.of(server, holders, churner, prober)
            first, collected = parts.sample(), Collections.read(server.address)
            prober.tell("start")
            progress.wait(options.watch, lambda left: f"churn: watching the loops, {left:.0f} s to go")
            prober.tell("stop")
            held_pauses: Pauses = prober.gather(OPEN_SECONDS)[0]
            held_shares = parts.shares(first, parts.sample())
            held_collections = Collections.read(server.address).since(collected)

            def churn(connects: int) -> float:
                churner.tell("churn", options.held, options.users, connects)
                began = time.monotonic()
                churner.gather(
                    CHURN_SECONDS, lambda: progress.show(f"churn: {churner.gauge(streams.OPENED):,} of {connects:,}")
                )
                return time.monotonic() - began

            def settled() -> Memory:
                progress.wait(options.settle, lambda left: f"churn: settling, {left:.0f} s to go")
                return processes.memory(server.workers)

            churn(max(1, options.connects // 20))
            before, redis_before = settled(), processes.memory(server.redis)
            served = [*server.workers, *server.redis]
            collected = Collections.read(server.address)
            cpu_before = processes.cpu_seconds(served)
            prober.tell("start")
            took = churn(options.connects // 2)
            half = settled()
            took += churn(options.connects - options.connects // 2)
            prober.tell("stop")
            churn_pauses: Pauses = prober.gather(OPEN_SECONDS)[0]
            cpu = processes.cpu_seconds(served) - cpu_before
            churn_collections = Collections.read(server.address).since(collected)
            after, redis_after = settled(), processes.memory(server.redis)
        complaints = server.complaints
    return ChurnFigures(
        connects=options.connects,
        held=options.held,
        workers=options.workers,
        connects_a_second=options.connects / took,
        before=before,
        half=half,
        after=after,
        redis_growth=redis_after - redis_before,
        held_pauses=held_pauses,
        churn_pauses=churn_pauses,
        held_collections=held_collections,
        churn_collections=churn_collections,
        held_shares=held_shares,
        cpu=cpu,
        complaints=complaints,
    )


def churn_report(figures: ChurnFigures) -> str:
    """The figures as a table of one column."""
    held, churned = figures.held_pauses, figures.churn_pauses
    rows = [
        ("Churn", f"{figures.connects:,} connects"),
        ("streams held beside", f"{figures.held:,}"),
        ("worker processes", str(figures.workers)),
        ("connects and disconnects per second", f"{figures.connects_a_second:,.0f}"),
        ("CPU per connect, µs: workers and Redis", f"{figures.cpu * 1e6 / figures.connects:,.0f}"),
        ("memory before (PSS, all workers), MB", f"{figures.before.pss / MIB:,.1f}"),
        ("    after half of the connects", f"{figures.half.pss / MIB:,.1f}"),
        ("    after all connects", f"{figures.after.pss / MIB:,.1f}"),
        ("growth per connect, bytes", f"{figures.bytes_each:,.1f}"),
        ("    in the second half", f"{figures.later_bytes_each:,.1f}"),
        ("Redis's growth, KB", f"{figures.redis_growth.pss / KIB:,.0f}"),
        (f"/healthz/live with {figures.held:,} held, ms: p50 · p95 · p99", shown_latency(held.latency)),
        ("    longest", f"{held.longest:.1f} of {held.asked:,}"),
        _collections_row(figures.held_collections),
        ("    other programs' share of the machine meanwhile", f"{figures.held_shares.others:.0%}"),
        ("/healthz/live while streams connect and disconnect, ms", shown_latency(churned.latency)),
        ("    longest", f"{churned.longest:.1f} of {churned.asked:,}"),
        _collections_row(figures.churn_collections),
    ]
    lines = [table(rows)]
    if figures.complaints:
        lines.append(shown_complaints("ssechat", figures.complaints))
    return "\n".join(lines)


def _collections_row(collections: Collections) -> tuple[str, str]:
    return "    garbage collections: upper bound, ms", f"{collections.longest_below:g} of {collections.count:,}"
