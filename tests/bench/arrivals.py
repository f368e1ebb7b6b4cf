"""Commands to the client processes, and what their streams received."""

from array import array
from dataclasses import dataclass, field
from enum import StrEnum

from .dialects import Dialect


class Checking(StrEnum):
    """What is done with what a stream brings after its greeting."""

    NOTHING = "nothing"
    EXACT = "exact"
    """All is kept, and each message is compared with its acknowledgement at the end."""
    COUNTING = "counting"
    """Nothing is kept but each stream's last n: the next event's is one more, or it was lost, doubled or misordered."""


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """Where streams are opened, and how."""

    address: tuple[str, int]
    dialect: Dialect
    checking: Checking
    rest: float = 0.0
    """Seconds between looks at the sockets, once all are open."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that came on a stream."""

    number: int
    """Its client_msg_id."""
    n: int
    """The number in its event's id."""
    conversation: str
    seq: int
    at: int
    """When it was read: nanoseconds of the monotonic clock, which all processes share."""


@dataclass(slots=True)
class Received:
    """All that came on one user's stream."""

    user: str
    head: int
    """The number in the id that the stream began at: the first message's is one more."""
    messages: list[Arrival]
    others: list[str] = field(default_factory=list)
    """Names of events that do not belong to an ordinary run, such as `reset` and `bye`."""


@dataclass(slots=True)
class Tally:
    """What the streams of one process brought, when they only count."""

    came: "array[int]"
    """Of each stream in the order of their opening, how many messages."""
    arrivals: "array[int]"
    """For each message when it came, and the nanoseconds since it was sent."""
    jumps: int = 0
    """How often the next number was more than one above the last."""
    doubled: int = 0
    """How often it was not above it."""
    others: list[str] = field(default_factory=list)
