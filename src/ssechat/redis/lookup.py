"""Whether there is a user, asked from beside the server by whoever may read its data folder."""

import redis as redis_client
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from ssechat.ids import UserId
from ssechat.redis import keys


def user_exists(url: str, user: UserId, timeout: float = 2.0) -> bool | None:
    """Whether this user exists; None when Redis cannot be asked within `timeout` seconds."""
    try:
        with redis_client.Redis.from_url(
            url, socket_connect_timeout=timeout, socket_timeout=timeout, retry=Retry(NoBackoff(), 0), protocol=2
        ) as client:
            return bool(client.hexists(keys.user(user), "created_at"))
    except (RedisError, OSError, ValueError, TypeError):  # the last two: what is no URL, or has options that are none
        return None
