"""Losses of data that tests make."""

from parts import DM, Worker
from ssechat.redis import keys


async def lose_all_but_one(worker: Worker) -> None:
    """The conversation's slot loses all messages but the first, and the users' slots lose nothing."""
    conversation = keys.of_conversation(DM)
    log = await worker.redis.call("XRANGE", conversation.log, "-", "+")
    await worker.redis.call("DEL", conversation.log)
    await worker.redis.call("XADD", conversation.log, log[0][0], *log[0][1])
    await worker.redis.call("HSET", conversation.conversation, "head", log[0][0], "seq", "1", "delivered", "1")
