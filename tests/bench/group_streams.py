"""Client processes that hold the streams of people who are in one conversation each, and check every event of it."""

import re
import time
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from .arrivals import Checking, StreamPlan, Tally
from .events import NUMBER
from .generator import Gauges
from .streams import Stream, StreamHolder

LEVEL = 3
"""Gauge: streams that have all that was there when they were opened."""

EVENT = re.compile(rb"event: ([a-z_.]+)\n(?:retry: \d+\n)?data: ([^\n]*)\n(?:id: (\d+)-[^\n]*\n)?")
"""The name of an event, its data and its n."""
PLACE = re.compile(rb'"seq":(\d+),"version":(\d+)')
MEMBER_COUNT = re.compile(rb'"member_count":(\d+)')
REACTIONS = re.compile(rb'"count":(\d+)')
NONE_MISSED = b'"missed":0'


def _numbers() -> "array[int]":
    return array("q")


@dataclass(slots=True)
class GroupTally(Tally):
    """The counts of the streams of one process. Its arrays have a number per stream, in the order of opening."""

    newest: "array[int]" = field(default_factory=_numbers)
    """The n of the last event."""
    members: "array[int]" = field(default_factory=_numbers)
    """Events `member`."""
    first_count: "array[int]" = field(default_factory=_numbers)
    """The number of members that the first of them told."""
    changes: "array[int]" = field(default_factory=_numbers)
    """Events `message.updated`."""
    changed_at: "array[int]" = field(default_factory=_numbers)
    """When the last of them arrived."""
    reactions: "array[int]" = field(default_factory=_numbers)
    """Reactions with one emoji, as the last of them, or a message, told."""


def each_of(tallies: Iterable[GroupTally], name: str) -> list[int]:
    """One of these figures of every stream."""
    return [value for tally in tallies for value in getattr(tally, name)]


class GroupHolder(StreamHolder):
    """Holds streams of people in one conversation each."""

    def __init__(self, control: Connection, gauges: Gauges, plan: StreamPlan) -> None:
        assert plan.checking is Checking.COUNTING
        super().__init__(control, gauges, plan)
        self.found = GroupTally(array("q"), array("q"))
        self.tally = self.found
        self.level = 0

    def stream(self, user: int) -> Stream:
        return GroupStream(self, user)

    def turned(self) -> None:
        super().turned()
        self.gauges[LEVEL] = self.level

    def _collect(self) -> None:
        """Replies with the counts."""
        for stream in self.streams:
            assert isinstance(stream, GroupStream)
            self.found.newest.append(stream.n)
            self.found.members.append(stream.members)
            self.found.first_count.append(stream.first_count)
            self.found.changes.append(stream.changes)
            self.found.changed_at.append(stream.changed_at)
            self.found.reactions.append(stream.reactions)
        super()._collect()


class GroupStream(Stream):
    """The stream of one person. Each n must be one above the last one, each seq as well; the number of members rises.

    Of a stream with a cursor: changes that a later one supersedes are left out, and the message has the last version.
    """

    __slots__ = (
        "changed_at",
        "changes",
        "first_count",
        "found",
        "holder",
        "member_count",
        "members",
        "reactions",
        "seq",
        "version",
    )

    def __init__(self, holder: GroupHolder, user: int) -> None:
        self.holder = holder
        self.found = holder.found
        self.seq = self.version = self.members = self.first_count = self.member_count = 0
        self.changes = self.changed_at = self.reactions = 0
        super().__init__(holder, user)

    def _begin(self, greeting: bytes) -> None:
        self._take(greeting, time.monotonic_ns())

    def _take(self, part: bytes, now: int) -> None:
        for name, data, n in EVENT.findall(self._complete(part)):
            if name == b"hello":
                self.n = int(n or 0)
                self.holder.level += NONE_MISSED in data
            elif name == b"caught_up":
                self.holder.level += 1
            elif n and name in (b"message", b"message.updated", b"member"):
                self._note(name, data, int(n), now)
            elif name not in (b"retry", b"ping"):
                self.found.others.append(f"{name.decode()} {data.decode()}")

    def _note(self, name: bytes, data: bytes, n: int, now: int) -> None:
        found, is_change = self.found, name == b"message.updated"
        if n <= self.n:
            found.doubled += 1
            return
        found.jumps += n != self.n + 1 and not (is_change and bool(self.holder.plan.cursor))
        self.n = n
        if name == b"member":
            [count] = map(int, MEMBER_COUNT.findall(data))
            found.jumps += self.members > 0 and count <= self.member_count
            self.first_count = self.first_count or count
            self.member_count = count
            self.members += 1
            return
        place = PLACE.search(data)
        assert place is not None, data
        seq, version = map(int, place.groups())
        reactions = REACTIONS.search(data)
        self.reactions = int(reactions[1]) if reactions is not None else 0
        if is_change:
            # Of one message at a time: its versions rise.
            found.jumps += version <= self.version and not self.holder.plan.cursor
            self.changes += 1
            self.changed_at = now
        else:
            found.jumps += seq != self.seq + 1
            self.seq = seq
            self.came += 1
            number = NUMBER.search(data)
            assert number is not None, data
            found.arrivals.extend((now, now - int(number[1])))
        self.version = version
