"""Two workers on one Redis, for synchronous state machines."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from parts import Worker, a_worker
from redises import RedisProcess, releases
from ssechat.logs.delivery import AT_ONCE

Result = TypeVar("Result")

SECONDS = 60.0
"""Of one step: a delivery that never ends is a fault, too."""


@dataclass
class TwoWorkers:
    """Two workers on one Redis of the newest release."""

    loop: asyncio.AbstractEventLoop
    workers: tuple[Worker, Worker]
    examples: int = 0

    def run(self, work: Awaitable[Result]) -> Result:
        """Waits until something is done."""

        async def wait() -> Result:
            async with asyncio.timeout(SECONDS):
                return await work

        return self.loop.run_until_complete(wait())


@contextmanager
def two_workers(at_once: tuple[int, int] = (AT_ONCE, AT_ONCE)) -> Iterator[TwoWorkers]:
    """Starts Redis and connects the workers. `at_once`: members that a script of each delivers to."""
    with ExitStack() as stack:
        process = RedisProcess(releases()[-1])
        stack.callback(process.close)
        loop = asyncio.new_event_loop()
        stack.callback(loop.close)
        workers = []
        for members in at_once:
            context = a_worker(process.url, at_once=members)
            workers.append(loop.run_until_complete(context.__aenter__()))
            stack.callback(_close, loop, context)
        one, two = workers
        yield TwoWorkers(loop, (one, two))


def _close(loop: asyncio.AbstractEventLoop, context: AbstractAsyncContextManager[Worker]) -> None:
    loop.run_until_complete(context.__aexit__(None, None, None))
