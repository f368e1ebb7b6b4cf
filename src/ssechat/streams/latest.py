"""What a worker has heard of a feed lately: each reader gets from it what it lacks, and need not read the log."""

import math
import re
from collections import OrderedDict
from typing import NamedTuple

from ssechat.events import frames
from ssechat.events.wake_ups import WakeUp
from ssechat.ids import number_of

MOST_BYTES = 256 * 1024
MOST_EVENTS = 10_000
"""Upper bounds of what is known of a feed: bytes of the events, and events with those that were replaced. Whoever lacks
more reads the log."""

_KEY = re.compile(rb'\{"key":"((?:[^"\\]|\\.)*)"').match


class Part(NamedTuple):
    """Events that come one after another, as one chunk."""

    chunk: bytes
    id: str
    """The id of the last one."""
    n: int
    """Its number."""
    events: int
    """How many there are; 0: the reader has all of them."""


class Latest:
    """The latest events of a feed, without a hole between them, and of each key the newest."""

    __slots__ = ("_frames", "_ids", "_parts", "_size", "newest", "offered", "waiting")

    def __init__(self, event: WakeUp) -> None:
        self.newest = event
        self.offered = -1
        """The number of the last event that was offered to all readers."""
        self.waiting = 0
        """Bytes of the events after that one."""
        self._size = 0
        """Bytes of all events."""
        self._ids: OrderedDict[int, str] = OrderedDict()
        """By number: of the events, those that were replaced among them, and of the one before."""
        self._frames: OrderedDict[bytes | str, tuple[int, str, bytes]] = OrderedDict()
        """By key, in the order of the log: the event's number, its id and its frame. Of events without a key by id."""
        self._parts: dict[tuple[str, float], Part] = {}
        """What was asked for since the last event came: most readers lack the same."""
        self._begin(event)

    def _begin(self, event: WakeUp) -> None:
        self._ids.clear()
        self._frames.clear()
        self._ids[number_of(event.before)] = event.before
        self.offered = -1
        self.waiting = self._size = 0
        self._append(event)

    def add(self, event: WakeUp) -> None:
        """The next event. If it does not follow on the newest one, it is all that is known from now on."""
        if event.before == self.newest.id:
            self._append(event)
        else:
            self._begin(event)

    def _append(self, event: WakeUp) -> None:
        keyed = _KEY(event.data)
        key = event.id if keyed is None else keyed[1]
        frame = frames.unchunk(frames.durable(event.id, event.kind, event.data))
        replaced, _, old = self._frames.pop(key, (-1, "", b""))
        self._frames[key] = (event.n, event.id, frame)  # at the end: in the order of the log
        self._ids[event.n] = event.id
        self._size += len(frame) - len(old)
        self.waiting += len(frame) - (len(old) if replaced > self.offered else 0)
        self.newest = event
        self._parts.clear()
        while self._size > MOST_BYTES or len(self._ids) > MOST_EVENTS:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        """Whoever has not had the event after the oldest one finds here no more what it lacks."""
        self._ids.popitem(last=False)
        key, (n, _, frame) = next(iter(self._frames.items()))
        if n <= next(iter(self._ids)):
            del self._frames[key]
            self._size -= len(frame)

    def all_offered(self) -> None:
        """All readers are offered what there is."""
        self.offered, self.waiting = self.newest.n, 0

    def after(self, cursor: str, room: float = math.inf) -> Part | None:
        """What a reader lacks that has had this event: the first of it, as much as fits into `room` bytes, but one
        event at least. None: it may lack more than is known here.
        """
        part = self._parts.get((cursor, room))
        if part is None:
            had = number_of(cursor) if cursor else -1
            if self._ids.get(had) != cursor:
                return None
            part = self._parts[cursor, room] = self._after(had, room)
        return part

    def _after(self, had: int, room: float) -> Part:
        lacks: list[tuple[int, str, bytes]] = []
        for one in reversed(self._frames.values()):
            if one[0] <= had:
                break
            lacks.append(one)
        lacks.reverse()
        taken: list[bytes] = []
        id, n = self.newest.id, self.newest.n
        for number, its_id, frame in lacks:
            room -= len(frame)
            if room < 0 and taken:
                break
            id, n = its_id, number
            taken.append(frame)
        return Part(frames.chunk(b"".join(taken)) if taken else b"", id, n, len(taken))
