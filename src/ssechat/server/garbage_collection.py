"""Configures Python's cyclic garbage collector so that it does not visit every stream in each full collection.

A full collection visits all objects and stops the loop meanwhile, tens of milliseconds with 20,000 streams. So the
objects that survive a collection are frozen (`gc.freeze`): reference counting still frees them, and the collector does
not visit them. Cycles among frozen objects are never freed; so connections break theirs when they close (see
protocol.py). `python -m tests.bench churn` prints the growth and the longest pause.
"""

import gc
import time
from collections.abc import Callable, Mapping
from typing import Any

YOUNG = 5000
"""Allocations minus deallocations before the youngest generation is collected."""

NEVER = 1_000_000_000


def begin(paused: Callable[[float], None]) -> None:
    """Configures the collector. It must be called after all modules are loaded and the app is created.

    `paused` is called after each collection with its duration in seconds.
    """
    began = 0.0

    def watch(phase: str, info: Mapping[str, Any]) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            paused(time.perf_counter() - began)

    gc.callbacks.append(watch)
    gc.set_threshold(YOUNG, 20, NEVER)
    collect_and_freeze()


def collect_and_freeze() -> None:
    """Collects the objects created since the last call, and freezes the survivors."""
    gc.collect()
    gc.freeze()
