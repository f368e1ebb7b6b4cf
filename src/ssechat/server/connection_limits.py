"""Limits of a worker on open connections, incomplete requests and unread responses, in total and per user or
address."""

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
"""Upper bound of the bytes of incomplete and pipelined requests of all connections."""

UNREAD = 64 * MIB
UNREAD_PER_READER = 4 * MIB
"""Upper bounds of unread response bytes: of all connections, and of one user (without a user: of one address)."""

QUIET_SECONDS = 60.0
"""Seconds after which a limit that is reached again is logged again."""

MIN_RESERVE = 32
"""File descriptors that are reserved for the worker itself."""

FOLDER = "/proc/self/fd"

MIN_KEPT = 8
"""Upper bound of a user's connections of which none is evicted."""

LOOK_AT = 64
"""Upper bound of the connections that are checked for one to evict."""


class LimitedConnection(Protocol):
    """A connection, as the limits use it."""

    @property
    def is_answering(self) -> bool:
        """Whether a complete request waits for its response."""

    def evict(self) -> None:
        """Closes the connection now, to make room for another one."""


class ConnectionLimits:
    """Counts connections and their bytes against the limits. A reached limit is logged once, not per connection."""

    def __init__(self, connections: int, now: Callable[[], float] = time.monotonic) -> None:
        """`connections` may be open; up to a sixteenth more are answered with 503 and closed."""
        self.most = connections
        self.hard_limit = connections + max(4, connections // 16)
        self.max_per_user = max(8, connections // 8)
        """Upper bound of the connections of one user that are kept alive."""
        self._now = now
        self._anonymous: dict[LimitedConnection, None] = {}
        """Connections without a user, the oldest first."""
        self._unfinished: dict[LimitedConnection, int] = {}
        self._all_unfinished = 0
        self._unread: dict[LimitedConnection, tuple[str, int]] = {}
        """The reader and the unread bytes of each connection with an unread response."""
        self._unread_by: Counter[str] = Counter()
        self._all_unread = 0
        self._open: dict[str, dict[LimitedConnection, None]] = {}
        """The connections of each user, the oldest first."""
        self._evictable_users: set[str] = set()
        """Users with more than `MIN_KEPT` connections."""
        self._said: dict[str, float] = {}

    @classmethod
    def of_process(cls) -> "ConnectionLimits":
        """Limits that leave this process some of its file descriptors for files, pipes and Redis."""
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            used = len(os.listdir(FOLDER))  # noqa: PTH208 – only the number of files is needed
        except OSError:
            used = 16
        return cls(max(8, (most - used - max(MIN_RESERVE, min(256, most // 8))) * 16 // 17))

    # File descriptors.

    def is_scarce(self, connections: int) -> bool:
        """Whether so many connections are open that idle ones should get shorter timeouts."""
        return connections > self.most * 3 // 4

    def admit(self, new: LimitedConnection, connections: int) -> bool:
        """Admits a new connection, given the number of open ones. Over the limit, an idle connection without a user is
        closed for it.

        If there is none, an idle connection of the user with the most connections is closed. Returns False if no
        connection can be closed, or the hard limit is exceeded: then the new connection must be refused.
        """
        self._anonymous[new] = None
        if connections <= self.most:
            return True
        self._say(
            "descriptors",
            "the limit of %d connections is reached: closing those without a user. Raise `ulimit -n`",
            self.most,
        )
        largest = max((self._open[user] for user in self._evictable_users), key=len, default={})
        return any(self._evict_one(group, new) for group in (self._anonymous, largest)) and not self.is_overfull(
            connections
        )

    def _evict_one(self, group: dict[LimitedConnection, None], new: LimitedConnection) -> bool:
        for oldest in list(islice(group, LOOK_AT)):
            del group[oldest]
            if oldest is not new and not oldest.is_answering:
                oldest.evict()
                return True
            group[oldest] = None  # moved to the end: busy connections must not hide idle ones
        return False

    def is_overfull(self, connections: int) -> bool:
        """Whether a new connection must be refused before it sends a request."""
        return connections > self.hard_limit

    def is_known(self, connection: LimitedConnection) -> None:
        """Called when a connection has got a user, or is closed."""
        self._anonymous.pop(connection, None)

    def open(self, connection: LimitedConnection, user: str) -> bool:
        """Counts a connection for a user; returns whether it may be kept alive, else it is not counted."""
        held = self._open.get(user)
        if held is None:
            held = self._open[user] = {}
        elif len(held) >= self.max_per_user:
            return False
        held[connection] = None
        if len(held) > MIN_KEPT:
            self._evictable_users.add(user)
        return True

    def closed(self, connection: LimitedConnection, user: str) -> None:
        """Counts a connection for a user no more."""
        held = self._open[user]
        del held[connection]
        if not held:
            del self._open[user]
        elif len(held) == MIN_KEPT:
            self._evictable_users.discard(user)

    # Bytes.

    def begin(self, connection: LimitedConnection, size: int) -> None:
        """Counts bytes of a connection's incomplete or pipelined requests.

        Over the limit, the oldest connections are closed: an honest client completes a request quickly.
        """
        self._unfinished[connection] = self._unfinished.get(connection, 0) + size
        self._all_unfinished += size
        while self._all_unfinished > UNFINISHED:
            self._say("unfinished", "incomplete requests use %d MiB: closing the oldest connections", UNFINISHED // MIB)
            oldest = next(iter(self._unfinished))
            self.finish(oldest)
            oldest.evict()

    def finish(self, connection: LimitedConnection) -> None:
        """Releases the bytes that `begin` counted for a connection."""
        self._all_unfinished -= self._unfinished.pop(connection, 0)

    def note_unread(self, connection: LimitedConnection, who: str, size: int) -> None:
        """Counts unread response bytes of a connection.

        Over a limit, the oldest connections are closed, of this reader or of all: an honest client reads quickly.
        """
        self.read(connection)
        self._unread[connection] = who, size
        self._unread_by[who] += size
        self._all_unread += size
        while self._unread_by[who] > UNREAD_PER_READER:
            self._say(
                "unread",
                "one client leaves %d MiB of responses unread: closing its oldest connections",
                UNREAD_PER_READER // MIB,
            )
            self._cut(next(each for each, (reader, _) in self._unread.items() if reader == who))
        while self._all_unread > UNREAD:
            self._say("all unread", "%d MiB of responses are unread: closing the oldest connections", UNREAD // MIB)
            self._cut(next(iter(self._unread)))

    def _cut(self, connection: LimitedConnection) -> None:
        self.read(connection)
        connection.evict()

    def read(self, connection: LimitedConnection) -> None:
        """Releases the bytes that `note_unread` counted for a connection."""
        who, size = self._unread.pop(connection, ("", 0))
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
