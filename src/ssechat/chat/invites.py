"""Invitations to groups: made, listed and revoked."""

import secrets
from collections.abc import Sequence

from ssechat.chat.decisions import TRIES
from ssechat.chat.participants import group_of
from ssechat.chat.refusals import busy, ended, not_a_member, not_allowed, unknown_conversation
from ssechat.errors import Conflict
from ssechat.ids import ConversationId, UserId
from ssechat.logs.actions import now
from ssechat.logs.invites import MAX_INVITES, Invite, Invites, digest_of, new_secret
from ssechat.logs.members import Group, Members
from ssechat.logs.refused import GroupEnded, MembersChanged


class Invitations:
    """Makes, lists and revokes invitations on behalf of a user."""

    def __init__(self, members: Members, invites: Invites) -> None:
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
