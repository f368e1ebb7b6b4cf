"""The keys of what is sent often, packed without making their names first (packed.py).

To make the names of a conversation's keys and pack them costs 38,000 instructions, a tenth of what the worker does for
a send; this costs 10,000: all of them begin with the same name, so that joins the parts between, which are the same for
all names of one length.
"""

from functools import lru_cache

from ssechat.redis.keys import bucket
from ssechat.redis.packed import Packed

OF_A_CONVERSATION = (b"", b"/log", b"/messages")
"""The ends of keys.ConversationKeys."""

OF_A_USER = (b"", b"/inbox", b"/conversations")
"""The ends of keys.UserKeys."""

LENGTHS = 512
"""Lengths of names of which the parts between are remembered: ids are shorter than that."""

CACHED_USERS = 4096
"""Those of a few of the largest groups: 400 bytes each."""


def of_conversation(conversation_id: str, week: int) -> Packed:
    """The keys of a conversation, and those of its records of client_msg_ids (`keys.sent`).

    They are not cached: people write in more conversations than a worker could keep.
    """
    name = b"{c%d}%b" % (bucket(conversation_id), conversation_id.encode())
    return 6, name.join(_with_records(len(name), week))


@lru_cache(CACHED_USERS)
def of_user(user_id: str) -> Packed:
    """The keys of a user."""
    name = b"{u%d}%b" % (bucket(user_id), user_id.encode())
    return 3, name.join(_between(len(name), OF_A_USER))


@lru_cache(LENGTHS)
def _with_records(size: int, week: int) -> list[bytes]:
    return _between(size, (*OF_A_CONVERSATION, *(b"/sent/%d" % each for each in (week - 1, week, week + 1))))


def _between(size: int, ends: tuple[bytes, ...]) -> list[bytes]:
    """What is sent before, between and behind names of so many bytes that end in these ways."""
    parts = [b""]
    for end in ends:
        parts[-1] += b"$%d\r\n" % (size + len(end))
        parts.append(end + b"\r\n")
    return parts
