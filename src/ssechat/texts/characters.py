"""Checks of the characters of a text."""

import re

# A visible character: none of Unicode's White_Space and Default_Ignorable_Code_Point (UAX #44), no control character
# and not the empty Braille pattern. The page has the same list (web/format.js).
_SHOWN = re.compile(
    "[^\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)


def is_blank(text: str) -> bool:
    """Whether a text has no visible character: it is empty, or has only white space and characters without a width."""
    return _SHOWN.search(text) is None


def is_utf8(text: str) -> bool:
    """Whether a text can be encoded as UTF-8. Python puts lone surrogates in the place of other bytes of an argument or
    an environment variable (PEP 383)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
