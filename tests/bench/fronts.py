"""The cost of a reverse proxy: its memory per stream and its CPU time per event, compared with the app's."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import processes, streams
from .errors import BenchError
from .fronting import HOST, KINDS, NAME, Front
from .generator import Crew
from .processes import Memory
from .progress import Progress
from .server import Ssechat
from .streams import ENDED, OPEN_SECONDS, WARM_UP, open_streams
from .tables import KIB, table
from .tls_streams import TlsHolder, TlsPlan

SETTLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class FrontsOptions:
    """Options of the measurement."""

    streams: int
    workers: int
    rate: float
    """Events per second, in total."""
    seconds: float
    """Seconds of the CPU measurement, and of the idle time that is subtracted."""


@dataclass(frozen=True, slots=True)
class FrontFigures:
    """The figures of one proxy and its app, for streams over TLS and HTTP/2 with a connection each."""

    front: str
    streams: int
    opened_a_second: float
    front_memory: Memory
    """Memory growth of the proxy's processes, in bytes."""
    app_memory: Memory
    """Memory growth of the app's workers."""
    events: int
    """Events delivered during the CPU measurement."""
    events_a_second: float
    front_cpu: float
    """CPU seconds of the proxy for these events, without those of an equal idle time."""
    app_cpu: float
    """CPU seconds of the app's workers, including the sends."""
    front_idle_cpu: float
    """CPU seconds of the proxy per idle second, with pings."""

    @property
    def front_bytes_each(self) -> float:
        """Bytes of the front's memory (PSS) per stream."""
        return self.front_memory.pss / self.streams

    @property
    def app_bytes_each(self) -> float:
        """Bytes of the workers' memory (PSS) per stream."""
        return self.app_memory.pss / self.streams

    @property
    def front_microseconds_each(self) -> float:
        """The front's CPU time per delivered event."""
        return self.front_cpu * 1e6 / self.events

    @property
    def app_microseconds_each(self) -> float:
        """The workers' CPU time per event, sent and delivered."""
        return self.app_cpu * 1e6 / self.events


def measure_fronts(options: FrontsOptions, progress: Progress) -> list[FrontFigures]:
    """Measures each proxy with its own app.

    Raises:
        BenchError: a proxy does not start, or loses streams or events.
    """
    processes.check_descriptors("a front", 2 * options.streams + streams.SPARE_DESCRIPTORS, "fewer streams")
    return [_measure(kind, options, progress) for kind in KINDS]


def _measure(kind: str, options: FrontsOptions, progress: Progress) -> FrontFigures:
    with tempfile.TemporaryDirectory(prefix="ssechat-bench-") as folder, Ssechat(options.workers) as app:
        address = f"{app.address[0]}:{app.address[1]}"
        with Front(kind, Path(folder) / kind, [address]) as front:
            plan = TlsPlan((HOST, front.port), NAME, front.certificate, app.data, app.address)
            with Crew(TlsHolder, [plan]) as crew:
                return _run(front, app, crew, options, progress)


def _run(front: Front, app: Ssechat, crew: Crew, options: FrontsOptions, progress: Progress) -> FrontFigures:
    count = options.streams
    open_streams(crew, 1, WARM_UP, first=count)
    crew.tell("close")
    crew.gather(OPEN_SECONDS)
    time.sleep(1)
    front_before, app_before = processes.memory(front.pids), processes.memory(app.workers)
    began = time.monotonic()
    open_streams(
        crew,
        1,
        count,
        tick=lambda: progress.show(f"{front.kind}: {crew.gauge(streams.OPENED):,} of {count:,} streams open"),
    )
    took = time.monotonic() - began
    progress.wait(SETTLE_SECONDS, lambda left: f"{front.kind}: settling, {left:.0f} s")
    front_memory = processes.memory(front.pids) - front_before
    app_memory = processes.memory(app.workers) - app_before

    front_silent, app_silent = _cpu(front, app)
    progress.wait(options.seconds, lambda left: f"{front.kind}: silence, {left:.0f} s")
    front_began, app_began = _cpu(front, app)
    front_idle, app_idle = front_began - front_silent, app_began - app_silent
    arrived, began = crew.gauge(streams.ARRIVED), time.monotonic()
    crew.tell("send", count, options.rate, options.seconds)
    [sent] = crew.gather(options.seconds + OPEN_SECONDS, lambda: progress.show(f"{front.kind}: events"))
    took_sending = time.monotonic() - began
    time.sleep(0.5)
    front_ended, app_ended = _cpu(front, app)
    events = crew.gauge(streams.ARRIVED) - arrived
    if crew.gauge(ENDED) or events != sent:
        raise BenchError(f"{front.kind} ended {crew.gauge(ENDED):,} streams; {events:,} of {sent:,} events came")
    crew.tell("close")
    crew.gather(OPEN_SECONDS)
    return FrontFigures(
        front=front.kind,
        streams=count,
        opened_a_second=count / took,
        front_memory=front_memory,
        app_memory=app_memory,
        events=events,
        events_a_second=events / took_sending,
        front_cpu=front_ended - front_began - front_idle,
        app_cpu=app_ended - app_began - app_idle,
        front_idle_cpu=front_idle / options.seconds,
    )


def _cpu(front: Front, app: Ssechat) -> tuple[float, float]:
    return processes.cpu_seconds(front.pids), processes.cpu_seconds(app.workers)


def fronts_report(figures: Sequence[FrontFigures]) -> str:
    """A table with a column per proxy; a KB has 1,024 bytes."""
    rows = [
        ["Streams over TLS and HTTP/2, a connection each", *(one.front for one in figures)],
        ["streams", *(f"{one.streams:,}" for one in figures)],
        ["opened a second", *(f"{one.opened_a_second:,.0f}" for one in figures)],
        ["memory per stream (PSS), KB: front", *(f"{one.front_bytes_each / KIB:.1f}" for one in figures)],
        ["    app's workers", *(f"{one.app_bytes_each / KIB:.1f}" for one in figures)],
        ["events a second", *(f"{one.events_a_second:,.0f}" for one in figures)],
        ["CPU per delivered event, µs: front", *(f"{one.front_microseconds_each:,.0f}" for one in figures)],
        ["    app's workers, with the send", *(f"{one.app_microseconds_each:,.0f}" for one in figures)],
        ["of a core, for the pings of silence: front", *(f"{one.front_idle_cpu:.1%}" for one in figures)],
    ]
    return table(rows)
