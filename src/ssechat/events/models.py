"""The data of events, as pydantic models: what is checked when one is made, and what a contract says of it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class EventData(BaseModel):
    """The data of an event."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


Role = Literal["owner", "admin", "member"]
"""What a member of a group may do."""

HistoryOf = Literal["all", "from_join"]
"""What a new member of a group may read: everything, or what is sent after it joined."""


class Reaction(EventData):
    """All reactions to a message with one emoji."""

    emoji: str
    count: int
    users: list[str]
    """Three of them, or fewer."""


class Message(EventData):
    """A message as it stands now. A tombstone (`deleted`) has no text; one of a message that is gone, or that its
    reader may not read, has no sender either."""

    conversation_id: str
    seq: int
    version: int | None = None
    sender: str | None = None
    text: str | None = None
    client_msg_id: str | None = None
    created_at: str | None = None
    edited_at: str | None = None
    reply_to: int | None = None
    mentions: list[str] | None = None
    data: dict[str, Any] | None = None
    reactions: list[Reaction] | None = None
    deleted: Literal[True] | None = None


class Conversation(EventData):
    """A group as it stands now."""

    conversation_id: str
    name: str
    topic: str | None = None
    history: HistoryOf
    ended: Literal[True] | None = None


class UserRole(EventData):
    """A member of a group."""

    user: str
    role: Role


class Member(EventData):
    """Somebody joined a group, left it (`left`), or has another role."""

    conversation_id: str
    users: list[UserRole]
    by: str
    member_count: int
    """Of the group from now on."""
    name: str | None = None
    """The group's, if somebody joined."""
    left: Literal[True] | None = None
    more: Literal[True] | None = None
    """There are more than `users` says: the members must be read anew."""


class ConversationReset(EventData):
    """Events of one conversation are missing: its messages must be read anew."""

    reason: Literal["expired", "unknown", "lost"]
    conversation_id: str
