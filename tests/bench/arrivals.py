"""Commands to the client processes, and the events that their streams received."""

from array import array
from dataclasses import dataclass, field
from enum import StrEnum

from .dialects import Dialect

ALL = b"0-0"
"""The cursor of a reader that wants all stored events."""


class Checking(StrEnum):
    """How the events of a stream after its greeting are checked."""

    NOTHING = "nothing"
    EXACT = "exact"
    """All messages are kept, and compared with their acknowledgements at the end."""
    COUNTING = "counting"
    """Only each stream's last n is kept: an event whose n is not one more was lost, doubled or misordered."""


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """Where and how streams are opened."""

    address: tuple[str, int]
    dialect: Dialect
    checking: Checking
    rest: float = 0.0
    """Seconds between polls of the sockets, when all streams are open."""
    cursor: bytes = b""
    """The last event id that streams are opened with."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that arrived on a stream."""

    number: int
    """Its client_msg_id."""
    n: int
    """The number in the event id."""
    conversation: str
    seq: int
    at: int
    """The time of its arrival: nanoseconds of the monotonic clock, which all processes share."""


@dataclass(slots=True)
class Received:
    """The messages and other events of one user's stream."""

    user: str
    head: int
    """The number in the id of the greeting: that of the first message is one more."""
    messages: list[Arrival]
    others: list[str] = field(default_factory=list)
    """Names of unexpected events, such as `reset` and `bye`."""


@dataclass(slots=True)
class Tally:
    """The counts of the streams of one process, without the messages."""

    came: "array[int]"
    """The number of messages per stream, in the order of opening."""
    arrivals: "array[int]"
    """The time of arrival of each message, and the nanoseconds since it was sent."""
    jumps: int = 0
    """The count of numbers more than one above the last."""
    doubled: int = 0
    """The count of numbers not above the last."""
    others: list[str] = field(default_factory=list)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The arrivals, each as a pair."""
        return list(zip(self.arrivals[::2], self.arrivals[1::2], strict=True))
