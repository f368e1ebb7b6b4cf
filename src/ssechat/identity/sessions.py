"""The sessions in which users are signed in: one list a user, and what is in it counts.

A session ends with its token, when it is taken off the list, or when its user has begun `MAX_SESSIONS` others that were
seen later.
"""

import re
import secrets
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple, Self

from ssechat.errors import Unauthorized
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.redis.client import Redis
from ssechat.redis.lua import load_script

MAX_SESSIONS = 100
"""Sessions of a user."""

SEEN_SECONDS = 3600
"""Seconds between two notes of when a session was seen, at least."""

MAX_AGENT = 200
"""Characters of the name of a browser or program that are kept."""

_ID = re.compile("[0-9a-f]{32}")

SEEN = """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return 1
"""
"""In one script: a session that ends meanwhile does not come back."""


class Session(NamedTuple):
    """A session, without its token. Where it was begun is not kept."""

    id: str
    begun: int
    expires: int
    seen: int
    """Milliseconds since 1970; `seen` is noted once in `SEEN_SECONDS`."""
    agent: str
    """What the browser or program calls itself, shortened."""

    @classmethod
    def parse(cls, id: str, value: bytes) -> Self:
        """A field of a user's sessions, as sessions.lua has it."""
        begun, expires, seen, agent = value.decode().split(" ", 3)
        return cls(id, int(begun), int(expires), int(seen), agent)

    @property
    def value(self) -> str:
        """The field's value."""
        return f"{self.begun} {self.expires} {self.seen} {self.agent}"


class Sessions:
    """Begins and ends sessions, and says which there are. It tells nobody of their ends: auth.py does."""

    def __init__(self, redis: Redis, lifetime: timedelta) -> None:
        self._redis = redis
        self._begin = load_script(__name__, "sessions.lua")
        self.lifetime = lifetime

    async def begin(self, user: UserId, agent: str, checked: str) -> tuple[str, list[str]]:
        """Begins a session; returns its id, and those of the sessions that it has ended, as there were too many.

        `checked`: the hash of the password that was checked before, or nothing.

        Raises:
            Unauthorized: `wrong_credentials`: the password has been changed since.
        """
        now = _now()
        expires = now + int(self.lifetime.total_seconds() * 1000)
        shown = "".join(each for each in agent if each.isprintable())[:MAX_AGENT]
        session = Session(secrets.token_hex(16), now, expires, now, shown)
        names = (keys.user(user), keys.sessions(user))
        ended = await self._redis.call(
            "EVAL", self._begin, len(names), *names, now, session.id, session.value, MAX_SESSIONS, checked
        )
        if ended is None:
            raise Unauthorized("wrong_credentials", "The password has just been changed: sign in with the new one.")
        return session.id, [each.decode() for each in ended]

    async def stands(self, user: UserId, session: str) -> bool:
        """Whether a session has not ended; notes that it was seen."""
        key, now = keys.sessions(user), _now()
        value = await self._redis.call("HGET", key, session)
        if value is None:
            return False
        found = Session.parse(session, value)
        if now - found.seen >= SEEN_SECONDS * 1000:
            await self._redis.call("EVAL", SEEN, 1, key, session, found._replace(seen=now).value)
        return True

    async def missing(self, sessions: Iterable[tuple[UserId, str]]) -> set[str]:
        """Those of these sessions, each with its user, that have ended; notes that the others were seen."""
        asked, now = list(sessions), _now()
        values = await self._redis.pipeline(("HGET", keys.sessions(user), session) for user, session in asked)
        stale = [
            (user, found)
            for (user, session), value in zip(asked, values, strict=True)
            if value is not None and now - (found := Session.parse(session, value)).seen >= SEEN_SECONDS * 1000
        ]
        await self._redis.pipeline(
            ("EVAL", SEEN, 1, keys.sessions(user), found.id, found._replace(seen=now).value) for user, found in stale
        )
        return {session for (_, session), value in zip(asked, values, strict=True) if value is None}

    async def of(self, user: UserId) -> list[Session]:
        """The sessions of a user, the one that was begun last first."""
        reply, now = await self._redis.call("HGETALL", keys.sessions(user)), _now()
        found = [Session.parse(id.decode(), value) for id, value in zip(reply[::2], reply[1::2], strict=True)]
        return sorted((each for each in found if each.expires > now), key=lambda each: -each.begun)

    async def end(self, user: UserId, session: str) -> bool:
        """Ends a session of a user; returns whether there was one. `session` may be any text."""
        return _ID.fullmatch(session) is not None and bool(await self._redis.call("HDEL", keys.sessions(user), session))


def _now() -> int:
    return int(time.time() * 1000)
