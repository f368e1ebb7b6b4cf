"""The people of a measurement with groups: some hold streams, and all that each has got is checked at the end."""

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self

from . import streams
from .arrivals import ALL, Checking, StreamPlan
from .asking import Answers, Asker, AskPlan, ask
from .dialects import user_name
from .errors import BenchError
from .generator import Crew
from .group_streams import LEVEL, GroupHolder, GroupTally
from .load import ANSWER_SECONDS, COLLECT_SECONDS, QUIET_SECONDS, SETTLE_SECONDS
from .others import Others
from .progress import Progress
from .saturation import Parts, Sample
from .server import Ssechat
from .streams import OPEN_SECONDS, check_descriptors, open_streams

CONVERSATIONS = "/v1/conversations"
OTHERS_SECONDS = 1.0
"""Seconds in which the others write before they are measured."""


@dataclass(frozen=True, slots=True)
class GroupsOptions:
    """Options of the measurements."""

    people: int
    """People who are in the groups: all in one, or divided evenly."""
    streams: int
    """How many of them hold a stream."""
    sizes: tuple[int, ...]
    """Sizes of the groups that are sent to."""
    rates: tuple[float, ...]
    """Deliveries per second; 0: as many as will go."""
    connections: int
    """Connections that send, and over which people join."""
    reactions: int
    """How many people react to one message; 0: none do."""
    joins: bool
    """Whether a group is made of single joins, too."""
    others: int
    """Other users with one stream each, who write to each other meanwhile."""
    others_rate: float
    """Messages per second of the other users."""
    readers: int
    """Client processes that hold the people's streams."""
    seconds: float
    """Seconds of each measurement of sends, and of the time that others are alone."""
    warm_up: float
    """Seconds of sends before the measurement."""
    workers: int
    text_bytes: int

    def check(self) -> None:
        """Checks that the options fit together.

        Raises:
            BenchError: they do not.
        """
        if self.streams > self.people:
            raise BenchError("--streams: not more than there are --people")
        if self.reactions > self.people:
            raise BenchError("--reactions: not more than there are --people")
        if any(size < 2 or size > self.people for size in self.sizes):
            raise BenchError("--size: from 2 to the number of --people")
        check_descriptors(self.people + self.others, self.workers, 1)


class People:
    """All client processes of a measurement. As a context manager they are ended at the end."""

    def __init__(self, server: Ssechat, options: GroupsOptions) -> None:
        self._options = options
        self._server = server
        self._stack = ExitStack()
        dialect = server.dialect()
        plan = StreamPlan(server.address, dialect, Checking.COUNTING)
        late_plan = StreamPlan(server.address, dialect, Checking.COUNTING, cursor=ALL)
        first_other = options.people + options.people % 2
        try:
            self._asking = self._stack.enter_context(Crew(Asker, [AskPlan(server.address, dialect)]))
            self.streams = self._stack.enter_context(Crew(GroupHolder, [plan] * options.readers))
            """Those that are open from the beginning."""
            self._late = self._stack.enter_context(Crew(GroupHolder, [late_plan]))
            self.others = self._stack.enter_context(Others(server, options.others, options.others_rate, first_other))
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def parts(self, *crews: Crew) -> Parts:
        """All processes, with those of further crews."""
        return Parts.of(self._server, self._asking, self.streams, self._late, *self.others.crews, *crews)

    def ask(self, users: range, method: str, path: str, bodies: Sequence[bytes] = (), connections: int = 0) -> Answers:
        """Each of these people makes the request.

        Raises:
            BenchError: some are refused.
        """
        answers = ask(self._asking, users, method, path, bodies, connections or self._options.connections)
        answers.check()
        return answers

    def ask_one(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The first of the people makes a request; returns the answer (JSON).

        Raises:
            BenchError: it is refused.
        """
        content = b"" if body is None else json.dumps(body).encode()
        return json.loads(self.ask(range(1), method, path, (content,)).bodies[0])

    def exist(self) -> None:
        """Each makes a request: a user exists from the first one on."""
        self.ask(range(self._options.people), "GET", f"{CONVERSATIONS}?limit=1")

    def open(self, name: str, progress: Progress) -> None:
        """Opens the streams of the first people, and of the others."""
        open_streams(
            self.streams,
            self._options.readers,
            self._options.streams,
            tick=lambda: progress.show(f"{name}: {self.streams.gauge(streams.OPENED):,} streams open"),
        )
        self.others.open()
        progress.wait(SETTLE_SECONDS, lambda left: f"{name}: settling")

    def leave_others_alone(self, name: str, parts: Parts, progress: Progress) -> tuple[Sample, Sample]:
        """The others begin to send; returns the beginning and the end of their time alone."""
        self.others.start()
        progress.wait(OTHERS_SECONDS, lambda left: f"{name}: the others alone")
        start = parts.sample()
        progress.wait(self._options.seconds, lambda left: f"{name}: the others alone, {left:.0f} s to go")
        return start, parts.sample()

    def wait_silent(self, name: str, progress: Progress) -> None:
        """Waits until the people's streams have been silent for a second."""
        deadline = time.monotonic() + ANSWER_SECONDS
        arrived, since = -1, time.monotonic()
        while time.monotonic() < deadline and time.monotonic() - since < QUIET_SECONDS:
            self.streams.check()
            if (now := self.streams.gauge(streams.ARRIVED)) != arrived:
                arrived, since = now, time.monotonic()
            progress.show(f"{name}: waiting for the last deliveries")
            time.sleep(0.05)

    def collect(self, name: str, progress: Progress) -> list[GroupTally]:
        """What each of the people has got, in their order: those without a stream read all of it now.

        Raises:
            BenchError: a stream is not level after a long time.
        """
        rest = self._options.people - self._options.streams
        if rest:
            open_streams(self._late, 1, rest, first=self._options.streams)
        deadline = time.monotonic() + OPEN_SECONDS
        while (level := self._late.gauge(LEVEL)) < rest:
            self._late.check()
            progress.show(f"{name}: {level:,} of {rest:,} have read what they got without a stream")
            if time.monotonic() > deadline:
                raise BenchError(f"{rest - level:,} of {rest:,} streams are not level after {OPEN_SECONDS:g} s")
            time.sleep(0.05)
        tallies: list[GroupTally] = []
        for crew in (self.streams, self._late):
            crew.tell("collect")
            tallies += crew.gather(COLLECT_SECONDS)
        return tallies


def request_for_group(members: range) -> dict[str, Any]:
    """A request that makes a group; its maker is the first of the members."""
    return {"name": "A group of the benchmark", "members": [user_name(member) for member in members[1:]]}
