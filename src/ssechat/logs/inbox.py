"""A user's inbox: every event for this user, in the one order that all of the user's streams show.

An inbox holds references; the conversations hold the content. So a reader who comes back sees each message
as it stands now, and a thousand members do not hold a thousand copies.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from ssechat.events import frames
from ssechat.ids import ConversationId, UserId, entry_number, new_tag
from ssechat.logs.conversations import Conversations, Entry, tombstone
from ssechat.redis import keys
from ssechat.redis.batching import ScriptBatch, load_script
from ssechat.redis.link import Redis, Reply

WAKE_UP_LIMIT = 4096
"""Bytes of an event that a wake-up carries; a larger one is read from the log by those who have a stream."""

READ_BYTES = 64 * 1024
"""Of the messages that a reading of an inbox brings: what a stream that is behind costs in memory, and about what
fits into its connection, for the rest of it would have been read in vain."""

NOT_FETCHED = b""
"""In the place of a message that did not fit."""

DELIVERED = b"ok"

HEADS = """
local heads = {}
for i, user in ipairs(KEYS) do heads[i] = redis.call('HGET', user, 'head') or '0-0' end
return heads
"""
"""One reply for many users: as many commands as users would cost each of them a future."""


def limits(inbox_limit: int) -> str:
    """What stands in front of the scripts that deliver: the same for every item, so no item carries it."""
    return f"local INBOX_LIMIT, WAKE_UP_LIMIT = '{inbox_limit}', {WAKE_UP_LIMIT}\n"


START = "-"
"""The cursor before everything that is kept."""


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a user has a conversation's log, and the n of that event in the inbox."""

    conversation: ConversationId
    entry: str
    n: int


@dataclass(frozen=True, slots=True)
class Page:
    """What follows a cursor. Without `continuous`, the cursor is not one of this inbox's."""

    continuous: bool
    head: str
    oldest: str
    events: Sequence[tuple[int, str, bytes]]
    """n, id and chunk of each event, in order."""

    @property
    def before_oldest(self) -> str:
        """Where a reader stands who has nothing of what is kept."""
        n = entry_number(self.oldest) or 0
        return f"{n - 1}-0" if self.events else self.head


class Inbox:
    """Appends to and reads users' inboxes."""

    def __init__(self, redis: Redis, conversations: Conversations, limit: int) -> None:
        self._redis = redis
        self._conversations = conversations
        self._deliver = ScriptBatch(
            redis, limits(limit) + load_script(__name__, "optional.lua", "inbox.lua", "deliver.lua")
        )

    async def deliver(self, users: Sequence[UserId], entry: Entry) -> list[str | None]:
        """Appends the entry to each inbox where it is the next one of its conversation; wakes the streams.

        Returns for each user None when the inbox has the entry now, else the last entry that it has.
        """
        answers = await asyncio.gather(*[self._submit(user, entry, "") for user in users])
        return [None if answer == DELIVERED else answer.decode() for answer in answers]

    async def reset(self, user: UserId, conversation: ConversationId, last: str, now: str, reason: str) -> None:
        """Tells the user, durably, that the conversation's log no longer has `last`; `now` takes its place."""
        data = frames.encode({"reason": reason, "conversation_id": conversation})
        entry = Entry(conversation, now, last, frames.RESET, reason, data)
        await self._submit(user, entry, last)
        self._redis.metrics.conversation_resets[reason] += 1

    def _submit(self, user: UserId, entry: Entry, replaces: str) -> "asyncio.Future[Reply]":
        return self._deliver.submit(
            (keys.user(user),),
            (
                new_tag(),
                entry.conversation,
                entry.id,
                entry.before,
                entry.kind,
                entry.reference,
                entry.data,
                replaces,
            ),
        )

    async def head(self, user: UserId) -> str:
        """The newest event's id, or the birth tag's when there is none. Always a valid cursor."""
        user_key = keys.user(user)
        head = await self._redis.call("HGET", user_key, "head")
        if head is None:
            # Whoever comes first decides the birth tag; a delivery may come before us and make a head.
            _, birth = await self._redis.pipeline(
                [("HSETNX", user_key, "birth", new_tag()), ("HGET", user_key, "birth")]
            )
            _, head = await self._redis.pipeline(
                [("HSETNX", user_key, "head", b"0-" + birth), ("HGET", user_key, "head")]
            )
        return str(head.decode())

    async def heads(self, users: Sequence[UserId]) -> list[str]:
        """The heads of many inboxes in one round trip."""
        replies = await self._redis.call("EVAL", HEADS, len(users), *map(keys.user, users))
        return [reply.decode() for reply in replies]

    async def read(self, user: UserId, cursor: str, count: int) -> Page:
        """Up to `count` events after `cursor` (`START`: from the oldest); as many as fit into READ_BYTES, but one."""
        inbox = keys.inbox(user)
        # The head comes first, so that what is appended meanwhile is on the page rather than beyond it.
        # The entries come from the cursor's own on: that it is there, tag and all, makes the cursor valid.
        (newest, birth), oldest, entries = await self._redis.pipeline(
            [
                ("HMGET", keys.user(user), "head", "birth"),
                ("XRANGE", inbox, "-", "+", "COUNT", 1),
                ("XRANGE", inbox, cursor, "+", "COUNT", count + 1),
            ]
        )
        if newest is None:
            await self.head(user)  # makes one; what comes before that is on the next reading's page
            return await self.read(user, cursor, count)
        head = newest.decode()
        first = oldest[0][0].decode() if oldest else head
        born = cursor == head if birth is None else cursor == f"0-{birth.decode()}"
        if entries and entries[0][0] == cursor.encode():
            continuous, entries = True, entries[1:]
        else:
            # Before the first entry there is none to find: there it is the birth tag that must match.
            continuous = cursor == START or (born and (entry_number(first) or 0) <= 1)
        if not continuous:
            return Page(False, head, first, ())
        return Page(True, head, first, await self._frames(entries[:count]))

    async def positions(self, user: UserId) -> list[Position]:
        """The user's conversations, the one with the newest event first."""
        reply = await self._redis.call("HGETALL", keys.user_conversations(user))
        found = []
        for conversation, value in zip(reply[::2], reply[1::2], strict=True):
            entry, _, n = value.decode().partition(" ")
            found.append(Position(ConversationId(conversation.decode()), entry, int(n)))
        return sorted(found, key=lambda position: -position.n)

    async def _frames(self, entries: Sequence[Reply]) -> list[tuple[int, str, bytes]]:
        """Entries `(id, [in, conversation, kind, …, ref, …])` as the events they stand for; the first that fit."""
        references = [
            (ConversationId(fields[1].decode()), fields[5]) for _, fields in entries if fields[3] == b"message"
        ]
        messages = iter(await self._conversations.resolve(references, READ_BYTES))
        events = []
        for entry, fields in entries:
            conversation = ConversationId(fields[1].decode())
            if fields[3] == b"message":
                message = next(messages, NOT_FETCHED)
                if message is NOT_FETCHED:
                    break
                name, data = frames.MESSAGE, message or tombstone(conversation, fields[5])
                data = frames.one_line(data)  # as older servers did not write it
            else:
                name = frames.RESET
                data = frames.encode({"reason": fields[5].decode(), "conversation_id": conversation})
            name_of_entry = entry.decode()
            chunk = frames.durable(name_of_entry, name, data)
            events.append((entry_number(name_of_entry) or 0, name_of_entry, chunk))
        return events
