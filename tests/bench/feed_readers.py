"""A client process with readers of a feed with keys: quick ones, and slow ones of two kinds."""

import re
import time
from array import array
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing.connection import Connection

from .arrivals import StreamPlan
from .connections import MAX_READ
from .feed_schedule import Schedule, following, newest
from .generator import READ, WRITE, Gauges, open_socket
from .streams import ARRIVED, Stream, StreamHolder

CHANGE = re.compile(rb'"key":"k(\d+)","data":\{"i":(\d+),')
LAST_CHANGE = b'"i":'
LAST_ID = b"\nid: "

SMALL_BUFFER = 8192
"""Bytes that the kernel keeps for a slow reader."""

NARROW_SECONDS = 0.02
"""How often a narrow reader reads."""

ASLEEP_SECONDS, AWAKE_SECONDS = 3.0, 1.0

PARSED = 50
"""One of so many quick readers looks at each value; the others at the newest of what they read."""


class Kind(StrEnum):
    """How a reader reads."""

    QUICK = "quick"
    NARROW = "narrow"
    """So many bytes a second, less than there are."""
    DOZING = "dozing"
    """Nothing for some seconds, then all there is for one."""


@dataclass(frozen=True, slots=True)
class ReadersPlan:
    """Who reads what. The first users are quick, then come the narrow, then the dozing ones."""

    streams: StreamPlan
    schedule: Schedule
    quick: int
    narrow: int
    narrow_bytes: int
    """Bytes that a narrow reader reads in a second."""

    def kind_of(self, user: int) -> Kind:
        """How this user reads."""
        if user < self.quick:
            return Kind.QUICK
        return Kind.NARROW if user < self.quick + self.narrow else Kind.DOZING


@dataclass(slots=True)
class Seen:
    """What the readers of one kind have seen since the last time that this was asked."""

    delays: "array[int]" = field(default_factory=lambda: array("q"))
    """Nanoseconds from when a change was due until a reader had that value, or a newer one; of a dozing one from when
    it woke, if that was later."""
    worst: "array[int]" = field(default_factory=lambda: array("q"))
    """The longest for each reader."""
    values: int = 0
    """Values that those got who look at each."""
    parsed: int = 0
    """Who look at each value."""
    older: int = 0
    """Values that were older than what their reader had."""
    stale: int = 0
    """Keys of which a reader does not have the last value; said at the end."""
    cursors: list[str] = field(default_factory=list)
    """The last event id of each."""
    others: list[str] = field(default_factory=list)
    """Resets and ends of streams."""
    lag: int = 0
    """The longest turn of their process, in nanoseconds: so late it may have read what was there."""


TURN_SECONDS = 0.01
"""How often a process has its turn at least: a longer one shows that it lags."""


class FeedReaders(StreamHolder):
    """Holds the streams."""

    def __init__(self, control: Connection, gauges: Gauges, plan: ReadersPlan) -> None:
        super().__init__(control, gauges, plan.streams)
        self.commands |= {"begin": self._begin, "look": self._look}
        self.readers = plan
        self.start_at = 0
        self.keys = plan.schedule.of_keys()
        self.following = following(self.keys)
        self.slow: list[Reader] = []
        self.seen: dict[Kind, Seen] = {kind: Seen() for kind in Kind}
        self.patience = TURN_SECONDS
        self._turned_at = time.monotonic_ns()

    def turned(self) -> None:
        super().turned()
        self.gauges[ARRIVED] = self.arrived
        now = time.monotonic_ns()
        for reader in self.slow:
            if now >= reader.due:
                reader.read_some(now)
        quick = self.seen[Kind.QUICK]
        quick.lag = max(quick.lag, now - self._turned_at)
        self._turned_at = now

    def stream(self, user: int) -> Stream:
        return Reader(self, user, self.readers.kind_of(user))

    def _begin(self, at: int) -> None:
        """The first change is due then."""
        self.start_at = at

    def _look(self, is_over: bool) -> None:
        """Replies with what each kind of reader has seen, and begins anew; `is_over`: nothing more comes."""
        last = newest(self.keys)
        for reader in self.streams:
            assert isinstance(reader, Reader)
            seen = self.seen[reader.kind]
            seen.worst.append(reader.worst)
            reader.worst = 0
            seen.cursors.append(reader.cursor.decode())
            if is_over and reader.known is not None:
                seen.stale += sum(reader.known.get(key) != change for key, change in last.items())
            seen.parsed += reader.known is not None
        self.seen[Kind.QUICK].others += self.tally.others
        self.reply(self.seen)
        self.tally.others = []
        self.seen = {kind: Seen() for kind in Kind}


class Reader(Stream):
    """A reader of the feed."""

    __slots__ = ("_all", "_is_awake", "_woke", "due", "kind", "known", "newest", "worst")

    def __init__(self, holder: FeedReaders, user: int, kind: Kind) -> None:
        self._all = holder
        self.kind = kind
        self.due = 0
        """When a slow one reads next."""
        self._is_awake = False
        self._woke = 0
        self.worst = 0
        self.newest = -1
        """The newest change that it has."""
        self.known: dict[int, int] | None = {} if kind is not Kind.QUICK or user % PARSED == 0 else None
        """The newest change of each key, of who looks at each value."""
        super().__init__(holder, user)

    def _connect(self) -> None:
        buffer = 0 if self.kind is Kind.QUICK else SMALL_BUFFER
        self._handle = open_socket(self._holder.plan.address, self._user, buffer)
        self._holder.watch(self._handle.fileno(), WRITE, self._connected)

    def _open(self, greeting: bytes) -> None:
        assert self._handle is not None
        self._parts.clear()
        self._arrivals.clear()
        if self.kind is Kind.QUICK:
            self._holder.change(self._handle.fileno(), READ, self._readable)
        else:
            self._holder.unwatch(self._handle.fileno())
            self._all.slow.append(self)
        self._take(greeting, time.monotonic_ns())
        self._holder.greeted(self)

    def close(self) -> None:
        if self in self._all.slow:
            self._all.slow.remove(self)
            assert self._handle is not None
            self._holder.watch(self._handle.fileno(), READ, self._readable)
        super().close()

    def _readable(self) -> None:
        part = self._receive()
        if part:
            self._take(part, time.monotonic_ns())
        else:
            self._ended()

    def read_some(self, now: int) -> None:
        """Reads what a slow reader reads now, and says when it reads again."""
        if self.kind is Kind.NARROW:
            pause = int(NARROW_SECONDS * 1e9)
            self.due = max(now - pause, self.due + pause)  # who had its turn late has the next one early
            self._read(int(self._all.readers.narrow_bytes * NARROW_SECONDS))
            return
        if not self._is_awake:
            self._is_awake, self._woke = True, now
        if now - self._woke > AWAKE_SECONDS * 1e9:
            self._is_awake, self.due = False, now + int(ASLEEP_SECONDS * 1e9)
        else:
            self._read(MAX_READ)

    def _read(self, most: int) -> None:
        assert self._handle is not None
        try:
            part = self._handle.recv(most)
        except BlockingIOError:
            return
        except ConnectionError:
            part = b""
        if part:
            self._take(part, time.monotonic_ns())
        else:
            self._ended()

    def _take(self, part: bytes, now: int) -> None:
        part = self._complete(part)
        at = part.rfind(LAST_ID)
        if at < 0:
            return
        self.cursor = part[at + len(LAST_ID) : part.index(b"\n", at + 1)]
        self._look(part)
        if self.known is None:
            self._take_newest(part, now)
        else:
            self._take_each(part, now, self.known)

    def _take_newest(self, part: bytes, now: int) -> None:
        at = part.rfind(LAST_CHANGE) + len(LAST_CHANGE)
        if at < len(LAST_CHANGE):
            return
        change = int(part[at : part.index(b",", at)])
        if 0 <= self.newest < change:
            self._note(now - self._all.readers.schedule.due(self.newest + 1, self._all.start_at))
        self.newest = max(self.newest, change)

    def _take_each(self, part: bytes, now: int, known: dict[int, int]) -> None:
        seen, readers = self._all.seen[self.kind], self._all
        for found in CHANGE.finditer(part):
            key, change = int(found[1]), int(found[2])
            had = known.get(key)
            seen.values += 1
            if had is not None:
                if change <= had:
                    seen.older += 1
                    continue
                due = readers.readers.schedule.due(readers.following[had], readers.start_at)
                self._note(now - max(due, self._woke))
            known[key] = change

    def _note(self, delay: int) -> None:
        self._all.seen[self.kind].delays.append(delay)
        self.worst = max(self.worst, delay)
