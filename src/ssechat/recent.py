"""A table of what was used recently, bounded in size."""

from collections.abc import Callable, Hashable
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(dict[Key, Value]):
    """A dict that makes the values that it lacks, and forgets those that have not been used for longest, about.

    When it is full, what is in it becomes the older part, and what was the older part until then is forgotten; what is
    used of the older part comes back. So a value that is used often costs a lookup in a dict and nothing else.
    """

    def __init__(self, most: int, make: Callable[[Key], Value]) -> None:
        """Keeps the `most` values used last, and twice as many at most; `make` makes one for a key that has none."""
        super().__init__()
        self._most = most
        self._make = make
        self._older: dict[Key, Value] = {}

    @property
    def kept(self) -> int:
        """How many values there are, with those of the older part."""
        return len(self) + len(self._older)

    def __missing__(self, key: Key) -> Value:
        value = self._older.pop(key, None)
        if value is None:
            value = self._make(key)
        if len(self) >= self._most:
            self._older = dict(self)
            self.clear()
        self[key] = value
        return value
