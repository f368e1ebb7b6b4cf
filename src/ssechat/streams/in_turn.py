"""Many things, some at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Generic, TypeVar

Item = TypeVar("Item")


def slices(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of so many."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


class InTurn(Generic[Item]):
    """Gives all items in turn, so many in a tick that each comes once in so many ticks."""

    def __init__(self, items: Callable[[], Iterable[Item]], ticks: float) -> None:
        self._items = items
        self._ticks = ticks
        self._rest: Sequence[Item] = ()
        self._at = 0
        self._due = 0.0

    def next(self) -> Sequence[Item]:
        """Those that are due in this tick."""
        if self._at >= len(self._rest):
            self._rest, self._at = list(self._items()), 0
        self._due += len(self._rest) / self._ticks
        count = min(int(self._due), len(self._rest) - self._at)
        self._due -= int(self._due)
        self._at += count
        return self._rest[self._at - count : self._at]
