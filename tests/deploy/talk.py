"""Clients that chat through the proxy while containers behind it are changed, and a check of what they received."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chaos.checker import Violation, check
from chaos.device import Reader
from chaos.history import LOST, History
from chaos.http import Connection, Place
from chaos.writer import Writer

SETTLE_SECONDS = 60.0
ASIDE_SECONDS = 1.5
"""Seconds of chat before and after the event."""


@dataclass(frozen=True)
class Result:
    """The result."""

    history: History
    level: bool
    """Whether all devices were level at the end."""

    def violations(self, passing: Sequence[str] = ()) -> list[Violation]:
        """The violations. A refusal with one of these statuses is allowed: the client retries."""
        allowed = tuple(f"was answered {status}" for status in passing)
        return [found for found in check(self.history) if not found.text.endswith(allowed or ("\0",))]

    def outcomes(self) -> Counter[str]:
        """Counts of the statuses of sends."""
        return Counter(attempt.outcome for send in self.history.sends for attempt in send.attempts)

    def figures(self) -> dict[str, Any]:
        """All counts."""
        sends = self.history.sends
        waits = sorted(send.acked - send.invoked for send in sends if send.acked is not None)
        found = Counter(violation.kind for violation in check(self.history))
        return {
            "sends": len(sends),
            "acked": len(waits),
            "sends with a retry": sum(len(send.attempts) > 1 for send in sends),
            "answers": dict(self.outcomes()),
            "to the ack, s": {
                "median": round(waits[len(waits) // 2], 3),
                "p99": round(waits[int(len(waits) * 0.99)], 3),
                "longest": round(waits[-1], 3),
            },
            "deliveries": sum(len(device.messages) for device in self.history.devices),
            **{kind: found[kind] for kind in ("lost", "doubled", "misordered", "hole", "reset", "late", "refused")},
            "devices": len(self.history.devices),
            "reconnects": sum(event.name == LOST for device in self.history.devices for event in device.events),
            "longest gap of a stream, s": round(max(self.gaps(), default=0.0), 3),
        }

    def gaps(self) -> list[float]:
        """Seconds for which a device was without a stream, each time."""
        found = []
        for device in self.history.devices:
            away: float | None = None
            for event in device.events:
                if event.name == LOST and away is None:
                    away = event.at
                elif event.name == "hello" and away is not None:
                    found.append(event.at - away)
                    away = None
        return found


async def talk(place: Place, event: Callable[[], object], people: int = 6, writers: int = 6, name: str = "p") -> Result:
    """Everybody writes to everybody, on connections of their own, and reads on two devices, while `event` runs.

    `event` may block: it runs in a thread. Sends are repeated until they are acknowledged, with one client_msg_id.
    """
    began = time.monotonic()
    history = History()

    def now() -> float:
        return time.monotonic() - began

    users = [f"{name}{number}" for number in range(people)]
    for user in users:
        await _exist(place, user)
    readers = [
        Reader(place, now, user, number, from_start=number == 0, restless=False)
        for user in users
        for number in range(2)
    ]
    history.devices += [reader.device for reader in readers]
    talkers = [Writer(place, history, now, users[number % people], f"{name}w{number}") for number in range(writers)]
    stop = asyncio.Event()
    tasks = []
    try:
        for reader in readers:
            reader.start()
        async with asyncio.timeout(SETTLE_SECONDS):
            await asyncio.gather(*(reader.greeted.wait() for reader in readers))
        for talker in talkers:
            talker.patient = True  # from here a retry follows a refusal
        tasks = [
            asyncio.create_task(talker.talk([user for user in users if user != talker.user], stop))
            for talker in talkers
        ]
        await asyncio.sleep(ASIDE_SECONDS)
        await asyncio.to_thread(event)
        await asyncio.sleep(ASIDE_SECONDS)
        stop.set()
        async with asyncio.timeout(SETTLE_SECONDS):
            await asyncio.gather(*tasks)
        level = await _level(readers, history, now)
        await asyncio.sleep(0.5)  # for duplicates that arrive late
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        history.ended = now()
        await asyncio.gather(*(reader.stop() for reader in readers))
        for talker in talkers:
            talker.close()
    return Result(history, level)


async def _exist(place: Place, user: str) -> None:
    """Creates a user by a first request."""
    connection = await Connection.open(place)
    try:
        status, answer = await connection.get("/v1/session", place.token(user))
        assert status == 200, answer
    finally:
        connection.close()


async def _level(readers: Sequence[Reader], history: History, now: Callable[[], float]) -> bool:
    """Waits until all readers have all messages that they are owed; returns whether this happened."""
    deadline = now() + SETTLE_SECONDS
    while now() < deadline:
        if all(_has_all(reader, history) for reader in readers):
            return True
        await asyncio.sleep(0.02)
    return False


def _has_all(reader: Reader, history: History) -> bool:
    since = reader.device.since
    return since is not None and all(
        send.client_msg_id in reader.got
        for send in history.sends
        if send.invoked > since and reader.device.user in history.members[send.conversation]
    )
