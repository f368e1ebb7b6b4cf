"""The ids of groups."""

import secrets
from hashlib import blake2b

from ssechat.ids import ConversationId, UserId, group_id
from ssechat.redis import keys
from ssechat.redis.client import Redis


class GroupIds:
    """Makes ids of groups. What is made again with the same client_msg_id has the same id."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def of(self, maker: UserId, client_msg_id: str | None) -> ConversationId:
        """The id of the group that somebody makes; without a client_msg_id a new one each time.

        Raises:
            RedisUnavailable: the secret of this Redis cannot be read.
        """
        if client_msg_id is None:
            return group_id(secrets.token_bytes(16))
        # With a secret, so that nobody can tell the id of a group that others will make.
        _, secret = await self._redis.pipeline(
            [("SET", keys.GROUPS, secrets.token_hex(32), "NX"), ("GET", keys.GROUPS)]
        )
        return group_id(blake2b(f"{maker}:{client_msg_id}".encode(), key=secret, digest_size=16).digest())
