"""The directory of users: finds names by their beginning.

Names with the same three characters at their beginning stand in one sorted set: no search concerns two, and in a
cluster they are in many slots. A user is put in when it signs up, or when a worker sees its token for the first time:
so who came before the directory was turned on is found once it has been there.
"""

from typing import NamedTuple

from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.redis.client import Redis
from ssechat.redis.connection import Argument

SHORTEST_PREFIX = 3
"""Characters that a search needs at least."""

MAX_FOUND = 10
"""Users whom a search finds at most."""


class Found(NamedTuple):
    """The users whom a search has found."""

    users: list[UserId]
    """The first ones, by name."""
    more: bool
    """Whether there are others."""


class Directory:
    """Adds users, and finds them."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @staticmethod
    def adding(user: UserId) -> tuple[Argument, ...]:
        """The command that puts a user in; again is the same. Shorter names than any search has are never found."""
        return "ZADD", keys.directory(user[:SHORTEST_PREFIX]), 0, user

    async def search(self, prefix: UserId) -> Found:
        """The users whose names begin with these characters, `SHORTEST_PREFIX` or more."""
        key = keys.directory(prefix[:SHORTEST_PREFIX])
        # Names are ASCII, so every one that begins so is below the prefix with a byte that no name has.
        bounds = (f"[{prefix}", f"[{prefix}\x7f")
        reply = await self._redis.call("ZRANGEBYLEX", key, *bounds, "LIMIT", 0, MAX_FOUND + 1)
        names = [UserId(name.decode()) for name in reply]
        return Found(names[:MAX_FOUND], len(names) > MAX_FOUND)
