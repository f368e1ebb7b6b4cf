"""What people are called: a name for readers, in any script, beside the id."""

import unicodedata

from ssechat.texts.characters import is_blank, is_utf8
from ssechat.texts.printable import one_line

MAX_DISPLAY_NAME = 128
"""Characters of a display name."""

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
