"""Waiting on the loop for what another task does."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], seconds: float = 8) -> None:
    """Returns once the condition holds.

    Raises:
        TimeoutError: it does not within so many seconds.
    """
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
