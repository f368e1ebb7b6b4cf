"""The members of a group: who is in it, who was, and which part of its log each of them has."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, cast

from ssechat.events.models import HistoryOf, Role
from ssechat.ids import NO_ENTRY, ConversationId, UserId, is_group, number_of
from ssechat.logs.access import Access, Stint
from ssechat.logs.conversations import lags
from ssechat.redis import keys
from ssechat.redis.client import Redis

MAX_MEMBERS = 1024
"""Members of a group."""

STATE = """
local state = redis.call('HMGET', KEYS[1], 'name', 'topic', 'history', 'list', 'ended', 'seq', 'head', 'made')
"""
"""As `Group.parse` takes it."""

ROSTER = (
    STATE
    + """
local known = state[4] and state[4] == ARGV[1]
return {state, not known and redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3])}
"""
)
"""One script, so that the members are those as of the head. It leaves them out if the caller has this version of the
list: to read and parse a thousand of them costs more than to deliver to them."""

KEPT = 16
"""Lists of members that are kept: 400 bytes a member."""

STANDING = (
    STATE
    + """
return {state, redis.call('HGET', KEYS[2], ARGV[1]), redis.call('HGET', KEYS[3], ARGV[1])}
"""
)

FEW = """
return redis.call('HLEN', KEYS[1]) <= tonumber(ARGV[1]) and redis.call('HGETALL', KEYS[1])
"""

FORGET_LEAVERS = """
for i = 1, #ARGV, 2 do
  local leaver = redis.call('HGET', KEYS[1], ARGV[i])
  if leaver and string.match(leaver, '^%S+') == ARGV[i + 1] then redis.call('HDEL', KEYS[1], ARGV[i]) end
end
return 'ok'
"""


class Member(NamedTuple):
    """Somebody who is in a group: a field of its `members`, as logs/append.lua writes it."""

    role: Role
    entry: str
    """The log's entry with which it joined."""
    seq: int
    """The newest message then."""
    before: str
    """The entry with which it had left before that; `NO_ENTRY` if it was never in the group."""

    @classmethod
    def parse(cls, value: bytes) -> "Member":
        role, _, entry, seq, before = value.decode().split(" ")
        return cls(cast(Role, role), entry, int(seq), before)


class Leaver(NamedTuple):
    """Somebody who left, and whose inbox may lack entries: a field of `leavers`, as logs/append.lua writes it."""

    entry: str
    """The log's entry with which it left."""
    joined: str
    """The entry with which it had joined."""
    joined_seq: int
    """The newest message then."""
    before: str
    """The entry with which it had left before that; `NO_ENTRY` if it had never been in the group."""

    @classmethod
    def parse(cls, value: bytes) -> "Leaver":
        entry, joined, joined_seq, before = value.decode().split(" ")
        return cls(entry, joined, int(joined_seq), before)


class Left(NamedTuple):
    """Somebody's last time in a group, which is over: a field of its `left`, as logs/append.lua writes it."""

    entry: str
    """The log's entry with which it left."""
    seq: int
    """The newest message then."""
    joined_seq: int
    """The newest message when it had joined."""
    removed: bool
    """By others: it comes back by them only."""
    name: str
    """The group's name then."""

    @classmethod
    def parse(cls, value: bytes) -> "Left":
        entry, seq, joined_seq, how, name = value.decode().split(" ", 4)
        return cls(entry, int(seq), int(joined_seq), how == "removed", name)


class Group(NamedTuple):
    """A group, without its members."""

    id: ConversationId
    name: str
    topic: str
    history: HistoryOf
    list_version: str
    """The entry that changed it or its members last."""
    ended_at: int
    """Milliseconds since 1970; 0: it has not ended."""
    seq: int
    """Of the newest message."""
    head: str
    """The newest entry of the log."""
    made: str
    """The digest (hex) of the request that made it."""

    @property
    def ended(self) -> bool:
        return self.ended_at > 0

    @classmethod
    def parse(cls, conversation: ConversationId, values: Sequence[bytes | None]) -> "Group | None":
        if values[6] is None:
            return None
        name, topic, history, version, ended, seq, head, made = ((value or b"").decode() for value in values)
        return cls(
            conversation,
            name,
            topic,
            cast(HistoryOf, history),
            version,
            int(ended or 0),
            int(seq or 0),
            head,
            made,
        )


class Span(NamedTuple):
    """The part of a log that concerns one reader."""

    first: str = ""
    """The entry with which it joined; empty: it is a member from the beginning."""
    before: str = NO_ENTRY
    """The place that its inbox has before `first`."""
    last: str = ""
    """The entry with which it left; empty: it is a member."""
    from_seq: int = 0
    """Changes of messages up to this seq do not concern it."""
    joined: int | None = None
    """The seq of the newest message when it joined."""


WHOLE = Span()
"""The log of a direct conversation concerns both, all of it."""


class Roster(NamedTuple):
    """A group and its members as of the newest entry of its log (`group.head`)."""

    group: Group
    members: dict[UserId, Member]
    leavers: dict[UserId, Leaver]
    joined: Sequence[int]
    """The number of the entry with which each of the members joined."""
    newest: int
    """The highest of these."""

    def since(self, pos: int) -> tuple[Sequence[UserId], Sequence[UserId]]:
        """The members who joined up to this entry, and those who joined later."""
        users = [*self.members]
        if self.newest <= pos:
            return users, ()
        pairs = [*zip(users, self.joined, strict=True)]
        return [user for user, at in pairs if at <= pos], [user for user, at in pairs if at > pos]

    def spans(self) -> dict[UserId, Span]:
        """What concerns everybody to whom something may have to be delivered."""
        from_join = self.group.history == "from_join"
        spans = {
            user: Span(member.entry, member.before, "", member.seq if from_join else 0, member.seq)
            for user, member in self.members.items()
        }
        return spans | {
            user: Span(one.joined, one.before, one.entry, one.joined_seq if from_join else 0, one.joined_seq)
            for user, one in self.leavers.items()
        }


class Standing(NamedTuple):
    """A group, and what one user is in it."""

    group: Group
    member: Member | None
    left: Left | None
    """Its time before this one, or the last one."""

    @property
    def access(self) -> Access | None:
        """What the user may read; None: nothing, it was never in the group."""
        stints = []
        if self.left is not None:
            since = self.left.joined_seq if self.group.history == "from_join" else 0
            stints.append(Stint(since, self.left.seq, number_of(self.left.entry)))
        if self.member is not None:
            stints.append(Stint(self.member.seq if self.group.history == "from_join" else 0))
        return Access(tuple(stints)) if stints else None


class Members:
    """Reads the members of groups. Only logs/append.lua writes them."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._rosters: dict[ConversationId, Roster] = {}

    async def roster(self, conversation: ConversationId) -> Roster | None:
        """The group and all who are in it; None if there is no such group."""
        group_keys, kept = keys.of_group(conversation), self._rosters.get(conversation)
        state, members, leavers = await self._redis.call(
            "EVAL",
            ROSTER,
            3,
            keys.of_conversation(conversation).conversation,
            group_keys.members,
            group_keys.leavers,
            "" if kept is None else kept.group.list_version,
        )
        group = Group.parse(conversation, state)
        if group is None:
            return None
        left = {UserId(u.decode()): Leaver.parse(v) for u, v in zip(leavers[::2], leavers[1::2], strict=True)}
        if members is None and kept is not None:
            return kept._replace(group=group, leavers=left)
        present = {UserId(u.decode()): Member.parse(v) for u, v in zip(members[::2], members[1::2], strict=True)}
        joined = [int(member.entry.partition("-")[0]) for member in present.values()]
        roster = Roster(group, present, left, joined, max(joined, default=0))
        self._rosters.pop(conversation, None)
        if len(self._rosters) >= KEPT:
            del self._rosters[next(iter(self._rosters))]
        self._rosters[conversation] = roster
        return roster

    async def groups_of(
        self, user: UserId, conversations: Iterable[ConversationId]
    ) -> dict[ConversationId, Standing | None]:
        """What the user is in each of the groups among these; None where there is no such group. One round trip."""
        groups = list({conversation for conversation in conversations if is_group(conversation)})
        found = await self.standings([(user, group) for group in groups]) if groups else ()
        return dict(zip(groups, found, strict=True))

    async def standings(self, asked: Sequence[tuple[UserId, ConversationId]]) -> list[Standing | None]:
        """What users are in groups; None where there is no such group. One round trip."""
        answers = await self._redis.pipeline(
            (
                "EVAL",
                STANDING,
                3,
                keys.of_conversation(conversation).conversation,
                keys.of_group(conversation).members,
                keys.of_group(conversation).left,
                user,
            )
            for user, conversation in asked
        )
        return [_standing(conversation, answer) for (_, conversation), answer in zip(asked, answers, strict=True)]

    async def standing(self, user: UserId, conversation: ConversationId) -> Standing | None:
        """What a user is in a group; None if there is no such group."""
        return (await self.standings([(user, conversation)]))[0]

    async def joined(self, user: UserId, groups: Sequence[ConversationId]) -> list[int | None]:
        """The newest message when the user joined each of these groups; None where it is no member. One round trip."""
        found = await self._redis.pipeline(("HGET", keys.of_group(group).members, user) for group in groups)
        return [None if value is None else Member.parse(value).seq for value in found]

    async def present(
        self, asked: Mapping[ConversationId, Collection[UserId]]
    ) -> dict[ConversationId, frozenset[UserId]]:
        """Those of these users, some at least, who are in their group. One round trip."""
        replies = await self._redis.pipeline(
            ("HMGET", keys.of_group(conversation).members, *users) for conversation, users in asked.items()
        )
        return {
            conversation: frozenset(user for user, value in zip(users, found, strict=True) if value is not None)
            for (conversation, users), found in zip(asked.items(), replies, strict=True)
        }

    async def samples(self, conversations: Sequence[ConversationId], count: int) -> list[tuple[int, list[UserId]]]:
        """How many members each of these groups has, and the names of some: of all, if they are few."""
        answers = await self._redis.pipeline(
            command
            for conversation in conversations
            for command in (
                ("HLEN", keys.of_group(conversation).members),
                ("HSCAN", keys.of_group(conversation).members, 0, "COUNT", count),
            )
        )
        found = []
        for conversation, total, (_, some) in zip(conversations, answers[::2], answers[1::2], strict=True):
            if len(some) // 2 < total <= count:
                # A hash that had many fields stays spread wide while Redis writes its file: the scan ended early.
                some = await self._redis.call("HGETALL", keys.of_group(conversation).members)
            found.append((total, sorted(UserId(user.decode()) for user in some[::2])[:count]))
        return found

    async def few(self, conversations: Sequence[ConversationId], most: int) -> list[dict[UserId, Member] | None]:
        """The members of each of these groups; None where there are more than `most`. One round trip."""
        answers = await self._redis.pipeline(
            ("EVAL", FEW, 1, keys.of_group(conversation).members, most) for conversation in conversations
        )
        return [
            None
            if found is None
            else {UserId(u.decode()): Member.parse(v) for u, v in zip(found[::2], found[1::2], strict=True)}
            for found in answers
        ]

    async def lag(self, conversation: ConversationId) -> bool:
        """Whether somebody may lack entries: a member, or one who left."""
        (delivered, head), leavers = await self._redis.pipeline(
            [
                ("HMGET", keys.of_conversation(conversation).conversation, "delivered", "head"),
                ("HLEN", keys.of_group(conversation).leavers),
            ]
        )
        return lags(delivered, head) or leavers > 0

    async def forget_leavers(self, conversation: ConversationId, leavers: Mapping[UserId, Leaver]) -> None:
        """Notes that the inboxes of these have the entries with which they left."""
        if leavers:
            pairs = [value for user, leaver in leavers.items() for value in (user, leaver.entry)]
            await self._redis.call("EVAL", FORGET_LEAVERS, 1, keys.of_group(conversation).leavers, *pairs)


def _standing(conversation: ConversationId, answer: Sequence[object]) -> Standing | None:
    state, member, left = answer
    group = Group.parse(conversation, cast(Sequence[bytes | None], state))
    if group is None:
        return None
    return Standing(
        group,
        None if member is None else Member.parse(cast(bytes, member)),
        None if left is None else Left.parse(cast(bytes, left)),
    )
