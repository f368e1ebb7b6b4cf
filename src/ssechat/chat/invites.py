"""Invitations to groups: made, listed, revoked, and used."""

import secrets
from collections.abc import Sequence

from ssechat.chat.decisions import TRIES, Decision, Decisions
from ssechat.chat.groups import check_size, told
from ssechat.chat.participants import group_of
from ssechat.chat.refusals import busy, ended, not_a_member, not_allowed, unknown_conversation
from ssechat.errors import Conflict, Forbidden, NotFound
from ssechat.ids import ConversationId, UserId, is_group
from ssechat.logs.actions import now
from ssechat.logs.invites import MAX_INVITES, Invite, Invites, digest_of, find, new_secret
from ssechat.logs.members import Group, Members, Standing
from ssechat.logs.membership import Guard, Join, UseInvite
from ssechat.logs.refused import GroupEnded, MembersChanged


class Invitations:
    """Makes, lists, revokes and uses invitations on behalf of a user."""

    def __init__(self, decisions: Decisions, members: Members, invites: Invites) -> None:
        self._decisions = decisions
        self._members = members
        self._invites = invites

    async def make(self, user: UserId, conversation: str, expires_in: int, max_uses: int | None) -> tuple[Invite, str]:
        """Makes an invitation that expires in so many seconds; returns it and its secret, which nobody can read again.

        Raises:
            NotFound: `unknown_conversation`.
            Forbidden: `not_a_group`, `not_a_member`, `not_allowed`, `ended`.
            Conflict: `too_many_invites`.
        """
        group = group_of(user, conversation)
        secret = new_secret()
        for _ in range(TRIES):
            admin = await self._admin(user, group, "invite people")
            at = now()
            digest = digest_of(secret)
            invite = Invite(secrets.token_hex(8), at + expires_in * 1000, 0, max_uses, digest, user)
            try:
                made = await self._invites.make(group, admin.list_version, invite, at)
            except MembersChanged:
                continue
            except GroupEnded:
                raise ended() from None
            if not made:
                detail = f"A group has {MAX_INVITES} invitations at most: revoke one first."
                raise Conflict("too_many_invites", detail)
            return invite, f"{group}.{secret}"
        raise busy()

    async def all(self, user: UserId, conversation: str) -> Sequence[Invite]:
        """The invitations that can be used, the one that expires first at first.

        Raises:
            NotFound: `unknown_conversation`.
            Forbidden: `not_a_group`, `not_a_member`, `not_allowed`.
        """
        group = group_of(user, conversation)
        stored, at = await self._invites.all(group), now()
        await self._admin(user, group, "see invitations")
        return sorted((one for one in stored if one.usable(at)), key=lambda one: (one.expires_at, one.id))

    async def revoke(self, user: UserId, conversation: str, id: str) -> None:
        """Makes an invitation useless. That there is none with this id is no error.

        Raises:
            NotFound: `unknown_conversation`.
            Forbidden: `not_a_group`, `not_a_member`, `not_allowed`.
        """
        group = group_of(user, conversation)
        for _ in range(TRIES):
            admin = await self._admin(user, group, "revoke invitations")
            try:
                return await self._invites.revoke(group, admin.list_version, id)
            except MembersChanged:
                continue
        raise busy()

    async def join(self, user: UserId, secret: str) -> ConversationId:
        """Makes the user a member of the group that the secret is for; returns the group's id. A member uses nothing
        up.

        Raises:
            NotFound: `unknown_invite`.
            Forbidden: `invite_expired`, `invite_used_up`, `removed`, `group_full`, `ended`.
        """
        named, _, bits = secret.partition(".")
        if not is_group(named):
            raise _unknown()
        group = ConversationId(named)

        async def decide() -> Decision[None]:
            # The standing first: with its version the log knows whether what was read after it is still so.
            standing = await self._members.standing(user, group)
            if standing is not None and standing.member is not None:
                return Decision(None)
            invite = find(await self._invites.all(group), bits)
            if standing is None or invite is None:
                raise _unknown()
            _check(standing, invite)
            [(count, _)] = await self._members.samples((group,), 1)
            check_size(count + 1)
            event = {
                "conversation_id": group, "by": user, "member_count": count + 1, "name": standing.group.name
            }  # fmt: skip
            use = UseInvite(invite.id, invite.value, invite._replace(uses=invite.uses + 1).value)
            guard = Guard(list_version=standing.group.list_version, changes=[use, Join(user)])
            return Decision(None, told(event, [(user, "member")], guard))

        await self._decisions.make(user, group, decide)
        return group

    async def _admin(self, user: UserId, group: ConversationId, what: str) -> Group:
        """The group, in which the user is an owner or admin."""
        standing = await self._members.standing(user, group)
        if standing is None:
            raise unknown_conversation(group)
        if standing.member is None:
            raise not_a_member()
        if standing.member.role == "member":
            raise not_allowed(f"Only owners and admins {what}.")
        return standing.group


def _unknown() -> NotFound:
    return NotFound("unknown_invite", "There is no such invitation, or it was revoked: ask for another one.")


def _check(standing: Standing, invite: Invite) -> None:
    """Checks that somebody who is no member may use this invitation."""
    if standing.left is not None and standing.left.removed:
        raise Forbidden("removed", "You were removed from this group: only its owners and admins can add you again.")
    if standing.group.ended:
        raise ended()
    if invite.expires_at <= now():
        raise Forbidden("invite_expired", "This invitation has expired: ask for another one.")
    if invite.used_up:
        raise Forbidden("invite_used_up", "This invitation was used as often as it may be: ask for another one.")
