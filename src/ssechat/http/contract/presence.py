"""The operation of who is there."""

from ssechat.events import kinds
from ssechat.http.contract import problems
from ssechat.http.contract.answers.people import PresenceNow
from ssechat.http.contract.operation import Answer, Operation
from ssechat.http.requests import PresenceFields

TOPIC = "Presence"

WATCH = Operation(
    id="watch_presence",
    method="PUT",
    path="/v1/presence",
    topic=TOPIC,
    summary="Says whom you watch, and whether you are seen",
    about="The answer says what is so now, and your streams get a `presence` event when that changes, and with all of "
    "it when one opens: you need not ask again after a reconnect. Somebody counts as online while any device of it has "
    "a stream, on any worker, and as offline about half a minute after its last one ended, so a reload does not show. "
    "You learn of people with whom you share a direct conversation in which something was written, and of members of "
    "the group that you name in `in`; not across a block. Everybody else is offline and was never seen, whether or not "
    "such a user exists. A list is kept for an hour after your last stream. With `visible` false you look offline to "
    "everybody, as if you had left just then; your other devices get a `profile` event.",
    body=PresenceFields,
    answers={200: Answer("What is so now.", PresenceNow)},
    refusals=(problems.UNKNOWN_CONVERSATION, problems.NOT_A_MEMBER, problems.NOT_A_GROUP, problems.ENDED),
    example={"watch": ["bob"]},
    events=(kinds.PRESENCE.name,),
)
