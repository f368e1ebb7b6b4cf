"""What people do in a measurement. These functions run in the process of the clients (far.py)."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .. import processes
from ..deliveries import percentile
from .far import Place
from .people.making import make_people
from .people.person import ROOM, Person, Spec
from .wire import DELAY, Traffic

TEXT_LENGTH = 80
WARM_UP = 1.0
DRAIN_SECONDS = 5.0
"""Seconds without any further message after which those that are missing are lost."""
QUIET = 0.3
"""Seconds before and after what is measured, so that nothing of before is counted."""
AT_ONCE = 20
"""People who connect at the same time."""
MAX_UNDER_WAY = 200
"""Sends of all people that wait for an answer; what is due then is late, and counts as late."""
NOTICED = 0.2
"""Seconds until a device knows that it has no network."""


@dataclass(frozen=True, slots=True)
class Times:
    """Percentiles of durations, in milliseconds."""

    p50: float
    p90: float
    p99: float
    longest: float

    @classmethod
    def of(cls, nanoseconds: Iterable[int]) -> "Times":
        """Computes them."""
        values = sorted(each / 1e6 for each in nanoseconds)
        return cls(*(percentile(values, percent) for percent in (50, 90, 99, 100)))


@dataclass(frozen=True, slots=True)
class Scene:
    """What came of a scene."""

    sent: int
    """Messages, from when each was due; those of the time before the measurement are not counted."""
    delivered: int
    """Messages that came to those to whom they were sent; one to seven others counts as seven."""
    lost: int
    """Those that did not come."""
    refused: int
    """Sends that failed for those who made them, so that they know."""
    doubled: int
    to_other: Times
    """From when a message was due until the other has it."""
    seconds: float
    cpu: float
    """CPU seconds of the server's processes, Redis and front included."""
    traffic: Traffic
    overdue: float
    """The most milliseconds by which the line itself was late: of a line that is late no figure is true."""
    examples: list[str] = field(default_factory=list)
    """What was said of some refusals."""

    @property
    def microseconds_each(self) -> float:
        """CPU of the server per delivered message."""
        return self.cpu * 1e6 / max(1, self.delivered)

    @property
    def bytes_each(self) -> float:
        """Bytes on the line per delivered message, in both directions, headers of IP and TCP included."""
        return self.traffic.bytes / max(1, self.delivered)

    @property
    def connections_per_10_000(self) -> float:
        """Connections that were opened per 10,000 sends."""
        return self.traffic.connections * 10_000 / max(1, self.sent)


@dataclass(frozen=True, slots=True)
class Silence:
    """What people cost who only listen, and to whom nobody writes."""

    people: int
    seconds: float
    cpu: float
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class Handshakes:
    """What opening a connection costs on a line."""

    tcp: Times
    tls: Times
    """TCP and TLS 1.3 together."""


@dataclass(slots=True)
class _Sent:
    """The sends of a scene."""

    due: dict[tuple[int, int], tuple[int, str]] = field(default_factory=dict)
    """When each was due, and to whom, by writer and number."""
    refused: int = 0
    examples: list[str] = field(default_factory=list)

    def refuse(self, error: Exception) -> None:
        self.refused += 1
        if len(self.examples) < 3:
            self.examples.append(f"{type(error).__name__}: {error}"[:200])


class _Crowd:
    """People who are connected, their sends, and what the server needed for them."""

    def __init__(self, place: Place, spec: Spec, people: Sequence[Person]) -> None:
        self.place = place
        self.spec = spec
        self.people = people
        self.sent = _Sent()
        self._numbers = [0] * len(people)
        self._tasks: set[asyncio.Task[None]] = set()
        self.offline: dict[int, asyncio.Event] = {}
        """Who knows to be offline, and what tells that he is back."""

    async def connect(self) -> None:
        """Connects all, some at a time."""
        for at in range(0, len(self.people), AT_ONCE):
            await asyncio.gather(*(person.connect() for person in self.people[at : at + AT_ONCE]))

    async def talk(
        self, whom: Sequence[tuple[int, str]], rate: float, seconds: float, *, measured: bool = True
    ) -> None:
        """The people of the list write in turns, each to whom it says, `rate` messages a second in all."""
        loop = asyncio.get_running_loop()
        began, began_ns = loop.time(), time.monotonic_ns()
        for turn in range(int(rate * seconds)):
            due = turn / rate
            await asyncio.sleep(max(0.0, began + due - loop.time()))
            while len(self._tasks) >= MAX_UNDER_WAY:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            writer, to = whom[turn % len(whom)]
            self._numbers[writer] += 1
            number = self._numbers[writer]
            if measured:
                self.sent.due[writer, number] = (began_ns + int(due * 1e9), to)
            task = loop.create_task(self._send(self.people[writer], to, number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, person: Person, to: str, number: int) -> None:
        text = person.text(number, TEXT_LENGTH)
        while True:
            # As an outbox: what is written while the device knows to be offline waits.
            if (back := self.offline.get(person.number)) is not None:
                await back.wait()
            try:
                await person.send(to, text)
                return
            except (OSError, TimeoutError) as error:
                if not person.repeats:
                    self.sent.refuse(error)
                    return
                await asyncio.sleep(0.2)

    async def settle(self, seconds: float = DRAIN_SECONDS) -> None:
        """Waits until everything has come, or nothing more comes for a time."""
        deadline, before = time.monotonic() + seconds, -1
        while time.monotonic() < deadline and (missing := self.missing() + len(self._tasks)):
            if missing != before:
                deadline, before = time.monotonic() + seconds, missing
            await asyncio.sleep(0.1)
        for task in self._tasks:
            task.cancel()

    def others(self, writer: int, to: str) -> list[Person]:
        """To whom a message goes."""
        return [each for each in self.people if each.number != writer and to in (each.name, ROOM)]

    def missing(self) -> int:
        """How many deliveries have not come."""
        return sum(
            key not in other.got.at for key, (_, to) in self.sent.due.items() for other in self.others(key[0], to)
        )

    def result(self, meter: "_Meter") -> Scene:
        """The figures of what was measured."""
        took: list[int] = []
        lost = 0
        for key, (due, to) in self.sent.due.items():
            for other in self.others(key[0], to):
                at = other.got.at.get(key)
                if at is None:
                    lost += 1
                else:
                    took.append(at - due)
        doubled = sum(person.got.doubled for person in self.people)
        return Scene(
            len(self.sent.due), len(took), lost, self.sent.refused, doubled, Times.of(took), meter.seconds, meter.cpu,
            meter.traffic, self.place.wire.overdue, self.sent.examples,
        )  # fmt: skip

    def close(self) -> None:
        for person in self.people:
            person.drop()


class _Meter:
    """CPU of the server, and what went over the line, during a scene."""

    def __init__(self, crowd: _Crowd) -> None:
        self._wire, self._pids = crowd.place.wire, crowd.spec.pids
        self._began, self._cpu = time.monotonic(), processes.cpu_seconds(self._pids)
        self._traffic = self._wire.traffic
        self._wire.forget_overdue()
        self.seconds, self.cpu, self.traffic = 0.0, 0.0, Traffic(0, 0, 0)

    def stop(self) -> None:
        """Ends what is measured."""
        self.seconds = time.monotonic() - self._began
        self.cpu = processes.cpu_seconds(self._pids) - self._cpu
        self.traffic = self._wire.traffic - self._traffic


async def pairs(place: Place, spec: Spec, count: int, rate: float, seconds: float) -> Scene:
    """Pairs of people who write to each other: `rate` messages a second in all."""
    people = make_people(spec, 2 * count, place.sources[:1])
    whom = [(person.number, people[person.number ^ 1].name) for person in people]
    return await _talked(_Crowd(place, spec, people), whom, rate, seconds)


async def ticks(place: Place, spec: Spec, players: int, rate: float, seconds: float) -> Scene:
    """One, a game, writes to all players: `rate` ticks a second."""
    people = make_people(spec, players + 1, place.sources[:1])
    return await _talked(_Crowd(place, spec, people), [(0, ROOM)], rate, seconds)


async def _talked(crowd: _Crowd, whom: Sequence[tuple[int, str]], rate: float, seconds: float) -> Scene:
    with contextlib.closing(crowd):
        await crowd.connect()
        # As long as it takes until each has sent something, so that all connections are there.
        await crowd.talk(whom, rate, max(WARM_UP, 2 * len(whom) / rate), measured=False)
        await asyncio.sleep(QUIET + _round_trip(crowd.place))
        meter = _Meter(crowd)
        await crowd.talk(whom, rate, seconds)
        await crowd.settle()
        await asyncio.sleep(QUIET)
        meter.stop()
        return crowd.result(meter)


async def silence(place: Place, spec: Spec, count: int, seconds: float) -> Silence:
    """People listen."""
    crowd = _Crowd(place, spec, make_people(spec, count, place.sources[:1]))
    with contextlib.closing(crowd):
        await crowd.connect()
        await asyncio.sleep(1)
        meter = _Meter(crowd)
        await asyncio.sleep(seconds)
        meter.stop()
        return Silence(count, meter.seconds, meter.cpu, meter.traffic)


def _round_trip(place: Place) -> float:
    return 2 * place.wire.numbers[DELAY] / 1e9


async def outage(
    place: Place, spec: Spec, rate: float, before: float, away: float, after: float, both: bool
) -> tuple[Scene, float]:
    """One of two people is cut off for `away` seconds, and comes back as its kind of client does.

    Both write `rate` messages a second, or only the other one. Also returns the milliseconds from when the line was
    mended until the last message of before had come (0 if none did).
    """
    people = make_people(spec, 2, place.sources)
    stayed, went = people
    crowd = _Crowd(place, spec, people)
    whom = [(0, went.name), (1, stayed.name)] if both else [(0, went.name)]
    rate *= len(whom)
    loop = asyncio.get_running_loop()
    with contextlib.closing(crowd):
        await crowd.connect()
        await crowd.talk(whom, rate, WARM_UP, measured=False)
        await asyncio.sleep(QUIET + _round_trip(place))
        meter = _Meter(crowd)
        talking = loop.create_task(crowd.talk(whom, rate, before + away + after))
        try:
            await asyncio.sleep(before)
            place.wire.cut(True)
            await asyncio.sleep(NOTICED)
            back = crowd.offline[went.number] = asyncio.Event()
            went.drop()
            await asyncio.sleep(max(0.0, away - NOTICED))
        finally:
            place.wire.cut(False)
        mended = time.monotonic_ns()
        await went.come_back(DRAIN_SECONDS, 0.05)
        del crowd.offline[went.number]
        back.set()
        await talking
        await crowd.settle()
        meter.stop()
        scene = crowd.result(meter)
        late = [
            went.got.at[key] for key, (due, _) in crowd.sent.due.items() if due < mended and key in went.got.at
        ]  # fmt: skip
        return scene, max(0.0, (max(late, default=mended) - mended) / 1e6)


async def handshakes(place: Place, plain: tuple[str, int], tls: Spec, count: int) -> Handshakes:
    """Opens connections one after another."""
    took: dict[bool, list[int]] = {False: [], True: []}
    context = tls.context("http/1.1")
    assert isinstance(context, ssl.SSLContext)
    for _ in range(count):
        for secure, times in took.items():
            began = time.monotonic_ns()
            _, writer = await asyncio.open_connection(
                *(tls.address if secure else plain), ssl=context if secure else None,
                server_hostname="localhost" if secure else None, local_addr=(place.sources[0], 0),
            )  # fmt: skip
            times.append(time.monotonic_ns() - began)
            writer.transport.abort()
    return Handshakes(Times.of(took[False]), Times.of(took[True]))
