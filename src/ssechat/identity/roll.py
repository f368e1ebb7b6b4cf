"""The roll of a worker: whose streams it has, kept in Redis for the grace after the worker's death.

Redis forgets at once who was subscribed when a worker dies, and nobody has noted when these users were seen. Another
worker that is asked whether they are there finds them on the roll.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterable
from itertools import islice

from ssechat.errors import RedisUnavailable
from ssechat.identity.sightings import ASKED_AT_ONCE, GRACE_SECONDS
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.redis.client import Redis

logger = logging.getLogger(__name__)

WRITE_SECONDS = 1.0
"""Seconds until it is written who has come or gone, at most."""

KEEP_SECONDS = 2.0
"""Seconds between two times that a roll is kept for longer. By so much less than the grace it may count after the
worker's death, never for longer: then those who watch have been told."""

WRITE = """
local known, come = redis.call('EXISTS', KEYS[2]), 2 + 2 * ARGV[2]
if come > 2 then
  redis.call('HSET', KEYS[2], unpack(ARGV, 3, come))
end
if #ARGV > come then
  redis.call('HDEL', KEYS[2], unpack(ARGV, come + 1))
end
if redis.call('EXPIRE', KEYS[2], ARGV[1]) == 1 and known == 0 then
  redis.call('HSET', KEYS[1], KEYS[2], '')
end
return known
"""
"""KEYS: the names of all rolls; a roll. ARGV: for how many seconds it is kept; how many users have come, each of whom
follows, and an empty value; those who have gone. Returns whether there was such a roll (1 or 0)."""


class Roll:
    """The roll of this worker."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._clock = clock
        self._key = keys.roll(secrets.token_hex(8))
        self._changes: dict[UserId, bool] = {}
        """Who has come (True) or gone since it was written last."""
        self._kept_at = float("-inf")

    def came(self, users: Iterable[UserId]) -> None:
        """These have a stream here."""
        self._changes.update(dict.fromkeys(users, True))

    def left(self, users: Iterable[UserId]) -> None:
        """These have none any more, and it is noted when they were seen."""
        self._changes.update(dict.fromkeys(users, False))

    async def keep_writing(self, everybody: Callable[[], Iterable[UserId]]) -> None:
        """Writes the roll at intervals. `everybody`: who has a stream here."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            try:
                await self.write(everybody)
            except RedisUnavailable as error:
                logger.debug("the roll is not written: %s", error)
            except Exception:
                logger.exception("the roll could not be written; it is tried again")

    async def write(self, everybody: Callable[[], Iterable[UserId]]) -> None:
        """Writes what has changed, or, if Redis has lost the roll, all of it; and has it kept, if that is due.

        Raises:
            RedisUnavailable: the outcome is unknown; the next call writes the same again.
        """
        if not self._changes and self._clock() - self._kept_at < KEEP_SECONDS:
            return
        self._kept_at = self._clock()
        if not await self._write_changes():
            self.came(everybody())
            if self._changes:
                await self._write_changes()

    async def _write_changes(self) -> bool:
        """Returns whether Redis had the roll."""
        known = True
        while True:
            some = dict(islice(self._changes.items(), ASKED_AT_ONCE))
            for user in some:
                del self._changes[user]
            come = [word for user, here in some.items() if here for word in (user, "")]
            gone = [user for user, here in some.items() if not here]
            numbers = (int(GRACE_SECONDS), len(come) // 2)
            try:
                reply = await self._redis.call("EVAL", WRITE, 2, keys.ROLLS, self._key, *numbers, *come, *gone)
            except RedisUnavailable:
                self._changes = {**some, **self._changes}
                raise
            known = known and reply == 1
            if not self._changes:
                self._changes = {}  # what was only taken out of it keeps its room
                return known
