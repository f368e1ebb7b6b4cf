"""Runs a coroutine at once: what asyncio's own tasks can do from Python 3.12 on (`eager_start`).

A task begins in the next turn of the loop, and is entered into the set of all tasks first. A send, which waits once,
would pay for both (`python -m tests.bench sends`).
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Eager:
    """A coroutine under way. What asks for the current task, as `asyncio.timeout` does, finds none."""

    __slots__ = ("_cancelled", "_coroutine", "_ended", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, None], ended: Callable[["Eager"], None]) -> None:
        """`ended` is called when there is nothing more to run; maybe before `start` returns."""
        self._coroutine = coroutine
        self._ended = ended
        self._waits_for: asyncio.Future[Any] | None = None
        self._cancelled = False

    def start(self) -> None:
        """Runs it up to the first future that it waits for."""
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
            self._ended(self)
        except Exception as error:
            self._ended(self)
            context = {"message": "a request's coroutine failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
        else:
            if future is None:  # `asyncio.sleep(0)`: a turn of the loop
                asyncio.get_running_loop().call_soon(self._step, None)
                return
            # What `await` sets, and whoever runs the coroutine is to take back (asyncio/futures.py).
            future._asyncio_future_blocking = False
            self._waits_for = future
            future.add_done_callback(self._step)
