"""Turns: what concerns one thing is done by one caller at a time, and those who wait share what is known of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
State = TypeVar("State")


class _Turn(Generic[State]):
    def __init__(self, state: State) -> None:
        self.lock = asyncio.Lock()
        self.state = state
        self.callers = 0


class Turns(Generic[Key, State]):
    """A lock and a state for each key that somebody uses just now; with the last caller both are forgotten."""

    def __init__(self, make_state: Callable[[], State]) -> None:
        self._make_state = make_state
        self._turns: dict[Key, _Turn[State]] = {}

    def __len__(self) -> int:
        return len(self._turns)

    def callers(self, key: Key) -> int:
        """How many have a turn with this key, or wait for one."""
        return self._turns[key].callers if key in self._turns else 0

    @asynccontextmanager
    async def of(self, key: Key) -> AsyncIterator[State]:
        """A turn with this key; the state is shared with those who wait for theirs."""
        turn = self._turns.get(key)
        if turn is None:
            turn = self._turns[key] = _Turn(self._make_state())
        turn.callers += 1
        try:
            async with turn.lock:
                yield turn.state
        finally:
            turn.callers -= 1
            if not turn.callers:
                del self._turns[key]
