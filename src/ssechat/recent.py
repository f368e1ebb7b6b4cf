"""A table of what was used recently, bounded in size."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """A dict that forgets what has not been used for longest, about.

    Two dicts, of which the younger one takes what is used; when it is full it becomes the older one, and that is
    forgotten. So a value that is used often costs one lookup, where a list in order of use would cost three changes.
    """

    def __init__(self, most: int, make: Callable[[Key], Value]) -> None:
        """Keeps the `most` values used last, and twice as many at most; `make` makes one for a key that has none."""
        self._most = most
        self._make = make
        self._young: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def of(self, key: Key) -> Value:
        """The value of a key; a new one, if there is none (any more)."""
        value = self._young.get(key)
        if value is None:
            value = self._old.pop(key, None) or self._make(key)
            if len(self._young) >= self._most:
                self._young, self._old = {}, self._young
            self._young[key] = value
        return value
