import gc
import weakref
from collections.abc import Iterator

import pytest

from ssechat.server import garbage


class Node:
    """Something that can be part of a circle."""

    def __init__(self) -> None:
        self.other: Node | None = None


@pytest.fixture(autouse=True)
def _leave_the_collector_as_it_was() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_what_has_lived_through_a_settling_is_not_visited_any_more() -> None:
    garbage.begin()
    kept = [Node() for _ in range(1000)]
    garbage.settle()
    frozen = gc.get_freeze_count()
    assert frozen > 1000
    assert not {id(node) for node in kept} & {id(each) for each in gc.get_objects()}


def test_a_circle_that_came_and_went_since_the_last_settling_is_collected() -> None:
    garbage.begin()
    one, other = Node(), Node()
    one.other, other.other = other, one
    gone = weakref.ref(one)
    del one, other
    assert gone() is not None
    garbage.settle()
    assert gone() is None


def test_no_full_collection_comes_by_itself() -> None:
    garbage.begin()
    assert gc.get_threshold()[2] >= 10**9
    assert gc.get_threshold()[0] > 0
