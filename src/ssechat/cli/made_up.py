"""Made-up data for the examples of feeds: prices that wander, and deployments that succeed or fail."""

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

MADE_UP = "made-up"
"""The name of each event that has made-up data: pages say so, and no other feed is written to."""

MOST_SYMBOLS = 1000
"""As many keys as a feed has."""

CONSONANTS = "BCDFGHJKLMNPQRSTVWXZ"

SERVICES = ("accounts", "checkout", "images", "mail", "payments", "reports", "search", "shop")
ENVIRONMENTS = ("development", "staging", "production")

RISK = 0.2
"""How often a deployment fails."""


class Change(NamedTuple):
    """The newest value of a key."""

    key: str
    data: dict[str, Any]


def symbols(count: int) -> list[str]:
    """So many names, always the same. Without vowels they are no words."""
    names = ["".join(letters) for letters in itertools.permutations(CONSONANTS, 3)]
    return sorted(random.Random(count).sample(names, count))


class Market:
    """Prices, each of which wanders from where the day began."""

    def __init__(self, names: Sequence[str], chance: random.Random) -> None:
        self._chance = chance
        self._opened = {symbol: round(math.exp(chance.uniform(1.5, 6.5)), 2) for symbol in names}
        self._prices = dict(self._opened)
        self._symbols = list(self._opened)

    def all(self) -> Iterator[Change]:
        """All prices, as they are."""
        return map(self._change, self._symbols)

    def next(self) -> Change:
        """The next change."""
        symbol = self._chance.choice(self._symbols)
        price = self._prices[symbol] * math.exp(self._chance.gauss(0, 0.002))
        self._prices[symbol] = max(0.01, price)
        return self._change(symbol)

    def _change(self, symbol: str) -> Change:
        opened, price = self._opened[symbol], round(self._prices[symbol], 2)
        return Change(symbol, {"price": price, "change": round(100 * (price / opened - 1), 2)})


class Board:
    """Services in their environments."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        places = [f"{service}/{environment}" for service in SERVICES for environment in ENVIRONMENTS]
        self._state = dict.fromkeys(places, "running")
        self._version = {place: [chance.randint(1, 4), chance.randint(0, 20), chance.randint(0, 9)] for place in places}

    def all(self) -> Iterator[Change]:
        """All services, as they are."""
        return map(self._change, self._state)

    def next(self) -> Change:
        """The next change: a deployment begins, or ends."""
        under_way = [place for place, state in self._state.items() if state == "deploying"]
        if len(under_way) > 2 or (under_way and self._chance.random() < 0.5):
            place = self._chance.choice(under_way)
            self._state[place] = "failed" if self._chance.random() < RISK else "running"
        else:
            place = self._chance.choice([place for place in self._state if place not in under_way])
            is_stopped = self._state[place] == "running" and self._chance.random() < 0.05
            self._state[place] = "stopped" if is_stopped else "deploying"
            self._version[place][2] += not is_stopped
        return self._change(place)

    def _change(self, place: str) -> Change:
        return Change(place, {"state": self._state[place], "version": ".".join(map(str, self._version[place]))})
