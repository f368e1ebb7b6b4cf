"""Coalescing: what changes often is told at most once in a while, and then as it stands."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping
from itertools import islice
from typing import Generic, TypeVar

from ssechat.errors import RedisUnavailable
from ssechat.tasks import end_task

logger = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)

Changed = set[str] | None
"""What has changed of a key; None: more than is remembered one by one."""


class Coalescing(Generic[Key]):
    """Calls `notify` with the keys of which something has changed, each at most once in `pause` seconds.

    The first change of a key is told at once; those that follow within the pause are told together, after it. What
    cannot be told, because Redis does not answer, is told after another pause.
    """

    def __init__(
        self,
        notify: Callable[[Mapping[Key, Changed]], Awaitable[None]],
        *,
        pause: float,
        at_once: int,
        most_keys: int,
        most_changed: int,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`at_once`: keys of one call of `notify`. `most_keys`: that are remembered; changes of others are lost, and
        the log says so. `most_changed`: changes of a key that are remembered one by one. `clock` counts seconds."""
        self._notify = notify
        self._pause = pause
        self._at_once = at_once
        self._most_keys = most_keys
        self._most_changed = most_changed
        self._clock = clock
        self._sleep = sleep
        self._due: dict[Key, Changed] = {}
        self._resting: dict[Key, Changed] = {}
        """Keys that were told within the last pause, and what has changed of them since."""
        self._rests: deque[tuple[float, Key]] = deque()
        """When each of those may be told again, in this order."""
        self._notifying: asyncio.Task[None] | None = None
        self._waking: asyncio.Task[None] | None = None
        self._closed = self._full = False

    def __len__(self) -> int:
        """The keys that are remembered."""
        return len(self._due) + len(self._resting)

    def note(self, key: Key, changed: str) -> None:
        """Something of a key has changed. It does not wait, and fails never."""
        if self._closed:
            return
        waiting = self._resting if key in self._resting else self._due
        if key not in waiting:
            if len(self) >= self._most_keys:
                if not self._full:
                    logger.warning("more than %d conversations change at a time: some is not told", self._most_keys)
                self._full = True
                return
            waiting[key] = set()
        waiting[key] = self._joined(waiting[key], {changed})
        self._go_on()

    async def close(self) -> None:
        """Forgets what has not been told, and tells nothing more."""
        self._closed = True
        for task in (self._notifying, self._waking):
            if task is not None:
                await end_task(task)
        self._due.clear()
        self._resting.clear()
        self._rests.clear()

    def _joined(self, some: Changed, others: Changed) -> Changed:
        joined = None if some is None or others is None else some | others
        return None if joined is None or len(joined) > self._most_changed else joined

    def _now(self) -> float:
        return asyncio.get_running_loop().time() if self._clock is None else self._clock()

    def _go_on(self) -> None:
        """Begins to tell what is due, and to wait for those that rest."""
        create = asyncio.get_running_loop().create_task
        if self._due and self._notifying is None:
            self._notifying = create(self._notify_all(), name="coalescing")
        if self._rests and self._waking is None:
            self._waking = create(self._wake_all(), name="coalescing")

    async def _notify_all(self) -> None:
        while self._due:
            await self._notify_some()
        self._notifying = None
        self._go_on()

    async def _wake_all(self) -> None:
        while self._rests:
            await self._sleep(max(0.0, self._rests[0][0] - self._now()))
            self._wake()
            self._go_on()
        self._waking = None
        self._full = False

    def _wake(self) -> None:
        """Those that have rested may be told again."""
        now = self._now()
        while self._rests and self._rests[0][0] <= now:
            _, key = self._rests.popleft()
            changed = self._resting.pop(key)
            if changed is None or changed:
                self._due[key] = changed

    async def _notify_some(self) -> None:
        some = {key: self._due.pop(key) for key in list(islice(self._due, self._at_once))}
        until = self._now() + self._pause
        for key in some:
            self._resting[key] = set()
            self._rests.append((until, key))
        self._go_on()
        try:
            await self._notify(some)
        except RedisUnavailable:
            for key, changed in some.items():  # Redis may have taken longer than the pause
                waiting = self._resting if key in self._resting else self._due
                waiting[key] = self._joined(waiting.get(key, set()), changed)
        except Exception:
            logger.exception("what has changed could not be told")
