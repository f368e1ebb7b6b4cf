"""Runs the calls of a client, one at a time, in an event loop.

Between two calls no loop runs: Ctrl-C interrupts a question, or an output that nobody reads, as in any program.
"""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")
Item = TypeVar("Item")


class Run:
    """Runs calls to their end: `run(chat.send("bob", "hi"))`."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner

    def __call__(self, call: Coroutine[Any, Any, Result]) -> Result:
        """Returns what the call returns. Ctrl-C cancels it, and raises KeyboardInterrupt."""
        if threading.current_thread() is not threading.main_thread():
            return self._runner.run(call)
        # Not by the runner: once the call is done, that raises KeyboardInterrupt in whatever else runs in the loop.
        interrupts: list[int] = []
        loop = self._runner.get_loop()

        async def cancellable() -> Result:
            task = asyncio.current_task()
            assert task is not None

            def interrupt(number: int, _: object) -> None:
                interrupts.append(number)
                loop.call_soon_threadsafe(task.cancel)

            signal.signal(signal.SIGINT, interrupt)
            return await call

        before = signal.getsignal(signal.SIGINT)
        try:
            return self._runner.run(cancellable())
        finally:
            signal.signal(signal.SIGINT, before)
            if interrupts:
                raise KeyboardInterrupt

    def each(self, items: AsyncIterator[Item]) -> Iterator[Item]:
        """Yields the items, each when it is there."""
        while (found := self(_following(items))) is not None:
            yield found


async def _following(items: AsyncIterator[Item]) -> Item | None:
    return await anext(items, None)


@contextmanager
def running() -> Iterator[Run]:
    """An event loop for the calls within."""
    with asyncio.Runner() as runner:
        yield Run(runner)
