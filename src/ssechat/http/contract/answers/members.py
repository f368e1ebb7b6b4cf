"""Answers about the members of groups, and invitations."""

from ssechat.events.models import Count, Timestamp, UserRole
from ssechat.http.contract.answers.base import AnswerBody, Secret


class MemberPage(AnswerBody):
    """A page of members, by name."""

    members: list[UserRole]
    """By name."""
    next: str | None
    """For `after` of the next request; null: there are no more."""


class AddedMembers(AnswerBody):
    """Who was added to a group."""

    added: list[str]
    """Those who were not members before."""
    member_count: Count
    """How many members the group has now."""


class Invite(AnswerBody):
    """An invitation, without its secret."""

    id: str
    """Names it, to revoke it; it is not the secret."""
    expires_at: Timestamp
    """Until when it can be used (RFC 3339, UTC)."""
    uses: Count
    """How often it was used."""
    max_uses: Count | None = None
    """How often it can be used; missing: as often as one likes."""
    by: str
    """Who made it."""


class InviteWithSecret(Invite):
    """A new invitation."""

    secret: Secret
    """Shown this once: who has it can join."""


class InviteList(AnswerBody):
    """The invitations of a group that can be used."""

    invites: list[Invite]
    """Those that can be used."""
