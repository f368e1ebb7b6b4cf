"""The process of the clients, at the far end of a line: it runs coroutines for the process that measures."""

import asyncio
import gc
import signal
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any, Concatenate, ParamSpec, TypeVar

import uvloop

from .namespaces import enter_far
from .wire import Wire

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Place:
    """Where clients are."""

    wire: Wire
    sources: tuple[str, str]
    """Their addresses; the line of those with the second one can be cut."""


Work = Callable[Concatenate[Place, P], Awaitable[R]]
"""What a process of clients can run: a function of a module, as it is named to the other process."""


class Failure(str):
    """The traceback of work that failed."""

    __slots__ = ()


def run(control: Connection, wire: Wire, sources: tuple[str, str], own_namespace: bool) -> None:
    """The main function of the process: does what it is told, until the other end of `control` is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        if own_namespace:
            reduction.send_handle(control, enter_far(), None)
        place = Place(wire, sources)
        while True:
            work, arguments = control.recv()
            try:
                gc.collect()
                gc.disable()  # a pause would count as latency
                control.send(uvloop.run(_done(work(place, *arguments))))
            except Exception:
                control.send(Failure(traceback.format_exc()))
            finally:
                gc.enable()
    except (EOFError, ConnectionError):
        return


async def _done(work: Awaitable[Any]) -> Any:
    try:
        return await work
    finally:
        # What a client still reads, or a failed one has left.
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
