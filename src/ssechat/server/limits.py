"""What the connections of one worker may take up in all, and each user's or stranger's part of it."""

import logging
import os
import resource
import time
from collections import Counter
from collections.abc import Callable

logger = logging.getLogger(__name__)

MIB = 1024 * 1024

UNFINISHED = 64 * MIB
"""Bytes of requests that are not whole yet, of all connections."""

UNREAD = 64 * MIB
UNREAD_EACH = 4 * MIB
"""Bytes of answers that wait for their readers, of all connections and of one user's (or one stranger's address)."""

QUIET_SECONDS = 60.0
"""A limit that is reached is logged once, and again when it is reached so long after that."""

FOLDER = "/proc/self/fd"


class Limits:
    """Counts what connections take up. What is refused is said once in the log, not for each who is refused."""

    def __init__(self, connections: int, now: Callable[[], float] = time.monotonic) -> None:
        """`connections`: how many may be open; as many more as a sixteenth of them are answered, and closed."""
        self.most = connections
        self.utmost = connections + max(4, connections // 16)
        self.most_each = max(8, connections // 8)
        """Connections of one user that are kept open for a next request."""
        self._now = now
        self._unfinished = 0
        self._unread: Counter[str] = Counter()
        self._all_unread = 0
        self._open: Counter[str] = Counter()
        self._said: dict[str, float] = {}

    @classmethod
    def of_process(cls) -> "Limits":
        """Limits that leave this process some of its file descriptors for files, pipes and Redis."""
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            used = len(os.listdir(FOLDER))  # noqa: PTH208 – no path is needed of them
        except OSError:
            used = 16
        return cls(max(8, (most - used - min(256, most // 8)) * 16 // 17))

    # Descriptors.

    def is_scarce(self, connections: int) -> bool:
        """Whether so many connections are that many that those without a request should be given less time."""
        return connections > self.most * 3 // 4

    def is_full(self, connections: int) -> bool:
        """Whether a new connection is one too many, and can only be told so."""
        if connections <= self.most:
            return False
        self._say("descriptors", "no more than %d connections: new ones are sent away. Raise `ulimit -n`", self.most)
        return True

    def is_overfull(self, connections: int) -> bool:
        """Whether there is not even room to hear what a new connection asks for."""
        return connections > self.utmost

    def keeps_open(self, user: str) -> bool:
        """Whether one more connection of this user may stay open."""
        return self._open[user] < self.most_each

    def opened(self, user: str) -> None:
        """A connection is this user's now."""
        self._open[user] += 1

    def closed(self, user: str) -> None:
        """A connection is this user's no more."""
        _take(self._open, user, 1)

    # Bytes.

    def begin(self, size: int) -> bool:
        """Takes room for a part of a request that is not whole; False: there is none, and none was taken."""
        if self._unfinished + size > UNFINISHED:
            self._say("unfinished", "requests that are not whole take up %d MiB: more are refused", UNFINISHED // MIB)
            return False
        self._unfinished += size
        return True

    def finish(self, size: int) -> None:
        """Gives room back that `begin` took."""
        self._unfinished -= size

    def leave_unread(self, who: str, size: int) -> bool:
        """Notes that an answer's bytes wait for their reader; False: that is too much, and the reader must go."""
        self._unread[who] += size
        self._all_unread += size
        if self._unread[who] > UNREAD_EACH:
            self._say("unread", "somebody does not read %d MiB of answers: connections are cut", UNREAD_EACH // MIB)
            return False
        if self._all_unread > UNREAD:
            self._say("all unread", "answers of %d MiB wait for readers: connections are cut", UNREAD // MIB)
            return False
        return True

    def read(self, who: str, size: int) -> None:
        """Takes back what `leave_unread` noted."""
        _take(self._unread, who, size)
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
