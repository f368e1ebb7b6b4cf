"""Names of feeds."""

import re

FEED_NAME_RULE = "a feed's name has 1-64 of a-z 0-9 . _ - and begins with a letter or a digit"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}").fullmatch


def is_feed_name(name: str) -> bool:
    """Whether a feed can have this name."""
    return _NAME(name) is not None
