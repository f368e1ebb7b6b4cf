"""The schedule of faults; only the seed decides it."""

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil

from .data_loss import Copy, Tails
from .device import Reader
from .history import History, Injected
from .server import Server

KINDS = (
    "kill-worker",
    "roll",
    "stop-worker",
    "stop-redis",
    "kill-redis",
    "cut-pubsub",
    "cut-normal",
    "pause-redis",
    "flush-scripts",
    "kill-all",
    "stuck-reader",
    "oom",
    "readonly",
)
"""`kill -9` of a worker, of Redis, of everything; SIGHUP; SIGSTOP for a while; CLIENT KILL and PAUSE; SCRIPT FLUSH; a
maxmemory of 1 byte; REPLICAOF of an address without a server. None of these may lose a message."""

LOSSY = ("snapshot", "everysec", "failover")
"""Faults that lose data by design: Redis restarts with older files; or with a truncated append-only file, as after a
power cut before the sync; or a lagging replica is promoted."""

WITH_A_PAIR = ("kill-worker", "roll", "stop-worker", "cut-pubsub", "cut-normal", "flush-scripts", "stuck-reader")
"""The faults that can be combined with `failover`: the others need the private Redis."""

UNWRITTEN_SECONDS = 2.0
"""Seconds for which Redis may delay a write during a sync (appendfsync everysec)."""

GAP = 2.0
"""Mean seconds between two faults; faults with a duration may overlap."""

SHORT, LONG = (0.2, 2.0), (4.0, 9.5)
LONG_ONES = 0.2
RECOVERY_SECONDS = 60.0
ROLL_SECONDS = 8.0
"""A SIGHUP during a rolling restart is answered with a warning and nothing else."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A planned fault."""

    at: float
    """Seconds after the start."""
    kind: str
    seconds: float
    """Duration in seconds, for kinds that have one."""
    pick: float
    """The process that it hits, as a fraction of the list."""


def plan(seed: int, seconds: float, kinds: Sequence[str] = KINDS) -> list[Planned]:
    """Plans the faults of a run. Each kind occurs once before one is repeated."""
    dice = random.Random(f"{seed} faults")
    planned: list[Planned] = []
    at, round_ = 0.5, list[str]()
    while at < seconds and kinds:
        if not round_:
            round_ = dice.sample(list(kinds), len(kinds))
        lasts = dice.uniform(*(LONG if dice.random() < LONG_ONES else SHORT))
        planned.append(Planned(at, round_.pop(), min(lasts, max(0.2, seconds - at)), dice.random()))
        at += min(dice.expovariate(1 / GAP), 3 * GAP)
    return planned


class Injector:
    """Injects the planned faults, and records their times."""

    def __init__(self, server: Server, history: History, now: Callable[[], float], readers: Sequence[Reader]) -> None:
        self._server = server
        self._history = history
        self._now = now
        self._readers = readers
        self._losing = asyncio.Lock()
        """Held by faults that lose data, so that losses do not overlap."""
        self._alive = asyncio.Lock()
        """Held while the whole server is dead: no other fault can be injected."""
        self.skipped = 0

    async def inject_all(self, planned: Sequence[Planned]) -> None:
        """Injects all faults, and waits for the end of the last one."""
        began = self._now()
        async with asyncio.TaskGroup() as faults:
            for each in planned:
                await asyncio.sleep(max(0.0, began + each.at - self._now()))
                faults.create_task(self.inject(each))

    async def inject(self, fault: Planned) -> None:
        """Injects one fault, and waits for its end."""
        if fault.kind != "kill-all":
            async with self._alive:
                pass
        noted = Injected(self._now(), float("inf"), fault.kind)
        self._history.faults.append(noted)
        try:
            detail = await (self._lose(fault, noted) if fault.kind in LOSSY else self._do(fault))
        finally:
            noted.until = self._now()
        if detail is None:
            self._history.faults.remove(noted)
            self.skipped += 1
        else:
            noted.detail = detail

    async def _do(self, fault: Planned) -> str | None:
        """Injects a fault; returns its description, or None if it found no target."""
        match fault.kind:
            case "kill-worker":
                return self._signal(self._worker(fault.pick), signal.SIGKILL)
            case "stop-worker":
                return await self._suspend(self._worker(fault.pick), fault.seconds)
            case "stop-redis":
                return await self._suspend(self._server.redis(), fault.seconds)
            case "kill-redis":
                done = self._signal(self._server.redis(), signal.SIGKILL)
                await self._until_redis_answers()
                return done
            case "roll":
                before = {process.pid for process in self._server.workers()}
                self._server.roll()
                await self._until(lambda: before.isdisjoint(each.pid for each in self._server.workers()))
                return "SIGHUP"
            case "kill-all":
                async with self._alive:
                    await self._server.kill_everything()
                    await self._server.start()
                return "SIGKILL, and started again"
            case "stuck-reader":
                reader = self._readers[int(fault.pick * len(self._readers))]
                await reader.stop_reading(fault.seconds)
                return reader.device.name
            case "pause-redis":
                answer = await self._tell_redis(f"CLIENT PAUSE {round(1000 * fault.seconds)}")
                if answer is not None:
                    await asyncio.sleep(fault.seconds)
                return answer
            case "oom":
                return await self._set_for("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", fault.seconds)
            case "readonly":
                return await self._set_for("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", fault.seconds)
            case "cut-pubsub":
                return await self._tell_redis("CLIENT KILL TYPE pubsub")
            case "cut-normal":
                return await self._tell_redis("CLIENT KILL TYPE normal")
            case "flush-scripts":
                return await self._tell_redis("SCRIPT FLUSH")
            case _:
                raise ValueError(f"no such fault: {fault.kind}")

    async def _lose(self, fault: Planned, noted: Injected) -> str | None:
        """Injects a data loss; returns its description. `noted` gets its beginning and end."""
        async with self._losing:
            clock = self._now() - time.monotonic()
            since: float | None
            state: Copy | Tails | None
            if fault.kind == "failover":
                assert self._server.pair is not None
                since = await self._server.pair.lag()
                await asyncio.sleep(fault.seconds)
                if since is not None:
                    noted.lost = since + clock, await self._server.pair.fail_over() + clock
            else:
                await self._until_redis_answers()
                if fault.kind == "everysec":
                    await self._tell_redis("CONFIG SET appendfsync everysec")
                    await asyncio.sleep(fault.seconds)
                    since, state = self._now() - UNWRITTEN_SECONDS, self._server.tails_of_data()
                    await asyncio.sleep(fault.pick)
                else:
                    since, state = self._now(), self._server.copy_data()
                    await asyncio.sleep(fault.seconds)
                if state is None:
                    return None
                async with self._alive:
                    noted.lost = since, await self._server.lose_data(state) + clock
            await self._until_redis_answers()
        return None if noted.lost is None else f"lost {noted.lost[1] - noted.lost[0]:.1f} s"

    async def _set_for(self, begin: str, end: str, seconds: float) -> str:
        """Runs a command, and after a while another one that reverts it, retried until it succeeds."""
        done = await self._tell_redis(begin)
        await asyncio.sleep(seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECOVERY_SECONDS):
                while not (await self._server.ask_redis(end)).startswith(b"+OK"):
                    await asyncio.sleep(0.05)
        return f"{done} for {seconds:.1f} s"

    def _worker(self, pick: float) -> psutil.Process | None:
        workers = self._server.workers()
        return workers[int(pick * len(workers))] if workers else None

    def _signal(self, process: psutil.Process | None, number: signal.Signals) -> str | None:
        try:
            if process is not None:
                process.send_signal(number)
                return f"{number.name} to {process.pid}"
        except psutil.NoSuchProcess:
            pass
        return None

    async def _suspend(self, process: psutil.Process | None, seconds: float) -> str | None:
        done = self._signal(process, signal.SIGSTOP)
        if done is not None:
            try:
                await asyncio.sleep(seconds)
            finally:
                self._signal(process, signal.SIGCONT)
            done += f" for {seconds:.1f} s"
        return done

    async def _tell_redis(self, command: str) -> str | None:
        answer = await self._server.ask_redis(command)
        return f"{command}: {answer.decode().strip()}" if answer else None

    async def _until_redis_answers(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECOVERY_SECONDS):
                while not (await self._server.ask_redis("PING")).startswith(b"+PONG"):
                    await asyncio.sleep(0.05)

    async def _until(self, so: Callable[[], bool]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ROLL_SECONDS):
                while not so():
                    await asyncio.sleep(0.1)
