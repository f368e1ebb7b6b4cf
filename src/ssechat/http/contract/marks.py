"""Operations of what one has read."""

from ssechat.events import kinds
from ssechat.http.contract import problems
from ssechat.http.contract.answers.conversations import Marked
from ssechat.http.contract.conversations import CONVERSATION_PATH
from ssechat.http.contract.operation import Answer, Operation
from ssechat.http.contract.parameters import CONVERSATION
from ssechat.http.requests import Mute, ReadMark

TOPIC = "Read and unread"

READ = Operation(
    id="mark_read",
    method="PUT",
    path=CONVERSATION_PATH + "/read",
    topic=TOPIC,
    summary="Marks messages as read",
    about="All up to `up_to`, or to the newest one if that is lower. A mark rises only; sending raises it, too. Your "
    "other devices get a `mark` event, the others in the conversation a `receipt`. What is unread follows from "
    "the mark: `newest_seq` less `read_up_to`.",
    parameters=(CONVERSATION,),
    body=ReadMark,
    answers={200: Answer("The mark as it stands.", Marked)},
    refusals=(problems.UNKNOWN_CONVERSATION, problems.NOT_A_MEMBER),
    example={"up_to": 1},
    events=(kinds.MARK.name, kinds.RECEIPT.name),
)

MUTE = Operation(
    id="mute",
    method="PUT",
    path=CONVERSATION_PATH + "/mute",
    topic=TOPIC,
    summary="Mutes a conversation, or unmutes it",
    about="Its messages come as before. They are not in the sums of `GET /v1/me`, and a client makes no noise of them. "
    "Your other devices get a `mark` event.",
    parameters=(CONVERSATION,),
    body=Mute,
    answers={200: Answer("The mark as it stands.", Marked)},
    refusals=(problems.UNKNOWN_CONVERSATION, problems.NOT_A_MEMBER),
    example={"muted": True},
    events=(kinds.MARK.name,),
)
