"""Blocks: who has blocked whom.

A block stands in two places. What enforces it is a field of the direct conversation of the two, `blocks`, which the
script that appends reads: the names of those of the two who block the other. And who blocks has a list, in the slot of
its inbox: a change of the list and the event of it are one. The field is set before the list and removed after it, so
nobody is listed who can write. What the list says is what is enforced in the end.
"""

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ssechat.errors import RedisUnavailable
from ssechat.events.kinds import BLOCK
from ssechat.ids import ConversationId, UserId, direct_conversation, tags
from ssechat.logs.inbox import limits
from ssechat.redis import keys
from ssechat.redis.batching import ScriptBatch
from ssechat.redis.client import Redis
from ssechat.redis.lua import load_script

ASKED_AT_ONCE = 256
"""Conversations of which it is asked in one round trip who blocks."""

TRIES = 32
"""Of one change; other workers can change the same block each time."""

ENFORCE = """
local others = {}
for user in string.gmatch(redis.call('HGET', KEYS[1], 'blocks') or '', '%S+') do
  if user ~= ARGV[1] then others[#others + 1] = user end
end
if ARGV[2] == '1' then others[#others + 1] = ARGV[1] end
if #others > 0 then
  redis.call('HSET', KEYS[1], 'blocks', table.concat(others, ' '))
else
  redis.call('HDEL', KEYS[1], 'blocks')
end
return 'ok'
"""


class BlockedNames(NamedTuple):
    """A page of those whom somebody has blocked, by name."""

    users: Sequence[UserId]
    more: bool
    """Whether others follow."""


class Blocks:
    """Reads and changes who has blocked whom."""

    def __init__(self, redis: Redis, inbox_limit: int) -> None:
        """`inbox_limit`: events that an inbox keeps, at least."""
        self._redis = redis
        self._tags = tags()
        source = load_script(__name__, "common.lua", "inbox.lua", "blocks.lua")
        self._change = ScriptBatch(redis, f"{limits(inbox_limit)}local KIND = '{BLOCK.name}'\n{source}")

    async def between(self, user: UserId, others: Iterable[UserId]) -> frozenset[UserId]:
        """Those of `others` who have blocked the user, or whom the user has blocked. One round trip for 256 of them.

        Raises:
            RedisUnavailable: Redis did not answer.
        """
        return frozenset([other for other, blockers in await self._blockers(user, others) if blockers])

    async def by(self, others: Iterable[UserId], user: UserId) -> frozenset[UserId]:
        """Those of `others` who have blocked the user; otherwise as `between`."""
        return frozenset([other for other, blockers in await self._blockers(user, others) if other in blockers])

    async def blockers(self, conversation: ConversationId) -> Sequence[UserId]:
        """Those of the two of a direct conversation who block the other."""
        value = await self._redis.call("HGET", keys.conversation(conversation), "blocks")
        return _names(value)

    async def listed(self, user: UserId, others: Sequence[UserId]) -> frozenset[UserId]:
        """Those of `others` whom the user has blocked, by the user's own list. One round trip."""
        if not others:
            return frozenset()
        scores = await self._redis.call("ZMSCORE", keys.blocks(user), *others)
        return frozenset([other for other, score in zip(others, scores, strict=True) if score is not None])

    async def count(self, user: UserId) -> int:
        """How many the user has blocked."""
        return int(await self._redis.call("ZLEXCOUNT", keys.blocks(user), "-", "+"))

    async def page(self, user: UserId, after: str, limit: int) -> BlockedNames:
        """Up to `limit` of those whom the user has blocked and whose names follow `after`."""
        first = f"({after}" if after else "-"
        found = await self._redis.call("ZRANGEBYLEX", keys.blocks(user), first, "+", "LIMIT", 0, limit + 1)
        return BlockedNames([UserId(name.decode()) for name in found[:limit]], len(found) > limit)

    async def block(self, user: UserId, other: UserId) -> None:
        """Blocks somebody. That it is so already is no error: then what a worker that died has left is finished.

        Raises:
            RedisUnavailable: the outcome is unknown.
        """
        await self._enforce(user, other, blocked=True)
        await self._list(user, other, blocked=True)
        await self._reconcile(user, other)

    async def unblock(self, user: UserId, other: UserId) -> None:
        """Takes a block back; otherwise as `block`."""
        await self._list(user, other, blocked=False)
        await self._reconcile(user, other)

    async def _reconcile(self, user: UserId, other: UserId) -> None:
        """Enforces what the list says, until it says the same afterwards: another device of the user, on another
        worker, may change the same block."""
        for _ in range(TRIES):
            blocked = bool(await self.listed(user, (other,)))
            await self._enforce(user, other, blocked=blocked)
            if bool(await self.listed(user, (other,))) is blocked:
                return
        raise RedisUnavailable("a block was changed again and again")

    async def _enforce(self, user: UserId, other: UserId, *, blocked: bool) -> None:
        key = keys.conversation(direct_conversation(user, other))
        await self._redis.call("EVAL", ENFORCE, 1, key, user, int(blocked))

    async def _list(self, user: UserId, other: UserId, *, blocked: bool) -> None:
        conversation, of_user = direct_conversation(user, other), keys.of_user(user)
        data = BLOCK.encode({"conversation_id": conversation, "user": other, "blocked": blocked})
        arguments = (next(self._tags), time.time_ns() // 1_000_000, conversation, other, int(blocked), data)
        await self._change.submit((of_user.user, of_user.inbox, keys.blocks(user)), arguments)

    async def _blockers(self, user: UserId, others: Iterable[UserId]) -> list[tuple[UserId, Sequence[UserId]]]:
        """Of each of the others who blocks: that one, the user, or both."""
        asked = [other for other in dict.fromkeys(others) if other != user]
        found: list[tuple[UserId, Sequence[UserId]]] = []
        for at in range(0, len(asked), ASKED_AT_ONCE):
            some = asked[at : at + ASKED_AT_ONCE]
            answers = await self._redis.pipeline(
                ("HGET", keys.conversation(direct_conversation(user, other)), "blocks") for other in some
            )
            found += zip(some, map(_names, answers), strict=True)
        return found


def _names(value: bytes | None) -> Sequence[UserId]:
    """Those who block, as the field has them."""
    return [UserId(name) for name in value.decode().split(" ")] if value else ()
