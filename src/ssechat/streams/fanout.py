"""Fan-out of one event to all streams of a user: at once if they are few, else in slices.

A write is a system call: thousands of them would block the loop (`python -m tests.bench fanout` prints for how long it
does).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from ssechat.streams.stream import Stream

STREAMS_AT_ONCE = 100
"""Streams written to before others get their turn: some milliseconds of writing."""

QUEUE = 1000
"""Upper bound of a user's waiting events. The oldest are dropped: the streams notice the hole by the newest."""

Count = Callable[[str, int, int], None]
"""Called with the kind of an event, when it was made (as `broadcast` got both), and the sum of what the calls returned:
the number of events written. Once for many streams, as counting each costs too much."""

Call = tuple[Callable[..., int | None], tuple[Any, ...], str, int]
"""The function that is called with each stream, its other arguments, and the kind and the time that are counted."""


class FanOut:
    """The pending events of users with many streams."""

    def __init__(
        self,
        streams: Mapping[bytes, tuple[Stream, ...]],
        run: Callable[[Coroutine[Any, Any, None]], None],
        count: Count,
    ) -> None:
        self._streams = streams
        self._run = run
        self._count = count
        self._queues: dict[bytes, deque[Call]] = {}

    def is_busy(self, channel: bytes) -> bool:
        """Whether streams of this channel are still written to."""
        return channel in self._queues

    def broadcast(
        self,
        channel: bytes,
        call: Callable[..., int | None],
        arguments: tuple[Any, ...] = (),
        kind: str = "",
        at: int = 0,
        may_be_missed: bool = False,
    ) -> None:
        """Calls `call(stream, *arguments)` for each of the channel's streams, after all that was broadcast before.

        `kind` and `at` are for the count. What `may_be_missed` is not called where it would leave too little room for
        what must be found missing.
        """
        queue = self._queues.get(channel)
        if queue is not None:
            if not may_be_missed or len(queue) < QUEUE // 2:
                queue.append((call, arguments, kind, at))
            return
        streams = self._streams.get(channel, ())
        if len(streams) <= STREAMS_AT_ONCE:
            self._call_each(streams, call, arguments, kind, at)
            return
        self._queues[channel] = deque([(call, arguments, kind, at)], QUEUE)
        self._run(self._work_off(channel))

    async def _work_off(self, channel: bytes) -> None:
        queue = self._queues[channel]
        try:
            while queue:
                what = queue.popleft()
                # A stream that is opened after this reads the event from its source.
                streams = self._streams.get(channel, ())
                for at in range(0, len(streams), STREAMS_AT_ONCE):
                    self._call_each(streams[at : at + STREAMS_AT_ONCE], *what)
                    await asyncio.sleep(0)
        finally:
            del self._queues[channel]

    def _call_each(
        self,
        streams: Sequence[Stream],
        call: Callable[..., int | None],
        arguments: tuple[Any, ...],
        kind: str,
        at: int,
    ) -> None:
        written = 0
        for stream in streams:
            written += call(stream, *arguments) or 0
        if written and kind:
            count = self._count  # called by a local name: see src/README.md
            count(kind, at, written)
