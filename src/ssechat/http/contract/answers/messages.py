"""Answers about messages and reactions."""

from ssechat.events.models import Message
from ssechat.http.contract.answers.base import AnswerBody


class MessagePage(AnswerBody):
    """A page of messages, in order of seq."""

    messages: list[Message]
    """In order of `seq`."""
    has_more: bool
    """Whether there are more in the direction that was asked for."""
    has_more_before: bool | None = None
    """With `around` only."""
    has_more_after: bool | None = None
    """With `around` only."""


class OneReaction(AnswerBody):
    """Somebody's reaction to a message."""

    emoji: str
    """The emoji."""
    user: str
    """Who reacted."""


class ReactionPage(AnswerBody):
    """A page of reactions."""

    reactions: list[OneReaction]
    """All reactions, or those of one user."""
    next: str | None
    """For `after` of the next request; null: there are no more."""
