"""A connection whose client can stop reading, and its model."""

from dataclasses import dataclass

from parts import FakeSink
from ssechat.ids import UserId
from ssechat.streams.stream import Stream

BUFFER = 5
"""Chunks that wait in a connection before its stream is told to pause: more than a greeting has."""


class SlowSink(FakeSink):
    """A connection whose reader may stop reading: what it does not take waits, and that has a limit."""

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
            assert self.waiting <= BUFFER + 2, "what waits for a slow reader has no end"
            if self.waiting > BUFFER and self.stream.paused_at is None:
                self.stream.pause()

    def read_on(self) -> None:
        assert self.stream is not None
        self.reading, self.waiting = True, 0
        if self.stream.paused_at is not None and not self.stream.closed:
            self.stream.resume()


@dataclass(eq=False)
class Reader:
    """One connection, and what it must have got."""

    user: UserId
    session: str
    stream: Stream
    sink: SlowSink
    at: str
    """The id that it stands at, as its client knows it; empty before it knows any."""
    valid: bool
    """Whether it came without a cursor, or with one of this inbox."""
    seen: int = 0
    greeted: bool = False
    was_live: bool = False
    drained: bool = False
    left: bool = False

    @property
    def open(self) -> bool:
        return not self.stream.closed
