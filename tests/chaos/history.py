"""The history of a run, as the clients observed it. Times are seconds of one monotonic clock, from the start."""

from dataclasses import dataclass, field
from typing import Any

CONNECT = "(connect)"
LOST = "(lost)"
STUCK = "(stuck)"
READS_AGAIN = "(reads again)"
"""What a device notes beside the events that it gets; they stand in its history under these names."""


@dataclass(slots=True)
class Attempt:
    """One request of a send, and what came of it: a status, or `lost`, or `timeout`."""

    began: float
    ended: float
    outcome: str
    answer: dict[str, Any] | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether the answer says that the message is there."""
        return self.outcome in ("200", "201")


@dataclass(slots=True)
class Send:
    """A message that somebody wanted to send, with one client_msg_id for all attempts."""

    conversation: str
    sender: str
    client_msg_id: str
    text: str
    invoked: float
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def acked(self) -> float | None:
        """When the first acknowledgement came."""
        return min((each.ended for each in self.attempts if each.acknowledged), default=None)

    @property
    def answer(self) -> dict[str, Any] | None:
        """The message as an acknowledgement gave it."""
        return next((each.answer for each in self.attempts if each.acknowledged), None)


@dataclass(slots=True)
class Event:
    """Something that a device got, or that happened to it."""

    at: float
    name: str
    id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def n(self) -> int | None:
        """The number in the id."""
        return None if self.id is None else int(self.id.partition("-")[0])


@dataclass(slots=True)
class Device:
    """One device of a user and all that it got, in order, over all its connections."""

    user: str
    name: str
    from_start: bool = True
    """Whether it asked for all that there is; else it began where its first `hello` said."""
    events: list[Event] = field(default_factory=list)

    @property
    def since(self) -> float | None:
        """From when on it is owed every message; None when it never got through."""
        if self.from_start:
            return float("-inf")
        return next((event.at for event in self.events if event.name == "hello"), None)

    @property
    def messages(self) -> list[Event]:
        """The messages that it got."""
        return [event for event in self.events if event.name == "message"]

    @property
    def resets(self) -> list[Event]:
        """The resets that it got."""
        return [event for event in self.events if event.name == "reset"]

    @property
    def began(self) -> float:
        """When it connected first."""
        return self.events[0].at if self.events else float("inf")


@dataclass(slots=True)
class Injected:
    """A fault that was injected, and until when it lasted."""

    at: float
    until: float
    kind: str
    detail: str = ""
    lost: tuple[float, float] | None = None
    """Since when, and until when, what Redis took is gone through this fault: it lost data by design."""


@dataclass(slots=True)
class History:
    """Everything of one run."""

    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Conversation → its members."""
    sends: list[Send] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    faults: list[Injected] = field(default_factory=list)
    ended: float = 0.0
    """When the last look was taken: what is not there by then is lost."""

    @property
    def losses(self) -> list[tuple[float, float]]:
        """Since when and until when data was lost, by each fault that lost any."""
        return sorted(fault.lost for fault in self.faults if fault.lost is not None)
