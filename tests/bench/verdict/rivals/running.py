"""Measures rivals: memory of idle connections, CPU per message, messages a second, and what a kill -9 loses."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop

from ... import processes
from ...errors import BenchError
from ...progress import Progress
from .. import scenes
from ..far import Place
from ..kernel import kernel_bytes
from ..measures import FULL_SECONDS
from ..people.making import make_people
from ..people.person import Person
from ..wire import Wire
from .kinds import KINDS
from .rival import Kind, Rival

PLACE = Place(Wire(), ("127.0.0.1", "127.0.0.1"))
"""On the loopback, with no line between."""
WARM_UP = 10
SETTLE_SECONDS = 2.0
TEXT_LENGTH = scenes.TEXT_LENGTH
MESSAGES = 10_000
"""Messages that are acknowledged around a kill, or as many as there is time for."""
START_SECONDS = 30.0
"""A server is up within so many seconds of its start, or its next one after a kill."""
READ_SECONDS = 5.0
"""Seconds without any further message after which those that are missing count as lost."""


@dataclass(frozen=True, slots=True)
class RivalFigures:
    """The figures of one server."""

    key: str
    name: str
    stores: str
    idle: int
    process_bytes: float
    """Memory of its processes per idle connection, its storage included."""
    kernel_bytes: float
    """The kernel's memory per idle connection, the server's end."""
    rate: float
    microseconds_each: float
    """CPU of all its processes per delivered message, at `rate` messages a second."""
    to_other: scenes.Times
    deliveries_a_second: float
    """As fast as it goes."""
    saturated_microseconds_each: float
    lost: int
    """Messages that did not come while nothing was killed."""
    acknowledged: int
    """Around the kill."""
    missing: int
    """Acknowledged messages that their recipient, who was offline, never got."""


def measure_rivals(
    seconds: float, only: Sequence[str], progress: Progress
) -> tuple[list[RivalFigures], list[str]]:  # fmt: skip
    """Measures ssechat and its rivals; also returns a note on each that is missing or fails.

    Raises:
        BenchError: ssechat could not be measured.
    """
    figures, absent = [], []
    for kind in KINDS:
        if only and kind.key not in only:
            continue
        if kind.absent:
            absent.append(kind.absent)
            continue
        if kind.key == "ssechat":
            figures.append(_measure(kind, seconds, progress))
            continue
        try:
            figures.append(_measure(kind, seconds, progress))
        except (BenchError, OSError) as error:
            absent.append(f"{kind.name}: could not be measured: {type(error).__name__}: {error}")
    return figures, absent


def _measure(kind: Kind, seconds: float, progress: Progress) -> RivalFigures:
    share = min(1.0, seconds / FULL_SECONDS)
    idle = max(20, int(kind.idle * share))
    with kind.make() as server:
        progress.show(f"{kind.name}: accounts")
        server.prepare(max(2 * kind.pairs, idle + WARM_UP))
        progress.show(f"{kind.name}: {idle:,} idle connections")
        process, kernel = uvloop.run(_idle(server, idle))
        progress.show(f"{kind.name}: {kind.rate:g} messages a second")
        scene = uvloop.run(scenes.pairs(PLACE, server.spec(), kind.pairs, kind.rate, seconds))
        progress.show(f"{kind.name}: as many messages as will go")
        delivered, took, cpu = uvloop.run(_flood(server, kind, seconds))
        progress.show(f"{kind.name}: kill -9 in the middle")
        acknowledged, missing = uvloop.run(_killed(server, int(MESSAGES * share), seconds))
        return RivalFigures(
            kind.key, kind.name, kind.stores, idle, process, kernel, kind.rate, scene.microseconds_each,
            scene.to_other, delivered / took, cpu * 1e6 / max(1, delivered), scene.lost, acknowledged, missing,
        )  # fmt: skip


async def _connect(people: Sequence[Person]) -> None:
    for at in range(0, len(people), scenes.AT_ONCE):
        await asyncio.gather(*(person.come_back(START_SECONDS, 0.3) for person in people[at : at + scenes.AT_ONCE]))


def _drop(people: Sequence[Person]) -> None:
    for person in people:
        person.drop()


async def _idle(server: Rival, count: int) -> tuple[float, float]:
    people = make_people(server.spec(), count + WARM_UP, PLACE.sources)
    first, rest = people[count:], people[:count]
    try:
        await _connect(first)
        await asyncio.sleep(SETTLE_SECONDS)
        before, kernel = processes.memory(server.workers).pss, kernel_bytes()
        await _connect(rest)
        await asyncio.sleep(SETTLE_SECONDS)
        grown, kernel = processes.memory(server.workers).pss - before, kernel_bytes() - kernel
    finally:
        _drop(people)
        await asyncio.sleep(0.5)
    # Both ends of each connection are on this machine.
    return max(0.0, grown / count), max(0.0, kernel / count / 2)


async def _flood(server: Rival, kind: Kind, seconds: float) -> tuple[int, float, float]:
    """All write as fast as they can; returns the deliveries, the time until the last, and the server's CPU seconds."""
    people = make_people(server.spec(), 2 * kind.pairs, PLACE.sources)
    until = time.monotonic() + seconds

    async def write(person: Person, turn: int) -> None:
        number, to = turn, people[person.number ^ 1].name
        while time.monotonic() < until:
            number += person.depth
            await person.send(to, person.text(number, TEXT_LENGTH))

    def delivered() -> list[int]:
        return [at for person in people for (writer, _), at in person.got.at.items() if writer == person.number ^ 1]

    try:
        await _connect(people)
        until = time.monotonic() + seconds
        began, cpu = time.monotonic(), processes.cpu_seconds(server.workers)
        await asyncio.gather(*(write(person, turn) for person in people for turn in range(person.depth)))
        # A server that acknowledges before it delivers may be far behind.
        count, deadline = -1, time.monotonic() + READ_SECONDS
        while count != len(delivered()) and time.monotonic() < deadline:
            count = len(delivered())
            await asyncio.sleep(0.5)
        times, used = delivered(), processes.cpu_seconds(server.workers) - cpu
    finally:
        _drop(people)
        await asyncio.sleep(0.5)
    return len(times), max(times, default=time.monotonic_ns()) / 1e9 - began, used


async def _killed(server: Rival, count: int, seconds: float) -> tuple[int, int]:
    """Somebody writes to one who is offline, and the server is killed in the middle; returns how many messages were
    acknowledged, and how many of them the other one lacks when he is back."""
    reader, writer = people = make_people(server.spec(), 2, PLACE.sources)
    acknowledged: set[tuple[int, int]] = set()
    number = 0

    async def write(until: float, most: int) -> None:
        nonlocal number
        while time.monotonic() < until and len(acknowledged) < most:
            number += 1
            mine = number
            await writer.send(reader.name, writer.text(mine, TEXT_LENGTH))
            acknowledged.add((writer.number, mine))

    async def write_all(most: int) -> list[asyncio.Task[None]]:
        until = time.monotonic() + max(2.0, seconds)
        writing = [asyncio.get_running_loop().create_task(write(until, most)) for _ in range(writer.depth)]
        while time.monotonic() < until and len(acknowledged) < most and not all(task.done() for task in writing):
            await asyncio.sleep(0.002)
        return writing

    try:
        await _connect(people)
        # Where a reader who comes back names the last that it got (nchan, socket.io), it must have got one.
        await writer.send(reader.name, writer.text(0, TEXT_LENGTH))
        await asyncio.sleep(0.5)
        reader.drop()
        await asyncio.sleep(0.5)
        # Killed while sends are under way: the writers go on beyond the half.
        writing = await write_all(count // 2)
        server.kill()
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)
        writer.drop()
        # In this thread, which the processes die with.
        server.start()
        for person in people:
            person.spec = server.spec()
        await writer.come_back(START_SECONDS, 0.3)
        for task in await write_all(count):
            await task
        await asyncio.sleep(0.5)
        await reader.come_back(START_SECONDS, 0.3)
        left, before, deadline = acknowledged - set(reader.got.at), -1, time.monotonic() + READ_SECONDS
        while left and time.monotonic() < deadline:
            if len(left) != before:
                before, deadline = len(left), time.monotonic() + READ_SECONDS
            await asyncio.sleep(0.1)
            left = acknowledged - set(reader.got.at)
        return len(acknowledged), len(left)
    finally:
        _drop(people)
        await asyncio.sleep(0.2)
