"""Ends asyncio tasks."""

import asyncio


async def end_task(task: asyncio.Task[None]) -> None:
    """Cancels a task and waits until it has ended.

    Cancels it again and again: a cancellation that arrives while a connection is opened can get lost.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.1)
