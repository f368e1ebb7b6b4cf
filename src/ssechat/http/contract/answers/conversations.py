"""Answers about conversations, and what has been read of them."""

from typing import Annotated, Literal

from pydantic import Field

from ssechat.events.models import Count, HistoryOf, Message, Role, Seq
from ssechat.http.contract.answers.base import AnswerBody

NewestSeq = Annotated[int, Field(json_schema_extra={"minimum": 0, "format": "int64"})]
"""The `seq` of a conversation's newest message; 0: there is none."""


class Counts(AnswerBody):
    """What you have read of a conversation, and what is left."""

    read_up_to: NewestSeq
    """The `seq` of the newest message that you have read or sent; in a group at least that of when you joined."""
    unread: Count
    """`newest_seq` less `read_up_to`."""
    mentions: list[Seq]
    """The `seq`s of the unread messages that mention you, ascending: the newest 100."""
    muted: bool
    """Whether you have muted it."""


class Marked(Counts):
    """Your mark in a conversation."""

    conversation_id: str
    """The conversation."""


class ShownReceipt(AnswerBody):
    """Up to where one of the others has read a conversation, and has it on a device."""

    user: str
    """Who."""
    since: Seq | None = None
    """The `seq` of the newest message when the user joined: the receipt is about those after it. Missing: about all."""
    read_up_to: NewestSeq
    """The `seq` of the newest message that the user has read or sent."""
    delivered_up_to: NewestSeq
    """The `seq` of the newest message that a device of the user has."""


class DirectConversation(Counts):
    """A conversation of two people, or of one person's notes."""

    id: str
    """`dm:<a>:<b>`, the names sorted."""
    type: Literal["dm"]
    """The sort of conversation."""
    members: list[str]
    """The two people; one for one's notes."""
    newest_seq: NewestSeq
    """The `seq` of the newest message; 0 if there is none."""
    blocked: Literal[True] | None = None
    """You have blocked the other one: neither of you can write here. Who is blocked is not told."""
    receipts: list[ShownReceipt] | None = None
    """Of the other one; only where one conversation is asked for. Missing where none are shown."""
    last_message: Message | None
    """The newest message."""


class Group(Counts):
    """A group, as a member sees it."""

    id: str
    """`g:…`."""
    type: Literal["group"]
    """The sort of conversation."""
    name: str
    """Its name."""
    topic: str | None = None
    """Its topic; missing if it has none."""
    history: HistoryOf
    """What those who join later read."""
    role: Role
    """One's own."""
    member_count: Count
    """How many members it has."""
    members: list[str]
    """The first 20 names."""
    newest_seq: NewestSeq
    """The `seq` of the newest message; 0 if there is none."""
    ended: Literal[True] | None = None
    """It has ended: it can be read only."""
    receipts: list[ShownReceipt] | None = None
    """Of the others, by name; only where one group is asked for. Missing where none are shown."""
    last_message: Message | None
    """The newest message that you may read."""


class LeftGroup(AnswerBody):
    """A group that one has left: as it was then."""

    id: str
    """`g:…`."""
    type: Literal["group"]
    """The sort of conversation."""
    name: str
    """Its name when you left."""
    left: Literal[True]
    """You have left, or were removed."""
    newest_seq: NewestSeq
    """The `seq` of the newest message of then."""
    last_message: Message | None
    """The newest message of then."""


class ConversationPage(AnswerBody):
    """A page of conversations."""

    conversations: list[DirectConversation | Group]
    """Newest event first."""
    next: str | None
    """For `before` of the next request; null: there are no more."""
