"""Events of a feed that come in quick succession, made one: one write a reader for all of them.

The first after a pause is written at once. Of those that come while readers are written to, or shortly after, only the
newest of each key is written: a thousand changes a second to a thousand readers would be a million writes.
"""

import asyncio
import re
from collections.abc import Callable

from ssechat.events import frames
from ssechat.events.wake_ups import WakeUp

SHORTEST = 0.02
LONGEST = 0.25
EACH = 0.00005
"""Seconds between two writes to all readers of a feed: so much for each of them, within these bounds. A write takes a
fifth of that."""

MOST_BYTES = 64 * 1024
"""Bytes that are gathered, at most; then they are written before their time."""

Emit = Callable[[bytes, WakeUp, bytes, int], None]
"""Writes to all streams of a channel: the event that they shall have then, the chunk, and how many events are in it."""

_KEY = re.compile(rb'\{"key":"((?:[^"\\]|\\.)*)"').match


class _Batch:
    """What has come since the last write."""

    __slots__ = ("before", "chunks", "newest", "size")

    def __init__(self) -> None:
        self.before = ""
        self.newest: WakeUp | None = None
        self.chunks: dict[bytes | str, bytes] = {}
        """By key; of events without one by their ids."""
        self.size = 0

    def add(self, event: WakeUp, chunk: bytes) -> None:
        if self.newest is None:
            self.before = event.before
        self.newest = event
        keyed = _KEY(event.data)
        key = event.id if keyed is None else keyed[1]
        self.size += len(chunk) - len(self.chunks.pop(key, b""))  # at the end: in the order of the log
        self.chunks[key] = chunk


class Batches:
    """The batches of all feeds with readers here."""

    def __init__(self, emit: Emit, readers: Callable[[bytes], int]) -> None:
        self._emit = emit
        self._readers = readers
        self._batches: dict[bytes, _Batch] = {}

    def add(self, channel: bytes, event: WakeUp) -> None:
        """An event has come."""
        chunk = frames.durable(event.id, event.kind, event.data)
        batch = self._batches.get(channel)
        if batch is None:
            self._batches[channel] = _Batch()
            self._wait(channel)
            self._emit(channel, event, chunk, 1)
            return
        if batch.newest is not None and (batch.newest.id != event.before or batch.size + len(chunk) > MOST_BYTES):
            self._write(channel, batch)
            batch = self._batches[channel] = _Batch()
        batch.add(event, chunk)

    def _wait(self, channel: bytes) -> None:
        pause = min(LONGEST, max(SHORTEST, self._readers(channel) * EACH))
        asyncio.get_running_loop().call_later(pause, self._due, channel)

    def _due(self, channel: bytes) -> None:
        batch = self._batches.pop(channel)
        if batch.newest is not None:
            self._batches[channel] = _Batch()
            self._wait(channel)
            self._write(channel, batch)

    def _write(self, channel: bytes, batch: _Batch) -> None:
        assert batch.newest is not None
        together = batch.newest._replace(before=batch.before)
        whole = frames.chunk(b"".join(map(frames.unchunk, batch.chunks.values())))
        self._emit(channel, together, whole, len(batch.chunks))
