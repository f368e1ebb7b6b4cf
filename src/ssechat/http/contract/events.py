"""Operations of event streams, and the events that they have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ssechat.events import frames, kinds
from ssechat.events.kinds import KINDS, Kind
from ssechat.events.models import Lost
from ssechat.http.contract import problems
from ssechat.http.contract.answers.accounts import StreamTicket
from ssechat.http.contract.answers.base import AnswerBody
from ssechat.http.contract.operation import EVENT_STREAM, Answer, Credential, Operation
from ssechat.http.contract.parameters import LAST_EVENT_ID
from ssechat.http.requests import EmptyBody, EventsQuery

TOPIC = "Events"

STREAM = Operation(
    id="stream_events",
    method="GET",
    path="/v1/events",
    topic=TOPIC,
    summary="Streams everything that concerns you, as Server-Sent Events",
    about="It resumes after the id in the header `Last-Event-ID`, else in `last_event_id`, else in `lastEventId`. If "
    "the server has no stream to give, it answers 200 all the same, and the stream has a `bye`: `EventSource` would "
    "not come back after any other status.",
    credential=Credential.USER_OR_TICKET,
    headers=(LAST_EVENT_ID,),
    query=EventsQuery,
    answers={200: Answer("The stream.", media_type=EVENT_STREAM)},
)

ISSUE_TICKET = Operation(
    id="issue_ticket",
    method="POST",
    path="/v1/tickets",
    topic=TOPIC,
    summary="Issues a ticket for one stream, without cookie or header",
    about="It goes into `GET /v1/events?ticket=…`, once, within 30 seconds.",
    body=EmptyBody,
    answers={201: Answer("The ticket.", StreamTicket)},
    refusals=(problems.QUOTA_EXCEEDED,),
    always=True,
    example={},
)


class Retry(AnswerBody):
    """Nothing: the event is there for its `retry` field."""


class Hello(AnswerBody):
    """Who the stream is for, and where it stands."""

    user: str
    """Your name."""
    resumed: bool
    """Whether it goes on after the id that the client sent."""
    missed: int
    """Events that follow before `caught_up`."""


class CaughtUp(AnswerBody):
    """The end of what the client has missed."""

    id: str
    """The id of the last event."""


class StreamReset(AnswerBody):
    """What the client has missed is not kept."""

    reason: Lost
    """Why."""
    oldest: str
    """The id of the oldest event that is kept."""
    newest: str
    """The id of the newest event: the stream goes on from it."""


class Ping(AnswerBody):
    """A sign of life."""

    id: str
    """The id of the last event."""


Reason = Literal["drain", "unavailable", "token_expired", "signed_out", "slow", "too_many", "changed"]


class Bye(AnswerBody):
    """Why the server ends the stream."""

    reason: Reason
    """Why."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event as clients see it."""

    name: str
    data: Any
    """The type of its data, for pydantic."""
    has_id: bool
    """Whether it moves the cursor."""
    says: str
    """What has happened, in plain text with `code`."""
    do: str
    """What a client does with it, in plain text with `code`."""
    example: Mapping[str, Any]
    has_retry: bool = False
    """Whether it has a `retry` field (milliseconds)."""
    id_may_be_missing: bool = False

    @property
    def what(self) -> str:
        """What it says and what to do."""
        return f"{self.says} {self.do}"


_MESSAGE = {
    "conversation_id": "dm:alice:bob",
    "seq": 1,
    "version": 1,
    "sender": "alice",
    "text": "hi",
    "client_msg_id": "note-1",
    "created_at": "2026-11-26T09:30:00.000Z",
}
_UNREAD = {"read_up_to": 1, "muted": False, "unread": 0, "mentions": list[int]()}
_GROUP = "g:abcdefghijklmnopqrstuvwxyz"

OF_A_STREAM = (
    StreamEvent(
        frames.RETRY,
        Retry,
        has_id=True,
        id_may_be_missing=True,
        has_retry=True,
        says="Opens the stream. `retry` tells `EventSource` how many milliseconds to wait before it reconnects; the id "
        "is the one that the client sent.",
        do="Ignore it. A client that reconnects by itself may wait as long as it says.",
        example={},
    ),
    StreamEvent(
        frames.HELLO,
        Hello,
        has_id=True,
        id_may_be_missing=True,
        says="Who you are, whether the stream resumes after your id, and how many events you missed. Its id is the "
        "newest, or the one that you came with.",
        do="Keep the id: a client that has seen no other event resumes from it. With `resumed` false and no `reset`, "
        "the stream begins now: load what there was before with `GET`.",
        example={"user": "bob", "resumed": True, "missed": 1},
    ),
    StreamEvent(
        frames.CAUGHT_UP,
        CaughtUp,
        has_id=False,
        says="What you missed has been sent; what follows is live. A stream that was behind for a moment has it, too: "
        "events without an id may be missing.",
        do="Show what has come so far, if you waited with it. A notification is due for what follows only. Load the "
        "conversation that is shown, for its receipts.",
        example={"id": "1-4549717810404159942"},
    ),
    StreamEvent(
        frames.PING,
        Ping,
        has_id=False,
        says="A sign of life: it comes after 15 to 30 seconds of silence.",
        do="Note the time. A stream that is silent for 60 seconds is dead: reconnect. If its `id` is not the one that "
        "you have, you lack events: reconnect with yours.",
        example={"id": "1-4549717810404159942"},
    ),
    StreamEvent(
        frames.BYE,
        Bye,
        has_id=False,
        has_retry=True,
        says="Why the server ends the stream. `drain`: the server stops or is replaced. `unavailable`: it cannot reach "
        "its storage, or the keys that verify tokens. `too_many`: you, or the worker, have too many streams. `slow`: "
        "you did not read for a minute. `changed`: of a feed, others may read it now, or it is gone: who comes back is "
        "told. `signed_out` and `token_expired`: the credential has ended.",
        do="Reconnect with the last id after as many milliseconds as `retry` says. After `signed_out` and "
        "`token_expired` sign in again first.",
        example={"reason": "drain"},
    ),
)

OF_KINDS: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    kinds.MESSAGE.name: (
        "A message was sent, by anybody in one of your conversations, yourself included. After a while away it comes "
        "as it stands by now.",
        "Add it at its `seq`. One whose `conversation_id` and `seq` you have already is the same message: keep the one "
        "with the higher `version`. Put `mark` in the place of what the conversation in your list says of what is "
        "read and unread; it is no part of the message, and `GET` has the same in the conversation.",
        {**_MESSAGE, "mark": _UNREAD},
    ),
    kinds.MESSAGE_UPDATED.name: (
        "A message was edited, or its reactions are others: the message as it stands now.",
        "Put it in the place of the one with this `seq`. Drop it if its `version` is not newer than what you have, but "
        "take over its `mark`, as of any message: whether it mentions you may have changed.",
        {
            **_MESSAGE,
            "version": 2,
            "text": "hello",
            "edited_at": "2026-11-26T09:31:00.000Z",
            "reactions": [{"emoji": "👍", "count": 1, "users": ["bob"]}],
            "mark": _UNREAD,
        },
    ),
    kinds.MESSAGE_DELETED.name: (
        "A message was deleted: its tombstone.",
        "Show that there was a message, and forget its text and data. It keeps its place in the order. Take over its "
        "`mark`: it mentions nobody any more.",
        {
            "conversation_id": "dm:alice:bob",
            "seq": 1,
            "version": 3,
            "sender": "alice",
            "created_at": "2026-11-26T09:30:00.000Z",
            "deleted": True,
            "mark": _UNREAD,
        },
    ),
    kinds.CONVERSATION.name: (
        "A group was renamed, has another topic, or has ended: the group as it stands now.",
        "Show the group's new name and topic. With `ended` nothing can be written to it any more.",
        {"conversation_id": _GROUP, "name": "Lunch at noon", "history": "all"},
    ),
    kinds.MEMBER.name: (
        "These joined, or have another role; with `name`, the group's, if they joined. With `left` they left, or were "
        "removed by another. `by` is who did it, or whose invitation they used. With `more` they were too many for one "
        "event.",
        "If you joined, load the group: what was changed while you were not in it makes no event. If it is you who "
        "`left`, nothing more comes of this group. With `more` read the members anew.",
        {
            "conversation_id": _GROUP,
            "users": [{"user": "bob", "role": "member"}],
            "by": "alice",
            "member_count": 2,
            "name": "Lunch",
        },
    ),
    kinds.MARK.name: (
        "You have read up to `read_up_to` on some device of yours, or have muted the conversation, or unmuted it. "
        "After a while away it comes as it stands by now.",
        "Put it in the place of what the conversation in your list says; do not count anything yourself. If you show "
        "more as read than you have told the server yet, keep the higher `read_up_to`: a mark never falls. A message "
        "has the same in `mark`, and one of your own raises it.",
        {"conversation_id": "dm:alice:bob", **_UNREAD},
    ),
    kinds.PROFILE.name: (
        "Your profile has changed, on another device perhaps.",
        "Unless `version` is that of the profile that you have, or lower, fetch `GET /v1/me`.",
        {"version": 2},
    ),
    kinds.BLOCK.name: (
        "You have blocked somebody on some device of yours, or taken that back. Who is blocked gets no event.",
        "With `blocked`, let nothing be written in the direct conversation, and offer to unblock instead. The "
        "conversation may be none that you list: nobody may have written in it. Where you show receipts, load them "
        "again: there are none across a block.",
        {"conversation_id": "dm:alice:bob", "user": "bob", "blocked": True},
    ),
    kinds.RECEIPT.name: (
        "Somebody else has read a conversation of yours further, or has more of it on a device. It says what is so "
        "now: it has no id, and a client that is away never gets it. It comes at most once a second for each "
        "conversation.",
        "Take the higher of what it says and of what you have in the conversation's `receipts`; if the user is not "
        "there, load the conversation. A message raises its sender's receipt to its `seq` without this event. After "
        "each `hello` and `caught_up`, a `block` or `profile`, and when somebody joins, load the conversation that is "
        "shown: `receipts` has what you missed. Never acknowledge it: it has nothing to acknowledge.",
        {"conversation_id": "dm:alice:bob", "user": "alice", "read_up_to": 1, "delivered_up_to": 2},
    ),
    kinds.TYPING.name: (
        "Somebody else is writing in a conversation of yours. It says what is so now: it has no id, and a client that "
        "is away never gets it.",
        "Show it for `expires_in` seconds, or until that user's next message comes.",
        {"conversation_id": "dm:alice:bob", "user": "alice", "expires_in": 15},
    ),
    kinds.PRESENCE.name: (
        "Of some whom you watch (`PUT /v1/presence`), whether they are there: what has changed, and all of it on a new "
        "stream. It says what is so now, and has no id. Who is offline has a `last_seen`, if you may know.",
        "Take it for what is so of these users; what you know of others stands. Forget it when you watch them no more.",
        {"users": [{"user": "bob", "online": False, "last_seen": "2026-11-26T09:30:00.000Z"}]},
    ),
    kinds.RESET.name: (
        "What you missed is no longer kept. `expired`: you missed more than the server keeps. `unknown`: the server "
        "does not know your id. `lost`: the storage lost events. With a `conversation_id`, it is about that "
        "conversation only.",
        "Forget the versions of messages that you have, load the conversations and their messages with `GET`, and "
        "your profile (`GET /v1/me`), and go on from this id: the stream continues with what comes after it.",
        {"reason": "expired", "oldest": "120-7301882716512094432", "newest": "10119-4549717810404159942"},
    ),
}
"""What the kinds of events say, what to do with them, and an example of each."""


def _of_kind(kind: Kind) -> StreamEvent:
    says, do, example = OF_KINDS[kind.name]
    data: Any = StreamReset | kind.model if kind.name == frames.RESET else kind.model
    return StreamEvent(kind.name, data, kind.durable, says, do, example)


EVENTS = (*OF_A_STREAM[:2], *map(_of_kind, KINDS), *OF_A_STREAM[2:])
"""All events of a stream, about in the order in which they come."""
