"""The invitations of groups. Of their secrets only digests are stored."""

import hmac
import secrets
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from ssechat.ids import ConversationId, UserId
from ssechat.logs.refused import GroupEnded, MembersChanged
from ssechat.redis import keys
from ssechat.redis.client import Redis

MAX_INVITES = 50
"""Invitations of a group that can be used."""

MAKE = """
local list, ended = unpack(redis.call('HMGET', KEYS[1], 'list', 'ended'))
if ended then return 'ended' end
if list ~= ARGV[1] then return 'members' end
for i = 5, #ARGV do redis.call('HDEL', KEYS[2], ARGV[i]) end
if redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[2]) then return 'full' end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
return 'ok'
"""
"""Arguments: the version of the list of members, the most invitations, id, value, and ids that make room."""

REVOKE = """
local list = redis.call('HGET', KEYS[1], 'list')
if list ~= ARGV[1] then return 'members' end
redis.call('HDEL', KEYS[2], ARGV[2])
return 'ok'
"""
"""Arguments: the version of the list of members, id."""


class Invite(NamedTuple):
    """An invitation to a group: a field of its `invites`."""

    id: str
    expires_at: int
    """Milliseconds since 1970."""
    uses: int
    max_uses: int | None
    digest: str
    by: UserId

    @classmethod
    def parse(cls, id: bytes, value: bytes) -> "Invite":
        expires_at, uses, max_uses, digest, by = value.decode().split(" ")
        return cls(id.decode(), int(expires_at), int(uses), int(max_uses) or None, digest, UserId(by))

    @property
    def value(self) -> bytes:
        """As it is stored."""
        return f"{self.expires_at} {self.uses} {self.max_uses or 0} {self.digest} {self.by}".encode()

    @property
    def used_up(self) -> bool:
        """Whether it was used as often as it may be."""
        return self.max_uses is not None and self.uses >= self.max_uses

    def usable(self, at: int) -> bool:
        """Whether somebody can join with it at this time (milliseconds since 1970)."""
        return at < self.expires_at and not self.used_up


class Invites:
    """Reads, makes and revokes invitations. logs/members.lua uses them up."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def all(self, group: ConversationId) -> list[Invite]:
        """All invitations of a group that are stored."""
        reply = await self._redis.call("HGETALL", keys.of_group(group).invites)
        return [Invite.parse(id, value) for id, value in zip(reply[::2], reply[1::2], strict=True)]

    async def make(self, group: ConversationId, list_version: str, invite: Invite, at: int) -> bool:
        """Stores an invitation; False if the group has MAX_INVITES that are usable at this time.

        Raises:
            MembersChanged: `list_version` is not the present one.
            GroupEnded: the group has ended.
        """
        stored = await self.all(group)
        # Those that nobody can use any more are kept while there is room: they tell why they cannot be used.
        dead = [one.id for one in stored if not one.usable(at)] if len(stored) >= MAX_INVITES else []
        answer = await self._redis.call(
            "EVAL", MAKE, 2, *_keys(group), list_version, MAX_INVITES, invite.id, invite.value, *dead
        )
        if answer == b"ended":
            raise GroupEnded
        if answer == b"members":
            raise MembersChanged
        return bool(answer == b"ok")

    async def revoke(self, group: ConversationId, list_version: str, id: str) -> None:
        """Forgets an invitation, if there is such a one.

        Raises:
            MembersChanged: `list_version` is not the present one.
        """
        if await self._redis.call("EVAL", REVOKE, 2, *_keys(group), list_version, id) != b"ok":
            raise MembersChanged


def new_secret() -> str:
    """128 random bits, as text."""
    return secrets.token_urlsafe(16)


def digest_of(secret: str) -> str:
    """What is stored of a secret: hex digits. The secret is random, so a plain hash is enough."""
    return blake2b(secret.encode(), digest_size=16).hexdigest()


def find(invites: Sequence[Invite], secret: str) -> Invite | None:
    """The invitation with this secret. How long it takes says nothing about the secrets of others."""
    digest, found = digest_of(secret), None
    for invite in invites:
        if hmac.compare_digest(invite.digest, digest):
            found = invite
    return found


def _keys(group: ConversationId) -> tuple[str, str]:
    return keys.of_conversation(group).conversation, keys.of_group(group).invites
