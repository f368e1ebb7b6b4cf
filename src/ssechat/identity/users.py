"""Accounts: names, passwords and sessions."""

import secrets
import time
from base64 import b64encode

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ssechat.errors import Conflict, Unauthorized
from ssechat.identity.hashing import HashingPool
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.redis.link import Redis

KNOWN_USERS = 100_000
"""Names that a worker remembers to exist."""


SIGN_UP = """
if redis.call('HEXISTS', KEYS[1], 'created_at') == 1 then return 0 end
redis.call('HSET', KEYS[1], 'created_at', ARGV[1], 'password', ARGV[2])
return 1
"""


class Users:
    """Who exists, with which password."""

    def __init__(
        self,
        redis: Redis,
        *,
        anyone_exists: bool,
        hasher: PasswordHasher | None = None,
        pool: HashingPool | None = None,
    ) -> None:
        self._redis = redis
        self._anyone_exists = anyone_exists
        self._known: set[str] = set()
        self._hasher = hasher or PasswordHasher()
        self._decoy = _decoy(self._hasher)
        self._pool = pool or HashingPool()

    def knows(self, user: str) -> bool:
        """Whether this worker remembers this user: then it is one, and nobody need be asked."""
        return user in self._known

    async def exists(self, user: UserId) -> bool:
        """Whether this user can be written to. With an existing system's tokens, anybody can."""
        if self._anyone_exists or user in self._known:
            return True
        if await self._redis.call("HEXISTS", keys.user(user), "created_at"):
            self._remember(user)
            return True
        return False

    async def ensure(self, user: UserId) -> None:
        """Makes the user whom a token that counts was minted for, at the first request with it."""
        if user in self._known:
            return
        await self._redis.call("HSETNX", keys.user(user), "created_at", int(time.time() * 1000))
        self._remember(user)

    async def sign_up(self, user: UserId, password: str, whose: str = "") -> None:
        """Makes an account; the hash waits in the line of `whose` (hashing.py).

        Raises:
            Conflict: `name_taken`, however the user came to exist.
        """
        hashed = await self._hash(password, whose)
        # Only the first to set `created_at` makes the account, and the password goes with it, or the account would
        # have none for ever.
        made = await self._redis.call(
            "EVAL",
            SIGN_UP,
            1,
            keys.user(user),
            int(time.time() * 1000),
            hashed,
        )
        if not made:
            raise Conflict("name_taken", f"The name {user!r} is taken: sign in if it is yours, or choose another one.")
        self._remember(user)

    async def check_password(self, user: UserId, password: str, whose: str = "") -> None:
        """Returns if the password is this user's; waits in the line of `whose` (hashing.py).

        Raises:
            Unauthorized: `wrong_credentials`, after the same time whether or not the user exists.
        """
        stored = await self._redis.call("HGET", keys.user(user), "password")
        known = stored.decode() if stored else self._decoy
        matches = await self._pool.run(whose, lambda: self._verify(known, password))
        if not stored or not matches:
            raise Unauthorized("wrong_credentials", "There is no such name with this password.")

    def close(self) -> None:
        """Lets the hashing threads go."""
        self._pool.close()

    def _remember(self, user: UserId) -> None:
        if len(self._known) >= KNOWN_USERS:
            self._known.clear()
        self._known.add(user)

    async def _hash(self, password: str, whose: str) -> str:
        return await self._pool.run(whose, lambda: self._hasher.hash(password))

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False


def _decoy(hasher: PasswordHasher) -> str:
    """What no password has: checking one against it takes as long as against a real one."""
    salt, digest = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, hasher.hash_len))
    return f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}${salt}${digest}"
