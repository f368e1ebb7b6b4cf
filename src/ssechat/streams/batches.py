"""Events of a feed that come in quick succession, made one: one write a reader for all of them.

The first after a pause is written at once. Of those that come while readers are written to, or shortly after, only the
newest of each key is written: a thousand changes a second to a thousand readers would be a million writes.
"""

import asyncio
import re
from collections.abc import Callable

from ssechat.events import frames
from ssechat.events.wake_ups import WakeUp
from ssechat.ids import number_of

SHORTEST = 0.02
LONGEST = 0.25
EACH = 0.00005
"""Seconds between two writes to all readers of a feed: so much for each of them, within these bounds. A write takes a
fifth of that."""

MOST_BYTES = 64 * 1024
"""Bytes that are gathered, at most; then they are written before their time."""

MOST_BYTES_OF_KEYS = 4 * MOST_BYTES
"""The same with keys, while readers are still written to: what waits here can be replaced, what is written cannot."""

MOST_EVENTS = 10_000
"""Events that are gathered, at most, with those that were replaced."""

_KEY = re.compile(rb'\{"key":"((?:[^"\\]|\\.)*)"').match


class Batch:
    """Events of a feed, without a hole between them, and of each key the newest."""

    __slots__ = ("_chunks", "_first", "_ids", "_parts", "before", "is_keyed", "newest", "size")

    def __init__(self, event: WakeUp) -> None:
        self.before = event.before
        """The id of the event before the first one."""
        self.newest = event
        self.is_keyed = False
        self.size = 0
        """Bytes of what is written to who lacks all of it."""
        self._first = event.n
        self._ids: list[str] = []
        self._chunks: dict[bytes | str, tuple[int, bytes]] = {}
        """By key, with the event's number; of events without a key by their ids."""
        self._parts: dict[str, bytes] = {}
        self.add(event)

    def __len__(self) -> int:
        return len(self._chunks)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for what was replaced either."""
        return len(self._ids) >= MOST_EVENTS

    def add(self, event: WakeUp) -> None:
        """The event after the newest one."""
        chunk = frames.durable(event.id, event.kind, event.data)
        keyed = _KEY(event.data)
        self.is_keyed = keyed is not None
        key = event.id if keyed is None else keyed[1]
        _, replaced = self._chunks.pop(key, (0, b""))  # at the end: in the order of the log
        self._chunks[key] = (event.n, chunk)
        self.size += len(chunk) - len(replaced)
        self.newest = event
        self._ids.append(event.id)

    def after(self, cursor: str) -> bytes:
        """What a reader lacks that has had this event, as one chunk; empty if that does not lead on to the newest one.

        A reader that has read the log while these events waited here has the first of them already.
        """
        part = self._parts.get(cursor)
        if part is None:
            part = self._parts[cursor] = self._after(cursor)
        return part

    def _after(self, cursor: str) -> bytes:
        had = number_of(cursor) if cursor else -1
        if cursor != self.before:
            at = had - self._first
            if not 0 <= at < len(self._ids) - 1 or self._ids[at] != cursor:
                return b""
        lacks = [chunk for n, chunk in self._chunks.values() if n > had]
        return lacks[0] if len(lacks) == 1 else frames.chunk(b"".join(map(frames.unchunk, lacks)))


Emit = Callable[[bytes, Batch], None]
"""Writes to all streams of a channel what they lack of a batch."""


class Batches:
    """The batches of all feeds with readers here."""

    def __init__(
        self, emit: Emit, readers: Callable[[bytes], int], is_busy: Callable[[bytes], bool] = lambda channel: False
    ) -> None:
        """`is_busy`: whether readers of a channel are still written to."""
        self._emit = emit
        self._readers = readers
        self._is_busy = is_busy
        self._batches: dict[bytes, Batch | None] = {}
        """What has come since the last write; None: nothing."""

    def add(self, channel: bytes, event: WakeUp) -> None:
        """An event has come."""
        if channel not in self._batches:
            self._batches[channel] = None
            self._wait(channel)
            self._emit(channel, Batch(event))
            return
        batch = self._batches[channel]
        if batch is not None and (batch.newest.id != event.before or self._is_large(channel, batch, event)):
            self._emit(channel, batch)
            batch = None
        if batch is None:
            self._batches[channel] = Batch(event)
        else:
            batch.add(event)

    def _is_large(self, channel: bytes, batch: Batch, event: WakeUp) -> bool:
        size = batch.size + len(event.data)
        if size <= MOST_BYTES:
            return batch.is_full
        return batch.is_full or size > MOST_BYTES_OF_KEYS or not (batch.is_keyed and self._is_busy(channel))

    def _wait(self, channel: bytes) -> None:
        pause = min(LONGEST, max(SHORTEST, self._readers(channel) * EACH))
        asyncio.get_running_loop().call_later(pause, self._due, channel)

    def _due(self, channel: bytes) -> None:
        batch = self._batches[channel]
        if batch is None:
            del self._batches[channel]
        elif self._is_busy(channel):
            asyncio.get_running_loop().call_later(SHORTEST, self._due, channel)
        else:
            self._batches[channel] = None
            self._wait(channel)
            self._emit(channel, batch)
