"""Operations of event streams, and the events that they have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ssechat.events import frames, kinds
from ssechat.events.kinds import KINDS, Kind
from ssechat.http.contract import problems
from ssechat.http.contract.answers import AnswerBody, Ticket
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
    answers={201: Answer("The ticket.", Ticket)},
    refusals=(problems.QUOTA_EXCEEDED,),
    example={},
)


class Retry(AnswerBody):
    """Nothing: the event is there for its `retry` field."""


class Hello(AnswerBody):
    """Who the stream is for, and where it stands."""

    user: str
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

    reason: Literal["expired", "unknown", "lost"]
    oldest: str
    newest: str


class Ping(AnswerBody):
    """A sign of life."""

    id: str
    """The id of the last event."""


Reason = Literal["drain", "unavailable", "token_expired", "signed_out", "slow", "too_many"]


class Bye(AnswerBody):
    """Why the server ends the stream."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event as clients see it."""

    name: str
    data: Any
    """The type of its data, for pydantic."""
    has_id: bool
    """Whether it moves the cursor."""
    what: str
    """What it says and what to do, in plain text with `code`."""
    example: Mapping[str, Any]
    has_retry: bool = False
    """Whether it has a `retry` field (milliseconds)."""
    id_may_be_missing: bool = False


_MESSAGE = {
    "conversation_id": "dm:alice:bob",
    "seq": 1,
    "version": 1,
    "sender": "alice",
    "text": "hi",
    "client_msg_id": "note-1",
    "created_at": "2026-11-26T09:30:00.000Z",
}
_GROUP = "g:abcdefghijklmnopqrstuvwxyz"

OF_A_STREAM = (
    StreamEvent(
        frames.RETRY,
        Retry,
        has_id=True,
        id_may_be_missing=True,
        has_retry=True,
        what="Opens the stream and tells `EventSource` how long to wait before it reconnects. Ignore it.",
        example={},
    ),
    StreamEvent(
        frames.HELLO,
        Hello,
        has_id=True,
        id_may_be_missing=True,
        what="Who you are, whether the stream resumes after your id, and how many events you missed. Its id is the "
        "newest, or the one that you came with.",
        example={"user": "bob", "resumed": True, "missed": 1},
    ),
    StreamEvent(
        frames.CAUGHT_UP,
        CaughtUp,
        has_id=False,
        what="What you missed has been sent; what follows is live.",
        example={"id": "1-4549717810404159942"},
    ),
    StreamEvent(
        frames.PING,
        Ping,
        has_id=False,
        what="Comes after 15 to 30 seconds of silence. A stream that is silent for 60 is dead: reconnect.",
        example={"id": "1-4549717810404159942"},
    ),
    StreamEvent(
        frames.BYE,
        Bye,
        has_id=False,
        has_retry=True,
        what="Why the server ends the stream; `retry` says in how many milliseconds to reconnect. `drain`: the server "
        "stops or is replaced. `unavailable`: it cannot reach its storage. `too_many`: you, or the worker, have too "
        "many streams. `slow`: you did not read for a minute. `signed_out` and `token_expired`: sign in again first.",
        example={"reason": "drain"},
    ),
)

OF_KINDS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    kinds.MESSAGE.name: ("A message. After a while away: as it stands by now.", _MESSAGE),
    kinds.MESSAGE_UPDATED.name: (
        "A message was edited, or its reactions are others: the message as it stands now. Drop it if its `version` is "
        "not newer than what you have.",
        {
            **_MESSAGE,
            "version": 2,
            "text": "hello",
            "edited_at": "2026-11-26T09:31:00.000Z",
            "reactions": [{"emoji": "👍", "count": 1, "users": ["bob"]}],
        },
    ),
    kinds.MESSAGE_DELETED.name: (
        "A message was deleted: its tombstone.",
        {
            "conversation_id": "dm:alice:bob",
            "seq": 1,
            "version": 3,
            "sender": "alice",
            "created_at": "2026-11-26T09:30:00.000Z",
            "deleted": True,
        },
    ),
    kinds.CONVERSATION.name: (
        "A group was renamed, has another topic, or has ended: the group as it stands now.",
        {"conversation_id": _GROUP, "name": "Lunch at noon", "history": "all"},
    ),
    kinds.MEMBER.name: (
        "These joined, or have another role; with `name`, the group's, if they joined. `by` is who did it, or whose "
        "invitation they used. If you joined, load the group: what was changed while you were not in it makes no "
        "event. With `left` they left, or were removed by another; if it is you, nothing more comes of this group. "
        "With `more` they were too many for one event: read the members anew.",
        {
            "conversation_id": _GROUP,
            "users": [{"user": "bob", "role": "member"}],
            "by": "alice",
            "member_count": 2,
            "name": "Lunch",
        },
    ),
    kinds.RESET.name: (
        "What you missed is no longer kept. Load it with `GET`, and go on from this id. `expired`: you missed more "
        "than the server keeps. `unknown`: the server does not know your id. `lost`: the storage lost events. With a "
        "`conversation_id`, it is about that conversation only.",
        {"reason": "expired", "oldest": "120-7301882716512094432", "newest": "10119-4549717810404159942"},
    ),
}
"""What the kinds of events say, and an example of each."""


def _of_kind(kind: Kind) -> StreamEvent:
    what, example = OF_KINDS[kind.name]
    data: Any = StreamReset | kind.model if kind.name == frames.RESET else kind.model
    return StreamEvent(kind.name, data, kind.durable, what, example)


EVENTS = (*OF_A_STREAM[:2], *map(_of_kind, KINDS), *OF_A_STREAM[2:])
"""All events of a stream, about in the order in which they come."""
