"""The members of groups: who is added, who leaves, and what each may do."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ssechat.chat.decisions import Decision, Decisions, role_of
from ssechat.chat.groups import check_size, ending, known_users, told, with_the_rest
from ssechat.chat.participants import group_of
from ssechat.chat.refusals import cannot_add, not_a_member, not_allowed, unknown_conversation
from ssechat.errors import Conflict
from ssechat.events.models import Role
from ssechat.identity.users import Users
from ssechat.ids import ConversationId, UserId, user_id
from ssechat.logs.blocks import Blocks
from ssechat.logs.members import Members, Roster
from ssechat.logs.membership import Change, Join, Leave, NewRole, Precondition

Answer = TypeVar("Answer")

Left = Callable[[ConversationId, UserId], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class MemberNames:
    """A page of a group's members, by name, and the name after which the next page begins."""

    members: Sequence[tuple[UserId, Role]]
    next: UserId | None


class Membership:
    """Reads and changes the members of groups on behalf of a user."""

    def __init__(self, decisions: Decisions, members: Members, users: Users, blocks: Blocks, left: Left) -> None:
        """`left` is told who is no member any more."""
        self._left = left
        self._decisions = decisions
        self._members = members
        self._users = users
        self._blocks = blocks

    async def page(self, user: UserId, conversation: str, after: str, limit: int) -> MemberNames:
        """Members whose names follow `after`.

        Raises:
            NotFound: `unknown_conversation`.
            Forbidden: `not_a_group`, `not_a_member`.
        """
        group = group_of(user, conversation)
        roster = await self._members.roster(group)
        if roster is None:
            raise unknown_conversation(conversation)
        role_of(roster, user)
        following = sorted(name for name in roster.members if name > after)
        page = following[:limit]
        return MemberNames(
            [(name, roster.members[name].role) for name in page], page[-1] if len(following) > limit else None
        )

    async def add(self, user: UserId, conversation: str, names: Sequence[str]) -> tuple[Sequence[UserId], int]:
        """Adds many at once; returns who was none before, and how many members there are then.

        Raises:
            NotFound: `unknown_conversation`, `unknown_user`.
            Forbidden: `not_a_group`, `not_a_member`, `not_allowed`, `group_full`, `ended`; `blocked`: some of them have
                blocked who adds them.
        """
        role_of(await self._roster(user, conversation), user)  # a stranger is not told who exists
        added = await known_users(self._users, names)

        def rule(roster: Roster, barred: Collection[UserId]) -> Decision[tuple[Sequence[UserId], int]]:
            _must_be_admin(roster, user, "add members")
            new = [name for name in added if name not in roster.members]
            count = len(roster.members) + len(new)
            if not new:
                return Decision(((), count))
            check_size(count)
            _must_not_be_barred(new, barred)
            event = _event(roster, user, count, name=roster.group.name)
            precondition = _precondition(roster, [Join(name) for name in new])
            return Decision((new, count), told(event, [(name, "member") for name in new], precondition))

        return await self._adding(user, conversation, added, rule)

    async def put(self, user: UserId, conversation: str, name: str, role: Role | None) -> tuple[UserId, Role]:
        """Adds somebody, or sets the role of a member; returns who it is and the role then.

        Raises:
            NotFound: `unknown_conversation`, `unknown_user`.
            Forbidden: `not_a_group`, `not_a_member`, `not_allowed`, `group_full`, `ended`; `blocked`: who is added has
                blocked who adds it.
            Conflict: `last_owner`.
        """
        role_of(await self._roster(user, conversation), user)
        [member] = await known_users(self._users, (name,))

        def rule(roster: Roster, barred: Collection[UserId]) -> Decision[tuple[UserId, Role]]:
            _must_be_admin(roster, user, "add members")
            if role is not None and roster.members[user].role != "owner":
                raise not_allowed("Only owners give roles.")
            there = roster.members.get(member)
            wanted: Role = role or (there.role if there is not None else "member")
            if there is not None and there.role == wanted:
                return Decision((member, wanted))
            count = len(roster.members) + (there is None)
            if there is None:
                check_size(count)
                _must_not_be_barred((member,), barred)
                event = _event(roster, user, count, name=roster.group.name)
                change: Change = Join(member, wanted)
            else:
                _must_leave_an_owner(roster, member)
                event, change = _event(roster, user, count), NewRole(member, wanted)
            return Decision((member, wanted), told(event, [(member, wanted)], _precondition(roster, [change])))

        return await self._adding(user, conversation, (member,), rule)

    async def remove(self, user: UserId, conversation: str, name: str) -> None:
        """Removes a member; oneself: leaves, also a group that has ended. That it is no member is no error. With the
        last member the group ends.

        Raises:
            NotFound: `unknown_conversation`.
            Forbidden: `not_a_group`, `not_a_member`, `not_allowed`, `ended`.
            Conflict: `last_owner`.
        """
        group = group_of(user, conversation)
        removed = user_id(name)
        if removed == user and user not in (await self._roster(user, conversation)).members:
            standing = await self._members.standing(user, group)
            if standing is None or standing.left is None:
                raise not_a_member()

        def rule(roster: Roster) -> Decision[None]:
            there = None if removed is None else roster.members.get(removed)
            if removed == user and there is None:
                return Decision(None)
            role = role_of(roster, user)
            if removed != user:
                _must_be_admin(roster, user, "remove members")
            if removed is None or there is None:
                return Decision(None)
            if removed != user and role == "admin" and there.role != "member":
                raise not_allowed("Admins remove members, but neither owners nor each other.")
            count = len(roster.members) - 1
            changes: list[Change] = [Leave(removed, removed != user, roster.group.name)]
            if roster.group.ended:
                changes.append(with_the_rest(roster.group))
            elif count:
                _must_leave_an_owner(roster, removed)
            else:
                changes += ending()
            event = _event(roster, user, count, left=True)
            return Decision(None, told(event, [(removed, there.role)], _precondition(roster, changes)))

        if removed == user:
            await self._decisions.from_roster(user, group, rule)
        else:
            await self._decisions.of_member(user, group, rule)
        if removed is not None:
            await self._left(group, removed)

    async def _adding(
        self,
        user: UserId,
        conversation: str,
        added: Sequence[UserId],
        rule: Callable[[Roster, Collection[UserId]], Decision[Answer]],
    ) -> Answer:
        """Decides from the members, and who of those that are none yet has blocked the user.

        A block stands in another slot than the group, so the log cannot look at it. It is read last before the append:
        one that was acknowledged before the request came counts.
        """

        async def decide() -> Decision[Answer]:
            roster = await self._roster(user, conversation)
            new = [name for name in added if name not in roster.members]
            return rule(roster, await self._blocks.by(new, user))

        return await self._decisions.make(user, group_of(user, conversation), decide)

    async def _roster(self, user: UserId, conversation: str) -> Roster:
        roster = await self._members.roster(group_of(user, conversation))
        if roster is None:
            raise unknown_conversation(conversation)
        return roster


def _event(roster: Roster, by: UserId, count: int, **more: Any) -> dict[str, Any]:
    return {"conversation_id": roster.group.id, "by": by, "member_count": count, **more}


def _precondition(roster: Roster, changes: Sequence[Change]) -> Precondition:
    return Precondition(list_version=roster.group.list_version, changes=changes)


def _must_be_admin(roster: Roster, user: UserId, what: str) -> None:
    if role_of(roster, user) == "member":
        raise not_allowed(f"Only owners and admins {what}.")


def _must_not_be_barred(new: Sequence[UserId], barred: Collection[UserId]) -> None:
    if refused := [name for name in new if name in barred]:
        raise cannot_add(refused)


def _must_leave_an_owner(roster: Roster, member: UserId) -> None:
    """Checks that there is an owner besides this member."""
    owners = {name for name, there in roster.members.items() if there.role == "owner"}
    if owners == {member}:
        detail = "This is the group's only owner: make another member an owner first, or end the group."
        raise Conflict("last_owner", detail)
