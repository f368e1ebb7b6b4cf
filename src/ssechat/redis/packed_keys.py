"""The keys of what is sent often, packed once (packed.py).

To pack all keys of a direct message would cost 14,000 instructions, a tenth of what the worker does for a send.
"""

from functools import lru_cache

from ssechat.redis import keys
from ssechat.redis.keys import CACHED
from ssechat.redis.packed import Packed, pack

CACHED_USERS = 4096
"""Those of a few of the largest groups: 400 bytes each."""


@lru_cache(CACHED)
def of_conversation(conversation_id: str, week: int) -> Packed:
    """The keys of a conversation, and those of its records of client_msg_ids (`keys.sent`)."""
    return pack((*keys.of_conversation(conversation_id), *keys.sent(conversation_id, week)))


@lru_cache(CACHED_USERS)
def of_user(user_id: str) -> Packed:
    """The keys of a user."""
    return pack(keys.of_user(user_id))
