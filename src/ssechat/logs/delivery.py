"""Delivery: an action takes its place in a conversation's log and in the inbox of every member.

There are two forms. In one script, which Redis runs whole or not at all: a worker that dies leaves nothing half done.
Or in two steps, for audiences that are too large for one script (and where one script cannot reach all inboxes): the
action is appended, and then delivered. By the gap rule (inbox.lua) both come to the same.
"""

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple

from ssechat.errors import ChatError, Conflict
from ssechat.events.kinds import Kinds, Replay
from ssechat.ids import ConversationId, UserId, tags
from ssechat.logs.actions import Action
from ssechat.logs.conversations import Conversations, Entry, lags, tombstone
from ssechat.logs.inbox import Inbox, limits
from ssechat.logs.repair import Repair
from ssechat.redis import packed_keys
from ssechat.redis.batching import ScriptBatch, load_script
from ssechat.redis.client import Redis
from ssechat.redis.connection import Reply
from ssechat.redis.packed import Argument, pack

WEEK = 7 * 24 * 3600

AT_ONCE = 64
"""Members that one script delivers to; more would hold up everybody else's commands in Redis."""


class MessageChanged(ChatError):
    """The message that a change was made from is not the one that stands now (`message`, JSON; None if it is gone)."""

    def __init__(self, message: bytes | None) -> None:
        super().__init__("the message has been changed by somebody else")
        self.message = message


class Appended(NamedTuple):
    """An action that has its place in the log."""

    action: Action
    message: bytes
    """The message as it stands now, or the fact's data (JSON)."""
    place: Sequence[bytes] = ()
    """The seq of the message, the entry and the entry before it; of a repeat nothing: it has the place that it had."""
    has: Mapping[UserId, str] = MappingProxyType({})
    """If not all of the members have it now: the entry of the conversation that each has last."""
    undelivered: bool = False
    """Of a repeat: some member may not have it yet."""

    @property
    def entry(self) -> Entry | None:
        """The log's entry; None of a repeat."""
        if not self.place:
            return None
        seq, entry, before = self.place
        action, replay = self.action, self.action.kind.replay
        assert replay is not None
        value = self.message if replay is Replay.FACT else seq
        return Entry(
            action.conversation, entry.decode(), before.decode(), action.kind.name, action.at, replay, value,
            self.message,
        )  # fmt: skip


class Delivery:
    """Appends actions, and delivers them."""

    def __init__(
        self,
        redis: Redis,
        conversations: Conversations,
        inbox: Inbox,
        inbox_limit: int,
        kinds: Kinds,
        *,
        at_once: int = AT_ONCE,
    ) -> None:
        """`at_once`: members that one script delivers to; with 0 everything is delivered in two steps."""
        self._conversations = conversations
        self._inbox = inbox
        self._kinds = kinds
        self._at_once = at_once
        self._metrics = redis.metrics
        self._tags = tags()
        self._week = int(time.time()) // WEEK
        self._repair = Repair(conversations, inbox)
        source = load_script(__name__, "common.lua", "inbox.lua", "append.lua")
        self._append = ScriptBatch(redis, limits(inbox_limit) + source)

    async def send(self, action: Action, members: Sequence[UserId]) -> tuple[bytes, bool]:
        """Appends the action and delivers it to all members of its conversation; a repeat is delivered, too.

        Returns the message as it stands now, or the fact's data (JSON), and whether it is new, not a repeat.

        Raises:
            Conflict: `idempotency_conflict`.
            MessageChanged: the message is not the one that the change was made from.
            RedisUnavailable: the outcome is unknown.
        """
        at_once = members if len(members) <= self._at_once else ()
        appended = await self.append(action, at_once)
        if appended.undelivered:
            await self.finish(action.conversation, members)
        elif (appended.has or not at_once) and (entry := appended.entry) is not None:
            has = appended.has or await self._inbox.deliver(dict.fromkeys(members, (entry,)))
            await self._complete(entry.conversation, entry.id, has)
        return appended.message, bool(appended.place)

    async def finish(self, conversation: ConversationId, members: Sequence[UserId]) -> None:
        """Delivers what a worker that died had appended, but not delivered.

        Raises:
            RedisUnavailable: some of it may not be delivered yet.
        """
        newest = await self._conversations.unfinished(conversation)
        if newest is None:
            return
        await self._complete(conversation, newest, await self._inbox.newest_of(conversation, members))

    async def _complete(self, conversation: ConversationId, entry: str, has: Mapping[UserId, str]) -> None:
        await self._repair.bring_to(conversation, entry, has)
        self._conversations.mark_delivered(conversation, entry)

    async def append(self, action: Action, members: Sequence[UserId]) -> Appended:
        """Appends the action to the log, and delivers it in the same script: to all `members`, or with () to none yet.

        Raises as `send` does.
        """
        self._kinds.check(action.kind, durable=True)
        while True:
            answer = await self._submit(action, members)
            if answer[0] != b"week":
                break
            self._week = int(answer[1])  # by Redis's clock, which is one for all workers
        if answer[0] == b"appended":
            return _appended(action, answer, members)
        if answer[0] == b"repeat":
            _, seq, message, delivered, head = answer
            message = tombstone(action.conversation, seq) if message is None else message
            return Appended(action, message, undelivered=lags(delivered, head))
        if answer[0] == b"changed":
            raise MessageChanged(answer[1] or None)
        self._metrics.conflicts += 1
        raise Conflict(
            "idempotency_conflict",
            "This client_msg_id was used for another message; use a new one for a new message.",
            status=422,  # draft-ietf-httpapi-idempotency-key-header §2.7
        )

    def _submit(self, action: Action, members: Sequence[UserId]) -> "asyncio.Future[Reply]":
        """Queues the item of append.lua."""
        kind = action.kind
        assert kind.replay is not None
        packed = [packed_keys.of_conversation(action.conversation, self._week), *map(packed_keys.of_user, members)]
        arguments: list[Argument] = [
            kind.replay,
            kind.name,
            action.at,
            next(self._tags),
            action.sent_as,
            action.digest,
            action.beginning,
            action.rest,
            len(members),
        ]
        arguments += islice(self._tags, len(members))  # a tag per inbox: ids of different inboxes must differ
        if kind.replay is Replay.CHANGED_MESSAGE:
            arguments += (action.seq, hashlib.sha1(action.made_from, usedforsecurity=False).hexdigest())
        return self._append.submit_packed(packed, (pack(arguments),), len(members) or 1)


def _appended(action: Action, answer: Sequence[bytes], members: Sequence[UserId]) -> Appended:
    """Builds the message's JSON in the same way as the script."""
    _, seq, entry, _ = answer[:4]
    is_fact = action.kind.replay is Replay.FACT
    data = action.rest if is_fact else action.message(seq, entry.partition(b"-")[0])
    place, lasts = answer[1:4], answer[4:]
    if not lasts:
        return Appended(action, data, place)
    return Appended(action, data, place, {user: last.decode() for user, last in zip(members, lasts, strict=True)})
