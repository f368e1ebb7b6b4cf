"""Text that is safe on a terminal: nothing in it can drive one, and no password is shown."""

import re

# C0 and C1 controls but newline and tab, line and paragraph separators, overrides of the writing direction,
# and halves of surrogate pairs, which cannot be encoded.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# In what looks like a URL: what stands between the user's name and the last @.
_PASSWORD = re.compile(r"(:/+[^\s/:@]*):\S*@")


def without_passwords(text: str) -> str:
    """The text without the passwords of URLs in it, whatever the URL was given as."""
    return _PASSWORD.sub(r"\1:…@", text)


def printable(text: str) -> str:
    """The text with everything escaped by which it could drive a terminal (as in `\\x1b`)."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def one_line(text: str) -> str:
    """Printable text on one line, its newlines escaped."""
    return printable(text).replace("\n", "\\n")


def indented(text: str) -> str:
    """Printable text whose further lines are set in, so that none of them looks like an event of its own."""
    return printable(text).replace("\n", "\n    ")
