"""Watch lists: of whom each device of a user wants to know whether they are there.

They are stored, as a device's stream may be on any worker, and on another one after each reconnect.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

from pydantic_core import from_json, to_json

from ssechat.events.wake_ups import WATCH, encode_ephemeral
from ssechat.ids import ConversationId, UserId
from ssechat.redis import keys
from ssechat.redis.client import Redis

MAX_NAMES = 100
"""Names in one list."""

MAX_LISTS = 8
"""Lists of one user: one more takes the place of the one that was given first."""

KEPT_SECONDS = 3600
"""Seconds for which lists are kept after the last stream of their user."""

ASKED_AT_ONCE = 200

PUT = f"""
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
if redis.call('HLEN', KEYS[1]) > {MAX_LISTS} then
  local lists, oldest, at = redis.call('HGETALL', KEYS[1]), nil, nil
  for i = 1, #lists, 2 do
    local given = tonumber(string.match(lists[i + 1], '^%d+'))
    if lists[i] ~= ARGV[1] and (not at or given < at) then oldest, at = lists[i], given end
  end
  redis.call('HDEL', KEYS[1], oldest)
end
redis.call('EXPIRE', KEYS[1], {KEPT_SECONDS})
return 'ok'
"""


class WatchList(NamedTuple):
    """Whom a device watches."""

    users: Sequence[UserId]
    group: ConversationId | None
    """A group that the user shares with them."""


class Watched(NamedTuple):
    """Whom all devices of a user watch."""

    users: frozenset[UserId]
    seen: frozenset[UserId]
    """Those of them of whom the user may know whether they are there."""


class WatchLists:
    """Stores and reads the lists of users."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def put(self, user: UserId, device: str, given: WatchList) -> None:
        """Replaces the list of one of the user's devices, an empty one ends it; and tells the workers that have streams
        of the user.

        Raises:
            RedisUnavailable: the outcome is unknown.
        """
        value = b"%d " % (time.time_ns() // 1_000_000) + to_json([given.group, *given.users]) if given.users else b""
        await self._redis.call("EVAL", PUT, 1, keys.watch_lists(user), device, value)
        await self.changed((user,))

    async def changed(self, users: Sequence[UserId]) -> None:
        """Tells the workers that have streams of these users that what they watch, or may see, has changed."""
        wake_up = encode_ephemeral(WATCH, 0, b"")
        await self._redis.pipeline([("PUBLISH", keys.live(user), wake_up) for user in users])

    async def of(self, users: Sequence[UserId]) -> list[list[WatchList]]:
        """The lists of each of these users, which are kept from now on for `KEPT_SECONDS`; raises as `put` does."""
        found: list[list[WatchList]] = []
        for at in range(0, len(users), ASKED_AT_ONCE):
            some = users[at : at + ASKED_AT_ONCE]
            replies = await self._redis.each("HVALS", [keys.watch_lists(user) for user in some])
            found += [[_parse(value) for value in reply] for reply in replies]
            with_lists = [keys.watch_lists(user) for user, reply in zip(some, replies, strict=True) if reply]
            await self._redis.each("EXPIRE", with_lists, KEPT_SECONDS)
        return found


def _parse(value: bytes) -> WatchList:
    group, *users = from_json(value.partition(b" ")[2])
    return WatchList(users, group)
