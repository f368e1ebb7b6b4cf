"""Makes text safe to print: escapes control characters, and hides the passwords in URLs."""

import re

# C0 and C1 controls but newline and tab, line and paragraph separators, overrides of the writing direction,
# and lone surrogates, which cannot be encoded.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# The password in a URL: the text between the user name and the last @.
_PASSWORD = re.compile(r"(:/+[^\s/:@]*):\S*@")


def without_passwords(text: str) -> str:
    """The text with `…` in the place of the passwords in its URLs."""
    return _PASSWORD.sub(r"\1:…@", text)


def printable(text: str) -> str:
    """The text with its control characters escaped (as in `\\x1b`), so that it cannot drive a terminal."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def one_line(text: str) -> str:
    """The text as `printable` gives it, with newlines escaped as well."""
    return printable(text).replace("\n", "\\n")


def indented(text: str) -> str:
    """The text as `printable` gives it, with all lines but the first indented: none of them looks like an event."""
    return printable(text).replace("\n", "\n    ")
