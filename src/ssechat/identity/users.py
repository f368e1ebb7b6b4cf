"""Accounts: which users exist, and their passwords."""

import secrets
import time
from base64 import b64encode
from collections.abc import Sequence

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ssechat.errors import Conflict, Unauthorized
from ssechat.identity.hashing import HashingPool
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.redis.client import Redis

MAX_CACHED_USERS = 100_000
"""Names of existing users in a worker's cache."""

MAX_CACHED_NAMES = 20_000
"""Users whose display name, by their last token, is in a worker's cache."""

CLAIMED_NAME = "claimed_name"
"""The field of an account with the display name by the user's last token."""

SIGN_UP = """
if redis.call('HEXISTS', KEYS[1], 'created_at') == 1 then return 0 end
redis.call('HSET', KEYS[1], 'created_at', ARGV[1], 'password', ARGV[2])
return 1
"""


class Users:
    """Creates users, and checks whether they exist and what their password is."""

    def __init__(
        self,
        redis: Redis,
        *,
        all_users_exist: bool,
        pool: HashingPool,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self._redis = redis
        self._anyone_exists = all_users_exist
        self._cached: set[str] = set()
        self._claimed: dict[str, str] = {}
        self._hasher = hasher or PasswordHasher()
        self._dummy_hash = _dummy_hash(self._hasher)
        self._pool = pool

    def is_cached(self, user: str) -> bool:
        """Whether this worker has the user in its cache: the user exists, and Redis need not be asked."""
        return user in self._cached

    async def exists(self, user: UserId) -> bool:
        """Whether this user exists. With an existing system's tokens every user does."""
        if self._anyone_exists or user in self._cached:
            return True
        if await self._redis.call("HEXISTS", keys.user(user), "created_at"):
            self._cache(user)
            return True
        return False

    async def missing(self, users: Sequence[UserId]) -> list[UserId]:
        """Those of these users who do not exist. One round trip."""
        if self._anyone_exists:
            return []
        asked = [user for user in users if user not in self._cached]
        found = await self._redis.pipeline(("HEXISTS", keys.user(user), "created_at") for user in asked)
        for user, exists in zip(asked, found, strict=True):
            if exists:
                self._cache(user)
        return [user for user, exists in zip(asked, found, strict=True) if not exists]

    async def create_if_missing(self, user: UserId) -> None:
        """Creates the user unless it exists: at the first request with a valid token that creates its user."""
        if user in self._cached:
            return
        await self._redis.call("HSETNX", keys.user(user), "created_at", int(time.time() * 1000))
        self._cache(user)

    async def note_claimed_name(self, user: UserId, name: str) -> None:
        """Stores the display name by a user's token, if it is another one than before."""
        if self._claimed.get(user) == name:
            return
        if await self._redis.call("HGET", keys.user(user), CLAIMED_NAME) != name.encode():
            await self._redis.call("HSET", keys.user(user), CLAIMED_NAME, name)
        if len(self._claimed) >= MAX_CACHED_NAMES:
            self._claimed.clear()
        self._claimed[user] = name

    async def sign_up(self, user: UserId, password: str, group: str = "") -> None:
        """Creates an account; its hash is queued in `group` (hashing.py).

        Raises:
            Conflict: `name_taken`: the user exists, by a sign-up or by a token.
        """
        hashed = await self._hash(password, group)
        # One script sets both: a user with `created_at` and no password could never sign in.
        created = await self._redis.call(
            "EVAL",
            SIGN_UP,
            1,
            keys.user(user),
            int(time.time() * 1000),
            hashed,
        )
        if not created:
            raise Conflict("name_taken", f"The name {user!r} is taken: sign in if it is yours, or choose another one.")
        self._cache(user)

    async def check_password(self, user: UserId, password: str, group: str = "") -> None:
        """Returns if the password is this user's; the hash is queued in `group` (hashing.py).

        Raises:
            Unauthorized: `wrong_credentials`, after the same time whether or not the user exists.
        """
        stored = await self._redis.call("HGET", keys.user(user), "password")
        hashed = stored.decode() if stored else self._dummy_hash
        matches = await self._pool.run(group, lambda: self._verify(hashed, password))
        if not stored or not matches:
            raise Unauthorized("wrong_credentials", "The name or the password is wrong.")

    def close(self) -> None:
        """Shuts the hashing threads down."""
        self._pool.close()

    def _cache(self, user: UserId) -> None:
        if len(self._cached) >= MAX_CACHED_USERS:
            self._cached.clear()
        self._cached.add(user)

    async def _hash(self, password: str, group: str) -> str:
        return await self._pool.run(group, lambda: self._hasher.hash(password))

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False


def _dummy_hash(hasher: PasswordHasher) -> str:
    """A hash that no password matches; checking a password against it takes as long as against a real one."""
    salt, digest = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, hasher.hash_len))
    return f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}${salt}${digest}"
