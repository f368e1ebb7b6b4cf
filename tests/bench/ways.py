"""Compares ASGI, the protocol, eager tasks and the header cache: CPU per send and stream, and sends a second."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

from . import senders
from .arrivals import ALL, Checking, StreamPlan
from .generator import Crew
from .load import ANSWER_SECONDS, CONNECT_SECONDS
from .processes import cpu_seconds
from .progress import Progress
from .senders import Sender, SendPlan
from .server import Ssechat
from .streams import StreamHolder, check_descriptors, open_streams
from .tables import ratio, table
from .ways_server import BEFORE, WAYS

USERS = 256
WARM_UP = 0.5
FIRST_READER = 1000
"""The first user who only reads. Their inboxes are empty, so that no replay is measured."""

QUIET_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class WaysOptions:
    """Options of the measurement."""

    rounds: int
    """Rounds of each variant, in each of the two measurements."""
    seconds: float
    """Seconds of sends per round."""
    connections: int
    streams: int
    """Streams that reconnect at once, per round."""
    readers: int


@dataclass(slots=True)
class WayFigures:
    """The figures of one variant, one per round."""

    way: str
    send_microseconds: list[float] = field(default_factory=list)
    """CPU microseconds of the worker per acknowledged send."""
    sends_a_second: list[float] = field(default_factory=list)
    stream_microseconds: list[float] = field(default_factory=list)
    """CPU microseconds of the worker per stream."""
    back_milliseconds: list[float] = field(default_factory=list)
    """Milliseconds until all streams were greeted."""


@dataclass(frozen=True, slots=True)
class WaysReport:
    """The figures of all variants of one run."""

    options: WaysOptions
    ways: list[WayFigures]


class OneWay(Ssechat):
    """`ssechat serve` with one worker of one variant."""

    def __init__(self, way: str) -> None:
        super().__init__(1, "--keep-alive-seconds", "3600")
        self.way = way
        self._module = (f"{__package__}.ways_server", way)


def measure_ways(options: WaysOptions, progress: Progress, ways: Sequence[str] = tuple(WAYS)) -> WaysReport:
    """Measures all variants in alternating rounds, so that other load on the machine affects all of them.

    Raises:
        BenchError: the measurement failed.
    """
    check_descriptors(options.streams, 1, options.readers)
    with ExitStack() as stack:
        servers = [stack.enter_context(OneWay(way)) for way in ways]
        sending = [stack.enter_context(Crew(Sender, [_send_plan(server, options)])) for server in servers]
        for crew in sending:
            crew.tell("connect")
            crew.gather(CONNECT_SECONDS)
        figures = [WayFigures(server.way) for server in servers]
        for number in range(options.rounds):
            for server, crew, found in zip(servers, sending, figures, strict=True):
                progress.show(f"ways: sends, round {number + 1}, {server.way}")
                _send(server, crew, found, options.seconds)
        for number in range(options.rounds):
            for server, found in zip(servers, figures, strict=True):
                progress.show(f"ways: {options.streams:,} streams, round {number + 1}, {server.way}")
                _come_back(server, found, options)
    return WaysReport(options, figures)


def _send_plan(server: OneWay, options: WaysOptions) -> SendPlan:
    return SendPlan(
        server.address, server.dialect(), USERS, process=0, processes=1, connections=options.connections, depth=1,
        text_bytes=80, rate=0, rest=0.001, keep=False, contacts=10,
    )  # fmt: skip


def _send(server: OneWay, crew: Crew, found: WayFigures, seconds: float) -> None:
    crew.tell("start")
    time.sleep(WARM_UP)
    began, before, cpu = time.monotonic(), crew.gauge(senders.ACKNOWLEDGED), cpu_seconds(server.workers)
    time.sleep(seconds)
    took, count = time.monotonic() - began, crew.gauge(senders.ACKNOWLEDGED) - before
    used = cpu_seconds(server.workers) - cpu
    crew.tell("stop")
    deadline = time.monotonic() + ANSWER_SECONDS
    while crew.gauge(senders.WAITING) and time.monotonic() < deadline:
        crew.check()
        time.sleep(0.01)
    found.send_microseconds.append(used * 1e6 / max(1, count))
    found.sends_a_second.append(count / took)


def _come_back(server: OneWay, found: WayFigures, options: WaysOptions) -> None:
    # They begin like the streams of readers that reconnect.
    plan = StreamPlan(server.address, server.dialect(), Checking.NOTHING, cursor=ALL)
    with Crew(StreamHolder, [plan] * options.readers) as readers:
        cpu, began = cpu_seconds(server.workers), time.monotonic()
        open_streams(readers, options.readers, options.streams, FIRST_READER)
        took, used = time.monotonic() - began, cpu_seconds(server.workers) - cpu
        readers.tell("close")
        readers.gather(ANSWER_SECONDS)
    found.back_milliseconds.append(took * 1000)
    found.stream_microseconds.append(used * 1e6 / options.streams)
    _wait_idle(server)


def _wait_idle(server: OneWay) -> None:
    """Waits until the worker has closed the streams: its CPU would count for the next variant."""
    deadline = time.monotonic() + ANSWER_SECONDS
    used = -1.0
    while time.monotonic() < deadline and (now := cpu_seconds(server.workers)) > used + 0.02:
        used = now
        time.sleep(QUIET_SECONDS)


def ways_report(report: WaysReport) -> str:
    """A table with a row per variant, and the ratio of each figure to that of the variant without what it adds."""
    names = ("send_microseconds", "sends_a_second", "stream_microseconds", "back_milliseconds")
    back = f"ms until {report.options.streams:,} streams are back"
    rows = [["Request handling in one worker"]]
    for title in ("µs CPU a send", "sends a second", "µs CPU a stream", back):
        rows[0] += [title, ""]
    figures = {found.way: {name: median(getattr(found, name)) for name in names} for found in report.ways}
    for way, its in figures.items():
        before = figures.get(BEFORE.get(way, ""), {})
        rows.append([way])
        for name, figure in its.items():
            rows[-1] += [f"{figure:,.0f}", ratio(figure, before.get(name, 0.0))]
    text = (
        "Medians of {} alternating rounds; beside each figure its ratio: of the protocol to ASGI, of the last two "
        "to the protocol."
    )
    return f"{table(rows)}\n{text.format(report.options.rounds)}"
