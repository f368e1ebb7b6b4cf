"""Who has reacted to a message, and how. logs/append.lua changes it, together with the message."""

from collections.abc import Sequence
from typing import NamedTuple

from ssechat.ids import ConversationId, UserId
from ssechat.redis import keys
from ssechat.redis.client import Redis


class Reaction(NamedTuple):
    """Somebody's reaction to a message."""

    emoji: str
    user: UserId

    def field(self, seq: int) -> str:
        """As it stands in the set of reactions."""
        return f"{seq}:{self.emoji}:{self.user}"


class OfEmoji(NamedTuple):
    """All reactions to a message with one emoji."""

    total: int
    users: Sequence[UserId]
    """The first of them by name."""


class Reactions:
    """Reads reactions."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def given(self, conversation: ConversationId, seq: int, asked: Sequence[Reaction]) -> list[bool]:
        """Which of these reactions there are."""
        if not asked:
            return []
        fields = [reaction.field(seq) for reaction in asked]
        scores = await self._redis.call("ZMSCORE", keys.reactions(conversation), *fields)
        return [score is not None for score in scores]

    async def kinds(self, conversation: ConversationId, seq: int, asked: Sequence[tuple[str, int]]) -> list[OfEmoji]:
        """Of each of these emojis: how many have reacted with it, and the names of the first so many of them."""
        key = keys.reactions(conversation)
        # In the order of characters `;` follows on `:`.
        ranges = [(f"[{seq}:{emoji}:", f"({seq}:{emoji};", names) for emoji, names in asked]
        answers = await self._redis.pipeline(
            command
            for first, end, names in ranges
            for command in (
                ("ZLEXCOUNT", key, first, end),
                ("ZRANGEBYLEX", key, first, end, "LIMIT", 0, names),
            )
        )
        return [
            OfEmoji(total, [_parse(field).user for field in fields])
            for total, fields in zip(answers[::2], answers[1::2], strict=True)
        ]

    async def page(self, conversation: ConversationId, seq: int, after: str, limit: int) -> list[Reaction]:
        """Up to `limit` reactions to a message whose `<emoji>:<user>` follows `after`, in this order."""
        first = f"({seq}:{after}" if after else f"[{seq}:"
        key = keys.reactions(conversation)
        found = await self._redis.call("ZRANGEBYLEX", key, first, f"({seq};", "LIMIT", 0, limit)
        return [_parse(field) for field in found]


def _parse(field: bytes) -> Reaction:
    _, emoji, user = field.decode().split(":")
    return Reaction(emoji, UserId(user))
