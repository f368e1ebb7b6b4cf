"""A connection whose client can stop reading, and its model."""

from dataclasses import dataclass

from parts import FakeSink
from ssechat.ids import UserId
from ssechat.streams.stream import Stream

BUFFER = 5
"""Chunks that a connection buffers before it pauses its stream: more than a greeting has."""


class SlowSink(FakeSink):
    """A connection whose reader may stop reading. Unread chunks are buffered up to a limit."""

    def __init__(self) -> None:
        super().__init__()
        self.stream: Stream | None = None
        self.reading = True
        self.waiting = 0

    def write(self, chunk: bytes) -> None:
        assert self.stream is not None
        if self.stream.paused_at is not None:
            assert b"event: bye\n" in chunk, f"written for a reader whose buffer is full: {chunk!r}"
        super().write(chunk)
        if not self.reading:
            self.waiting += 1
            assert self.waiting <= BUFFER + 2, "the buffer of a slow reader has no limit"
            if self.waiting > BUFFER and self.stream.paused_at is None:
                self.stream.pause()

    def read_on(self) -> None:
        assert self.stream is not None
        self.reading, self.waiting = True, 0
        if self.stream.paused_at is not None and not self.stream.closed:
            self.stream.resume()


@dataclass(eq=False)
class Reader:
    """One connection, and the events that it must have received."""

    user: UserId
    session: str
    stream: Stream
    sink: SlowSink
    at: str
    """The last event id that the client has received; empty at first."""
    valid: bool
    """Whether the client connected without a cursor, or with one of this inbox."""
    seen: int = 0
    greeted: bool = False
    was_live: bool = False
    drained: bool = False
    left: bool = False

    @property
    def open(self) -> bool:
        return not self.stream.closed
