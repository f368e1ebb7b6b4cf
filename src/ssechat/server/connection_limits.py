"""What the connections of one worker may take up in all, and each user's or stranger's part of it."""

import logging
import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Protocol

logger = logging.getLogger(__name__)

MIB = 1024 * 1024

UNFINISHED = 64 * MIB
"""Bytes of requests that are not whole, or wait for their turn, of all connections."""

UNREAD = 64 * MIB
UNREAD_PER_READER = 4 * MIB
"""Bytes of answers that wait for their readers, of all connections and of one user's (or one stranger's address)."""

QUIET_SECONDS = 60.0
"""A limit that is reached is logged once, and again when it is reached so long after that."""

MIN_RESERVE = 32
"""Descriptors that a worker has for itself, however few there are: it opens a dozen when it has begun to run."""

FOLDER = "/proc/self/fd"

FEW = 8
"""Connections that nobody's user is asked to give up."""

LOOK_AT = 64
"""Connections that are looked at for one that can go; others for the next newcomer."""


class LimitedConnection(Protocol):
    """A connection."""

    @property
    def is_answering(self) -> bool:
        """Whether there is a request that is whole and not answered."""

    def evict(self) -> None:
        """Ends it now: its room is needed."""


class ConnectionLimits:
    """Counts what connections take up. What is refused is said once in the log, not for each who is refused."""

    def __init__(self, connections: int, now: Callable[[], float] = time.monotonic) -> None:
        """`connections`: how many may be open; as many more as a sixteenth of them are answered, and closed."""
        self.most = connections
        self.hard_limit = connections + max(4, connections // 16)
        self.max_per_user = max(8, connections // 8)
        """Connections of one user that are kept open for a next request."""
        self._now = now
        self._strangers: dict[LimitedConnection, None] = {}
        """In the order in which they came."""
        self._unfinished: dict[LimitedConnection, int] = {}
        self._all_unfinished = 0
        self._unread: dict[LimitedConnection, tuple[str, int]] = {}
        """Of each connection with an answer that waits, whose reader it waits for and its bytes."""
        self._unread_by: Counter[str] = Counter()
        self._all_unread = 0
        self._open: dict[str, dict[LimitedConnection, None]] = {}
        """Of each user, in the order in which they became this user's."""
        self._crowds: set[str] = set()
        """Users with more than a few."""
        self._said: dict[str, float] = {}

    @classmethod
    def of_process(cls) -> "ConnectionLimits":
        """Limits that leave this process some of its file descriptors for files, pipes and Redis."""
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            used = len(os.listdir(FOLDER))  # noqa: PTH208 – no path is needed of them
        except OSError:
            used = 16
        return cls(max(8, (most - used - max(MIN_RESERVE, min(256, most // 8))) * 16 // 17))

    # Descriptors.

    def is_scarce(self, connections: int) -> bool:
        """Whether so many connections are that many that those without a request should be given less time."""
        return connections > self.most * 3 // 4

    def admit(self, newcomer: LimitedConnection, connections: int) -> bool:
        """Takes a new connection, the last of so many. Where that is one too many, it takes the place of a stranger's.

        A stranger's is one on which nobody has said who it is. Where there is none, whoever has most of those that are
        kept for a next request gives one up. False: there is none of those either, and the new one can only be told; or
        those that had to go take too long to be gone.
        """
        self._strangers[newcomer] = None
        if connections <= self.most:
            return True
        self._say("descriptors", "no more than %d connections: strangers' are closed. Raise `ulimit -n`", self.most)
        crowd = max((self._open[user] for user in self._crowds), key=len, default={})
        return any(self._evict_one(group, newcomer) for group in (self._strangers, crowd)) and not self.is_overfull(
            connections
        )

    def _evict_one(self, group: dict[LimitedConnection, None], newcomer: LimitedConnection) -> bool:
        for oldest in list(islice(group, LOOK_AT)):
            del group[oldest]
            if oldest is not newcomer and not oldest.is_answering:
                oldest.evict()
                return True
            group[oldest] = None  # behind the others: those that are busy must not hide those that are not
        return False

    def is_overfull(self, connections: int) -> bool:
        """Whether there is not even room to hear what a new connection asks for."""
        return connections > self.hard_limit

    def is_known(self, guest: LimitedConnection) -> None:
        """Somebody has said who it is, or it is gone."""
        self._strangers.pop(guest, None)

    def keeps_open(self, user: str) -> bool:
        """Whether one more connection of this user may stay open."""
        return len(self._open.get(user, ())) < self.max_per_user

    def opened(self, guest: LimitedConnection, user: str) -> None:
        """A connection is this user's now."""
        held = self._open.get(user)
        if held is None:
            held = self._open[user] = {}
        held[guest] = None
        if len(held) > FEW:
            self._crowds.add(user)

    def closed(self, guest: LimitedConnection, user: str) -> None:
        """A connection is this user's no more."""
        held = self._open.get(user, {})
        held.pop(guest, None)
        if len(held) <= FEW:
            self._crowds.discard(user)
        if not held:
            self._open.pop(user, None)

    # Bytes.

    def begin(self, guest: LimitedConnection, size: int) -> None:
        """Notes bytes of a connection's requests that are not whole, or wait for their turn.

        Where that is too much, those go that wait for longest: whoever means it is done in no time.
        """
        self._unfinished[guest] = self._unfinished.get(guest, 0) + size
        self._all_unfinished += size
        while self._all_unfinished > UNFINISHED:
            self._say("unfinished", "unfinished requests take up %d MiB: the oldest are cut", UNFINISHED // MIB)
            oldest = next(iter(self._unfinished))
            self.finish(oldest)
            oldest.evict()

    def finish(self, guest: LimitedConnection) -> None:
        """The connection has no such bytes any more."""
        self._all_unfinished -= self._unfinished.pop(guest, 0)

    def note_unread(self, guest: LimitedConnection, who: str, size: int) -> None:
        """Notes that an answer's bytes wait for their reader.

        Where that is too much, those go that wait for longest, of the same reader or of all: whoever reads is done in
        no time, and others may have the same address.
        """
        self.read(guest)
        self._unread[guest] = who, size
        self._unread_by[who] += size
        self._all_unread += size
        while self._unread_by[who] > UNREAD_PER_READER:
            self._say(
                "unread", "somebody does not read %d MiB of answers: connections are cut", UNREAD_PER_READER // MIB
            )
            self._cut(next(each for each, (reader, _) in self._unread.items() if reader == who))
        while self._all_unread > UNREAD:
            self._say("all unread", "answers of %d MiB wait for readers: connections are cut", UNREAD // MIB)
            self._cut(next(iter(self._unread)))

    def _cut(self, guest: LimitedConnection) -> None:
        self.read(guest)
        guest.evict()

    def read(self, guest: LimitedConnection) -> None:
        """No answer waits on this connection any more."""
        who, size = self._unread.pop(guest, ("", 0))
        if size:
            _take(self._unread_by, who, size)
            self._all_unread -= size

    def _say(self, limit: str, text: str, number: int) -> None:
        now = self._now()
        if now - self._said.get(limit, -QUIET_SECONDS) >= QUIET_SECONDS:
            logger.warning(text, number)
        self._said[limit] = now


def _take(counts: Counter[str], who: str, size: int) -> None:
    counts[who] -= size
    if counts[who] <= 0:
        del counts[who]
