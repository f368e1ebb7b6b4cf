"""Events of a feed that come in quick succession, made one: one write a reader for all of them.

The first after a pause is written at once. Of those that come while readers are written to, or shortly after, only the
newest of each key is written: a thousand changes a second to a thousand readers would be a million writes.
"""

import asyncio
from collections.abc import Callable

from ssechat.events.wake_ups import WakeUp
from ssechat.streams.latest import Latest

SHORTEST = 0.02
LONGEST = 0.25
EACH = 0.0002
"""Seconds between two writes to all readers of a feed: so much for each of them, within these bounds. A write takes a
tenth of that: most of it is the system call, whether it carries one event or a hundred."""

MOST_WAITING = 64 * 1024
"""Bytes that wait for their time, at most; with more of them a write comes before, unless the one before it lasts."""

Emit = Callable[[bytes, Latest], None]
"""Writes to all streams of a channel what they lack."""


class Batches:
    """The batches of all feeds with readers here."""

    def __init__(
        self, emit: Emit, readers: Callable[[bytes], int], is_busy: Callable[[bytes], bool] = lambda channel: False
    ) -> None:
        """`is_busy`: whether readers of a channel are still written to."""
        self._emit = emit
        self._readers = readers
        self._is_busy = is_busy
        self._latest: dict[bytes, Latest] = {}
        """Of feeds in which there was an event lately."""

    def latest(self, channel: bytes) -> Latest | None:
        """What has come lately, if anything has."""
        return self._latest.get(channel)

    def add(self, channel: bytes, event: WakeUp) -> None:
        """An event has come."""
        latest = self._latest.get(channel)
        if latest is None:
            latest = self._latest[channel] = Latest(event)
            self._write(channel, latest)
            self._wait(channel)
            return
        latest.add(event)
        if latest.waiting > MOST_WAITING and not self._is_busy(channel):
            self._write(channel, latest)

    def _write(self, channel: bytes, latest: Latest) -> None:
        latest.all_offered()
        self._emit(channel, latest)

    def _wait(self, channel: bytes) -> None:
        pause = min(LONGEST, max(SHORTEST, self._readers(channel) * EACH))
        asyncio.get_running_loop().call_later(pause, self._due, channel)

    def _due(self, channel: bytes) -> None:
        latest = self._latest[channel]
        if self._is_busy(channel):
            asyncio.get_running_loop().call_later(SHORTEST, self._due, channel)
            return
        if latest.offered == latest.newest.n:
            del self._latest[channel]
        else:
            self._write(channel, latest)
            self._wait(channel)
