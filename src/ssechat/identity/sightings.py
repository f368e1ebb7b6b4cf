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
"""Channels, or users, in one command: that many take Redis a fraction of a millisecond."""

AGAIN = 60_000
"""Milliseconds by which a time at which somebody was seen must be later than the last one to be stored."""

LAST_SEEN = "last_seen"
"""The field with when the user was seen last, in milliseconds since 1970: while it was visible."""

LOOK = f"""
local again, found = tonumber(ARGV[1]), {{}}
for i, user in ipairs(KEYS) do
  local visible = redis.call('HGET', user, '{VISIBLE}') ~= '0'
  local seen = redis.call('HGET', user, '{LAST_SEEN}') or '0'
  local at = ARGV[i + 1]
  if visible and tonumber(at) >= tonumber(seen) + again then
    redis.call('HSET', user, '{LAST_SEEN}', at)
    seen = at
  end
  found[2 * i - 1], found[2 * i] = visible and 1 or 0, seen
end
return found
"""
"""KEYS: users. ARGV: by how much a time must be later to be stored, and of each user when it was seen, or -1."""

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
        return await self._look([(user, -1) for user in users], 0)

    async def note(self, seen: Mapping[UserId, int], again: int = 0) -> list[Sight]:
        """Notes when these were seen (milliseconds since 1970), unless they are invisible; returns what is stored then.

        `again`: what is not later by so many milliseconds is not stored.
        """
        return await self._look([*seen.items()], again)

    async def _look(self, pairs: Sequence[tuple[UserId, int]], again: int) -> list[Sight]:
        found: list[Sight] = []
        for at in range(0, len(pairs), ASKED_AT_ONCE):
            some = pairs[at : at + ASKED_AT_ONCE]
            names, times = [keys.user(user) for user, _ in some], [when for _, when in some]
            reply = await self._redis.call("EVAL", LOOK, len(names), *names, again, *times)
            found += [
                Sight(bool(visible), int(seen) or None) for visible, seen in zip(reply[::2], reply[1::2], strict=True)
            ]
        return found

    async def announce(self, user: UserId) -> None:
        """Tells all workers that somebody has become visible or invisible."""
        await self._redis.call("PUBLISH", keys.CONTROL, f"{HIDDEN} {user}")
