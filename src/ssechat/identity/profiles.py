"""Profiles: what people are called and look like, and what they tell others of themselves."""

from collections.abc import Sequence
from typing import NamedTuple, Self

from ssechat.identity.users import CLAIMED_NAME
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.redis.client import Redis
from ssechat.redis.connection import Reply

DISPLAY_NAME = "display_name"
AVATAR_URL = "avatar_url"
RECEIPTS = "receipts"
"""Fields of an account. `receipts` is `0` if its user tells nobody what it has read; else it is missing."""

VISIBLE = "visible"
"""The field of an account that is `0` if its user does not want to be seen; else it is missing."""

VERSION = "profile_version"
"""The field of an account that grows with each change of its profile (logs/account.lua)."""

_FIELDS = (DISPLAY_NAME, CLAIMED_NAME, AVATAR_URL, RECEIPTS, VISIBLE, VERSION)


class Profile(NamedTuple):
    """What a user has said of itself."""

    display_name: str | None
    """What it is called: the name that it chose, else the one in its last token."""
    avatar_url: str | None
    receipts: bool
    """Whether others may see what it has read."""
    visible: bool
    """Whether others may see whether it is there."""
    version: int
    """Grows with each change."""

    @classmethod
    def parse(cls, values: Sequence[Reply]) -> Self:
        """From the values of `_FIELDS`."""
        chosen, claimed, avatar, receipts, visible, version = (value.decode() if value else None for value in values)
        return cls(chosen or claimed, avatar, receipts != "0", visible != "0", int(version or 0))

    @property
    def shown(self) -> dict[str, str]:
        """What everybody may know; what there is not is left out."""
        fields = {DISPLAY_NAME: self.display_name, AVATAR_URL: self.avatar_url}
        return {name: value for name, value in fields.items() if value is not None}


class Profiles:
    """Reads the profiles of users. logs/account_log.py changes them."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def of(self, user: UserId) -> Profile:
        """The profile of a user; of one who does not exist, an empty one."""
        return Profile.parse(await self._redis.call("HMGET", keys.user(user), *_FIELDS))

    async def of_each(self, users: Sequence[UserId]) -> list[Profile]:
        """The profiles of these users, in one round trip."""
        found = await self._redis.pipeline(("HMGET", keys.user(user), *_FIELDS) for user in users)
        return list(map(Profile.parse, found))
