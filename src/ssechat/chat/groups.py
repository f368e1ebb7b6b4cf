"""Groups: made, renamed, ended."""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from ssechat.chat.decisions import Decision, Decisions, role_of
from ssechat.chat.participants import group_of
from ssechat.chat.refusals import cannot_add, ended, not_allowed, unknown_users
from ssechat.errors import Conflict, Forbidden
from ssechat.events import frames
from ssechat.events.kinds import CONVERSATION, LARGEST_FACT, MEMBER
from ssechat.events.models import HistoryOf, Role
from ssechat.identity.users import Users
from ssechat.ids import ConversationId, UserId, user_id
from ssechat.logs.actions import Action, fact, now
from ssechat.logs.blocks import Blocks
from ssechat.logs.delivery import Delivery
from ssechat.logs.group_ids import GroupIds
from ssechat.logs.members import MAX_MEMBERS, Group, Members, Roster
from ssechat.logs.membership import Change, Expire, Join, Precondition, SetField
from ssechat.logs.refused import GroupExists

MAX_NAME = 128
"""Bytes of a group's name, as JSON."""

MAX_TOPIC = 256
"""Bytes of a group's topic, as JSON."""

READ_AFTER_END = 30 * 24 * 3600
"""Seconds for which an ended group can be read."""


class Draft(NamedTuple):
    """A group that shall be made."""

    name: str
    topic: str
    history: HistoryOf
    members: Sequence[str]
    """Besides its maker; in any spelling."""


class Groups:
    """Makes, renames and ends groups on behalf of a user."""

    def __init__(
        self,
        decisions: Decisions,
        delivery: Delivery,
        users: Users,
        ids: GroupIds,
        members: Members,
        blocks: Blocks,
    ) -> None:
        self._decisions = decisions
        self._delivery = delivery
        self._users = users
        self._ids = ids
        self._members = members
        self._blocks = blocks

    async def make(self, maker: UserId, draft: Draft, client_msg_id: str | None) -> tuple[ConversationId, bool]:
        """Makes a group, whose owner is its maker; returns its id, and whether it is new and no repeat.

        Raises:
            NotFound: `unknown_user`.
            Forbidden: `group_full`; `blocked`: some of the members have blocked the maker.
            Conflict: `idempotency_conflict`.
        """
        others = [user for user in await known_users(self._users, draft.members) if user != maker]
        check_size(1 + len(others))
        group = await self._ids.of(maker, client_msg_id)
        made = _digest(draft, others)
        barred = await self._blocks.by(others, maker)
        if barred and await self._members.standing(maker, group) is None:  # else it is a repeat
            raise cannot_add([user for user in others if user in barred])
        joins: list[Join] = [Join(maker, "owner"), *(Join(user) for user in others)]
        fields = {"type": "group", "name": draft.name, "topic": draft.topic, "history": draft.history, "made": made}
        changes: list[Change] = [SetField(name, value) for name, value in fields.items() if value]
        event = {"conversation_id": group, "by": maker, "member_count": len(joins), "name": draft.name}
        precondition = Precondition(new=True, changes=[*changes, *joins])
        try:
            action = told(event, ((join.user, join.role) for join in joins), precondition)
            await self._delivery.send(action, None, by=(maker,))
        except GroupExists as error:
            if error.made != made:
                raise Conflict(
                    "idempotency_conflict",
                    "This client_msg_id was used for another group; use a new one for a new group.",
                    status=422,
                ) from None
            await self._delivery.finish(group, None)
            return group, False
        return group, True

    async def change(self, user: UserId, conversation: str, name: str | None, topic: str | None) -> None:
        """Renames a group, or sets its topic; '' takes the topic away.

        Raises:
            NotFound: `unknown_conversation`.
            Forbidden: `not_a_group`, `not_a_member`, `not_allowed`, `ended`.
        """
        group = group_of(user, conversation)

        def rule(roster: Roster) -> Decision[None]:
            if role_of(roster, user) == "member":
                raise not_allowed("Only owners and admins rename a group or set its topic.")
            before = roster.group
            after = before._replace(
                name=before.name if name is None else name, topic=before.topic if topic is None else topic
            )
            if before.ended:
                raise ended()
            if after == before:
                return Decision(None)
            changes = [SetField("name", after.name), SetField("topic", after.topic)]
            return Decision(None, _changed(after, changes))

        await self._decisions.of_member(user, group, rule)

    async def end(self, user: UserId, conversation: str) -> None:
        """Ends a group: it can be read for some time, and nothing more. That it has ended already is no error.

        Raises:
            NotFound: `unknown_conversation`.
            Forbidden: `not_a_group`, `not_a_member`, `not_allowed`.
        """
        group = group_of(user, conversation)

        def rule(roster: Roster) -> Decision[None]:
            if role_of(roster, user) != "owner":
                raise not_allowed("Only owners end a group.")
            if roster.group.ended:
                return Decision(None)
            return Decision(None, _changed(roster.group._replace(ended_at=now()), ending()))

        await self._decisions.of_member(user, group, rule)


def ending() -> list[Change]:
    """What ends a group."""
    return [SetField("ended", str(now())), Expire(READ_AFTER_END)]


def with_the_rest(group: Group) -> Expire:
    """Has what a change makes in a group that has ended deleted with all that it holds."""
    return Expire(max(1, READ_AFTER_END - (now() - group.ended_at) // 1000))


def _changed(group: Group, changes: Sequence[Change]) -> Action:
    """The action that makes a group what it shall be."""
    data: dict[str, Any] = {"conversation_id": group.id, "name": group.name, "history": group.history}
    if group.topic:
        data["topic"] = group.topic
    if group.ended:
        data["ended"] = True
    return fact(
        CONVERSATION, group.id, data, precondition=Precondition(list_version=group.list_version, changes=changes)
    )


def told(event: Mapping[str, Any], users: Iterable[tuple[UserId, Role]], precondition: Precondition) -> Action:
    """The action that tells of these users, or if they are too many for one event, of the first of them."""
    listed: list[dict[str, str]] = []
    data: dict[str, Any] = {**event, "users": listed}
    room = LARGEST_FACT - len(frames.encode({**data, "more": True}))
    for user, role in users:
        one: dict[str, str] = {"user": user, "role": role}
        room -= len(frames.encode(one)) + 1
        if room < 0:
            data["more"] = True
            break
        listed.append(one)
    return fact(MEMBER, event["conversation_id"], data, precondition=precondition)


async def known_users(users: Users, names: Sequence[str]) -> list[UserId]:
    """The users of these names in any spelling, each once.

    Raises:
        NotFound: `unknown_user`.
        Forbidden: `group_full`: no group has so many.
    """
    named = {name: user_id(name) for name in names}
    found = list(dict.fromkeys(user for user in named.values() if user is not None))
    check_size(len(found))  # before Redis is asked for each of ten thousand
    missing = set(await users.missing(found))
    if unknown := [name for name, user in named.items() if user is None or user in missing]:
        raise unknown_users(unknown)
    return found


def check_size(members: int) -> None:
    """
    Raises:
        Forbidden: `group_full`: a group cannot have so many.
    """
    if members > MAX_MEMBERS:
        raise Forbidden("group_full", f"A group has {MAX_MEMBERS:,} members at most; this would make it {members:,}.")


def _digest(draft: Draft, others: Sequence[UserId]) -> str:
    """By this a repeat is told from another request: hex digits."""
    request = json.dumps([draft.name, draft.topic, draft.history, sorted(others)]).encode()
    return blake2b(request, digest_size=16).hexdigest()
