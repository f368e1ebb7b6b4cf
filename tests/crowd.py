"""Audiences of two and of many, and the texts that they got."""

import json

from parts import ALICE, BOB, Worker
from ssechat.ids import ConversationId, UserId
from ssechat.logs.delivery import AT_ONCE

BOTH = (ALICE, BOB)
CROWD = tuple(UserId(f"u{number}") for number in range(3 * AT_ONCE + 5))
GROUP = ConversationId("g:crowd")


async def texts(worker: Worker, user: str) -> list[str]:
    return [json.loads(data).get("text", data) for data in await worker.texts(user)]
