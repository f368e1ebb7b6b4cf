"""Runs a coroutine at once, as asyncio's own tasks can from Python 3.12 on (`eager_start`): for a measurement."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Eager:
    """A coroutine under way. What asks for the current task, as `asyncio.timeout` does, finds none."""

    __slots__ = ("_cancelled", "_coroutine", "_started", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._coroutine = coroutine
        self._waits_for: asyncio.Future[Any] | None = None
        self._started = self._cancelled = False

    def start(self) -> None:
        """Runs it up to the first future that it waits for, maybe to its end; the first time that it is called."""
        if not self._started:
            self._started = True
            self._step(None)

    def cancel(self, msg: object = None) -> None:
        """Has the coroutine's `await` raise CancelledError."""
        self._cancelled = True
        if self._waits_for is not None:
            self._waits_for.cancel(msg)

    def _step(self, _: object) -> None:
        """Goes on, now that a future is done (the coroutine asks it for its result itself)."""
        self._waits_for = None
        try:
            if self._cancelled:
                self._cancelled = False
                future = self._coroutine.throw(asyncio.CancelledError())
            else:
                future = self._coroutine.send(None)
        except (StopIteration, asyncio.CancelledError):
            return
        if future is None:  # `asyncio.sleep(0)`: an iteration of the loop
            asyncio.get_running_loop().call_soon(self._step, None)
            return
        # What `await` sets, and whoever runs the coroutine must take back (asyncio/futures.py).
        future._asyncio_future_blocking = False
        self._waits_for = future
        future.add_done_callback(self._step)
