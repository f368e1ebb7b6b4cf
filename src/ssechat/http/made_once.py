"""Texts that take longer to make than other requests should wait."""

import asyncio
import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class MadeOnce(Generic[Key]):
    """What is made in a thread when it is first asked for, once for each key, and kept."""

    def __init__(self, make: Callable[[Key], bytes]) -> None:
        self._make = make
        self._making = threading.Lock()
        self._made: dict[Key, bytes] = {}

    async def get(self, key: Key) -> bytes:
        """Returns what is made of this key. The caller bounds the keys."""
        made = self._made.get(key)
        return await asyncio.to_thread(self._get, key) if made is None else made

    def _get(self, key: Key) -> bytes:
        with self._making:
            if key not in self._made:
                self._made[key] = self._make(key)
            return self._made[key]
