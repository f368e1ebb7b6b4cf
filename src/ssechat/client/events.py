"""The events of a user's stream, typed by their kinds.

To add a kind: a model of its data, a class of its events, and an entry in `KINDS`.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import ValidationError

from ssechat.client.feed_models import FeedItem
from ssechat.client.models import Mark, Member, Message, Model, Person, ReadState

Name = TypeVar("Name", bound=str, covariant=True)
Data = TypeVar("Data", covariant=True)


class GroupChange(Model):
    """A group's name and topic as they are from now on, or that it has ended."""

    conversation_id: str
    name: str = ""
    topic: str = ""
    history: str = ""
    ended: bool = False


class MemberChange(Model):
    """Somebody joined a group, left it (`left`), or has another role."""

    conversation_id: str
    users: tuple[Member, ...] = ()
    by: str = ""
    member_count: int = 0
    """From now on."""
    name: str = ""
    """The group's, if somebody joined."""
    left: bool = False
    more: bool = False
    """There are more than `users` says: the members must be read anew."""


class MarkChange(Mark):
    """One has read up to `read_up_to` on some device, or has muted or unmuted the conversation."""


class ProfileChange(Model):
    """One's profile has changed, on some device: `chat.me()` has it as it stands."""

    version: int = 0
    """Grows with each change."""


class BlockChange(Model):
    """One has blocked somebody on some device, or taken that back."""

    conversation_id: str
    """The direct conversation of the two."""
    user: str
    blocked: bool = False
    """From now on."""


class ReceiptChange(Model):
    """Somebody else has read a conversation further, or has more of it on a device."""

    conversation_id: str
    user: str
    read_up_to: int = 0
    """The seq of the newest message that the user has read or sent."""
    delivered_up_to: int = 0
    """The seq of the newest message that a device of the user has."""


class Typing(Model):
    """Somebody is writing, for as long as `expires_in` seconds, or until the message comes."""

    conversation_id: str
    user: str
    expires_in: int = 15


class Presence(Model):
    """Of some whom one watches, whether they are there. What is known of the others stands."""

    users: tuple[Person, ...] = ()


class Reset(Model):
    """Events are missing: what is known of the conversation, or without one of all, must be read anew."""

    reason: str
    """`expired`: one was away for too long; `unknown`: the last id is none of this server's; `lost`: it lost events."""
    conversation_id: str = ""
    oldest: str = ""
    newest: str = ""


class Hello(Model):
    """A stream has begun."""

    user: str
    """Whose stream it is."""
    resumed: bool = False
    missed: int = 0
    """How many events follow before those that are new."""


class FeedHello(Model):
    """A stream of a feed has begun."""

    feed: str
    resumed: bool = False
    missed: int = 0
    """How many events were published since; of a feed with keys the newest of each follow."""


class CaughtUp(Model):
    """All that was missed has been sent; what follows is new."""

    id: str = ""


class Bye(Model):
    """The server ends a stream. The client opens the next one by itself where that has a point."""

    reason: str
    """`drain`, `unavailable`, `slow`, `too_many`, `token_expired`, `signed_out` …"""


@dataclass(frozen=True)
class _Event(Generic[Name, Data]):
    name: Name
    id: str
    """What to resume after; empty for an event that has none, because it is not kept."""
    data: Data
    raw: Any = field(default=None, repr=False, compare=False)
    """The data as it was sent (JSON), with fields that only a newer server knows."""


class _OfAMessage(_Event[Name, Message]):
    @property
    def mark(self) -> ReadState | None:
        """What one has read of the conversation, and what is left: as it is with the event, or since. None: one has
        left it, or the server has lost it."""
        try:
            return ReadState.model_validate(self.raw["mark"])
        except (LookupError, TypeError, ValidationError):
            return None


class MessageEvent(_OfAMessage[Literal["message"]]):
    """A message is new. Who was away gets it as it stands by now: with the text of its last edit, for example."""


class MessageChangeEvent(_OfAMessage[Literal["message.updated", "message.deleted"]]):
    """A message was edited or deleted, or its reactions are others: `data` is the message as it stands now."""


class GroupEvent(_Event[Literal["conversation"], GroupChange]):
    """A group has another name or topic, or has ended."""


class MemberEvent(_Event[Literal["member"], MemberChange]):
    """Who is in a group has changed."""


class MarkEvent(_Event[Literal["mark"], MarkChange]):
    """One's mark in a conversation has changed."""


class ProfileEvent(_Event[Literal["profile"], ProfileChange]):
    """One's profile has changed."""


class BlockEvent(_Event[Literal["block"], BlockChange]):
    """One has blocked somebody, or taken that back."""


class ReceiptEvent(_Event[Literal["receipt"], ReceiptChange]):
    """Somebody else has read a conversation further, or has more of it. It is told to who is there, and not kept: who
    was away asks for `chat.conversation(…).receipts`."""


class TypingEvent(_Event[Literal["typing"], Typing]):
    """Somebody is writing."""


class PresenceEvent(_Event[Literal["presence"], Presence]):
    """Somebody whom one watches has come or gone (`chat.watch`)."""


class ResetEvent(_Event[Literal["reset"], Reset]):
    """Events are missing."""


class HelloEvent(_Event[Literal["hello"], Hello]):
    """A stream has begun: the first one, or after a reconnect."""


class FeedHelloEvent(_Event[Literal["hello"], FeedHello]):
    """A stream of a feed has begun: the first one, or after a reconnect."""


class FeedEvent(_Event[str, FeedItem]):
    """Something was published in a feed, under a name of its publisher's."""


class CaughtUpEvent(_Event[Literal["caught_up"], CaughtUp]):
    """All that was missed has been sent."""


class ByeEvent(_Event[Literal["bye"], Bye]):
    """The server ends a stream."""


class OtherEvent(_Event[str, Any]):
    """An event of a kind that only a newer server knows, or with data in another form: `data` is the JSON."""


Event: TypeAlias = (
    MessageEvent
    | MessageChangeEvent
    | GroupEvent
    | MemberEvent
    | MarkEvent
    | ProfileEvent
    | BlockEvent
    | ReceiptEvent
    | TypingEvent
    | PresenceEvent
    | ResetEvent
    | HelloEvent
    | CaughtUpEvent
    | ByeEvent
    | OtherEvent
)
"""Any event. After `if isinstance(event, MessageEvent):` a type checker knows that `event.data` is a `Message`."""

AnyFeedEvent: TypeAlias = FeedEvent | FeedHelloEvent | CaughtUpEvent | ResetEvent | ByeEvent | OtherEvent
"""Any event of a feed's stream."""

OF_A_FEED: dict[str, tuple[Any, type[Model]]] = {
    "hello": (FeedHelloEvent, FeedHello),
    "reset": (ResetEvent, Reset),
    "caught_up": (CaughtUpEvent, CaughtUp),
    "bye": (ByeEvent, Bye),
}
"""The events about the stream itself; all others were published."""

KINDS: dict[str, tuple[Any, type[Model]]] = {
    "message": (MessageEvent, Message),
    "message.updated": (MessageChangeEvent, Message),
    "message.deleted": (MessageChangeEvent, Message),
    "conversation": (GroupEvent, GroupChange),
    "member": (MemberEvent, MemberChange),
    "mark": (MarkEvent, MarkChange),
    "profile": (ProfileEvent, ProfileChange),
    "block": (BlockEvent, BlockChange),
    "receipt": (ReceiptEvent, ReceiptChange),
    "typing": (TypingEvent, Typing),
    "presence": (PresenceEvent, Presence),
    "reset": (ResetEvent, Reset),
    "hello": (HelloEvent, Hello),
    "caught_up": (CaughtUpEvent, CaughtUp),
    "bye": (ByeEvent, Bye),
}
"""The class of the events of a kind, and the model of their data."""


def parse_event(name: str, id: str, data: str) -> Event:
    """The event of a name, a last event id and data. Data that is no JSON is passed on as text."""
    event: Event = _parsed(KINDS.get(name), name, id, data)
    return event


def parse_feed_event(name: str, id: str, data: str) -> AnyFeedEvent:
    """As `parse_event`, of the stream of a feed."""
    event: AnyFeedEvent = _parsed(OF_A_FEED.get(name, (FeedEvent, FeedItem)), name, id, data)
    return event


def _parsed(known: tuple[Any, type[Model]] | None, name: str, id: str, data: str) -> Any:
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError):
        raw = data
    if known is not None:
        kind, model = known
        has_mark = issubclass(kind, _OfAMessage) and isinstance(raw, dict)
        fields = {field: value for field, value in raw.items() if field != "mark"} if has_mark else raw
        try:
            return kind(name, id, model.model_validate(fields), raw)
        except (ValidationError, RecursionError):
            pass
    return OtherEvent(name, id, raw, raw)
