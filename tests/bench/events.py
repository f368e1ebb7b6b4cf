"""Parses a stream: chunked transfer coding (RFC 9112 §7.1) of Server-Sent Events (WHATWG HTML §9.2.6)."""

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

NUMBER = re.compile(rb'"client_msg_id":"(\d+)"')


@dataclass(frozen=True, slots=True)
class Event:
    """One event, and the time when its last byte was read (nanoseconds of the monotonic clock)."""

    name: str
    id: str
    data: Any
    arrived_at: int


def parse(parts: Sequence[bytes], arrivals: Sequence[int]) -> Iterator[Event]:
    """Yields the events of one response. `parts` are the bytes of each read, `arrivals` the times of the reads."""
    everything = b"".join(parts)
    ends = list(accumulate(len(part) for part in parts))
    position = everything.find(b"\r\n\r\n") + 4
    while (line_end := everything.find(b"\r\n", position)) >= 0:
        size = int(everything[position:line_end], 16)
        end = line_end + 2 + size
        if size == 0 or end > len(everything):
            return
        arrived_at = arrivals[bisect_left(ends, end)]
        # The server writes whole frames into a chunk.
        for frame in everything[line_end + 2 : end].decode().split("\n\n"):
            event = _event(frame, arrived_at)
            if event is not None:
                yield event
        position = end + 2


def find_numbers(parts: Sequence[bytes], arrivals: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yields the numbers of the messages in one response of any server, with their times of arrival."""
    everything = b"".join(parts)
    ends = list(accumulate(len(part) for part in parts))
    for found in NUMBER.finditer(everything):
        yield int(found[1]), arrivals[bisect_left(ends, found.end())]


def _event(frame: str, arrived_at: int) -> Event | None:
    fields = dict(line.partition(": ")[::2] for line in frame.split("\n") if line)
    if "data" not in fields:
        return None
    return Event(fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"]), arrived_at)
