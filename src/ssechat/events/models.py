"""The data of events, as pydantic models: what is checked when one is made, and what a contract says of it."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from ssechat.texts.documented import Documented


class EventData(Documented):
    """The data of an event."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Role = Literal["owner", "admin", "member"]
"""What a member of a group may do."""

HistoryOf = Literal["all", "from_join"]
"""What a new member of a group may read: everything, or what is sent after it joined."""


Lost = Literal["expired", "unknown", "lost"]
"""Why events are missing: they are not kept so long; the reader's last one is not known; the storage lost them."""

Seq = Annotated[int, Field(json_schema_extra={"minimum": 1, "format": "int64"})]
"""The number of a message in its conversation."""

Count = Annotated[int, Field(json_schema_extra={"minimum": 0})]

Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339, in UTC, with milliseconds."""


class Reaction(EventData):
    """All reactions to a message with one emoji."""

    emoji: str
    """The emoji."""
    count: Count
    """How many people reacted with it."""
    users: list[str]
    """Three of them, or fewer."""


class Message(EventData):
    """A message as it stands now. A tombstone (`deleted`) has no text; one of a message that is gone, or that its
    reader may not read, has no sender either."""

    conversation_id: str
    """The conversation: `dm:…` or `g:…`."""
    seq: Seq
    """Its number in the conversation, from 1 on: the order that everybody sees."""
    version: Seq | None = None
    """Grows with each change of it: drop one that is not newer than what you have."""
    sender: str | None = None
    """Who sent it."""
    text: str | None = None
    """What was written."""
    client_msg_id: str | None = None
    """The id that its sender gave it, or the server."""
    created_at: Timestamp | None = None
    """When it was sent (RFC 3339, UTC)."""
    edited_at: Timestamp | None = None
    """When its text, mentions or data were changed last; missing if never."""
    reply_to: Seq | None = None
    """The `seq` of the message that it answers."""
    mentions: list[str] | None = None
    """Users whom it is addressed to."""
    data: dict[str, Any] | None = None
    """An object of the application's."""
    reactions: list[Reaction] | None = None
    """Reactions, by emoji."""
    deleted: Literal[True] | None = None
    """It was deleted: this is its tombstone."""


UpTo = Annotated[int, Field(json_schema_extra={"minimum": 0, "format": "int64"})]
"""The `seq` of a message; 0: none."""


class ReadState(EventData):
    """What you have read of a conversation, and what is left: as it is with the event, or since."""

    read_up_to: UpTo
    """The `seq` of the newest message that you have read or sent; 0: none. It never falls."""
    muted: bool
    """Whether you have muted the conversation."""
    unread: Count
    """Messages that are unread."""
    mentions: list[Seq]
    """The `seq`s of the unread messages that mention you, ascending: the newest 100."""


class DeliveredMessage(Message):
    """A message as it stands now, and what its reader has left to read in its conversation."""

    mark: ReadState | None = None
    """What you have read of the conversation, and what is left; missing if you have left it, or if the server has
    lost it."""


class Conversation(EventData):
    """A group as it stands now."""

    conversation_id: str
    """The group."""
    name: str
    """Its name."""
    topic: str | None = None
    """Its topic; missing if it has none."""
    history: HistoryOf
    """What those who join later read: everything, or what is sent from then on."""
    ended: Literal[True] | None = None
    """It has ended: it can be read only."""


class UserRole(EventData):
    """A member of a group."""

    user: str
    """The user's name."""
    role: Role
    """What it may do."""


class Member(EventData):
    """Somebody joined a group, left it (`left`), or has another role."""

    conversation_id: str
    """The group."""
    users: list[UserRole]
    """Who joined, left or has another role."""
    by: str
    """Who did it, or whose invitation was used."""
    member_count: Count
    """Members of the group from now on."""
    name: str | None = None
    """The group's name, if somebody joined."""
    left: Literal[True] | None = None
    """They left, or were removed."""
    more: Literal[True] | None = None
    """There are more than `users` says: the members must be read anew."""


class Mark(ReadState):
    """Up to where you have read a conversation, and whether it is muted."""

    conversation_id: str
    """The conversation."""


class ProfileChange(EventData):
    """Your profile has changed."""

    version: Seq
    """That of the profile, in `GET /v1/me`: it grows with each change."""


class Block(EventData):
    """You have blocked somebody, or taken that back."""

    conversation_id: str
    """The direct conversation of the two of you; there may be no message in it."""
    user: str
    """Whom."""
    blocked: bool
    """Whether you block the user from now on."""


class Receipt(EventData):
    """Somebody else has read a conversation further, or has more of it on a device."""

    conversation_id: str
    """The conversation."""
    user: str
    """Who."""
    read_up_to: UpTo
    """The `seq` of the newest message that the user has read or sent. It never falls."""
    delivered_up_to: UpTo
    """The `seq` of the newest message that a device of the user has; at least `read_up_to`."""


class Typing(EventData):
    """Somebody writes a message."""

    conversation_id: str
    """The conversation."""
    user: str
    """Who is writing."""
    expires_in: Count
    """Seconds after which the user counts as not writing any more, unless the event comes again."""


class Person(EventData):
    """Whether somebody is there."""

    user: str
    """The user's name."""
    online: bool
    """Whether the user has a stream open, as far as you may know."""
    last_seen: Timestamp | None = None
    """When it had one last, to about half a minute; missing while it is online, if you may not know, or if it never
    had one."""


class Presence(EventData):
    """Of some whom you watch, whether they are there."""

    users: list[Person]
    """Those of whom something is to be said; what was said of others stands."""


class ConversationReset(EventData):
    """Events of one conversation are missing: its messages must be read anew."""

    reason: Lost
    """Why."""
    conversation_id: str
    """The conversation whose messages must be read anew."""
