"""A conversation's log: what was said, in the one order that is the same for every reader."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ssechat import frames
from ssechat.ids import NOTHING, ConversationId, entry_number
from ssechat.redis import keys
from ssechat.redis.batching import ScriptBatch, load_script
from ssechat.redis.link import Redis

MARK_PAUSE = 0.02
"""Seconds over which notes of what has been delivered are gathered: late ones cost a repeat, not a message."""


class Entry(NamedTuple):
    """One thing that happened in a conversation, and the event (`kind`, JSON `data`) that tells its members."""

    conversation: ConversationId
    id: str
    before: str
    kind: str
    reference: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list of conversations shows of one."""

    id: ConversationId
    newest_seq: int
    last_message: bytes | None
    undelivered: bool


class Conversations:
    """Reads and appends to conversations' logs."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._mark = ScriptBatch(redis, load_script("mark.lua"))
        self._marks: dict[ConversationId, int] = {}

    def mark_delivered(self, entry: Entry) -> None:
        """Notes, soon, that all members have the log up to this entry."""
        if not self._marks:
            asyncio.get_running_loop().call_later(MARK_PAUSE, self._flush_marks)
        pos = entry_number(entry.id) or 0
        self._marks[entry.conversation] = max(pos, self._marks.get(entry.conversation, 0))

    def _flush_marks(self) -> None:
        marks, self._marks = self._marks, {}
        for conversation, pos in marks.items():
            future = self._mark.submit((keys.conversation(conversation),), (pos,))
            # A mark that is lost makes somebody deliver again what is there already: harmless.
            future.add_done_callback(asyncio.Future.exception)

    async def entries(self, conversation: ConversationId, first: str, last: str, count: int) -> list[Entry]:
        """Up to `count` entries of the log from `first` to `last`, both included if they are there.

        What stands before the first one found is known only if that is the log's very first entry.
        """
        log = await self._redis.call("XRANGE", keys.log(conversation), first, last, "COUNT", count)
        seqs = [fields[3] for _, fields in log]
        messages = await self._messages(conversation, seqs)
        found: list[Entry] = []
        for (entry, _), seq, message in zip(log, seqs, messages, strict=True):
            unknown = NOTHING.encode() if entry_number(entry.decode()) == 1 else entry
            before = found[-1].id.encode() if found else unknown
            found.append(message_entry(conversation, entry, before, seq, message))
        return found

    async def has_entry(self, conversation: ConversationId, entry: str) -> bool:
        """Whether the log has exactly this entry."""
        return bool(await self._redis.call("XRANGE", keys.log(conversation), entry, entry))

    async def unfinished(self, conversation: ConversationId) -> str | None:
        """The newest entry, if some member may not have it yet."""
        delivered, head = await self._redis.call("HMGET", keys.conversation(conversation), "delivered", "head")
        return head.decode() if lags(delivered, head) else None

    async def summaries(self, conversations: Sequence[ConversationId]) -> list[Summary]:
        """What a list shows of each of these."""
        states = await self._redis.pipeline(
            ("HMGET", keys.conversation(one), "seq", "delivered", "head") for one in conversations
        )
        messages = await self._redis.pipeline(
            ("HGET", keys.messages(one), state[0] or "0") for one, state in zip(conversations, states, strict=True)
        )
        return [
            Summary(one, int(seq or 0), message, undelivered=lags(delivered, head))
            for one, (seq, delivered, head), message in zip(conversations, states, messages, strict=True)
        ]

    async def newest_seq(self, conversation: ConversationId) -> int:
        """The seq of the newest message; 0 when there is none."""
        return int(await self._redis.call("HGET", keys.conversation(conversation), "seq") or 0)

    async def messages(self, conversation: ConversationId, first: int, last: int) -> list[bytes]:
        """Messages as they stand now (JSON) with seqs from `first` to `last`, in order."""
        if last < first:
            return []
        found = await self._messages(conversation, [b"%d" % seq for seq in range(first, last + 1)])
        return [message for message in found if message is not None]

    async def _messages(self, conversation: ConversationId, seqs: Sequence[bytes]) -> list[bytes | None]:
        if not seqs:
            return []
        found: list[bytes | None] = await self._redis.call("HMGET", keys.messages(conversation), *seqs)
        return found

    async def resolve(self, references: Sequence[tuple[ConversationId, bytes]]) -> list[bytes | None]:
        """The messages that references (conversation, seq) point at, in one round trip."""
        wanted: dict[ConversationId, list[bytes]] = {}
        for conversation, seq in references:
            wanted.setdefault(conversation, []).append(seq)
        replies = await self._redis.pipeline(("HMGET", keys.messages(one), *seqs) for one, seqs in wanted.items())
        found = dict(zip(wanted, map(iter, replies), strict=True))
        return [next(found[conversation]) for conversation, _ in references]


def message_entry(
    conversation: ConversationId, entry: bytes, before: bytes, seq: bytes, message: bytes | None
) -> Entry:
    """The log's entry for a message; a message that is gone leaves a tombstone."""
    data = tombstone(conversation, seq) if message is None else message
    return Entry(conversation, entry.decode(), before.decode(), frames.MESSAGE, seq.decode(), data)


def lags(delivered: bytes | None, head: bytes | None) -> bool:
    """Whether some member may lack the newest entries."""
    return head is not None and int(delivered or 0) < (entry_number(head.decode()) or 0)


def tombstone(conversation: ConversationId, seq: bytes) -> bytes:
    """What stands in for a message that is gone."""
    return frames.encode({"conversation_id": conversation, "seq": int(seq), "deleted": True})
