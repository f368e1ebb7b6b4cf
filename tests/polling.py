"""Waiting on the loop for a condition."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], seconds: float = 8) -> None:
    """Waits until the condition holds.

    Raises:
        TimeoutError: it does not hold within `seconds`.
    """
    pause = 0.0005
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.005)
