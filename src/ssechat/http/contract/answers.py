"""Pydantic models of answers. They say what an answer has; the endpoints write it without them, as most of it is stored
JSON."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ssechat.events.models import HistoryOf, Message, Role, UserRole


class AnswerBody(BaseModel):
    """Base of the answers."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class SignedIn(AnswerBody):
    """A session."""

    token: str
    """A bearer token of this session."""
    user: str


class WhoAmI(AnswerBody):
    """Who the credential stands for."""

    user: str


class User(AnswerBody):
    """A user."""

    id: str


class Server(AnswerBody):
    """A server."""

    name: Literal["ssechat"]
    version: str
    sign_up: bool
    """Whether `POST /v1/users` is open."""
    sign_in: bool
    """Whether `POST /v1/session` is open."""


class Ticket(AnswerBody):
    """A ticket for one stream."""

    ticket: str
    expires_in: int
    """Seconds."""


class DirectConversation(AnswerBody):
    """A conversation of two people, or of one person's notes."""

    id: str
    type: Literal["dm"]
    members: list[str]
    newest_seq: int
    last_message: Message | None


class Group(AnswerBody):
    """A group, as a member sees it."""

    id: str
    type: Literal["group"]
    name: str
    topic: str | None = None
    history: HistoryOf
    """What those who join later read."""
    role: Role
    """One's own."""
    member_count: int
    members: list[str]
    """The first 20 names."""
    newest_seq: int
    ended: Literal[True] | None = None
    last_message: Message | None


class LeftGroup(AnswerBody):
    """A group that one has left: as it was then."""

    id: str
    type: Literal["group"]
    name: str
    left: Literal[True]
    newest_seq: int
    last_message: Message | None


class Conversations(AnswerBody):
    """A page of conversations."""

    conversations: list[DirectConversation | Group]
    next: str | None
    """For `before` of the next request; null: there are no more."""


class Messages(AnswerBody):
    """A page of messages, in order of seq."""

    messages: list[Message]
    has_more: bool
    """Whether there are more in the direction that was asked for."""
    has_more_before: bool | None = None
    """With `around` only."""
    has_more_after: bool | None = None
    """With `around` only."""


class Members(AnswerBody):
    """A page of members, by name."""

    members: list[UserRole]
    next: str | None
    """For `after` of the next request; null: there are no more."""


class Added(AnswerBody):
    """Who was added to a group."""

    added: list[str]
    """Those who were not members before."""
    member_count: int


class Invite(AnswerBody):
    """An invitation, without its secret."""

    id: str
    expires_at: str
    uses: int
    max_uses: int | None = None
    by: str


class InviteWithSecret(Invite):
    """A new invitation."""

    secret: str
    """Shown this once: who has it can join."""


class Invites(AnswerBody):
    """The invitations of a group that can be used."""

    invites: list[Invite]


class OneReaction(AnswerBody):
    """Somebody's reaction to a message."""

    emoji: str
    user: str


class Reactions(AnswerBody):
    """A page of reactions."""

    reactions: list[OneReaction]
    next: str | None
    """For `after` of the next request; null: there are no more."""


class Quota(AnswerBody):
    """How often something may be done."""

    name: str
    per: str
    limit: int
    window_seconds: int


class Limits(AnswerBody):
    """All limits, in numbers."""

    quotas: list[Quota]
    body_bytes: int
    page_bytes: int
    page_items: int
    inbox_events: int
    """Events that the server keeps for a reader who is away."""
    streams_per_user_and_worker: int
    ticket_seconds: int
    group_members: int
    group_name_bytes: int
    group_topic_bytes: int
    invites_per_group: int
    invite_seconds: int
    mentions_per_message: int
    message_data_bytes: int
    reaction_kinds_per_message: int


class Live(AnswerBody):
    """The process answers."""

    status: Literal["live"]


class Checks(AnswerBody):
    """What a server needs, and whether it has it."""

    redis: bool
    writes: bool
    subscriptions: bool


class Readiness(AnswerBody):
    """Whether the server can serve."""

    status: Literal["ready", "degraded"]
    checks: Checks
    streams: int
    refused: list[str] | None = None
    """Redis's error codes."""


class WrongField(AnswerBody):
    """A field that is wrong."""

    field: str
    message: str


class ProblemDetails(AnswerBody):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    """Stable: programs decide by it."""
    detail: str
    """What is wrong and what to do, for people."""
    request_id: str
    """The line about it in the server's log has the same."""
    fields: list[WrongField] | None = None
    violated_policies: Annotated[list[str] | None, Field(alias="violated-policies")] = None
