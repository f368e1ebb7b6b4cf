"""Pydantic models of answers. They say what an answer has; the endpoints write it without them, as most of it is stored
JSON."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ssechat.events.models import Count, HistoryOf, Message, Person, Role, Seq, Timestamp, UserRole

Secret = Annotated[str, Field(json_schema_extra={"format": "password"})]
"""Nothing that a log should have."""

NewestSeq = Annotated[int, Field(json_schema_extra={"minimum": 0, "format": "int64"})]
"""The `seq` of a conversation's newest message; 0: there is none."""


class AnswerBody(BaseModel):
    """Base of the answers."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Nothing(AnswerBody):
    """An empty object."""


class SignedIn(AnswerBody):
    """A session."""

    token: Secret
    """A bearer token of this session: `Authorization: Bearer …`."""
    user: str
    """Your name, as the server writes it."""


class WhoAmI(AnswerBody):
    """Who the credential stands for."""

    user: str
    """Your name."""
    display_name: str | None = None
    """What the user is called: the name that it chose, else the `name` in its last token."""


class UserName(AnswerBody):
    """Who somebody is, and what it is called."""

    id: str
    """The name, as the server writes it."""
    display_name: str | None = None
    """What the user is called: the name that it chose, else the `name` in its last token. It is not unique: show the id
    beside it."""
    avatar_url: str | None = None
    """A picture of the user, on any host. Whoever loads it shows that host its address."""


class User(UserName):
    """A user."""

    online: bool
    """Whether it has a stream open, if you share a direct conversation; otherwise, or if it is invisible, false."""
    last_seen: Timestamp | None = None
    """When it had one last, to about half a minute; missing while it is online, if you may not know, or if it never
    had one."""


class Session(AnswerBody):
    """A session of yours: a browser or a program in which you are signed in."""

    id: str
    """Names it, to end it; it is no credential."""
    created_at: Timestamp
    """When you signed in (RFC 3339, UTC)."""
    last_seen_at: Timestamp
    """When it was used last, to the hour."""
    expires_at: Timestamp
    """When it ends by itself."""
    user_agent: str
    """What the browser or program calls itself, shortened; empty if it did not say. The server does not keep where it
    was."""
    current: Literal[True] | None = None
    """It is the one that asks."""


class SessionList(AnswerBody):
    """Your sessions."""

    sessions: list[Session]
    """The newest first."""


class Server(AnswerBody):
    """A server."""

    name: Literal["ssechat"]
    """What it is."""
    version: str
    """Its version."""
    sign_up: bool
    """Whether `POST /v1/users` is open."""
    sign_in: bool
    """Whether `POST /v1/session` is open."""
    directory: bool
    """Whether users are found by the first letters of their names: `GET /v1/users?prefix=`."""
    avatars: bool
    """Whether the server's page shows pictures of people."""


class StreamTicket(AnswerBody):
    """A ticket for one stream."""

    ticket: Secret
    """It goes into `GET /v1/events?ticket=…`, once."""
    expires_in: Count
    """Seconds until it is void."""


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


class UserList(AnswerBody):
    """Some users."""

    users: list[UserName]
    """Those who were asked for and exist; or those whose names begin so, by name."""
    has_more: bool | None = None
    """With `prefix` only: whether there are others whose names begin so."""


class Profile(AnswerBody):
    """Your profile."""

    user: str
    """Your name."""
    display_name: str | None = None
    """What you are called: the name that you chose, else the `name` in your last token."""
    avatar_url: str | None = None
    """A picture of you."""
    receipts: bool
    """Whether others may see what you have read."""
    visible: bool
    """Whether others may see whether you are there: `PUT /v1/presence` sets it."""
    version: Count
    """Grows with each change, which an event `profile` tells of."""


class Me(Profile):
    """You, and what is unread in all conversations that are not muted."""

    unread: Count
    """Unread messages."""
    mentions: Count
    """Unread messages that mention you."""


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


class PresenceNow(AnswerBody):
    """Whether those whom you named are there now."""

    users: list[Person]
    """Each of those in `watch`, in that order."""
    visible: bool
    """Whether others may see whether you are there."""


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


class MemberPage(AnswerBody):
    """A page of members, by name."""

    members: list[UserRole]
    """By name."""
    next: str | None
    """For `after` of the next request; null: there are no more."""


class AddedMembers(AnswerBody):
    """Who was added to a group."""

    added: list[str]
    """Those who were not members before."""
    member_count: Count
    """How many members the group has now."""


class Invite(AnswerBody):
    """An invitation, without its secret."""

    id: str
    """Names it, to revoke it; it is not the secret."""
    expires_at: Timestamp
    """Until when it can be used (RFC 3339, UTC)."""
    uses: Count
    """How often it was used."""
    max_uses: Count | None = None
    """How often it can be used; missing: as often as one likes."""
    by: str
    """Who made it."""


class InviteWithSecret(Invite):
    """A new invitation."""

    secret: Secret
    """Shown this once: who has it can join."""


class InviteList(AnswerBody):
    """The invitations of a group that can be used."""

    invites: list[Invite]
    """Those that can be used."""


class Blocked(AnswerBody):
    """A user whom you have blocked."""

    user: str
    """The user's name."""


class BlockPage(AnswerBody):
    """A page of those whom you have blocked."""

    blocks: list[Blocked]
    """By name."""
    next: str | None
    """For `after` of the next request; null: there are no more."""


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


class Quota(AnswerBody):
    """How often something may be done."""

    name: str
    """As in `RateLimit`."""
    per: str
    """What attempts are counted by."""
    limit: Count
    """Attempts in a window; of `deliveries`: inboxes that your changes reach."""
    window_seconds: Count
    """Seconds of a window."""


class Limits(AnswerBody):
    """All limits, in numbers."""

    quotas: list[Quota]
    """How often something may be tried."""
    body_bytes: Count
    """Bytes of a request's body."""
    page_bytes: Count
    """Bytes of a page of messages or conversations."""
    page_items: Count
    """Items of a page: the largest `limit`."""
    inbox_events: Count
    """Events that the server keeps for a reader who is away."""
    requests_per_user_and_worker: Count
    """Requests of one user that a worker works on at a time: further ones wait for their turn."""
    streams_per_user_and_worker: Count
    """Streams that one user may have open on one worker."""
    sessions_per_user: Count
    """Sessions of a user; with one more, the one that was not seen for the longest ends."""
    ticket_seconds: Count
    """Seconds for which a ticket can be used."""
    group_members: Count
    """Members of a group."""
    group_name_bytes: Count
    """Bytes of a group's name."""
    group_topic_bytes: Count
    """Bytes of a group's topic."""
    invites_per_group: Count
    """Invitations of a group that can be used."""
    invite_seconds: Count
    """Seconds for which an invitation can be used."""
    mentions_per_message: Count
    """Users whom a message may mention."""
    message_data_bytes: Count
    """Bytes of a message's `data`, as JSON."""
    reaction_kinds_per_message: Count
    """Different emoji on one message."""
    receipts_group_members: Count
    """Members of a group in which receipts are shown."""
    typing_group_members: Count
    """Members of a group in which it is said who is writing."""
    blocks_per_user: Count
    """People whom one user blocks."""
    watched_users: Count
    """Users in one list of `PUT /v1/presence`."""
    watch_lists: Count
    """Such lists of one user: one more takes the place of the oldest."""


class Live(AnswerBody):
    """The process answers."""

    status: Literal["live"]
    """It answers."""


class Checks(AnswerBody):
    """What a server needs, and whether it has it."""

    redis: bool
    """Redis answers."""
    writes: bool
    """Redis takes writes."""
    subscriptions: bool
    """New events reach this worker at once."""
    keys: bool | None = None
    """Whether the keys that verify tokens are known; only where they are fetched."""


class Readiness(AnswerBody):
    """Whether the server can serve."""

    status: Literal["ready", "degraded"]
    """Whether it can serve."""
    checks: Checks
    """What it needs."""
    streams: Count
    """Open streams of this worker."""
    refused: list[str] | None = None
    """Redis's error codes, if it refuses something."""


class WrongField(AnswerBody):
    """A field that is wrong."""

    field: str
    """Its name; empty for the body as a whole."""
    message: str
    """What is wrong with it."""


class ProblemDetails(AnswerBody):
    """An error (RFC 9457)."""

    type: str
    """A URI of the sort of problem (RFC 9457); mostly `about:blank`."""
    title: str
    """The status in words."""
    status: int
    """The status."""
    code: str
    """Stable: programs decide by it."""
    detail: str
    """What is wrong and what to do, for people."""
    request_id: str | None = None
    """The line about it in the server's log has the same. Missing if the request could not be read."""
    fields: list[WrongField] | None = None
    """With `invalid_request`: each field that is wrong."""
    violated_policies: Annotated[list[str] | None, Field(alias="violated-policies")] = None
    """With `quota_exceeded`: the quotas that are used up."""
