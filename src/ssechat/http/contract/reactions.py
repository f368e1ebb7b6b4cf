"""Operations of reactions to messages."""

from ssechat.events import kinds
from ssechat.events.models import Message
from ssechat.http.contract import problems
from ssechat.http.contract.answers.messages import ReactionPage
from ssechat.http.contract.messages import MESSAGE
from ssechat.http.contract.operation import Answer, Operation
from ssechat.http.contract.parameters import CONVERSATION, EMOJI, ETAG, SEQ
from ssechat.http.requests import ReactionsQuery

TOPIC = "Reactions"
REACTIONS = MESSAGE + "/reactions"
REACTION = REACTIONS + "/{emoji}"

OF_READING = (problems.UNKNOWN_CONVERSATION, problems.NOT_A_MEMBER, problems.UNKNOWN_MESSAGE)
OF_CHANGES = (*OF_READING, problems.NOT_AN_EMOJI, problems.ENDED, problems.DELETED, problems.BUSY)

LIST = Operation(
    id="list_reactions",
    method="GET",
    path=REACTIONS,
    topic=TOPIC,
    summary="Says who has reacted how",
    parameters=(CONVERSATION, SEQ),
    query=ReactionsQuery,
    answers={200: Answer("A page of reactions, or those of one user.", ReactionPage)},
    refusals=OF_READING,
)

ADD = Operation(
    id="react",
    method="PUT",
    path=REACTION,
    topic=TOPIC,
    summary="Reacts with an emoji",
    about="Reactions to one message are gathered: each worker makes one event of them a second at most.",
    parameters=(CONVERSATION, SEQ, EMOJI),
    answers={200: Answer("The message as it stands.", Message, headers=(ETAG,))},
    refusals=(*OF_CHANGES, problems.TOO_MANY_REACTIONS, problems.BLOCKED),
    events=(kinds.MESSAGE_UPDATED.name,),
)

REMOVE = Operation(
    id="take_reaction_back",
    method="DELETE",
    path=REACTION,
    topic=TOPIC,
    summary="Takes your reaction back",
    parameters=(CONVERSATION, SEQ, EMOJI),
    answers={200: Answer("The message as it stands.", Message, headers=(ETAG,))},
    refusals=OF_CHANGES,
    events=(kinds.MESSAGE_UPDATED.name,),
)
