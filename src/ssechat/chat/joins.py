"""Joining groups by invitation. Those who wait in a worker to join one group join it together, with one event."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ssechat.chat.decisions import MAX_WAITING, Decision, Decisions
from ssechat.chat.groups import check_size, told
from ssechat.chat.refusals import busy, ended
from ssechat.errors import Forbidden, NotFound, RequestError
from ssechat.ids import ConversationId, UserId, is_group
from ssechat.logs.actions import Action, now
from ssechat.logs.invites import Invite, Invites, find
from ssechat.logs.members import Group, Left, Members, Roster
from ssechat.logs.membership import Change, Join, Precondition, UseInvite

NOBODY = UserId("")

MAX_AT_ONCE = 1024
"""Requests that are decided together: to decide about thousands would hold up everybody else in the worker."""


class _JoinRequest(NamedTuple):
    """Somebody's request to join a group."""

    user: UserId
    bits: str
    """The invitation's secret, without the group's id."""
    done: "asyncio.Future[None]"

    def refuse(self, error: Exception) -> None:
        if not self.done.done():  # it is, if the client is gone
            self.done.set_exception(error)


class _Answers(NamedTuple):
    """What becomes of some wishes; the others are decided next."""

    members: Sequence[_JoinRequest] = ()
    refused: Sequence[tuple[_JoinRequest, RequestError]] = ()
    later: Sequence[_JoinRequest] = ()


class Joins:
    """Lets people with an invitation join its group."""

    def __init__(self, decisions: Decisions, members: Members, invites: Invites) -> None:
        self._decisions = decisions
        self._members = members
        self._invites = invites
        self._waiting: dict[ConversationId, list[_JoinRequest]] = {}
        """Of the groups that people join just now."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(self, user: UserId, secret: str) -> ConversationId:
        """Makes the user a member of the group that the secret is for; returns the group's id. A member uses nothing
        up.

        Raises:
            NotFound: `unknown_invite`.
            Forbidden: `invite_expired`, `invite_used_up`, `removed`, `group_full`, `ended`.
            TooMany: `busy`.
        """
        named, _, bits = secret.partition(".")
        if not is_group(named):
            raise _unknown()
        group = ConversationId(named)
        wish = _JoinRequest(user, bits, asyncio.get_running_loop().create_future())
        waiting = self._waiting.get(group)
        if waiting is None:
            self._waiting[group] = [wish]
            # A task of its own: that one client disconnects does not keep the others out.
            task = asyncio.create_task(self._let_in(group), name="joins")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif len(waiting) >= MAX_WAITING:
            raise busy()
        else:
            waiting.append(wish)
        await wish.done
        return group

    async def _let_in(self, group: ConversationId) -> None:
        """Answers all who wait for this group, many at a time, until nobody does."""
        while waiting := self._waiting[group]:
            wishes, self._waiting[group] = waiting[:MAX_AT_ONCE], waiting[MAX_AT_ONCE:]
            try:
                later = await self._answer(group, wishes)
            except Exception as error:
                for wish in wishes:
                    wish.refuse(error)
            else:
                self._waiting[group][:0] = later
        del self._waiting[group]

    async def _answer(self, group: ConversationId, wishes: Sequence[_JoinRequest]) -> Sequence[_JoinRequest]:
        """Lets in whom it can; returns those about whom it has not decided."""

        async def decide() -> Decision[_Answers]:
            waiting = [wish for wish in wishes if not wish.done.done()]
            # The members first: with their version the log knows whether what was read after them is still so.
            roster = await self._members.roster(group)
            if roster is None:
                return Decision(_Answers(refused=[(wish, _unknown()) for wish in waiting]))
            strangers = [wish.user for wish in waiting if wish.user not in roster.members]
            standings = await self._members.standings([(user, group) for user in strangers])
            left = {user: standing.left for user, standing in zip(strangers, standings, strict=True) if standing}
            return _decide(roster, left, await self._invites.all(group), waiting)

        answers = await self._decisions.make(NOBODY, group, decide)
        for wish in answers.members:
            if not wish.done.done():
                wish.done.set_result(None)
        for wish, error in answers.refused:
            wish.refuse(error)
        return answers.later


def _decide(
    roster: Roster, left: Mapping[UserId, Left | None], invites: Sequence[Invite], wishes: Sequence[_JoinRequest]
) -> Decision[_Answers]:
    """One event has one `by`: so those come in together whose invitations one person has made."""
    group = roster.group
    stored = {invite.id: invite for invite in invites}
    used: dict[str, Invite] = {}
    by: UserId | None = None
    joined: dict[UserId, None] = {}
    members: list[_JoinRequest] = []
    refused: list[tuple[_JoinRequest, RequestError]] = []
    later: list[_JoinRequest] = []
    for wish in wishes:
        if wish.user in roster.members or wish.user in joined:
            members.append(wish)
            continue
        found = find(invites, wish.bits)
        try:
            if found is None:
                raise _unknown()
            invite = used.get(found.id, found)
            _check(group, left.get(wish.user), invite)
            check_size(len(roster.members) + len(joined) + 1)
        except RequestError as error:
            refused.append((wish, error))
            continue
        if by not in (None, invite.by):
            later.append(wish)
            continue
        by = invite.by
        used[invite.id] = invite._replace(uses=invite.uses + 1)
        joined[wish.user] = None
        members.append(wish)
    action: Action | None = None
    if by is not None:
        changes: list[Change] = [UseInvite(id, stored[id].value, invite.value) for id, invite in used.items()]
        changes += [Join(user) for user in joined]
        count = len(roster.members) + len(joined)
        event = {"conversation_id": group.id, "by": by, "member_count": count, "name": group.name}
        precondition = Precondition(list_version=group.list_version, changes=changes)
        action = told(event, [(user, "member") for user in joined], precondition)
    return Decision(_Answers(members, refused, later), action, by=tuple(joined))


def _unknown() -> NotFound:
    return NotFound("unknown_invite", "There is no such invitation, or it was revoked: ask for another one.")


def _check(group: Group, left: Left | None, invite: Invite) -> None:
    """Checks that somebody who is no member may use this invitation."""
    if left is not None and left.removed:
        raise Forbidden("removed", "You were removed from this group: only its owners and admins can add you again.")
    if group.ended:
        raise ended()
    if invite.expires_at <= now():
        raise Forbidden("invite_expired", "This invitation has expired: ask for another one.")
    if invite.used_up:
        raise Forbidden("invite_used_up", "This invitation was used as often as it may be: ask for another one.")
