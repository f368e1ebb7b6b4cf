"""The inbox of a user: all durable events of the user, in one order for all of its streams.

An inbox holds references; the conversations hold the messages. So a reader that comes back sees each message as it
stands now, and a thousand members do not hold a thousand copies. Facts are small, and each inbox holds its own.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import from_json

from ssechat.events import frames
from ssechat.events.kinds import MARK, RESET, Kind, Kinds, Replay
from ssechat.events.source import START, Event, Page, Source
from ssechat.events.unread import with_mark
from ssechat.events.wake_ups import encode_ephemeral
from ssechat.ids import NO_ENTRY, ConversationId, UserId, new_tag, number_of, tags
from ssechat.logs.access import EVERYTHING, Access, tombstone
from ssechat.logs.account_log import AccountLog
from ssechat.logs.conversations import NOT_FETCHED, Conversations, Entry
from ssechat.logs.marks import NO_MARK, Mark, Marked
from ssechat.logs.members import Members
from ssechat.redis import keys, packed_keys
from ssechat.redis.batching import BUDGET, ScriptBatch
from ssechat.redis.client import Redis
from ssechat.redis.connection import Reply
from ssechat.redis.lua import load_script
from ssechat.redis.packed import Argument, Packed, pack

logger = logging.getLogger(__name__)

WAKE_UP_LIMIT = 4096
"""Upper bound of an event in a wake-up, in bytes; a larger event is read from the log."""

HEADS = """
local heads = {}
for i, user in ipairs(KEYS) do heads[i] = redis.call('HGET', user, 'head') or '0-0' end
return heads
"""
"""One command for many users: one command per user would need a future each."""

CHUNK = 64
"""Users of one item of deliver.lua, at most."""

PARSED_AT_ONCE = 500
"""Places that are parsed before others get their turn: some milliseconds."""

LOGS_TO_INBOX = 2
"""A conversation's log keeps so many times the entries of an inbox: an inbox that lacks some finds them there."""


def limits(inbox_limit: int) -> str:
    """The Lua constants in front of the scripts that append or deliver; they are the same for all items."""
    log_limit = LOGS_TO_INBOX * inbox_limit
    return f"local INBOX_LIMIT, LOG_LIMIT, WAKE_UP_LIMIT = '{inbox_limit}', '{log_limit}', {WAKE_UP_LIMIT}\n"


FACT = Replay.FACT.encode()


class Run(NamedTuple):
    """Entries of one conversation's log, one after another, for an inbox."""

    entries: Sequence[Entry]
    before: str
    """The place that the inbox must have, unless it has one of the entries."""
    from_seq: int = 0
    """Changes of messages up to this seq are passed: the inbox gets none of them."""
    joined: int | None = None
    """Of a run that begins with the join of its readers, or of the reset in the place of that: the seq of the newest
    message then, which is nothing new to them."""
    newest: int | None = None
    """Of a reset: the seq of the newest message, as of the entry that the reset stands for."""


class Place(NamedTuple):
    """The last entry of a conversation's log that a user's inbox has."""

    conversation: ConversationId
    entry: str
    """The log's entry that was delivered last."""
    n: int
    """The number of the inbox's entry of it."""
    seq: int
    """The seq of the newest message that was delivered."""
    mark: Mark = NO_MARK

    @classmethod
    def of(cls, conversation: ConversationId, value: bytes | None) -> "Place":
        """As `parse`; of a conversation that has never reached the inbox, the beginning."""
        return cls(conversation, NO_ENTRY, 0, 0) if value is None else cls.parse(conversation.encode(), value)

    @classmethod
    def parse(cls, conversation: bytes, value: bytes) -> "Place":
        """A field of the user's `conversations`, as logs/inbox.lua writes it."""
        entry, n, seq, *mark = value.decode().split(" ")
        return cls(
            ConversationId(conversation.decode()), entry, int(n), int(seq), Mark.parse(mark) if mark else NO_MARK
        )


class _Reference(NamedTuple):
    """An entry of an inbox."""

    id: str
    conversation: ConversationId
    kind: str
    sort: bytes
    value: bytes

    @classmethod
    def parse(cls, entry: bytes, fields: Sequence[bytes]) -> "_Reference":
        _, conversation, _, kind, sort, value = fields
        return cls(entry.decode(), ConversationId(conversation.decode()), kind.decode(), sort, value)


class Inbox:
    """Appends to and reads users' inboxes."""

    skips = False
    sort = "user"

    def __init__(self, redis: Redis, conversations: Conversations, members: Members, limit: int, kinds: Kinds) -> None:
        """`limit`: events that an inbox keeps, at least."""
        self.limit = limit
        self._redis = redis
        self._conversations = conversations
        self._members = members
        self._kinds = kinds
        self._tags = tags()
        self._not_known: set[str] = set()
        """Kinds that the log has been told of."""
        self.accounts = AccountLog(redis, limits(limit))
        self._deliver = ScriptBatch(
            redis, limits(limit) + load_script(__name__, "common.lua", "inbox.lua", "deliver.lua")
        )
        source = load_script(__name__, "common.lua", "inbox.lua", "marks.lua")
        self._marks = ScriptBatch(redis, f"{limits(limit)}local KIND = '{MARK.name}'\n{source}")

    def source(self, user: UserId) -> Source:
        """The source of this user's streams."""
        return Source(self, user, self.channel(user))

    @staticmethod
    def channel(user: str) -> bytes:
        """The Pub/Sub channel of this user's wake-ups."""
        return keys.live(user).encode()

    async def deliver(self, runs: Iterable[tuple[Run, Sequence[UserId]]]) -> dict[UserId, str]:
        """Appends runs of a conversation's entries to the inboxes of users.

        Only what follows the entry that the inbox has last is appended; streams are woken. Returns for each user the
        entry that its inbox has last now: the run's last one, or one that is not in the run.

        Raises:
            RedisUnavailable: the outcome is unknown.
        """
        chunks = []
        for run, users in runs:
            entries, size = _packed(run), max(1, min(CHUNK, BUDGET // len(run.entries)))
            chunks += [(run, entries, users[first : first + size]) for first in range(0, len(users), size)]
        answers = await asyncio.gather(*(self._submit(*chunk) for chunk in chunks))
        return {
            user: last.decode()
            for (_, _, users), lasts in zip(chunks, answers, strict=True)
            for user, last in zip(users, lasts, strict=True)
        }

    def _submit(self, run: Run, entries: Packed, users: Sequence[UserId]) -> "asyncio.Future[Reply]":
        """Queues the item of deliver.lua. `entries`: those of the run."""
        conversation = run.entries[0].conversation
        arguments: list[Argument] = [
            next(self._tags), conversation, run.before, run.from_seq or "", len(users), len(run.entries),
            "" if run.newest is None else run.newest, "" if run.joined is None else run.joined,
        ]  # fmt: skip
        names = list(map(packed_keys.of_user, users))
        return self._deliver.submit_packed(names, (pack(arguments), entries), len(run.entries) * len(users))

    async def newest_of(self, conversation: ConversationId, users: Sequence[UserId]) -> dict[UserId, str]:
        """The entry of the conversation that each of these inboxes has last."""
        places = await self._redis.pipeline([("HGET", keys.of_user(user).places, conversation) for user in users])
        return {
            user: NO_ENTRY if place is None else Place.parse(conversation.encode(), place).entry
            for user, place in zip(users, places, strict=True)
        }

    def reset(self, conversation: ConversationId, place: str, now: str, reason: str, inboxes: int) -> Entry:
        """The reset for so many inboxes if the conversation's log does not lead on from `place`: `now` replaces it."""
        data = RESET.encode({"reason": reason, "conversation_id": conversation})
        self._redis.metrics.conversation_resets[reason] += inboxes
        return Entry(conversation, now, place, RESET.name, 0, Replay.FACT, data, data)

    async def publish(self, users: Sequence[UserId], kind: Kind, data: Mapping[str, Any]) -> None:
        """Publishes an ephemeral event to the streams of these users that are live now.

        Raises:
            LookupError: the kind is not registered, or not ephemeral.
            ValueError: the data is not what the kind's model says.
            RedisUnavailable: some may not have got it.
        """
        self._kinds.check(kind, durable=False)
        wake_up = encode_ephemeral(kind.name, time.time_ns() // 1_000_000, kind.encode(data))
        await self._redis.pipeline([("PUBLISH", keys.live(user), wake_up) for user in users])

    async def head(self, name: str) -> str:
        """The id of the newest event, or `0-<birth tag>` for an empty inbox. Always a valid last event id."""
        user_key = keys.user(name)
        head = await self._redis.call("HGET", user_key, "head")
        if head is None:
            # HSETNX: the first worker sets the birth tag; a delivery may set `head` before us.
            _, birth = await self._redis.pipeline(
                [("HSETNX", user_key, "birth", new_tag()), ("HGET", user_key, "birth")]
            )
            _, head = await self._redis.pipeline(
                [("HSETNX", user_key, "head", b"0-" + birth), ("HGET", user_key, "head")]
            )
        return str(head.decode())

    async def heads(self, names: Sequence[str]) -> list[str]:
        """The heads of many inboxes in one round trip."""
        replies = await self._redis.call("EVAL", HEADS, len(names), *map(keys.user, names))
        return [reply.decode() for reply in replies]

    async def read(self, name: str, cursor: str, count: int, room: int) -> Page:
        """Up to `count` events after `cursor` (`START`: from the oldest), as `Log.read`."""
        key = keys.of_user(name)
        # The newest id is read first, so that events appended meanwhile are on the page.
        # The entries come from the cursor's own on: that it is there, tag and all, makes the cursor valid.
        (newest, birth), oldest, entries = await self._redis.pipeline(
            [
                ("HMGET", key.user, "head", "birth"),
                ("XRANGE", key.inbox, "-", "+", "COUNT", 1),
                ("XRANGE", key.inbox, cursor, "+", "COUNT", count + 1),
            ]
        )
        if newest is None:
            await self.head(name)  # makes one; an event that was appended before it is on the page that is read next
            return await self.read(name, cursor, count, room)
        head = newest.decode()
        first = oldest[0][0].decode() if oldest else head
        born = cursor == head if birth is None else cursor == f"0-{birth.decode()}"
        if entries and entries[0][0] == cursor.encode():
            continuous, entries = True, entries[1:]
        else:
            # Number 0 has no entry: its tag must be the birth tag.
            continuous = cursor == START or (born and number_of(first) <= 1)
        if not continuous:
            return Page(False, head, first, ())
        references = [_Reference.parse(*entry) for entry in entries[:count]]
        events = await self._events(UserId(name), references, room) if references else ()
        return Page(True, head, first, events)

    async def read_up_to(self, user: UserId, conversation: ConversationId, seq: int, joined: int) -> Marked:
        """Raises the user's mark to this seq, or to the newest message if that is lower.

        `joined`: the newest message when the user joined: older ones are not new to it.

        Raises:
            RedisUnavailable: the outcome is unknown.
        """
        return await self._change_mark(user, conversation, joined, "read", seq)

    async def mute(self, user: UserId, conversation: ConversationId, joined: int, *, muted: bool) -> Marked:
        """As `read_up_to`: sets whether the conversation is muted."""
        return await self._change_mark(user, conversation, joined, "mute", int(muted))

    async def _change_mark(
        self, user: UserId, conversation: ConversationId, joined: int, what: str, value: int
    ) -> Marked:
        beginning = b'{"conversation_id":"%b","read_up_to":' % conversation.encode()
        arguments = (next(self._tags), time.time_ns() // 1_000_000, conversation, joined, what, value, beginning)
        answer = await self._marks.submit_packed((packed_keys.of_user(user),), (pack(arguments),))
        read, muted, mentions, seq, changed = (each.decode() for each in answer)
        return Marked(conversation, Mark.parse((read, muted, mentions)), int(seq), changed == "1")

    async def place(self, user: UserId, conversation: ConversationId) -> Place:
        """The user's place in the conversation; of one that has never reached the inbox, the beginning."""
        return Place.of(conversation, await self._redis.call("HGET", keys.of_user(user).places, conversation))

    async def places(self, user: UserId) -> list[Place]:
        """The places of the user's conversations, the one with the newest event first."""
        reply = await self._redis.call("HGETALL", keys.of_user(user).places)
        found: list[Place] = []
        for at in range(0, len(reply), 2 * PARSED_AT_ONCE):
            some = reply[at : at + 2 * PARSED_AT_ONCE]
            found += map(Place.parse, some[::2], some[1::2])
            await asyncio.sleep(0)
        return sorted(found, key=lambda place: -place.n)

    async def _events(self, user: UserId, references: Sequence[_Reference], room: int) -> list[Event]:
        """The events that these entries stand for: the first of them, as many as fit."""
        kinds = [self._known(reference) for reference in references]
        superseded = _superseded(references)
        wanted = [
            (reference.conversation, reference.value)
            for at, (reference, kind) in enumerate(zip(references, kinds, strict=True))
            if kind is not None and kind.replay is not Replay.FACT and at not in superseded
        ]
        # The places are read after the references: what is unread with the last of them is not older than it.
        marked = list({each.conversation for each in references if each.sort != FACT or each.kind == MARK.name})
        places = self._redis.send("HMGET", keys.of_user(user).places, *marked) if marked else None
        # The messages first: whoever is removed in between does not get what was written after that.
        messages = iter(await self._conversations.resolve(wanted, room))
        groups = await self._groups(user, wanted)
        marks = {} if places is None else dict(zip(marked, await places, strict=True))
        events = []
        for at, (reference, kind) in enumerate(zip(references, kinds, strict=True)):
            name, chunk = reference.kind, b""
            if kind is None:
                name = RESET.name
                chunk = frames.durable(reference.id, name, self._reset_of(reference))
            elif kind.replay is Replay.FACT:
                chunk = frames.durable(reference.id, name, _fact(reference, marks.get(reference.conversation)))
            elif at not in superseded:
                message = next(messages, NOT_FETCHED)
                if message is NOT_FETCHED:
                    break
                conversation, seq = reference.conversation, int(reference.value)
                access = groups.get(conversation, EVERYTHING)
                if message is not None and access is not EVERYTHING:
                    message = None if access is None else access.seen(conversation, seq, message)
                data = frames.one_line(tombstone(conversation, seq) if message is None else message)
                place = marks[conversation]
                if place is not None and access is not None and access.newest_seq is None:  # nothing is new to a leaver
                    data = with_mark(name, data, _from_seq(place))
                chunk = frames.durable(reference.id, name, data)
            events.append(Event(number_of(reference.id), reference.id, name, chunk))
        return events

    async def _groups(
        self, user: UserId, references: Sequence[tuple[ConversationId, bytes]]
    ) -> dict[ConversationId, Access | None]:
        """What the user may read of the groups among these."""
        standings = await self._members.groups_of(user, [conversation for conversation, _ in references])
        return {group: None if standing is None else standing.access for group, standing in standings.items()}

    def _known(self, reference: _Reference) -> Kind | None:
        kind = self._kinds.get(reference.kind)
        known = kind is not None and kind.replay is not None and kind.replay.encode() == reference.sort
        return kind if known else None

    def _reset_of(self, reference: _Reference) -> bytes:
        """The data of a reset in the place of an event of a kind that only a newer server knows."""
        if reference.kind not in self._not_known:
            self._not_known.add(reference.kind)
            logger.warning("events of the kind %r are of a newer version; their readers get a reset", reference.kind)
        self._redis.metrics.conversation_resets["unknown"] += 1
        return RESET.encode({"reason": "unknown", "conversation_id": reference.conversation})


def named_in(users: Sequence[str]) -> str:
    """Those whom a message mentions, as logs/inbox.lua takes them."""
    return f" {' '.join(users)} " if users else ""


def _from_seq(place: bytes) -> str:
    """The end of a place, as wake-ups have it."""
    return place.decode().split(" ", 2)[2]


def _fact(reference: _Reference, place: bytes | None) -> bytes:
    """The data of a fact; a mark comes as it stands now."""
    if place is None or reference.kind != MARK.name:
        return reference.value
    now = Place.parse(reference.conversation.encode(), place)
    return frames.encode({"conversation_id": reference.conversation, **now.mark.counts(now.seq)})


def _packed(run: Run) -> Packed:
    """The run's entries, as deliver.lua takes them: the same for all inboxes."""
    arguments: list[Argument] = []
    for entry in run.entries:
        data = entry.data if len(entry.data) <= WAKE_UP_LIMIT else b""  # it is for the wake-up only
        arguments += (entry.id, entry.at, entry.kind, entry.sort, entry.value, data, *_people(entry))
    return pack(arguments)


def _people(entry: Entry) -> tuple[str, str]:
    """Who sent the entry's message, and whom it mentions."""
    if entry.sort == Replay.FACT or not entry.data:
        return "", ""
    message = from_json(entry.data)
    by = message.get("sender", "") if entry.sort == Replay.NEW_MESSAGE else ""
    return by, named_in(message.get("mentions", ()))


def _superseded(references: Sequence[_Reference]) -> set[int]:
    """The changes among these entries that a later change of the same message supersedes."""
    newest: dict[tuple[str, bytes], int] = {}
    found = set()
    for at, reference in enumerate(references):
        if reference.sort == Replay.CHANGED_MESSAGE.encode():
            message = (reference.conversation, reference.value)
            if message in newest:
                found.add(newest[message])
            newest[message] = at
    return found
