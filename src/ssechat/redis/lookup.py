"""Checks from outside the server whether a user exists, for `ssechat token`."""

import asyncio

from ssechat.errors import RedisUnavailable
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.redis.connection import CommandConnection, open_connection

TIMEOUT = 2.0
"""Seconds to wait for Redis."""


def user_exists(url: str, user: UserId) -> bool | None:
    """Whether this user exists; None when Redis cannot be asked within `TIMEOUT` seconds."""
    try:
        return asyncio.run(_ask(url, user))
    except (RedisUnavailable, TimeoutError):
        return None


async def _ask(url: str, user: UserId) -> bool:
    connection = CommandConnection()
    try:
        async with asyncio.timeout(TIMEOUT):
            await open_connection(url, connection, TIMEOUT)
            return bool(await connection.send("HEXISTS", keys.user(user), "created_at"))
    finally:
        connection.abort()
