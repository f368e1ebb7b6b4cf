"""The names of things: users, conversations, and the entries of the two logs.

A person has one name: a `UserId` is in lower case, and whatever comes in from outside becomes one here, at every door.
"""

import re
import secrets
import unicodedata
from collections.abc import Iterator
from random import Random
from typing import NewType

UserId = NewType("UserId", str)
ConversationId = NewType("ConversationId", str)

LONGEST_USER = 128
"""Characters."""

_USER = re.compile(r"[a-z0-9_][a-z0-9_.@|+~-]{0,127}\Z")
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


def number_of(entry: str) -> int:
    """`12-8736` → 12; 0 for anything that is not an entry id."""
    return entry_number(entry) or 0


def user_id(text: str) -> UserId | None:
    """The user that a name means, in whatever spelling: `Bob`, `BOB` and `Ｂｏｂ` are `bob`; None for what is no name.

    A name has 1–128 of `A-Z a-z 0-9 _ . @ | + ~ -`, the first a letter, a digit or `_`. The letters' case counts
    nowhere, nor which of Unicode's forms of the same text it is (NFKC: UAX #15).
    """
    if _USER.match(text) is not None:
        return UserId(text)
    if len(text) > LONGEST_USER:
        return None
    # Lower case, not case folding, which makes `ss` of `ß`: that is another name, and so none here.
    folded = (text if text.isascii() else unicodedata.normalize("NFKC", text)).lower()
    return UserId(folded) if _USER.match(folded) is not None else None


def direct_conversation(one: UserId, other: UserId) -> ConversationId:
    """The conversation of two people (or of one with oneself): names sorted by code point."""
    first, second = sorted((one, other))
    return ConversationId(f"dm:{first}:{second}")


def direct_members(conversation: str) -> tuple[UserId, UserId] | None:
    """The two users in a direct conversation's id; None when it is not one, or its names are not sorted."""
    kind, _, names = conversation.partition(":")
    first, _, second = names.partition(":")
    one, other = user_id(first), user_id(second)
    if kind != "dm" or one is None or other is None or one > other:
        return None
    return one, other
