"""Who is there: who has a stream on some worker, who does not want to be seen, and when somebody was seen last.

Nobody tells that somebody has come or gone: a worker that has a stream of a user is subscribed to the user's channel.
So Redis knows who is there, and forgets it when a worker dies.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ssechat.identity.profiles import VISIBLE
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.redis.client import Redis
from ssechat.redis.connection import Argument

ASKED_AT_ONCE = 500
"""Channels in one command, or users in one round trip: that many take Redis some milliseconds at most."""

AGAIN = 60_000
"""Milliseconds by which a time at which somebody was seen must be later than the last one to be stored."""

LAST_SEEN = "last_seen"
"""The field with when the user was seen last, in milliseconds since 1970: while it was visible."""

FIELDS = (VISIBLE, LAST_SEEN)

NOTE = f"""
local visible, seen = unpack(redis.call('HMGET', KEYS[1], '{VISIBLE}', '{LAST_SEEN}'))
local at, again = ARGV[1], ARGV[2]
if visible ~= '0' and tonumber(at) >= tonumber(seen or '0') + tonumber(again) then
  redis.call('HSET', KEYS[1], '{LAST_SEEN}', at)
  seen = at
end
return {{visible, seen}}
"""
"""KEYS: a user. ARGV: when it was seen, or -1; by how much that must be later than the last time to be stored."""

HIDDEN = "hidden"
"""The first word of what is published on the control channel when somebody becomes visible or invisible; the user
follows."""


class Sight(NamedTuple):
    """What is stored of somebody."""

    visible: bool
    last_seen: int | None
    """Milliseconds since 1970."""


class Sightings:
    """Asks who is there, and notes who was."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def connected(self, channels: Sequence[bytes]) -> list[bool]:
        """Whether some worker has streams of the users of these channels; for up to `LINGER` seconds after the last
        stream (redis/subscriptions.py) it counts as having some.

        Raises:
            RedisUnavailable: Redis did not answer.
        """
        answers: list[bool] = []
        for at in range(0, len(channels), ASKED_AT_ONCE):
            reply = await self._redis.call("PUBSUB", "NUMSUB", *channels[at : at + ASKED_AT_ONCE])
            answers += [count > 0 for count in reply[1::2]]
        return answers

    async def look(self, users: Iterable[UserId]) -> list[Sight]:
        """What is stored of these users; raises as `connected` does."""
        return await self._sights([("HMGET", keys.user(user), *FIELDS) for user in users])

    async def note(self, seen: Mapping[UserId, int], again: int = 0) -> list[Sight]:
        """Notes when these were seen (milliseconds since 1970), unless they are invisible; returns what is stored then.

        `again`: what is not later by so many milliseconds is not stored.
        """
        return await self._sights([("EVAL", NOTE, 1, keys.user(user), at, again) for user, at in seen.items()])

    async def _sights(self, commands: Sequence[Sequence[Argument]]) -> list[Sight]:
        """Sends commands that answer with the fields of a sight."""
        found: list[Sight] = []
        for at in range(0, len(commands), ASKED_AT_ONCE):
            replies = await self._redis.pipeline(commands[at : at + ASKED_AT_ONCE])
            found += [Sight(visible != b"0", int(seen or 0) or None) for visible, seen in replies]
        return found

    async def announce(self, user: UserId) -> None:
        """Tells all workers that somebody has become visible or invisible."""
        await self._redis.call("PUBLISH", keys.CONTROL, f"{HIDDEN} {user}")
