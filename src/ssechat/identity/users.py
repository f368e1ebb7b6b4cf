"""Accounts: which users exist, and their passwords."""

import secrets
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ssechat.errors import Conflict, Forbidden, Unauthorized
from ssechat.identity.directory import Directory
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


CHANGE_PASSWORD = """
if redis.call('HGET', KEYS[1], 'password') ~= ARGV[1] then return nil end
redis.call('HSET', KEYS[1], 'password', ARGV[2])
local all, ended = redis.call('HGETALL', KEYS[2]), {}
for i = 1, #all, 2 do
  if all[i] ~= ARGV[3] then
    redis.call('HDEL', KEYS[2], all[i])
    ended[#ended + 1] = all[i]
  end
end
return ended
"""


class Users:
    """Creates users, and checks whether they exist and what their password is."""

    def __init__(
        self,
        redis: Redis,
        *,
        all_users_exist: bool,
        pool: HashingPool,
        change_profile: Callable[[UserId, Mapping[str, str]], Awaitable[object]],
        directory: Directory | None = None,
        hasher: PasswordHasher | None = None,
    ) -> None:
        """`change_profile` sets fields of an account, and tells the user's devices (logs/account_log.py)."""
        self._redis = redis
        self._change_profile = change_profile
        self._anyone_exists = all_users_exist
        self._directory = directory
        self._cached: dict[str, bool] = {}
        """Users that exist, and whether the directory, if there is one, is known to have the name. One dict: two sets
        take 200 bytes for each user, this 30 (`python -m tests.bench idle`)."""
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
        if self._cached.get(user, False) or (self._directory is None and user in self._cached):
            return
        created = ("HSETNX", keys.user(user), "created_at", int(time.time() * 1000))
        if self._directory is None:
            await self._redis.call(*created)
        else:
            await self._redis.pipeline([created, self._directory.adding(user)])
        self._cache(user, is_listed=self._directory is not None)

    async def note_claimed_name(self, user: UserId, name: str) -> None:
        """Stores the display name by a user's token, if it is another one than before. Devices are told as of any
        change, even if another is shown."""
        if self._claimed.get(user) == name:
            return
        if await self._redis.call("HGET", keys.user(user), CLAIMED_NAME) != name.encode():
            await self._change_profile(user, {CLAIMED_NAME: name})
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
        script = ("EVAL", SIGN_UP, 1, keys.user(user), int(time.time() * 1000), hashed)
        created, *_ = await self._redis.pipeline(
            [script] if self._directory is None else [script, self._directory.adding(user)]
        )
        if not created:
            raise Conflict("name_taken", f"The name {user!r} is taken: sign in if it is yours, or choose another one.")
        self._cache(user)

    async def check_password(self, user: UserId, password: str, group: str = "") -> str:
        """Returns the stored hash if the password is this user's; its own is queued in `group` (hashing.py).

        Raises:
            Unauthorized: `wrong_credentials`, after the same time whether or not the user exists.
        """
        stored = await self._redis.call("HGET", keys.user(user), "password")
        hashed = stored.decode() if stored else self._dummy_hash
        matches = await self._pool.run(group, lambda: self._verify(hashed, password))
        if not stored or not matches:
            raise Unauthorized("wrong_credentials", "The name or the password is wrong.")
        return hashed

    async def change_password(
        self, user: UserId, old: str, new: str, group: str = "", keep: str | None = None
    ) -> list[str]:
        """Changes the password, and ends the user's sessions but `keep`; returns those that it has ended.

        Raises:
            Forbidden: `wrong_password`, or `no_password`: the user came to exist by a token.
            Conflict: `password_changed`: somebody else has just changed it.
        """
        stored = await self._redis.call("HGET", keys.user(user), "password")
        if not stored:
            raise Forbidden("no_password", "This account has no password: it was made by a token.")
        hashed = stored.decode()
        if not await self._pool.run(group, lambda: self._verify(hashed, old)):
            raise Forbidden("wrong_password", "The old password is wrong.")
        changed = await self._hash(new, group)
        # One script does both: no session that the old password began is left.
        ended = await self._redis.call(
            "EVAL", CHANGE_PASSWORD, 2, keys.user(user), keys.sessions(user), hashed, changed, keep or ""
        )
        if ended is None:
            raise Conflict(
                "password_changed", "The password was changed elsewhere in this moment; this change was not made."
            )
        return [each.decode() for each in ended]

    def close(self) -> None:
        """Shuts the hashing threads down."""
        self._pool.close()

    def _cache(self, user: UserId, *, is_listed: bool = False) -> None:
        if len(self._cached) >= MAX_CACHED_USERS:
            self._cached.clear()
        self._cached[user] = is_listed or self._cached.get(user, False)

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
