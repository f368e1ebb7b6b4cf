"""Links from an answer to the operations on what it has made (OpenAPI's Link Object)."""

from collections.abc import Iterable, Mapping
from typing import Any

from ssechat.events.models import Message
from ssechat.http.contract.answers.conversations import Group
from ssechat.http.contract.answers.members import InviteWithSecret
from ssechat.http.contract.conversations import CONVERSATION_PATH
from ssechat.http.contract.invites import REVOKE
from ssechat.http.contract.messages import MESSAGE
from ssechat.http.contract.operation import Operation

CREATED = 201

MADE: Mapping[Any, tuple[str, Mapping[str, str]]] = {
    Message: (MESSAGE, {"id": "$response.body#/conversation_id", "seq": "$response.body#/seq"}),
    Group: (CONVERSATION_PATH, {"id": "$response.body#/id"}),
    InviteWithSecret: (REVOKE.path, {"id": "$request.path.id", "invite": "$response.body#/id"}),
}
"""By the model of an answer: the path of what it has made, and where the path's parameters are."""


def links(status: int, model: Any, operations: Iterable[Operation]) -> dict[str, Any]:
    """The links of an answer, by the ids of the operations that they lead to."""
    if status != CREATED or model not in MADE:
        return {}
    path, parameters = MADE[model]
    return {
        each.id: {"operationId": each.id, "parameters": dict(parameters)} for each in operations if each.path == path
    }
