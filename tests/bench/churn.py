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
from .saturation import Shares, sample, shares
from .server import Ssechat
from .streams import OPEN_SECONDS, Stream, StreamHolder, check_descriptors, open_streams
from .tables import KIB, MIB, shown_complaints, shown_latency, table

SETTLE_SECONDS = 20.0
"""A worker keeps the subscriptions of streams that went for 15 s, for those that come back."""

CHURN_SECONDS = 3600.0
PROBES = 8
PROBE_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class ChurnOptions:
    """What to measure."""

    connects: int
    users: int
    """Whose streams these are, in turn."""
    held: int
    """Streams that stay open beside."""
    workers: int
    clients: int
    settle: float
    """Seconds until memory is read."""
    watch: float
    """Seconds in which the loops are watched while nothing but the held streams is there."""


@dataclass(frozen=True, slots=True)
class ChurnFigures:
    """What came of it."""

    connects: int
    held: int
    workers: int
    connects_a_second: float
    before: Memory
    """Of all workers, in bytes: with the held streams open, and after as many connects as one twentieth."""
    half: Memory
    """After half of the connects."""
    after: Memory
    """After all of them."""
    redis_growth: Memory
    held_pauses: Pauses
    """How long `/healthz/live` took with the held streams only."""
    churn_pauses: Pauses
    """The same while streams came and went."""
    held_collections: Collections
    """Of garbage, with the held streams only."""
    churn_collections: Collections
    held_shares: Shares
    cpu: float
    """CPU seconds of workers and Redis for the connects."""
    complaints: list[str] = field(default_factory=list)

    @property
    def bytes_each(self) -> float:
        """Bytes of memory (PSS) that each connect left, from before to after."""
        return (self.after.pss - self.before.pss) / self.connects

    @property
    def later_bytes_each(self) -> float:
        """The same of the second half: what was left in the first may be used again."""
        return (self.after.pss - self.half.pss) / (self.connects - self.connects // 2)


class Churner(StreamHolder):
    """Opens streams and closes each as soon as it is greeted."""

    def __init__(self, control: Connection, gauges: Gauges, plan: StreamPlan) -> None:
        super().__init__(control, gauges, plan)
        self.commands |= {"churn": self._churn}

    def _churn(self, first: int, users: int, count: int) -> None:
        """Open and close so many streams of these users in turn; reply when the last one was greeted."""
        self.opened = 0
        self.start(first + number % users for number in range(count))

    def greeted(self, stream: Stream) -> None:
        stream.close()
        # Those that are being opened are held by their handlers.
        self.streams.clear()
        super().greeted(stream)


def measure_churn(options: ChurnOptions, progress: Progress) -> ChurnFigures:
    """Hold some streams, then open and close others.

    Raises:
        BenchError: it cannot be measured.
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
            clients = [*holders.pids, *churner.pids, *prober.pids]
            parts = {"workers": server.workers, "redis": server.redis, "generator": clients}
            everybody = [pid for pids in parts.values() for pid in pids]
            first, collected = sample(everybody), Collections.read(server.address)
            prober.tell("start")
            progress.wait(options.watch, lambda left: f"churn: watching the loops, {left:.0f} s to go")
            prober.tell("stop")
            held_pauses: Pauses = prober.gather(OPEN_SECONDS)[0]
            held_shares = shares(first, sample(everybody), parts)
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
    """One column."""
    held, churned = figures.held_pauses, figures.churn_pauses
    rows = [
        ("Churn", f"{figures.connects:,} connects"),
        ("streams held beside", f"{figures.held:,}"),
        ("worker processes", str(figures.workers)),
        ("connects and disconnects a second", f"{figures.connects_a_second:,.0f}"),
        ("CPU for each, µs: workers and Redis", f"{figures.cpu * 1e6 / figures.connects:,.0f}"),
        ("memory before (PSS, all workers), MB", f"{figures.before.pss / MIB:,.1f}"),
        ("    after half of them", f"{figures.half.pss / MIB:,.1f}"),
        ("    after all", f"{figures.after.pss / MIB:,.1f}"),
        ("growth for each connect, bytes", f"{figures.bytes_each:,.1f}"),
        ("    in the second half", f"{figures.later_bytes_each:,.1f}"),
        ("Redis's growth, KB", f"{figures.redis_growth.pss / KIB:,.0f}"),
        (f"/healthz/live with {figures.held:,} held, ms: p50 · p95 · p99", shown_latency(held.latency)),
        ("    longest", f"{held.longest:.1f} of {held.asked:,}"),
        _collections_row(figures.held_collections),
        ("    other programs' share of the machine then", f"{figures.held_shares.others:.0%}"),
        ("/healthz/live while streams come and go, ms", shown_latency(churned.latency)),
        ("    longest", f"{churned.longest:.1f} of {churned.asked:,}"),
        _collections_row(figures.churn_collections),
    ]
    lines = [table(rows)]
    if figures.complaints:
        lines.append(shown_complaints("ssechat", figures.complaints))
    return "\n".join(lines)


def _collections_row(collections: Collections) -> tuple[str, str]:
    return "    collections of garbage: all below, ms", f"{collections.longest_below:g} of {collections.count:,}"
