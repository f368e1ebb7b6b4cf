"""The frames of an event stream, read as strictly as the server writes them."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from contract.watch import watch


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream. `id` is None if it has no id field."""

    name: str
    id: str | None
    data: Any
    retry: int | None = None


FIELDS = ("event", "retry", "data", "id")
"""The fields of an event, in the server's order."""


class Frames:
    """Parses an event stream (WHATWG HTML §9.2.6), more strictly than a browser does."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[str] = []
        self.retry: int | None = None
        self.opening: Event | None = None
        """The event that opened the stream; it is not among the yielded events."""

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that these bytes complete."""
        # A lone \r ends a line, too: a text that injects one would show here.
        *lines, self._rest = re.split(rb"\r\n|\n|\r", self._rest + data)
        for line in lines:
            if line:
                self._lines.append(line.decode())
            elif self._lines:
                event = self._event(self._lines)
                self._lines = []
                if event is not None:
                    yield event

    def _event(self, lines: Sequence[str]) -> Event | None:
        fields: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(": ")
            assert colon, line
            assert name in FIELDS, line
            assert name not in fields, lines
            fields[name] = value
        assert list(fields) == [name for name in FIELDS if name in fields], lines
        watch().event(fields)
        retry = int(fields["retry"]) if "retry" in fields else None
        if retry is not None:
            self.retry = retry
        event = Event(fields["event"], fields.get("id"), json.loads(fields["data"]), retry)
        assert (event.name == "retry") == (self.opening is None), lines
        if event.name == "retry":
            self.opening = event
            return None
        return event


def pull(pipe: IO[bytes], frames: Frames, events: list[Event], condition: Callable[[], object]) -> None:
    """Reads a program's output into events until the condition holds.

    Raises:
        AssertionError: the program has ended first.
    """
    while not condition():
        line = pipe.readline()
        assert line, events
        events += frames.feed(line)


def numbers(events: Sequence[Event]) -> list[int]:
    """The n of each durable event."""
    return [int(event.id.partition("-")[0]) for event in events if event.id is not None and event.name == "message"]
