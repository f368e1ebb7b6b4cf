"""Changes of accounts that the user's other devices are told of."""

import time
from collections.abc import Mapping
from itertools import chain

from ssechat.events.kinds import PROFILE
from ssechat.ids import UserId, direct_conversation, tags
from ssechat.redis import packed_keys
from ssechat.redis.batching import ScriptBatch
from ssechat.redis.client import Redis
from ssechat.redis.lua import load_script
from ssechat.redis.packed import Argument, pack


class AccountLog:
    """Stores what changes in an account together with the event about it in the user's inbox."""

    def __init__(self, redis: Redis, limits: str) -> None:
        """`limits`: the Lua constants of inbox.py."""
        self._tags = tags()
        source = load_script(__name__, "common.lua", "inbox.lua", "account.lua")
        before, behind = PROFILE.encode({"version": 1}).decode().split("1")
        event = f"local KIND, BEFORE, BEHIND = '{PROFILE.name}', '{before}', '{behind}'\n"
        self._changes = ScriptBatch(redis, f"{limits}{event}{source}")

    async def change_profile(self, user: UserId, fields: Mapping[str, str]) -> int:
        """Sets fields of the account; an empty value takes one away. Returns the version of the profile.

        If that changes anything, the user's devices get an event `profile`.

        Raises:
            RedisUnavailable: the outcome is unknown.
        """
        notes = direct_conversation(user, user)
        arguments: list[Argument] = [next(self._tags), time.time_ns() // 1_000_000, notes, len(fields)]
        arguments += chain(*fields.items())
        return int(await self._changes.submit_packed((packed_keys.of_user(user),), (pack(arguments),)))
