"""Delivery: an action takes its place in a conversation's log and in the inbox of every member.

There are two forms. In one script, which Redis runs whole or not at all: a worker that dies leaves nothing half done.
Or in two steps, for audiences that are too large for one script (and where one script cannot reach all inboxes): the
action is appended, and then delivered. By the gap rule (inbox.lua) both come to the same.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from ssechat.errors import Conflict
from ssechat.events.kinds import MESSAGE, Kinds, Replay
from ssechat.ids import ConversationId, UserId, tags
from ssechat.logs.access import tombstone
from ssechat.logs.actions import BEFORE_ID, BEFORE_SEQ, BEFORE_VERSION, Action
from ssechat.logs.conversations import Conversations, Entry, lags
from ssechat.logs.inbox import Inbox, Run, limits, named_in
from ssechat.logs.members import Members
from ssechat.logs.membership import Precondition
from ssechat.logs.refused import (
    Absent,
    Blocked,
    GroupEnded,
    GroupExists,
    MembersChanged,
    MessageChanged,
    NoSuchGroup,
    NotAppended,
)
from ssechat.logs.repair import Repair
from ssechat.redis import keys, packed_keys
from ssechat.redis.batching import BUDGET, ScriptBatch
from ssechat.redis.client import Redis
from ssechat.redis.connection import Reply
from ssechat.redis.lua import load_script
from ssechat.redis.packed import Argument, pack

WEEK = 7 * 24 * 3600

# Bound once: to look a member of an enum up costs more than 100 ns.
CHANGED_MESSAGE, FACT = Replay.CHANGED_MESSAGE, Replay.FACT

AT_ONCE = 64
"""Members that one script delivers to; more would hold up everybody else's commands in Redis."""

IN_PLACE = 4
"""Values in the answer of append.lua before the last entries of the inboxes."""

WEIGHT_OF_A_GROUP = 16
"""Deliveries that a call allows for in a group, whose size only the script knows; the script counts."""

CHANGES_OF_A_DELIVERY = 4
"""Changes of members or reactions that hold Redis up as long as a delivery."""

CLEARED = 256
"""Changes that all reactions to a message count for that are taken away together; there can be 20,000 of them."""


class Appended(NamedTuple):
    """An action that has its place in the log."""

    action: Action
    message: bytes
    """The message as it stands now, or the fact's data (JSON)."""
    place: Sequence[bytes] = ()
    """The seq of the message, the entry and the entry before it; of a repeat nothing: it has the place that it had."""
    has: Mapping[UserId, str] = MappingProxyType({})
    """If not all of the members have it now: the entry of the conversation that each has last."""
    reached: int = 0
    """Of a group: how many members have it, or will."""
    undelivered: bool = False
    """Some member may not have it yet; who, is not known."""

    @property
    def entry(self) -> Entry | None:
        """The log's entry; None of a repeat."""
        if not self.place:
            return None
        seq, entry, before = self.place
        action, replay = self.action, self.action.kind.replay
        assert replay is not None
        value = self.message if replay is FACT else seq
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
        members: Members,
        inbox_limit: int,
        kinds: Kinds,
        *,
        at_once: int = AT_ONCE,
        charge: Callable[[Sequence[UserId], int], None] = lambda users, reached: None,
    ) -> None:
        """`at_once`: members that one script delivers to; with 0 everything is delivered in two steps.

        `charge` counts to those who did something together in a group in how many inboxes that is (identity/leases.py).
        """
        self.charge = charge
        self._conversations = conversations
        self._inbox = inbox
        self._members = members
        self._kinds = kinds
        self._at_once = at_once
        self._metrics = redis.metrics
        self._tags = tags()
        self._week = int(time.time()) // WEEK
        self._repair = Repair(conversations, inbox, members)
        constants = limits(inbox_limit) + _constants(kinds) + f"local AT_ONCE, BUDGET = {at_once}, {BUDGET}\n"
        source = load_script(__name__, "common.lua", "inbox.lua", "members.lua", "append.lua")
        self._append = ScriptBatch(redis, constants + source)

    async def send(
        self, action: Action, members: Sequence[UserId] | None, *, by: Sequence[UserId] = ()
    ) -> tuple[bytes, bool]:
        """Appends the action and delivers it to all members of its conversation; a repeat is delivered, too.

        `members`: of a direct conversation; None: it is a group, whose members are found where the data is. `by`: those
        to whom it is counted what the action reaches in a group.
        Returns the message as it stands now, or the fact's data (JSON), and whether it is new, not a repeat.

        Raises:
            Conflict: `idempotency_conflict`.
            NotAppended: the log did not take it (refused.py).
            RedisUnavailable: the outcome is unknown.
        """
        self._kinds.check(action.kind, durable=True)
        at_once = members if members is None or len(members) <= self._at_once else ()
        answer = await self._submit(action, at_once)
        if type(answer) is bytes:
            if members is None:
                answer, _, count = answer.rpartition(b" ")
                self.charge(by, int(count))
            seq, in_log, _ = answer.split(b" ")
            return _data(action, seq, in_log), True  # all have it
        appended = await self._answered(action, at_once, answer)
        entry = appended.entry
        if members is None and entry is not None:
            self.charge(by, appended.reached)
        if entry is None:
            if appended.undelivered:
                await self.finish(action.conversation, members)
        elif members is None:
            if appended.undelivered:
                await self._finish_group(action.conversation, entry)
        elif appended.has or not at_once:
            has = appended.has or await self._inbox.deliver([(Run((entry,), entry.before), members)])
            await self._complete(entry.conversation, entry.id, has)
        return appended.message, bool(appended.place)

    async def finish(self, conversation: ConversationId, members: Sequence[UserId] | None) -> None:
        """Delivers what a worker that died had appended, but not delivered. `members` are as in `send`.

        Raises:
            RedisUnavailable: some of it may not be delivered yet.
        """
        if members is None:
            if await self._members.lag(conversation):
                await self._finish_group(conversation, None)
            return
        newest = await self._conversations.unfinished(conversation)
        if newest is None:
            return
        await self._complete(conversation, newest, await self._inbox.newest_of(conversation, members))

    async def _complete(self, conversation: ConversationId, entry: str, has: Mapping[UserId, str]) -> None:
        await self._repair.bring_to(conversation, entry, has)
        self._conversations.mark_delivered(conversation, entry)

    async def _finish_group(self, conversation: ConversationId, appended: Entry | None) -> None:
        if appended is not None:
            head = await self._repair.bring_group_to(conversation, appended.id, appended)
        else:
            head = await self._repair.bring_group_to(conversation, await self._conversations.newest_entry(conversation))
        self._conversations.mark_delivered(conversation, head)

    async def append(self, action: Action, members: Sequence[UserId] | None) -> Appended:
        """Appends the action to the log, and delivers it in the same script: to all `members`, or with () to none yet.

        `members` and what it raises are as in `send`.
        """
        self._kinds.check(action.kind, durable=True)
        return await self._answered(action, members, await self._submit(action, members))

    async def _answered(
        self, action: Action, members: Sequence[UserId] | None, answer: bytes | Sequence[bytes]
    ) -> Appended:
        while not isinstance(answer, bytes) and answer[0] in (b"week", b"leaving"):
            if answer[0] == b"week":
                self._week = int(answer[1])  # by Redis's clock, which is one for all workers
            else:
                # It joins again before its inbox has that it left.
                await self._finish_group(action.conversation, None)
            answer = await self._submit(action, members)
        if isinstance(answer, bytes):
            place = answer.split(b" ")
            reached = 0 if members is not None else int(place.pop())
            return Appended(action, _data(action, place[0], place[1]), place, reached=reached)
        if answer[0] == b"appended":
            return _appended(action, answer, members)
        if answer[0] == b"repeat":
            _, seq, message, delivered, head = answer
            message = tombstone(action.conversation, int(seq)) if message is None else message
            return Appended(action, message, undelivered=members is None or lags(delivered, head))
        if answer[0] == b"conflict":
            self._metrics.conflicts += 1
            raise Conflict(
                "idempotency_conflict",
                "This client_msg_id was used for another message; use a new one for a new message.",
                status=422,  # draft-ietf-httpapi-idempotency-key-header §2.7
            )
        raise _refusal(answer)

    def _submit(self, action: Action, members: Sequence[UserId] | None) -> "asyncio.Future[Reply]":
        """Queues the item of append.lua."""
        kind = action.kind
        assert kind.replay is not None
        names = [packed_keys.of_conversation(action.conversation, self._week)]
        arguments: list[Argument] = [
            kind.name,
            action.at,
            next(self._tags),
            action.sent_as,
            action.digest,
            action.rest,
            named_in(action.named),
            "group" if members is None else len(members),
        ]
        changes = kind.replay is CHANGED_MESSAGE
        if changes or members is None:
            names.append(pack((keys.reactions(action.conversation),)))
        if members is not None:
            names += map(packed_keys.of_user, members)
        if changes:
            arguments += (action.seq, hashlib.sha1(action.made_from, usedforsecurity=False).hexdigest())
            arguments += (int(action.across_blocks), len(action.reactions))
            arguments += [value for reaction in action.reactions for value in reaction]
        if members is None:
            names.append(pack(keys.of_group(action.conversation)))
            arguments += _arguments(action.precondition or Precondition())
        weight = WEIGHT_OF_A_GROUP if members is None else len(members) or 1
        if changes or members is None:
            weight += _changes(action) // CHANGES_OF_A_DELIVERY
        return self._append.submit_packed(names, (pack(arguments),), weight)


def _constants(kinds: Kinds) -> str:
    """What append.lua knows of kinds and of messages. Most actions are messages: they need no table, which Lua would
    make for each call."""
    sorts = ", ".join(f"['{kind.name}'] = '{kind.replay}'" for kind in kinds if kind.replay is not None)
    beginning = ", ".join(f"'{part.decode()}'" for part in (BEFORE_ID, BEFORE_SEQ, BEFORE_VERSION))
    return (
        f"local MESSAGE, BEFORE_ID, BEFORE_SEQ, BEFORE_VERSION = '{MESSAGE.name}', {beginning}\n"
        f"local function sort_of(kind) return kind == MESSAGE and '{MESSAGE.replay}' or ({{{sorts}}})[kind] end\n"
    )


def _changes(action: Action) -> int:
    """How much the script does besides the entry and its delivery."""
    count = len(action.reactions)
    if action.precondition is not None:
        count += len(action.precondition.changes) + len(action.precondition.present)
    if b'"reactions":' in action.made_from and any(how == "clear" for how, _ in action.reactions):
        count += CLEARED
    return count


def _arguments(precondition: Precondition) -> list[Argument]:
    """As members.lua has them."""
    version = "new" if precondition.new else "" if precondition.list_version is None else precondition.list_version
    arguments: list[Argument] = [version, len(precondition.present), *precondition.present, len(precondition.changes)]
    for change in precondition.changes:
        arguments += change.arguments
    return arguments


def _refusal(answer: Sequence[bytes]) -> NotAppended:
    why, *of = answer
    match why:
        case b"changed":
            return MessageChanged(of[0] or None)
        case b"absent":
            return Absent([UserId(user.decode()) for user in of])
        case b"blocked":
            return Blocked([UserId(user) for user in of[0].decode().split(" ")])
        case b"members":
            return MembersChanged()
        case b"ended":
            return GroupEnded()
        case b"exists":
            return GroupExists(of[0].decode())
        case _:
            return NoSuchGroup()


def _data(action: Action, seq: bytes, entry: bytes) -> bytes:
    """The fact, or the message, put together in the same way as by the script."""
    if action.kind.replay is FACT:
        return action.rest
    return action.message(seq, entry.partition(b"-")[0])


def _appended(action: Action, answer: Sequence[bytes], members: Sequence[UserId] | None) -> Appended:
    place, lasts = answer[1:IN_PLACE], answer[IN_PLACE:]
    data = _data(action, place[0], place[1])
    if members is None:
        return Appended(action, data, place, reached=int(lasts[0]), undelivered=True)
    return Appended(action, data, place, {user: last.decode() for user, last in zip(members, lasts, strict=True)})
