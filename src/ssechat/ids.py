"""The ids of users, conversations and log entries.

A user has one id: a `UserId` is in lower case, and every endpoint and command turns the names it gets into a `UserId`
here.
"""

import re
import secrets
import unicodedata
from base64 import b32encode
from collections.abc import Iterator
from random import Random
from typing import NewType

UserId = NewType("UserId", str)
ConversationId = NewType("ConversationId", str)

LONGEST_USER = 128
"""Characters of a user id."""

_USER = re.compile(r"[a-z0-9_][a-z0-9_.@|+~-]{0,127}\Z")
_ENTRY = re.compile(r"(0|[1-9][0-9]{0,17})-(0|[1-9][0-9]{0,18})\Z")

_GROUP = re.compile(r"g:[a-z2-7]{26}\Z")

NO_ENTRY = "0-0"
"""The entry id before the first entry: the newest entry id of an empty log."""


def new_tag() -> str:
    """A tag for an entry id: 63 random bits. If Redis loses data, a new entry with an old number has another tag."""
    return str(secrets.randbits(63))


def tags() -> Iterator[str]:
    """Yields tags of 17 digits without a system call for each. They need not be secret, only unique."""
    bits = Random(secrets.randbits(256)).getrandbits
    while True:
        yield str(bits(55) | 1 << 55)


def entry_number(entry: str) -> int | None:
    """The number of an entry id, `12-8736` → 12; None for anything else."""
    match = _ENTRY.match(entry)
    return int(match[1]) if match else None


def number_of(entry: str) -> int:
    """`12-8736` → 12; 0 for anything that is not an entry id."""
    return entry_number(entry) or 0


def user_id(text: str) -> UserId | None:
    """The user id of a name in any spelling: `Bob`, `BOB` and `Ｂｏｂ` are `bob`; None if it is not a name.

    A name has 1–128 of `A-Z a-z 0-9 _ . @ | + ~ -`, the first a letter, a digit or `_`. Names are compared without
    case, in Unicode's NFKC form (UAX #15).
    """
    if _USER.match(text) is not None:
        return UserId(text)
    if len(text) > LONGEST_USER:
        return None
    # Lower case, not case folding: that would turn `ß` into `ss`, another name.
    folded = (text if text.isascii() else unicodedata.normalize("NFKC", text)).lower()
    return UserId(folded) if _USER.match(folded) is not None else None


def direct_conversation(one: UserId, other: UserId) -> ConversationId:
    """The id of the conversation of two users, or of a user with itself: the names are sorted by code point."""
    first, second = sorted((one, other))
    return ConversationId(f"dm:{first}:{second}")


def direct_members(conversation: str) -> tuple[UserId, UserId] | None:
    """The two users in the id of a direct conversation; None if it is no such id, or its names are not sorted."""
    kind, _, names = conversation.partition(":")
    first, _, second = names.partition(":")
    one, other = user_id(first), user_id(second)
    if kind != "dm" or one is None or other is None or one > other:
        return None
    return one, other


def group_id(digest: bytes) -> ConversationId:
    """The id of a group from 16 bytes."""
    return ConversationId(f"g:{b32encode(digest).decode().rstrip('=').lower()}")


def is_group(conversation: str) -> bool:
    """Whether this is an id as groups have it."""
    return _GROUP.match(conversation) is not None
