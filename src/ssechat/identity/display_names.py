"""What people are called: a name for readers, in any script, beside the id."""

import unicodedata

from ssechat.texts.characters import is_blank, is_utf8
from ssechat.texts.printable import one_line

MAX_DISPLAY_NAME = 128
"""Characters of a display name in a token."""

MAX_CHOSEN = 64
"""Characters of a display name that a user chooses: up to 256 bytes in UTF-8."""

MAX_READ = 1024
"""Characters of a claim that is looked at."""


def display_name(claimed: object) -> str | None:
    """The display name in a token's claim `name`: one line of at most `MAX_DISPLAY_NAME` characters.

    Each run of white space becomes a space. None if it is no name: it has control characters or changes the writing
    direction, has nothing to see, or is too long.
    """
    if not isinstance(claimed, str) or len(claimed) > MAX_READ or not is_utf8(claimed):
        return None
    name = " ".join(unicodedata.normalize("NFC", claimed).split())
    if is_blank(name) or len(name) > MAX_DISPLAY_NAME or one_line(name) != name:
        return None
    return name


def chosen_name(text: str) -> str:
    """The display name that a user chooses, without white space around it and with single spaces in it.

    Raises:
        ValueError: it cannot be one; the message is a sentence for people.
    """
    if one_line(text) != text:
        raise ValueError("give one line, without characters that control the writing direction or a terminal")
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if is_blank(name):
        raise ValueError("this name is blank; give one with something to see, or null to have none")
    if len(name) > MAX_CHOSEN:
        raise ValueError(f"give {MAX_CHOSEN} characters at most")
    return name
