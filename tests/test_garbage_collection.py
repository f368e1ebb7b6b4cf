import gc
import time
import weakref
from collections.abc import Iterator

import pytest

from ssechat.server import garbage_collection


class Node:
    """An object that can be part of a reference cycle."""

    def __init__(self) -> None:
        self.other: Node | None = None


@pytest.fixture(autouse=True)
def _leave_the_collector_as_it_was() -> Iterator[None]:
    thresholds, callbacks = gc.get_threshold(), list(gc.callbacks)
    yield
    gc.callbacks[:] = callbacks
    gc.set_threshold(*thresholds)


def test_objects_that_survived_a_gc_are_frozen() -> None:
    garbage_collection.begin(lambda seconds: None)
    kept = [Node() for _ in range(1000)]
    garbage_collection.collect_and_freeze()
    frozen = gc.get_freeze_count()
    assert frozen > 1000
    assert not {id(node) for node in kept} & {id(each) for each in gc.get_objects()}


def test_a_cycle_that_died_since_the_last_gc_is_collected() -> None:
    garbage_collection.begin(lambda seconds: None)
    one, other = Node(), Node()
    one.other, other.other = other, one
    gone = weakref.ref(one)
    del one, other
    assert gone() is not None
    garbage_collection.collect_and_freeze()
    assert gone() is None


def test_no_full_gc_runs_by_itself() -> None:
    garbage_collection.begin(lambda seconds: None)
    assert gc.get_threshold()[2] >= 10**9
    assert gc.get_threshold()[0] > 0


def test_each_gc_pause_is_reported() -> None:
    pauses: list[float] = []
    garbage_collection.begin(pauses.append)
    before = len(pauses)
    began = time.perf_counter()
    garbage_collection.collect_and_freeze()
    assert len(pauses) == before + 1
    assert 0 < pauses[-1] <= time.perf_counter() - began
