"""Operations of blocks."""

from ssechat.events import kinds
from ssechat.http.contract import problems
from ssechat.http.contract.answers.people import Blocked, BlockPage
from ssechat.http.contract.operation import Answer, Operation
from ssechat.http.contract.parameters import USER
from ssechat.http.requests import BlocksQuery

TOPIC = "Blocks"
BLOCKS = "/v1/blocks"
BLOCK_PATH = BLOCKS + "/{user}"

LIST = Operation(
    id="list_blocks",
    method="GET",
    path=BLOCKS,
    topic=TOPIC,
    summary="Lists whom you have blocked, by name",
    query=BlocksQuery,
    answers={200: Answer("A page of them.", BlockPage)},
)

BLOCK = Operation(
    id="block_user",
    method="PUT",
    path=BLOCK_PATH,
    topic=TOPIC,
    summary="Blocks a user",
    about="From then on neither of you can write to the other directly, edit what was written there, or react to it: "
    "that is answered 403 `blocked`, and nothing of it is stored. Each can still delete messages of their own and take "
    "reactions back. The user cannot add you to a group, and is told nothing of it. Your other devices get a `block` "
    "event.",
    parameters=(USER,),
    answers={200: Answer("The user is blocked.", Blocked)},
    refusals=(problems.UNKNOWN_USER, problems.INVALID_REQUEST, problems.TOO_MANY_BLOCKS),
    events=(kinds.BLOCK.name,),
)

UNBLOCK = Operation(
    id="unblock_user",
    method="DELETE",
    path=BLOCK_PATH,
    topic=TOPIC,
    summary="Unblocks a user",
    about="What was refused meanwhile does not come later: it was never stored. Your other devices get a `block` "
    "event.",
    parameters=(USER,),
    answers={204: Answer("You do not block the user.")},
    events=(kinds.BLOCK.name,),
)
