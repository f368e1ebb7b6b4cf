"""One run: attacks, floods and an honest user on a real server, and the result."""

import asyncio
import contextlib
import itertools
import json
import re
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from .attack import FIRST_IN_GROUP, MADE_AS, Attack, Maker, Request, World
from .canary import Canary, percentile
from .costly import try_costly
from .floods import flood_all
from .generators import attack, held
from .judge import Fault, judge, statuses
from .shrink import shortest
from .target import Target, TargetFailed, Usage
from .wire import Outcome, perform
from .words import FORGED

PATIENCE = 12.0
"""Seconds in which complete requests must get responses, and malformed ones a close."""

HELD_PATIENCE = 75.0
"""Seconds in which the server must end an incomplete request."""

WARM_UP = 600
"""Attacks before the server's memory is first measured."""

MAX_GROWTH = 32 * 2**20
"""Upper bound of a worker's memory growth, in bytes: its bounded caches fill."""

MAX_DESCRIPTORS = 6
"""Upper bound of additional open file descriptors at the end."""

LATENCY_SECONDS = 4.0
"""Upper bound of the 99th percentile of the honest user's latency, from the request to the event."""

SETTLE_SECONDS = 12.0

TRIES = 5
RECENT = 200
"""Attacks that are tried again for a log line without a request id."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a run."""

    seed: int
    requests: int
    parallel: int = 48
    held: int = 12
    """Unfinished requests that are held until the server ends them; 0 in short runs."""
    flood_seconds: float = 8.0
    again_seconds: float = 180.0
    """Seconds for trying faults again, and for shortening attacks."""
    only: int | None = None
    """One attack alone, by its number."""


@dataclass(slots=True)
class Found:
    """A fault, its count, and the shortest attack that shows it."""

    fault: Fault
    attack: Attack | None
    times: int = 1
    confirmed: bool = False


@dataclass(slots=True)
class Result:
    """The result of a run."""

    options: Options
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    """Counts of statuses per generator."""
    attacks: int = 0
    requests: int = 0
    seconds: float = 0.0
    found: dict[str, Found] = field(default_factory=dict)
    canary: Canary | None = None
    growth: float = 0.0
    peak: float = 0.0

    def add(self, fault: Fault, by: Attack | None = None) -> None:
        """Records a fault."""
        if fault.kind in self.found:
            self.found[fault.kind].times += 1
        else:
            self.found[fault.kind] = Found(fault, by)

    @property
    def ok(self) -> bool:
        """Whether no fault was found."""
        return not self.found


class Run:
    """Executes a run."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._world = World(options.seed)
        self._target = Target(self._world)
        self._result = Result(options)
        self._recent: deque[Attack] = deque(maxlen=RECENT)
        self._numbers = itertools.count(1)
        self._suspects: list[Attack] = []

    async def run(self) -> Result:
        """Executes the run, and stops the server at the end."""
        try:
            await self._target.start()
            await self._make_group()
            if self._options.only is not None:
                await self._attack(attack(self._world, self._options.only))
                self._look_at_log()
            else:
                await self._all()
            await self._try_again()
            await self._target.stop()
        except TargetFailed as error:
            self._result.add(Fault("server", str(error)))
        finally:
            self._target.close()
        return self._result

    async def _all(self) -> None:
        canary = self._result.canary = Canary(self._target.port)
        await canary.start()
        await self._meet()
        await self._many(WARM_UP)
        await asyncio.sleep(1)
        before = self._target.usage()
        watching = asyncio.create_task(self._watch())
        holding = [asyncio.create_task(self._hold(number)) for number in range(self._options.held)]
        began = time.monotonic()
        await self._many(self._options.requests)
        self._result.seconds = time.monotonic() - began
        self._say(f"{self._result.requests} requests in {self._result.seconds:.0f} s; now without an end")
        if self._options.flood_seconds:
            await canary.rest()
            for fault in await try_costly(self._target, self._world):
                self._result.add(fault)
            for fault in await flood_all(self._target, self._world, self._options.flood_seconds):
                self._result.add(fault)
        await asyncio.gather(*holding)
        watching.cancel()
        await canary.stop()
        self._check(canary)
        await self._settle(before)
        self._look_at_log()

    async def _meet(self) -> None:
        """Creates all users by a first request with a token."""
        for token in self._world.tokens:
            line = f"Authorization: Bearer {token}".encode()
            request = Request("", target=b"/v1/session", lines=(line, b"Connection: close"))
            outcome = await perform(Attack("", (bytes(request),)), self._target.port, PATIENCE)
            if [answer.status for answer in outcome.answers] != [200]:
                self._result.add(Fault("honest request", f"{outcome}"))

    async def _make_group(self) -> None:
        """Makes the group that some attacks are about."""
        owner, other = (self._world.tokens[FIRST_IN_GROUP + number].encode() for number in range(2))
        draft = {"name": "Fuzz", "members": [self._world.users[FIRST_IN_GROUP + 1]], "client_msg_id": MADE_AS}
        said = {"conversation_id": self._world.group, "text": "hi"}
        make = Maker(self._world, 0)
        for token, target, body in (
            (other, b"/v1/tickets", {}),
            (owner, b"/v1/conversations", draft),
            (owner, b"/v1/messages", said),
            (other, b"/v1/messages", said),
        ):
            line = (b"Authorization: Bearer " + token, b"Connection: close")
            request = make.post(target, json.dumps(body).encode(), *line)
            outcome = await perform(Attack("", (bytes(request),)), self._target.port, PATIENCE)
            if [answer.status for answer in outcome.answers] != [201]:
                self._result.add(Fault("the group", f"{outcome}"))

    async def _many(self, requests: int) -> None:
        until = self._result.requests + requests

        async def work() -> None:
            while self._result.requests < until:
                await self._attack(attack(self._world, next(self._numbers)))

        await asyncio.gather(*(work() for _ in range(self._options.parallel)))

    async def _attack(self, one: Attack) -> None:
        self._recent.append(one)
        self._result.attacks += 1
        self._result.requests += one.requests
        outcome = await perform(one, self._target.port, PATIENCE)
        self._note(one, outcome)

    def _note(self, one: Attack, outcome: Outcome) -> None:
        self._result.counts.setdefault(one.name, Counter()).update(statuses(outcome))
        for fault in judge(one, outcome):
            self._result.add(fault, one)

    async def _hold(self, number: int) -> None:
        one = held(self._world, -1 - number)
        self._note(one, await perform(one, self._target.port, HELD_PATIENCE))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._look_at_log()
            self._result.peak = max([self._result.peak, *(each.memory for each in self._target.usage().values())])

    def _look_at_log(self) -> None:
        for said in self._target.complaints():
            by = None
            named = re.search(r"request q(-?\d+)-\d+q", said)
            if named is not None:
                by = next((one for one in self._recent if one.number == int(named[1])), None)
            self._result.add(Fault(_log_kind(said), said), by)
            if by is None:
                self._result.found[_log_kind(said)].attack = None
                self._suspects = list(self._recent)

    def _check(self, canary: Canary) -> None:
        for fault in canary.faults:
            self._result.add(Fault(f"honest user: {fault.partition(':')[0]}", fault))
        slow = percentile(canary.waits, 0.99)
        if slow > LATENCY_SECONDS:
            self._result.add(Fault("honest user: waits", f"1 of 100 messages takes {slow:.1f} s and more"))

    async def _settle(self, before: dict[int, Usage]) -> None:
        """Waits until the workers have released closed connections; leaks are faults."""
        until = time.monotonic() + SETTLE_SECONDS
        while True:
            await asyncio.sleep(0.5)
            after = self._target.usage()
            if set(after) != set(before):
                self._result.add(Fault("server", f"workers were {sorted(before)} and are {sorted(after)}"))
                return
            self._result.growth = max(after[pid].memory - before[pid].memory for pid in after)
            more = max(after[pid].descriptors - before[pid].descriptors for pid in after)
            if self._result.growth <= MAX_GROWTH and more <= MAX_DESCRIPTORS:
                return
            if time.monotonic() > until:
                break
        if self._result.growth > MAX_GROWTH:
            self._result.add(
                Fault("memory", f"a worker has {self._result.growth / 2**20:.0f} MiB more than at the beginning")
            )
        if more > MAX_DESCRIPTORS:
            self._result.add(Fault("descriptors", f"a worker has {more} files and sockets more than at the beginning"))

    # Faults are tried again alone, and their attacks shortened.

    async def _try_again(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._options.again_seconds):
                await self._confirm()

    async def _confirm(self) -> None:
        for kind, found in list(self._result.found.items()):
            if found.attack is None and kind.startswith("log: "):
                found.attack = await self._culprit(kind)
            if found.attack is not None:
                found.confirmed = await self._shows_soon(kind, found.attack)
                if found.confirmed:
                    found.attack = await shortest(found.attack, partial(self._shows, kind), found.fault.by_bytes)

    async def _culprit(self, kind: str) -> Attack | None:
        quoted = FORGED.encode() if FORGED in kind else b""
        for one in reversed(self._suspects):
            if quoted in one.sent() and await self._shows(kind, one):
                return one
        return None

    async def _shows_soon(self, kind: str, one: Attack) -> bool:
        """Whether one of a few tries shows the fault: some faults are races."""
        for _ in range(TRIES):
            if await self._shows(kind, one):
                return True
        return False

    async def _shows(self, kind: str, one: Attack) -> bool:
        """Whether this attack alone shows this fault."""
        outcome = await perform(one, self._target.port, min(PATIENCE, 3.0))
        if not kind.startswith("log: "):
            return any(fault.kind == kind for fault in judge(one, outcome))
        await asyncio.sleep(0.03 if FORGED not in kind else 0.3)  # hashing takes time
        return any(_log_kind(said) == kind for said in self._target.complaints())


def _log_kind(said: str) -> str:
    """Returns the kind of a log line: its text without times, numbers and ids."""
    last = said.strip().split("\n")[-1]
    first = re.sub(r"^\S+ \S+ ssechat\[\d+\] ", "", said.split("\n")[0])
    frames = re.findall(r'File "[^"]*?(\w+/\w+\.pyx?)", line (\d+)', said)
    if frames:
        return f"log: {last[:120]} at {frames[-1][0]}:{frames[-1][1]}"
    first = re.sub(f" \\S*{FORGED}.*", f" … {FORGED}", first)
    return "log: " + re.sub(r"\d+(\.\d+)?|[0-9a-f]{12}-[0-9a-f]+", "#", first[:120])


async def run(options: Options, say: Callable[[str], None] = lambda text: None) -> Result:
    """Executes a run."""
    return await Run(options, say).run()
