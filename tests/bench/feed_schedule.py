"""Which key of a feed changes when. Who publishes and who reads know it, so each value tells how late it is."""

import random
from array import array
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """Changes at a steady rate, each of a random key."""

    keys: int
    rate: float
    """Changes a second."""
    count: int
    """Changes in all."""
    seed: int = 1

    def of_keys(self) -> "array[int]":
        """The key of each change."""
        chance = random.Random(self.seed)
        return array("i", (chance.randrange(self.keys) for _ in range(self.count)))

    def due(self, change: int, start: int) -> int:
        """When this change is due, if the first one is at `start`: nanoseconds of the monotonic clock."""
        return start + int(change * 1e9 / self.rate)


def following(of_keys: "array[int]") -> "array[int]":
    """For each change the next one of the same key; the number of all where there is none."""
    found = array("i", bytes(4 * len(of_keys)))
    next_of: dict[int, int] = {}
    for change in range(len(of_keys) - 1, -1, -1):
        found[change] = next_of.get(of_keys[change], len(of_keys))
        next_of[of_keys[change]] = change
    return found


def newest(of_keys: "array[int]") -> dict[int, int]:
    """The last change of each key."""
    return {key: change for change, key in enumerate(of_keys)}
