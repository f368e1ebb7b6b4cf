"""Many changes a second on some keys to many readers, of whom some are slow: how old is what each sees?"""

import re
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from . import streams
from .arrivals import Checking, StreamPlan
from .deliveries import Latency
from .errors import BenchError
from .feed_publisher import LATE, PUBLISHED, FeedPublisher, Publications, PublisherPlan
from .feed_readers import ASLEEP_SECONDS, AWAKE_SECONDS, FeedReaders, Kind, ReadersPlan, Seen
from .feed_schedule import Schedule
from .feed_server import FEED, TOKEN, FeedServer
from .generator import Crew
from .load import COLLECT_SECONDS, CONNECT_SECONDS, SETTLE_SECONDS
from .progress import Progress
from .saturation import Cpu, Parts, Shares, saturation
from .streams import check_descriptors, open_streams
from .tables import SHARES, ratio, shown_complaints, shown_latency, table

BEGIN_SECONDS = 0.5
"""Between the command to publish and the first change."""

FIRST_SECONDS = 3.0
"""In which slow readers get all that there is, before it is measured how old that is which they see."""

OPENING_SECONDS = FIRST_SECONDS + 3.0
"""In which changes come besides the two phases: at the beginning, and while the slow readers are opened."""

CONNECTIONS = 16
"""That publish."""

LEVEL_SECONDS = 3 * (ASLEEP_SECONDS + AWAKE_SECONDS)
"""How long it may take after the last change until all have what there is: who is asleep must wake first."""

SOON = 1000.0
"""Milliseconds within which each reader shall see a change."""


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """Options of the measurement."""

    readers: int
    slow: int
    """How many of them are slow: half read too few bytes a second, half doze."""
    narrow_bytes: int
    keys: int
    rate: float
    """Changes a second."""
    seconds: float
    """Of each of two phases: without the slow readers, and with them."""
    clients: int
    workers: int


@dataclass(frozen=True, slots=True)
class SeenFigures:
    """What readers of one kind saw."""

    readers: int
    delay: Latency
    """From when a change was due until they had that value, or a newer one."""
    longest: float
    """The longest of these, in milliseconds."""
    late: int
    """Readers that waited for longer than a second, once or more often."""
    values_a_second: float
    """Values that one of them got."""
    older: int
    """Values that were older than what a reader had."""


@dataclass(frozen=True, slots=True)
class PhaseFigures:
    """The figures of one phase."""

    name: str
    seconds: float
    changes: int
    to_answer: Latency
    """From when a change was due to its answer."""
    late: int
    """Changes that were due and not sent at the end."""
    seen: dict[str, SeenFigures]
    readers_lag: float
    """The longest turn of a process of readers, in milliseconds: that of what they waited for may be theirs."""
    reads: int
    """Reads of a log that Redis did."""
    cpu: Cpu
    shares: Shares
    saturation: str
    refusals: list[str]
    others: list[str]
    """Resets and ends of streams."""

    @property
    def reads_per_change(self) -> float:
        return self.reads / max(1, self.changes)

    @property
    def microseconds_each(self) -> Cpu:
        """CPU microseconds of each part per change."""
        return self.cpu.each(self.changes)


@dataclass(frozen=True, slots=True)
class ChangeFigures:
    """The figures."""

    workers: int
    keys: int
    rate: float
    phases: list[PhaseFigures]
    behind: dict[str, int]
    """Readers of each kind whose last event is not the feed's newest one, at the end."""
    stale: int
    """Keys of which a reader that looks at each value does not have the last one, at the end."""
    complaints: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether all was accepted, nobody saw a value go back, and everybody had the newest of each key at the end."""
        return not (any(self.behind.values()) or self.stale) and not any(
            phase.refusals or phase.others or any(seen.older for seen in phase.seen.values()) for phase in self.phases
        )


def measure_changes(options: ChangeOptions, progress: Progress) -> ChangeFigures:
    """Opens the quick readers, publishes, opens the slow ones, and publishes on.

    Raises:
        BenchError: the measurement failed.
    """
    check_descriptors(options.readers, options.workers, options.clients)
    quick = options.readers - options.slow
    schedule = Schedule(options.keys, options.rate, int(options.rate * (2 * options.seconds + OPENING_SECONDS)))
    with ExitStack() as stack:
        server = stack.enter_context(FeedServer(options.workers, keyed=True))
        plan = StreamPlan(server.address, server.dialect(options.readers), Checking.NOTHING)
        readers_plan = ReadersPlan(plan, schedule, quick, (options.slow + 1) // 2, options.narrow_bytes)
        publisher_plan = PublisherPlan(server.address, f"{FEED}/events", TOKEN, schedule, CONNECTIONS)
        readers = stack.enter_context(Crew(FeedReaders, [readers_plan] * options.clients))
        publisher = stack.enter_context(Crew(FeedPublisher, [publisher_plan]))
        _open(readers, options, quick, 0, progress)
        publisher.tell("connect")
        publisher.gather(CONNECT_SECONDS)
        progress.wait(SETTLE_SECONDS, lambda left: "settling")
        start = time.monotonic_ns() + int(BEGIN_SECONDS * 1e9)
        readers.tell("begin", start)
        publisher.tell("start", start)
        progress.wait(2 * BEGIN_SECONDS, lambda left: "the first changes")
        phases = [_phase("quick readers alone", server, readers, publisher, options, progress)]
        if options.slow:
            _open(readers, options, options.slow, quick, progress)
            progress.wait(FIRST_SECONDS, lambda left: "the slow readers begin")
            phases.append(_phase("and slow ones", server, readers, publisher, options, progress))
        publisher.tell("wait")
        publisher.gather(options.seconds + COLLECT_SECONDS, lambda: progress.show("the last changes"))
        behind, stale = _wait_level(readers, server.ask("GET", FEED)["id"], progress)
        return ChangeFigures(
            options.workers,
            options.keys,
            options.rate,
            phases,
            behind=behind,
            stale=stale,
            complaints=server.complaints,
        )


def _open(readers: Crew, options: ChangeOptions, count: int, first: int, progress: Progress) -> None:
    def tick() -> None:
        progress.show(f"{readers.gauge(streams.OPENED):,} of {options.readers:,} readers")

    open_streams(readers, options.clients, count, first, tick)


def _look(readers: Crew, *, is_over: bool = False) -> list[dict[Kind, Seen]]:
    readers.tell("look", is_over)
    return readers.gather(COLLECT_SECONDS)


def _wait_level(readers: Crew, head: str, progress: Progress) -> tuple[dict[str, int], int]:
    """Waits until all readers have this event; returns how many of each kind do not, and how many values are old."""
    deadline = time.monotonic() + LEVEL_SECONDS
    while True:
        progress.wait(1, lambda left: "all readers become level")
        found = _look(readers, is_over=True)
        behind = {str(kind): sum(cursor != head for seen in found for cursor in seen[kind].cursors) for kind in Kind}
        if not any(behind.values()) or time.monotonic() > deadline:
            return behind, sum(one.stale for seen in found for one in seen.values())


def _collect(publisher: Crew) -> Publications:
    publisher.tell("collect")
    [done] = publisher.gather(COLLECT_SECONDS)
    assert isinstance(done, Publications)
    return done


def _phase(
    name: str, server: FeedServer, readers: Crew, publisher: Crew, options: ChangeOptions, progress: Progress
) -> PhaseFigures:
    parts = Parts.of(server, readers, publisher)
    _look(readers)
    _collect(publisher)
    reads, published, first = _reads(server), publisher.gauge(PUBLISHED), parts.sample()
    progress.wait(
        options.seconds,
        lambda left: f"{name}: {publisher.gauge(PUBLISHED) - published:,} changes, {left:.0f} s to go",
    )
    last, changes, late, reads = (
        *(parts.sample(), publisher.gauge(PUBLISHED) - published, publisher.gauge(LATE)),
        _reads(server) - reads,
    )
    done, found = _collect(publisher), _look(readers)
    seconds, shares = last.since(first), parts.shares(first, last)
    return PhaseFigures(
        name=name,
        seconds=seconds,
        changes=changes,
        to_answer=Latency.of(done.took),
        late=late,
        seen={str(kind): _seen([kinds[kind] for kinds in found], seconds) for kind in Kind},
        readers_lag=max(kinds[Kind.QUICK].lag for kinds in found) / 1e6,
        reads=reads,
        cpu=parts.cpu(first, last),
        shares=shares,
        saturation=saturation(shares),
        refusals=done.refusals[:5],
        others=[other[:200] for kinds in found for seen in kinds.values() for other in seen.others],
    )


def _seen(found: Sequence[Seen], seconds: float) -> SeenFigures:
    worst = [one / 1e6 for seen in found for one in seen.worst]
    return SeenFigures(
        readers=len(worst),
        delay=Latency.of(delay for seen in found for delay in seen.delays),
        longest=max(worst, default=0.0),
        late=sum(one > SOON for one in worst),
        values_a_second=sum(seen.values for seen in found) / seconds / max(1, sum(seen.parsed for seen in found)),
        older=sum(seen.older for seen in found),
    )


def _reads(server: FeedServer) -> int:
    """How many reads of a log Redis has done."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(server.redis_socket)
        connection.sendall(b"INFO commandstats\r\n")
        said = b""
        while (end := re.match(rb"\$(\d+)\r\n", said)) is None or len(said) < end.end() + int(end[1]):
            part = connection.recv(65536)
            if not part:
                raise BenchError("Redis does not say what it has done")
            said += part
    found = re.search(rb"cmdstat_xrange:calls=(\d+)", said)
    return 0 if found is None else int(found[1])


def changes_report(figures: ChangeFigures) -> str:
    """A table with a column for each phase."""
    phases = figures.phases
    base = phases[0].microseconds_each.server
    rows = [
        [f"A feed: {figures.rate:,.0f} changes a second on {figures.keys:,} keys", *(phase.name for phase in phases)],
        ["worker processes", *(str(figures.workers) for _ in phases)],
        ["measured, s", *(f"{phase.seconds:.1f}" for phase in phases)],
        ["changes published a second", *(f"{phase.changes / phase.seconds:,.0f}" for phase in phases)],
        ["    due and not sent at the end", *(f"{phase.late:,}" for phase in phases)],
        ["    to answer, ms: p50 · p95 · p99", *(shown_latency(phase.to_answer) for phase in phases)],
    ]
    for kind in Kind:
        if phases[-1].seen[kind].readers:
            of_kind = [phase.seen[kind] for phase in phases]
            rows += [
                [f"{kind} readers", *(f"{seen.readers:,}" for seen in of_kind)],
                ["    to the value or a newer one, ms: p50 · p95 · p99", *(_delay(seen) for seen in of_kind)],
                ["    the longest, ms", *(f"{seen.longest:,.0f}" if seen.readers else "-" for seen in of_kind)],
                ["    who waited for more than a second", *(f"{seen.late:,}" for seen in of_kind)],
                ["    values a second that one gets", *(f"{seen.values_a_second:,.0f}" for seen in of_kind)],
            ]
    rows += [
        ["the longest turn of a process of these readers, ms", *(f"{phase.readers_lag:,.0f}" for phase in phases)],
        ["reads of the log, of 16 entries at most, per change", *(f"{phase.reads_per_change:.2f}" for phase in phases)],
        ["CPU per change, µs: server and Redis", *(f"{phase.microseconds_each.server:,.0f}" for phase in phases)],
        ["    times that without slow readers", *(ratio(phase.microseconds_each.server, base) for phase in phases)],
        ["    workers", *(f"{phase.microseconds_each.workers:,.0f}" for phase in phases)],
        ["    Redis", *(f"{phase.microseconds_each.redis:,.0f}" for phase in phases)],
        *([label, *(show(phase) for phase in phases)] for label, show in SHARES),
        ["values that went back", *(f"{sum(one.older for one in phase.seen.values()):,}" for phase in phases)],
    ]
    lines = [table(rows)]
    for phase in phases:
        lines += [f"{phase.name}: {phase.saturation}", *phase.refusals, *phase.others[:5]]
    lines.append(
        f"At the end {sum(figures.behind.values()):,} readers lacked the newest event, and {figures.stale:,} times a "
        "reader had an older value of a key."
    )
    return "\n".join([*lines, *([shown_complaints("ssechat", figures.complaints)] if figures.complaints else ())])


def _delay(seen: SeenFigures) -> str:
    return shown_latency(seen.delay) if seen.readers else "-"
