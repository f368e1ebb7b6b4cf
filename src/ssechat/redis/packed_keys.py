"""The keys of what is sent often, packed once (packed.py).

To make the names of a conversation's keys and pack them costs 32,000 instructions, an eighth of what the worker does
for a send; to write them out, 14,000.
"""

from functools import lru_cache

from ssechat.redis import keys
from ssechat.redis.packed import Packed, pack

CACHED_CONVERSATIONS = 4096
"""Those in which a worker's users write at a time: 700 bytes each."""

CACHED_USERS = 4096
"""Those of a few of the largest groups: 400 bytes each."""


@lru_cache(CACHED_CONVERSATIONS)
def of_conversation(conversation_id: str, week: int) -> Packed:
    """The keys of a conversation, and those of its records of client_msg_ids (`keys.sent`)."""
    key = b"{c%d}%b" % (keys.bucket(conversation_id), conversation_id.encode())
    before, this, after = b"%d" % (week - 1), b"%d" % week, b"%d" % (week + 1)
    size = len(key)
    sent = size + len(b"/sent/")
    data = b"$%d\r\n%b\r\n$%d\r\n%b/log\r\n$%d\r\n%b/messages\r\n" % (size, key, size + 4, key, size + 9, key)
    data += b"$%d\r\n%b/sent/%b\r\n$%d\r\n%b/sent/%b\r\n$%d\r\n%b/sent/%b\r\n" % (
        sent + len(before), key, before, sent + len(this), key, this, sent + len(after), key, after
    )  # fmt: skip
    return Packed(6, data)


@lru_cache(CACHED_USERS)
def of_user(user_id: str) -> Packed:
    """The keys of a user."""
    return pack(keys.of_user(user_id))
