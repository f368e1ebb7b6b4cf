"""Receipts: up to where the others in a conversation have read it, and have it on a device.

A receipt is stored nowhere: it is what the place of a user (inbox.lua) says, so it is the mark that the user sees, and
a message of one's own raises it like the mark. An ack raises what a device has, in the places of the conversations that
the acked events are of.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ssechat.ids import ConversationId, UserId, entry_number
from ssechat.logs.inbox import Inbox, Place
from ssechat.redis import keys, packed_keys
from ssechat.redis.batching import ScriptBatch
from ssechat.redis.client import Redis
from ssechat.redis.lua import load_script
from ssechat.redis.packed import pack

EVENTS = 200
"""Events since the last ack that are looked at one by one."""

CONVERSATIONS = 1000
"""Conversations that one ack can be about, beyond those events: the newest ones."""

AT_ONCE = 100
"""Conversations of one item of ack.lua."""

WEIGHT = 4
"""Of an item of ack.lua in a call, in deliveries: it can look at EVENTS entries."""


class Receipt(NamedTuple):
    """Up to where somebody has read a conversation, and has it on a device."""

    user: UserId
    since: int
    """The seq of the newest message when the user joined: the receipt is about those after it."""
    read_up_to: int
    delivered_up_to: int

    @classmethod
    def of(cls, user: UserId, since: int, place: Place) -> "Receipt":
        mark = place.mark.since(since)
        return cls(user, since, mark.read_up_to, max(mark.read_up_to, mark.delivered))

    @property
    def told(self) -> dict[str, Any]:
        """As an event has it, besides the conversation."""
        return {"user": self.user, "read_up_to": self.read_up_to, "delivered_up_to": self.delivered_up_to}

    @property
    def fields(self) -> dict[str, Any]:
        """As a conversation shows it."""
        return {**self.told, "since": self.since} if self.since else self.told


class _Acked(NamedTuple):
    """What a call of ack.lua says."""

    before: int
    """The number of the event that was acked before."""
    more: bool
    """Whether there are events since then that it has not looked at."""
    raised: list[ConversationId]


class Receipts:
    """Reads what receipts are made of, and takes acks."""

    def __init__(self, redis: Redis, inbox: Inbox) -> None:
        self._redis = redis
        self._inbox = inbox
        self._ack = ScriptBatch(redis, load_script(__name__, "common.lua", "inbox.lua", "ack.lua"))

    async def ack(self, user: UserId, event: str) -> list[ConversationId] | None:
        """Notes that a device of the user has all events up to this one; None if there is no such event in the inbox.

        Returns the conversations of which a device has more now. That is one call of Redis, mostly; if more than EVENTS
        have come since the last ack, the places of the user are read, too, and the newest CONVERSATIONS of those
        raised: at most `2 + CONVERSATIONS / AT_ONCE` calls.

        Raises:
            RedisUnavailable: the outcome is unknown; it can be repeated.
        """
        number = entry_number(event)
        found = None if number is None else await self._submit(user, event, EVENTS)
        if number is None or found is None or not found.more:
            return None if found is None else found.raised
        seen, raised = {*found.raised}, [*found.raised]
        places = [place for place in await self._inbox.places(user) if found.before < place.n <= number]
        rest = [place.conversation for place in places[:CONVERSATIONS] if place.conversation not in seen]
        for at in range(0, max(1, len(rest)), AT_ONCE):
            last = at + AT_ONCE >= len(rest)
            more = await self._submit(user, event, "last" if last else "some", rest[at : at + AT_ONCE])
            raised += more.raised if more is not None else ()
        return raised

    async def _submit(
        self, user: UserId, event: str, what: str | int, conversations: Sequence[str] = ()
    ) -> _Acked | None:
        arguments = (event, what, len(conversations), *conversations)
        answer = await self._ack.submit_packed((packed_keys.of_user(user),), (pack(arguments),), WEIGHT)
        if answer == b"unknown":
            return None
        before, more, *raised = answer
        return _Acked(int(before), more == b"1", [ConversationId(one.decode()) for one in raised])

    async def places(self, asked: Sequence[tuple[UserId, ConversationId]]) -> list[Place]:
        """Places of users in conversations. One round trip."""
        values = await self._redis.pipeline(
            ("HGET", keys.of_user(user).places, conversation) for user, conversation in asked
        )
        return [Place.of(conversation, value) for (_, conversation), value in zip(asked, values, strict=True)]
