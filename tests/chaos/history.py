"""The history of a run, as the clients observed it. Times are seconds of one monotonic clock, from the start."""

from dataclasses import dataclass, field
from typing import Any

CONNECT = "(connect)"
LOST = "(lost)"
STUCK = "(stuck)"
READS_AGAIN = "(reads again)"
"""Names of entries in a device's history that are not events of the stream."""

CHANGES = ("message.updated", "message.deleted")
FACTS = ("member", "conversation")
"""Names of durable events, besides `message`. A replay may skip a change that a later one of the message supersedes."""


@dataclass(slots=True)
class Attempt:
    """One request of an action, and its outcome: a status, `lost` or `timeout`."""

    began: float
    ended: float
    outcome: str
    answer: dict[str, Any] | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether the response acknowledges the action."""
        return self.outcome in ("200", "201", "204")


@dataclass(slots=True)
class Send:
    """A message with one client_msg_id for all attempts."""

    conversation: str
    sender: str
    client_msg_id: str
    text: str
    invoked: float
    attempts: list[Attempt] = field(default_factory=list)
    refused: str | None = None
    """The code of the answer that refused it for good. An earlier attempt of unknown outcome may be done later."""

    @property
    def acked(self) -> float | None:
        """The time of the first acknowledgement."""
        return min((each.ended for each in self.attempts if each.acknowledged), default=None)

    @property
    def answer(self) -> dict[str, Any] | None:
        """The message in the acknowledgement."""
        return next((each.answer for each in self.attempts if each.acknowledged), None)

    @property
    def over(self) -> bool:
        """Whether it is acknowledged, or refused for good."""
        return self.refused is not None or self.acked is not None


@dataclass(slots=True)
class Change(Send):
    """A change of a group or of a message in it. `sender` does it, `client_msg_id` names it in this history only.

    `text` is the new text, emoji, role or name.
    """

    what: str = ""
    """make, add, remove, leave, join, role, rename; edit, delete, react, unreact."""
    users: tuple[str, ...] = ()
    seq: int = 0


@dataclass(slots=True)
class Event:
    """An event of the stream, or another entry of a device's history."""

    at: float
    name: str
    id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def n(self) -> int | None:
        """The number in the id."""
        return None if self.id is None else int(self.id.partition("-")[0])

    @property
    def durable(self) -> bool:
        """Whether it stands for an entry of the inbox: a message, a change of one, or a fact."""
        return self.name == "message" or self.name in CHANGES or self.name in FACTS

    @property
    def conversation(self) -> str:
        """The id of its conversation."""
        return str(self.data.get("conversation_id"))


@dataclass(slots=True)
class Device:
    """One device of a user with all its events, in order, over all its connections."""

    user: str
    name: str
    from_start: bool = True
    """Whether it read from the beginning; otherwise it began at the id of its first `hello`."""
    events: list[Event] = field(default_factory=list)

    @property
    def since(self) -> float | None:
        """The time from which it is owed every message; None if it never connected."""
        if self.from_start:
            return float("-inf")
        return next((event.at for event in self.events if event.name == "hello"), None)

    @property
    def messages(self) -> list[Event]:
        """The received messages."""
        return [event for event in self.events if event.name == "message"]

    @property
    def resets(self) -> list[Event]:
        """The received resets."""
        return [event for event in self.events if event.name == "reset"]

    @property
    def began(self) -> float:
        """The time of its first connection."""
        return self.events[0].at if self.events else float("inf")


@dataclass(slots=True)
class Injected:
    """An injected fault, and its end."""

    at: float
    until: float
    kind: str
    detail: str = ""
    lost: tuple[float, float] | None = None
    """The beginning and end of the writes that this fault lost by design."""


@dataclass(slots=True)
class Group:
    """A group of the run."""

    id: str
    keeper: str
    """Its maker and owner, who is a member of it all the time and of nothing else: so the entries of this user's inbox
    are those of the group's log, and their numbers the log's positions."""
    members: tuple[str, ...]
    """Those that it was made with."""
    name: str
    from_join: bool = False
    """Whether one reads nothing from before one's join."""


@dataclass(slots=True)
class Fetched:
    """What REST said to a user of a group when all was over."""

    user: str
    conversation: str
    at: float
    group: dict[str, Any] | None = None
    """The group object; None: the user may not see it."""
    listed: bool = False
    """Whether the user's list of conversations has it."""
    messages: list[dict[str, Any]] = field(default_factory=list)
    roles: dict[str, str] = field(default_factory=dict)
    """All members with their roles; empty if the user may not ask."""


@dataclass(slots=True)
class History:
    """The history of one run."""

    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Direct conversation → its members."""
    sends: list[Send] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    faults: list[Injected] = field(default_factory=list)
    ended: float = 0.0
    """The end of the run: messages that have not arrived by then are lost."""
    groups: dict[str, Group] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    """In groups; the messages to groups are among the sends."""
    fetched: list[Fetched] = field(default_factory=list)
    published: list[Send] = field(default_factory=list)
    """Events of a feed."""
    feed_readers: list[Device] = field(default_factory=list)
    """Who read the feed."""

    @property
    def losses(self) -> list[tuple[float, float]]:
        """The beginning and end of each data loss."""
        return sorted(fault.lost for fault in self.faults if fault.lost is not None)
