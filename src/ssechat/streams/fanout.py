"""One event for all streams of a user: at once where they are few, else a slice at a time.

A write is a system call, so an event for thousands of streams would hold up everybody else for as long as all of
them take (`python -m tests.bench fanout` prints for how long it does).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from ssechat.streams.stream import Stream

STREAMS_AT_ONCE = 100
"""Streams written to before others get their turn: some milliseconds of writing."""

QUEUE = 1000
"""Events of a user that wait for the one before them. Of more the oldest are dropped: streams find the hole."""

Call = tuple[Callable[..., None], tuple[Any, ...]]
"""The function that is called with each stream, and its other arguments."""


class FanOut:
    """What is on its way to the streams of each user who has many."""

    def __init__(
        self, streams_of: Callable[[bytes], Sequence[Stream]], run: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self._streams_of = streams_of
        self._run = run
        self._queues: dict[bytes, deque[Call]] = {}

    def broadcast(self, channel: bytes, call: Callable[..., None], *arguments: Any) -> None:
        """Calls `call(stream, *arguments)` for each of the channel's streams, after all that was broadcast before."""
        queue = self._queues.get(channel)
        if queue is not None:
            queue.append((call, arguments))
            return
        streams = self._streams_of(channel)
        if len(streams) <= STREAMS_AT_ONCE:
            for stream in tuple(streams):
                call(stream, *arguments)
            return
        self._queues[channel] = deque([(call, arguments)], QUEUE)
        self._run(self._work_off(channel))

    async def _work_off(self, channel: bytes) -> None:
        queue = self._queues[channel]
        try:
            while queue:
                call, arguments = queue.popleft()
                # A stream that is opened after this reads the event from its source.
                streams = tuple(self._streams_of(channel))
                for at in range(0, len(streams), STREAMS_AT_ONCE):
                    for stream in streams[at : at + STREAMS_AT_ONCE]:
                        call(stream, *arguments)
                    await asyncio.sleep(0)
        finally:
            del self._queues[channel]
