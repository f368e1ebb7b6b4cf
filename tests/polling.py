"""Waiting on the loop for a condition."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], seconds: float = 8) -> None:
    """Waits until the condition holds.

    Raises:
        TimeoutError: it does not hold within `seconds`.
    """
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
