"""The log of what limits have refused: a line a minute, however much that is."""

import logging
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

LOG_SECONDS = 60.0
"""Seconds between two warnings about refused attempts, however many are refused."""


class RefusalLog:
    """Counts refusals, and logs the first one of each minute."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._logged_at = float("-inf")
        self._unlogged = 0

    def note(self, quota: str, limit: str, who: str) -> None:
        """Notes a refusal. `limit` is such as `8 in 60 s`; `who` is no name that was typed: that may be a password in
        the wrong field."""
        self._unlogged += 1
        if self._now() - self._logged_at >= LOG_SECONDS:
            logger.warning(
                "over a quota (%s, %s): %s; attempts refused since the last such line: %d",
                quota, limit, who, self._unlogged,
            )  # fmt: skip
            self._logged_at, self._unlogged = self._now(), 0
