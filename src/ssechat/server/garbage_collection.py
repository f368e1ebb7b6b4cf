"""Python's collector of cyclic garbage, kept from visiting every stream again and again.

Its full collections visit all that lives, and stop the loop meanwhile: tens of milliseconds with 20,000 streams.
What has lived through one here is frozen: it goes when its last reference does, as ever, but is not visited
any more. The price is that a cycle which forms among what is frozen stays; so connections break theirs when they
end (see protocol.py). `python -m tests.bench churn` prints the growth and the longest pause.
"""

import gc
import time
from collections.abc import Callable, Mapping
from typing import Any

YOUNG = 5000
"""Objects that come to be, and stay, before the youngest generation is collected."""

NEVER = 1_000_000_000


def begin(paused: Callable[[float], None]) -> None:
    """Takes the collector over, when all modules are loaded and the app has been made.

    `paused` is called after each collection with the seconds that it took.
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
    """Collects what came since the last time, and freezes what is left."""
    gc.collect()
    gc.freeze()
