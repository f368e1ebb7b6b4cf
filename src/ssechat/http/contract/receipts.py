"""The operation of receipts; they are shown with a conversation, and told by the event `receipt`."""

from ssechat.events import kinds
from ssechat.http.contract import problems
from ssechat.http.contract.operation import Answer, Operation
from ssechat.http.requests import Ack

TOPIC = "Receipts"

EVENT = "1-4549717810404159942"
"""The id of an event, in examples."""

ACK = Operation(
    id="acknowledge",
    method="POST",
    path="/v1/ack",
    topic=TOPIC,
    summary="Says which events this device has",
    about="The one with this `id`, and all before it, in all conversations: their messages count as delivered to "
    "you. Send the id of the last event that you have, at most once a second, after messages of others; what "
    "you have marked as read needs none. An older id than one of before, of whichever device, changes nothing. "
    "On a server without receipts it does nothing, and any id will do.",
    body=Ack,
    answers={204: Answer("Noted.")},
    refusals=(problems.UNKNOWN_EVENT,),
    example={"id": EVENT},
    events=(kinds.RECEIPT.name,),
)
