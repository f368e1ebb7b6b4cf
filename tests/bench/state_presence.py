"""What it costs that everybody watches whether others are online."""

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from . import streams
from .arrivals import Checking, StreamPlan
from .asking import Answers, Asker, AskPlan, ask
from .deliveries import Latency
from .dialects import user_name
from .errors import BenchError
from .generator import Crew, Gauges
from .progress import Progress
from .saturation import Cpu, Parts, Sample, Shares, saturation
from .server import Ssechat
from .streams import OPEN_SECONDS, Stream, StreamHolder, check_descriptors

SETTLE_SECONDS = 5.0
SAID = b'"online":'
"""Stands once in an event for each person that it tells of."""

TOLD = 3
"""Gauge: people that the streams were told of, each as often as it was told."""

TOLD_SECONDS = 120.0
"""Upper bound of the time until everybody is told of all whom it watches, or who has gone."""


@dataclass(frozen=True, slots=True)
class PresenceOptions:
    """Options of the measurement."""

    streams: int
    watched: int
    """How many others each of them watches: those of its group."""
    readers: int
    """Client processes that hold the streams."""
    connections: int
    seconds: float
    """Seconds of each of the two times in which nobody comes or goes."""
    workers: int

    @property
    def groups(self) -> list[range]:
        """The people of each group."""
        size = self.watched + 1
        return [range(first, first + size) for first in range(0, self.streams - size + 1, size)]


@dataclass(frozen=True, slots=True)
class Told:
    """What streams were told of others."""

    told: int
    """People that they were told of."""
    due: int
    """That many had to be told."""
    seconds: float
    """Until the last was told."""


@dataclass(frozen=True, slots=True)
class PresenceFigures:
    """The figures."""

    streams: int
    watched: int
    workers: int
    watch: Latency
    """From the request to watch to its answer."""
    watch_cpu: Cpu
    """For all of these requests."""
    listed: "Told"
    """Of those whom they watch, from the last answer."""
    anew: "Told"
    """The same from the last stream, when all streams were closed and opened again."""
    anew_cpu: Cpu
    """Of that, with the opening."""
    seconds: float
    """Of each of the two times in which nobody comes or goes."""
    unwatched: Cpu
    """While nobody is watched."""
    quiet: Cpu
    """While all are watched."""
    flickers: int
    """What was told in the second of these times: nothing has happened."""
    gone: int
    """People whose streams then close, one of each group."""
    left: "Told"
    """Of those, from the first stream's end: all others of their groups."""
    shares: Shares
    """While all are watched."""
    saturation: str
    complaints: list[str] = field(default_factory=list)

    @property
    def watch_microseconds(self) -> Cpu:
        """CPU microseconds of each part per request to watch."""
        return self.watch_cpu.each(self.streams)

    @property
    def anew_microseconds(self) -> Cpu:
        """CPU microseconds of each part per stream that was opened again, until all were told."""
        return self.anew_cpu.each(self.streams)

    @property
    def core_share(self) -> Cpu:
        """What watching costs while nobody comes or goes, as a share of one core, by each part."""
        return (self.quiet - self.unwatched) * (1 / self.seconds)

    @property
    def good(self) -> bool:
        """Whether each watcher was told once of each whom it watches, and of the one who has gone, and no more."""
        return all(each.told == each.due for each in (self.listed, self.anew, self.left)) and not self.flickers


class Watcher(Stream):
    """A stream on which it is counted how often it is told of somebody."""

    __slots__ = ()

    def _begin(self, greeting: bytes) -> None:
        super()._begin(greeting)
        self._add(greeting)  # the first may come together with it

    def _take(self, part: bytes, now: int) -> None:
        self._add(self._complete(part))

    def _add(self, events: bytes) -> None:
        said = events.count(SAID)
        self.came += said
        assert isinstance(self._holder, Watchers)
        self._holder.told += said


class Watchers(StreamHolder):
    """A client process that holds the streams of people of any numbers, and counts what they are told of others."""

    def __init__(self, control: Connection, gauges: Gauges, plan: StreamPlan) -> None:
        super().__init__(control, gauges, plan)
        self.commands["open_these"] = lambda users: self.start(iter(users))
        self.told = 0

    def turned(self) -> None:
        super().turned()
        self.gauges[TOLD] = self.told

    def stream(self, user: int) -> Stream:
        return Watcher(self, user)


class _Crowd:
    """The people of a measurement, and their client processes."""

    def __init__(self, stack: ExitStack, options: PresenceOptions, server: Ssechat, progress: Progress) -> None:
        dialect = server.dialect()
        plan = StreamPlan(server.address, dialect, Checking.COUNTING)
        self.holders = stack.enter_context(Crew(Watchers, [plan] * options.readers))
        self.leaving = stack.enter_context(Crew(Watchers, [plan]))
        self._asking = stack.enter_context(Crew(Asker, [AskPlan(server.address, dialect)]))
        self._connections = options.connections
        self._progress = progress
        self.parts = Parts.of(server, self.holders, self.leaving, self._asking)

    def ask(self, what: str, users: Sequence[int], method: str, path: str, bodies: Sequence[bytes] = ()) -> Answers:
        """Each of these makes a request; none may be refused."""
        self._progress.show(f"{len(users):,} people {what}")
        answers = ask(self._asking, users, method, path, bodies, self._connections)
        answers.check()
        return answers

    @property
    def told(self) -> int:
        """How many the streams were told of so far."""
        return sum(crew.gauge(TOLD) for crew in (self.holders, self.leaving))

    def open_anew(self, others: Sequence[int], first_of_each: Sequence[int]) -> None:
        """Closes the streams of all, and opens them again."""
        for crew in (self.holders, self.leaving):
            crew.tell("close")
            crew.gather(OPEN_SECONDS)
        self.open(self.holders, others)
        self.open(self.leaving, first_of_each)

    def open(self, crew: Crew, users: Sequence[int]) -> None:
        """Opens the streams of these people."""
        size = -(-len(users) // len(crew.pids))
        crew.tell_each("open_these", [(users[size * at : size * (at + 1)],) for at in range(len(crew.pids))])
        crew.gather(
            OPEN_SECONDS, lambda: self._progress.show(f"{crew.gauge(streams.OPENED):,} of {len(users):,} streams open")
        )

    def wait(self, seconds: float, what: str) -> tuple[Sample, Sample]:
        """Waits; returns the CPU times before and after."""
        first = self.parts.sample()
        self._progress.wait(seconds, lambda left: f"{what}: {left:.0f} s")
        return first, self.parts.sample()

    def wait_told(self, due: int, before: int, of: str) -> Told:
        """Waits until so many are told, and a little longer."""
        began, told, seconds = time.monotonic(), self.told - before, 0.0
        while (now := time.monotonic() - began) < TOLD_SECONDS and (told < due or now - seconds < SETTLE_SECONDS):
            self._progress.show(f"{told:,} of {due:,} are told {of}")
            time.sleep(0.1)
            if (so_far := self.told - before) != told:
                told, seconds = so_far, time.monotonic() - began
        return Told(told, due, seconds)


def measure_presence(options: PresenceOptions, progress: Progress) -> PresenceFigures:
    """Everybody watches the others of a group; then one of each group goes.

    Raises:
        BenchError: the measurement failed.
    """
    groups = options.groups
    if not groups:
        raise BenchError("--streams: more than are --watched, so that there is a group")
    people = [user for group in groups for user in group]
    first_of_each, others = [group[0] for group in groups], [user for group in groups for user in group[1:]]
    check_descriptors(len(people), options.workers, options.readers)
    with ExitStack() as stack:
        server = stack.enter_context(Ssechat(options.workers))
        crowd = _Crowd(stack, options, server, progress)
        crowd.ask("come", people, "GET", "/v1/conversations?limit=1")
        ids = _make_groups(crowd, groups)
        crowd.open(crowd.holders, others)
        crowd.open(crowd.leaving, first_of_each)
        crowd.wait(SETTLE_SECONDS, "settling")
        unwatched = crowd.wait(options.seconds, "nobody is watched")
        watches = [_watch(user, group, id) for group, id in zip(groups, ids, strict=True) for user in group]
        start = crowd.parts.sample()
        watch = crowd.ask("watch", people, "PUT", "/v1/presence", watches)
        watching = (start, crowd.parts.sample())
        listed = crowd.wait_told(len(people) * options.watched, 0, "who is there")
        before, start = crowd.told, crowd.parts.sample()
        crowd.open_anew(others, first_of_each)
        anew = crowd.wait_told(len(people) * options.watched, before, "again who is there")
        reopening = (start, crowd.parts.sample())
        before = crowd.told
        quiet = crowd.wait(options.seconds, "all are watched")
        flickers = crowd.told - before
        before = crowd.told
        crowd.leaving.tell("close")
        crowd.leaving.gather(OPEN_SECONDS)
        left = crowd.wait_told(len(others), before, "who has gone")
        parts, shares = crowd.parts, crowd.parts.shares(*quiet)
        return PresenceFigures(
            streams=len(people),
            watched=options.watched,
            workers=options.workers,
            watch=Latency.of(watch.took),
            watch_cpu=parts.cpu(*watching),
            listed=listed,
            anew=anew,
            anew_cpu=parts.cpu(*reopening),
            seconds=options.seconds,
            unwatched=parts.cpu(*unwatched),
            quiet=parts.cpu(*quiet),
            flickers=flickers,
            gone=len(first_of_each),
            left=left,
            shares=shares,
            saturation=saturation(shares),
            complaints=server.complaints,
        )


def _make_groups(crowd: _Crowd, groups: Sequence[range]) -> list[str]:
    bodies = [
        json.dumps({"name": "A group", "members": [user_name(user) for user in group[1:]]}).encode() for group in groups
    ]
    made = crowd.ask("make groups", [group[0] for group in groups], "POST", "/v1/conversations", bodies)
    return [json.loads(made.bodies[group[0]])["id"] for group in groups]


def _watch(user: int, group: range, id: str) -> bytes:
    return json.dumps({"watch": [user_name(one) for one in group if one != user], "in": id}).encode()
