"""Client processes whose streams reconnect as a browser's do: with Last-Event-ID, after a pause.

The pause is the server's `retry:`, as in EventSource; it doubles with each failed attempt, as in the page.
"""

import heapq
import os
import re
import time
from array import array
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection
from socket import SO_ERROR, SOL_SOCKET

from .arrivals import Checking, StreamPlan
from .generator import READ, Gauges
from .streams import ACCEPTED, Stream, StreamHolder

LEVEL = 3
"""Gauge: streams that have received all missed events."""

DEFAULT_RETRY = 3.0
LONGEST_PAUSE = 30.0
DOUBLINGS = 5
RETRY = re.compile(rb"(?:^|\n)retry: (\d+)\r?\n")
MISSED = re.compile(rb'\nevent: hello\ndata: [^\n]*"missed":(\d+)[^\n]*\n(?:id: [^\n]*\n)?\n')


@dataclass(slots=True)
class Storm:
    """The reconnects of the streams of one process."""

    level_at: "array[int]"
    """The time when each stream was level: nanoseconds of the monotonic clock."""
    attempts: int = 0
    refused: int = 0
    """Connections that were refused, or lost before the stream was open."""
    sent_away: int = 0
    """Streams that ended with `bye`, to reconnect later."""
    given_up: int = 0
    """Responses other than 200, after which EventSource does not reconnect."""
    resets: int = 0
    """Streams whose cursor the server did not accept."""
    examples: list[str] = field(default_factory=list)


class ReconnectingHolder(StreamHolder):
    """Holds streams that reconnect."""

    def __init__(self, control: Connection, gauges: Gauges, plan: StreamPlan) -> None:
        assert plan.checking is Checking.COUNTING
        super().__init__(control, gauges, plan)
        self.commands |= {"brace": self._brace, "storm": self._report}
        self.storm = Storm(array("q"))
        self.coming_back = False
        self._pauses: list[tuple[int, int, ReconnectingStream]] = []
        self._order = count()

    def stream(self, user: int) -> Stream:
        return ReconnectingStream(self, user)

    def pause(self, stream: "ReconnectingStream", seconds: float) -> None:
        """Schedules a reconnect of the stream."""
        heapq.heappush(self._pauses, (time.monotonic_ns() + int(seconds * 1e9), next(self._order), stream))
        self.patience = 0.01

    def turned(self) -> None:
        now = time.monotonic_ns()
        while self._pauses and self._pauses[0][0] <= now:
            heapq.heappop(self._pauses)[2].come_back()
        if not self._pauses:
            self.patience = 1.0
        super().turned()
        self.gauges[LEVEL] = len(self.storm.level_at)

    def _brace(self) -> None:
        """Makes streams reconnect from now on."""
        self.coming_back = True
        self.reply(None)

    def _report(self) -> None:
        self.reply(self.storm)


class ReconnectingStream(Stream):
    """The stream of one user, over all its connections."""

    __slots__ = ("_failures", "_level", "_retry", "holder")

    def __init__(self, holder: ReconnectingHolder, user: int) -> None:
        self.holder = holder
        self._failures = 0
        self._retry = DEFAULT_RETRY
        self._level = True
        super().__init__(holder, user)

    def _begin(self, greeting: bytes) -> None:
        self._note_retry(greeting)
        super()._begin(greeting)

    def _note_retry(self, part: bytes) -> None:
        found = RETRY.search(part)
        if found is not None:
            self._retry = int(found[1]) / 1000

    def come_back(self) -> None:
        """Reconnects."""
        self.holder.storm.attempts += 1
        self._parts.clear()
        self._connect()

    def _connected(self) -> None:
        if not self.holder.coming_back:
            super()._connected()
            return
        assert self._handle is not None
        error = self._handle.getsockopt(SOL_SOCKET, SO_ERROR)
        if error:
            self._fail(os.strerror(error))
            return
        try:
            self._handle.send(self.holder.requests.stream(self._user, self.cursor))
        except ConnectionError as failure:
            self._fail(str(failure))
            return
        self.holder.change(self._handle.fileno(), READ, self._resumed)

    def _resumed(self) -> None:
        """Handles the response to a request with a cursor."""
        part = self._receive()
        self._parts.append(part)
        so_far = b"".join(self._parts)
        if not part:
            # `bye` and an end mean: reconnect later.
            self._note_retry(so_far)
            if b"\nevent: bye\n" in so_far or b"event: bye\n" in so_far:
                self.holder.storm.sent_away += 1
                self._pause_after(self._retry)
            else:
                self._fail("the connection was cut before the stream was open")
            return
        if len(so_far) > len(ACCEPTED[0]) and not so_far.startswith(ACCEPTED):
            self.holder.storm.given_up += 1
            self.holder.storm.examples.append(so_far[:200].decode(errors="replace"))
            self.close()
            return
        hello = MISSED.search(so_far)
        if hello is None:
            return
        assert self._handle is not None
        self._failures = 0
        self._note_retry(so_far)
        self._parts.clear()
        self._level = False
        if int(hello[1]) == 0 and b'"resumed":true' in hello[0]:
            self._is_level()
        self.holder.change(self._handle.fileno(), READ, self._count)
        # One byte of the hello stays: the search for an event's name begins at a line feed.
        self._take(so_far[hello.end() - 1 :], time.monotonic_ns())

    def _look(self, part: bytes) -> None:
        if not self._level and b"\nevent: caught_up\n" in part:
            self._is_level()
        if b"\nevent: reset\n" in part:
            self.holder.storm.resets += 1
        if b"\nevent: bye\n" in part:
            self._note_retry(part)

    def _is_level(self) -> None:
        self._level = True
        self.holder.storm.level_at.append(time.monotonic_ns())

    def _ended(self) -> None:
        if not self.holder.coming_back:
            super()._ended()
            return
        if not self._level:
            self.holder.storm.refused += 1
        self._pause_after(self._retry)

    def _fail(self, why: str) -> None:
        self.holder.storm.refused += 1
        if len(self.holder.storm.examples) < 5:
            self.holder.storm.examples.append(why)
        self._failures = min(self._failures + 1, DOUBLINGS)
        self._pause_after(min(self._retry * 2**self._failures, LONGEST_PAUSE))

    def _pause_after(self, seconds: float) -> None:
        self.close()
        self.holder.pause(self, seconds)
