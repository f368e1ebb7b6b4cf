"""The names of things: users, conversations, and the entries of the two logs."""

import re
import secrets
from collections.abc import Iterator
from random import Random
from typing import NewType

UserId = NewType("UserId", str)
ConversationId = NewType("ConversationId", str)

_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@|+~-]{0,127}\Z")
_ENTRY = re.compile(r"(0|[1-9][0-9]{0,17})-(0|[1-9][0-9]{0,18})\Z")

NOTHING = "0-0"
"""The entry before the first: what a log that has nothing yet was last at."""


def new_tag() -> str:
    """63 random bits that tell an entry from the one that had its number in a lost history."""
    return str(secrets.randbits(63))


def tags() -> Iterator[str]:
    """Tags without a question to the kernel for each: they must differ from those of any other history, and no more."""
    bits = Random(secrets.randbits(256)).getrandbits
    while True:
        yield str(bits(63))


def entry_number(entry: str) -> int | None:
    """`12-8736` → 12; None for anything that is not an entry id."""
    match = _ENTRY.match(entry)
    return int(match[1]) if match else None


def is_user_id(text: str) -> bool:
    """1–128 of `A-Z a-z 0-9 _ . @ | + ~ -`, the first a letter, a digit or `_`."""
    return _USER.match(text) is not None


def direct_conversation(one: UserId, other: UserId) -> ConversationId:
    """The conversation of two people (or of one with oneself): names sorted by code point."""
    first, second = sorted((one, other))
    return ConversationId(f"dm:{first}:{second}")


def direct_members(conversation: str) -> tuple[UserId, UserId] | None:
    """The two names in a direct conversation's id; None when it is not one, or is not sorted."""
    kind, _, names = conversation.partition(":")
    first, _, second = names.partition(":")
    if kind != "dm" or not is_user_id(first) or not is_user_id(second) or first > second:
        return None
    return UserId(first), UserId(second)
