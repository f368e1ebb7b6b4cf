"""The operation of “is writing”."""

from ssechat.events import kinds
from ssechat.http.contract import problems
from ssechat.http.contract.answers.base import Nothing
from ssechat.http.contract.conversations import CONVERSATION_PATH
from ssechat.http.contract.operation import Answer, Operation
from ssechat.http.contract.parameters import CONVERSATION
from ssechat.http.requests import EmptyBody

TOPIC = "Typing"

START = Operation(
    id="say_typing",
    method="POST",
    path=CONVERSATION_PATH + "/typing",
    topic=TOPIC,
    summary="Says that you are writing",
    about="The others get a `typing` event on the streams that they have open. Say it again every 10 seconds for as "
    "long as you write: they forget it after 15, or with your message. In groups of up to 32 members. Nobody is told "
    "across a block.",
    parameters=(CONVERSATION,),
    body=EmptyBody,
    body_may_be_missing=True,
    answers={202: Answer("Those who have a stream are told.", Nothing)},
    refusals=(
        problems.UNKNOWN_CONVERSATION,
        problems.NOT_A_MEMBER,
        problems.ENDED,
        problems.TOO_MANY_MEMBERS,
        problems.BLOCKED,
    ),
    example={},
    events=(kinds.TYPING.name,),
)
