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

ASKED_AT_ONCE = 500
"""Channels in one command, or users in one round trip: that many take Redis some milliseconds at most."""

GRACE_SECONDS = 12.0
"""Seconds for which somebody must be missing to count as offline. A client whose worker stops or dies comes back within
8 seconds (`RETRY_AFTER_TROUBLE` in streams/stream.py), and workers subscribe again within seconds after Redis was away.
A reload takes none of it: a worker stays subscribed for 15 seconds after the last stream (redis/subscriptions.py)."""

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

ON_ROLL = """
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('HDEL', KEYS[1], KEYS[2])
  return {}
end
return redis.call('HMGET', KEYS[2], unpack(ARGV))
"""
"""KEYS: the names of all rolls; a roll. ARGV: users. What it has of each; nothing if there is no such roll any more."""

HIDDEN = "hidden"
"""The first word of what is published on the control channel when somebody becomes visible or invisible; the user
follows."""


class Sight(NamedTuple):
    """What is stored of somebody."""

    visible: bool
    last_seen: int | None
    """Milliseconds since 1970."""

    @classmethod
    def parse(cls, fields: Sequence[bytes | None]) -> "Sight":
        """Of the `FIELDS` of a user."""
        visible, seen = fields
        return cls(visible != b"0", int(seen or 0) or None)

    def lately(self, now: float) -> bool:
        """Whether the user was seen within the grace before this time (seconds since 1970)."""
        return self.last_seen is not None and now - self.last_seen / 1000 < GRACE_SECONDS


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

    async def on_rolls(self, users: Sequence[UserId]) -> set[UserId]:
        """Those of these users who have streams on some worker, or had until it died, less than the grace ago
        (identity/roll.py). At most `ASKED_AT_ONCE`; raises as `connected` does."""
        rolls = await self._redis.call("HGETALL", keys.ROLLS) if users else []
        replies = await self._redis.pipeline([("EVAL", ON_ROLL, 2, keys.ROLLS, roll, *users) for roll in rolls[::2]])
        return {user for reply in replies for user, found in zip(users, reply, strict=False) if found is not None}

    async def look(self, users: Iterable[UserId]) -> list[Sight]:
        """What is stored of these users; raises as `connected` does."""
        found: list[Sight] = []
        asked = [keys.user(user) for user in users]
        for at in range(0, len(asked), ASKED_AT_ONCE):
            replies = await self._redis.each("HMGET", asked[at : at + ASKED_AT_ONCE], *FIELDS)
            found += [Sight.parse(reply) for reply in replies]
        return found

    async def note(self, seen: Mapping[UserId, int], again: int = 0) -> list[Sight]:
        """Notes when these were seen (milliseconds since 1970), unless they are invisible; returns what is stored then.

        `again`: what is not later by so many milliseconds is not stored.
        """
        found: list[Sight] = []
        commands = [("EVAL", NOTE, 1, keys.user(user), at, again) for user, at in seen.items()]
        for at in range(0, len(commands), ASKED_AT_ONCE):
            replies = await self._redis.pipeline(commands[at : at + ASKED_AT_ONCE])
            found += [Sight.parse(reply) for reply in replies]
        return found

    async def announce(self, user: UserId) -> None:
        """Tells all workers that somebody has become visible or invisible."""
        await self._redis.call("PUBLISH", keys.CONTROL, f"{HIDDEN} {user}")
