"""The log of a conversation: its messages, in one order for all readers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ssechat.ids import NO_ENTRY, ConversationId, number_of
from ssechat.logs.access import tombstone
from ssechat.logs.pages import Reference, fitting
from ssechat.redis import keys
from ssechat.redis.batching import ScriptBatch
from ssechat.redis.client import Redis
from ssechat.redis.lua import load_script

MARK_PAUSE = 0.02
"""Seconds over which delivery marks are batched: a lost mark only makes a worker deliver again."""

NOT_FETCHED = b""
"""In the place of a message that did not fit on a page."""

SUMMARY = 128
"""Bytes of a conversation in a list, besides its id, members and message."""


ASKED_AT_ONCE = 256
"""Direct conversations of which it is asked in one round trip how the two stand."""


class Direct(NamedTuple):
    """How the two of a direct conversation stand to each other."""

    begun: bool
    """Something was sent."""
    blocked: bool
    """One of them blocks the other."""


class Entry(NamedTuple):
    """An entry of a conversation's log, with the data of its event."""

    conversation: ConversationId
    id: str
    before: str
    """The id of the entry before it."""
    kind: str
    """Maybe one that this version does not know."""
    at: int
    """When it was made: milliseconds since 1970; 0 if not known."""
    sort: str
    """The `Replay` of the entry's kind."""
    value: bytes
    """The seq of the message, or the fact's data."""
    data: bytes
    """The data of the event (JSON): the present message, or the data of the fact."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A conversation in a list."""

    id: ConversationId
    newest_seq: int
    last_message: bytes | None
    undelivered: bool


class Conversations:
    """Reads and appends to conversations' logs."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._mark = ScriptBatch(redis, load_script(__name__, "common.lua", "delivered.lua"))
        self._marks: dict[ConversationId, int] = {}

    def mark_delivered(self, conversation: ConversationId, entry: str) -> None:
        """Marks the log as delivered to all members up to this entry, with a short delay."""
        if not self._marks:
            asyncio.get_running_loop().call_later(MARK_PAUSE, self._flush_marks)
        self._marks[conversation] = max(number_of(entry), self._marks.get(conversation, 0))

    def _flush_marks(self) -> None:
        marks, self._marks = self._marks, {}
        for conversation, pos in marks.items():
            future = self._mark.submit((keys.of_conversation(conversation).conversation,), (pos,))
            # A lost mark is harmless: the entry is delivered again.
            future.add_done_callback(asyncio.Future.exception)

    async def entries(self, conversation: ConversationId, first: str, last: str, count: int) -> list[Entry]:
        """Up to `count` entries of the log from `first` to `last`, both included if they are there.

        Returns fewer if their messages do not fit on a page (pages.py), but at least two if there are two, and none
        behind a hole. The predecessor of the first entry is known only if it is the first of the log.
        """
        log = await self._redis.call("XRANGE", keys.of_conversation(conversation).log, first, last, "COUNT", count)
        parsed = [(entry.decode(), dict(zip(fields[::2], fields[1::2], strict=True))) for entry, fields in log]
        about = [fields.get(b"message") or fields.get(b"change") for _, fields in parsed]
        # At least two: a caller that asks for the entries after one gets that one first.
        references = [Reference(conversation, seq) for seq in about if seq is not None]
        messages = iter(await fitting(self._redis, references, least=2))
        found: list[Entry] = []
        for (entry, fields), seq in zip(parsed, about, strict=True):
            if found and number_of(entry) != number_of(found[-1].id) + 1:
                break
            kind, at = fields.pop(b"kind").decode(), int(fields.pop(b"at"))
            [(sort, value)] = fields.items()
            if seq is None:
                data = value
            elif (message := next(messages, NOT_FETCHED)) is NOT_FETCHED:
                break
            else:
                data = tombstone(conversation, int(seq)) if message is None else message
            before = found[-1].id if found else NO_ENTRY if number_of(entry) == 1 else entry
            found.append(Entry(conversation, entry, before, kind, at, sort.decode(), value, data))
        return found

    async def has_entry(self, conversation: ConversationId, entry: str) -> bool:
        """Whether the log has exactly this entry."""
        return bool(await self._redis.call("XRANGE", keys.of_conversation(conversation).log, entry, entry))

    async def newest_entry(self, conversation: ConversationId) -> str:
        """The id of the log's newest entry."""
        head = await self._redis.call("HGET", keys.of_conversation(conversation).conversation, "head")
        return NO_ENTRY if head is None else str(head.decode())

    async def newest(self, conversation: ConversationId) -> tuple[str, int]:
        """The id of the log's newest entry, and the seq of the newest message as of then."""
        head, seq = await self._redis.call("HMGET", keys.of_conversation(conversation).conversation, "head", "seq")
        return (NO_ENTRY if head is None else str(head.decode())), int(seq or 0)

    async def unfinished(self, conversation: ConversationId) -> str | None:
        """Returns the newest entry if a member may lack it."""
        key = keys.of_conversation(conversation).conversation
        delivered, head = await self._redis.call("HMGET", key, "delivered", "head")
        return head.decode() if lags(delivered, head) else None

    async def summaries(self, conversations: Sequence[ConversationId]) -> list[Summary]:
        """Summaries of the first of these conversations, as many as fit on a page, at least one."""
        states = await self._redis.pipeline(
            ("HMGET", keys.of_conversation(one).conversation, "seq", "delivered", "head") for one in conversations
        )
        references = [
            Reference(one, state[0] or b"0", 2 * len(one) + SUMMARY)
            for one, state in zip(conversations, states, strict=True)
        ]
        messages = await fitting(self._redis, references)
        return [
            Summary(one, int(seq or 0), message, undelivered=lags(delivered, head))
            for one, (seq, delivered, head), message in zip(conversations, states, messages, strict=False)
        ]

    async def newest_seq(self, conversation: ConversationId) -> int:
        """The seq of the newest message; 0 when there is none."""
        key = keys.of_conversation(conversation).conversation
        return int(await self._redis.call("HGET", key, "seq") or 0)

    async def directs(self, conversations: Sequence[ConversationId]) -> list[Direct]:
        """How the two of each of these direct conversations stand. One round trip for 256 of them."""
        found: list[Direct] = []
        for at in range(0, len(conversations), ASKED_AT_ONCE):
            some = conversations[at : at + ASKED_AT_ONCE]
            replies = await self._redis.each("HMGET", [keys.conversation(one) for one in some], "seq", "blocks")
            found += [Direct(int(seq or 0) > 0, bool(blocks)) for seq, blocks in replies]
        return found

    async def messages(self, conversation: ConversationId, seqs: Sequence[int]) -> list[bytes | None]:
        """Messages as they stand now (JSON) with the first of these seqs, as many as fit on a page: one at least."""
        return await fitting(self._redis, [Reference(conversation, b"%d" % seq) for seq in seqs])

    async def resolve(self, references: Sequence[tuple[ConversationId, bytes]], room: int) -> list[bytes | None]:
        """The messages that the first references (conversation, seq) point at, as many as fit into `room` bytes."""
        return await fitting(self._redis, [Reference(*reference) for reference in references], room)


def lags(delivered: bytes | None, head: bytes | None) -> bool:
    """Whether a member may lack the newest entries."""
    return head is not None and int(delivered or 0) < number_of(head.decode())
