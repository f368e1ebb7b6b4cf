"""One event for all streams of a user: at once where they are few, else a slice at a time.

A write is a system call, so an event for thousands of streams would hold up everybody else for as long as all of
them take (`python -m tests.bench fanout` prints for how long it does).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from ssechat.streams.stream import Stream

SLICE = 100
"""Streams in one go: some milliseconds of writing."""

QUEUE = 1000
"""Events of a user that wait for the one before them. Of more the oldest are dropped: streams find the hole."""

Telling = tuple[Callable[..., None], tuple[Any, ...]]
"""What is called with each stream, and what it is given besides."""


class FanOut:
    """What is on its way to the streams of each user who has many."""

    def __init__(
        self, streams_of: Callable[[bytes], Sequence[Stream]], run: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self._streams_of = streams_of
        self._run = run
        self._queues: dict[bytes, deque[Telling]] = {}

    def tell(self, channel: bytes, tell: Callable[..., None], *what: Any) -> None:
        """Calls `tell(stream, *what)` for each of the channel's streams, after all that they were to be told before."""
        queue = self._queues.get(channel)
        if queue is not None:
            queue.append((tell, what))
            return
        streams = self._streams_of(channel)
        if len(streams) <= SLICE:
            for stream in tuple(streams):
                tell(stream, *what)
            return
        self._queues[channel] = deque([(tell, what)], QUEUE)
        self._run(self._work_off(channel))

    async def _work_off(self, channel: bytes) -> None:
        queue = self._queues[channel]
        try:
            while queue:
                tell, what = queue.popleft()
                # Who comes after this was taken reads the event from the inbox.
                streams = tuple(self._streams_of(channel))
                for at in range(0, len(streams), SLICE):
                    for stream in streams[at : at + SLICE]:
                        tell(stream, *what)
                    await asyncio.sleep(0)
        finally:
            del self._queues[channel]
