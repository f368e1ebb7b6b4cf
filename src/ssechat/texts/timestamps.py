"""Times as requests and events have them."""

from datetime import UTC, datetime
from functools import lru_cache


def timestamp(milliseconds: int) -> str:
    """RFC 3339, UTC, to the millisecond; from milliseconds since 1970."""
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03}Z"


@lru_cache(maxsize=2)
def _second(timestamp: int) -> str:
    """A second, once for all messages that are sent in it."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S")
