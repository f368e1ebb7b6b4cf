"""A supervised worker with fake processes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ssechat.errors import ChatError
from ssechat.server.supervised_worker import HEALTHY_SECONDS, SupervisedWorker
from ssechat.server.worker_process import WorkerFailed, WorkerOptions, WorkerProcess
from ssechat.settings import load_settings

pytestmark = pytest.mark.anyio

GRACE = 7.0


class FakeProcess:
    """A worker process that dies, hangs and stops on demand."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.hung: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.may_stop = asyncio.Event()
        self.stops: list[float] = []

    async def ready(self) -> None:
        """Serves at once."""

    async def wait(self) -> str:
        return await asyncio.shield(self.ended)

    async def hangs(self) -> float:
        return await asyncio.shield(self.hung)

    async def stop(self, grace: float) -> None:
        self.stops.append(grace)
        await self.may_stop.wait()


class Scene:
    """A supervised worker, its started processes, and the pauses before their starts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        self.started: list[FakeProcess] = []
        self.failures: list[ChatError] = []
        self.checks_redis: list[bool] = []
        self.worker = SupervisedWorker(WorkerOptions(load_settings({}, {})), listening_fds=[], grace=GRACE)
        self._sleep = asyncio.sleep
        monkeypatch.setattr(WorkerProcess, "spawn", self._spawn)
        monkeypatch.setattr(asyncio, "sleep", self._pause)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    async def _spawn(self, options: WorkerOptions, listening_fds: list[int], *, checks_redis: bool) -> Any:
        self.checks_redis.append(checks_redis)
        if self.failures:
            raise self.failures.pop()
        self.started.append(FakeProcess(len(self.started)))
        return self.started[-1]

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def turns(self) -> None:
        """Runs all callbacks that are ready."""
        for _ in range(20):
            await self._sleep(0)

    async def die(self) -> None:
        """Ends the current process."""
        self.started[-1].ended.set_result("SIGKILL")
        await self.turns()


@asynccontextmanager
async def kept(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    scene = Scene(monkeypatch)
    await scene.worker.start()
    keeping = asyncio.create_task(scene.worker.keep())
    await scene.turns()
    yield scene
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    for process in scene.started:
        process.may_stop.set()
    await scene.worker.stop()


async def test_a_process_that_is_being_started_when_the_server_stops_is_stopped_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene, forked = Scene(monkeypatch), asyncio.Event()

    async def spawn(*given: Any, **options: Any) -> Any:
        await forked.wait()
        return await scene._spawn(*given, **options)

    monkeypatch.setattr(WorkerProcess, "spawn", spawn)
    starting = asyncio.create_task(scene.worker.start())
    await scene.turns()
    starting.cancel()
    await scene.turns()
    forked.set()
    with pytest.raises(asyncio.CancelledError):
        await starting
    [process] = scene.started
    process.may_stop.set()
    await scene.worker.stop()
    assert process.stops == [GRACE]


async def test_workers_that_die_young_are_started_ever_later_and_one_that_was_well_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with kept(monkeypatch) as scene:
        for _ in range(3):
            await scene.die()
        assert scene.pauses == [0, 0.5, 1]
        scene.now += HEALTHY_SECONDS + 1
        await scene.die()
        assert scene.pauses == [0, 0.5, 1, 0]
        assert len(scene.started) == 5


async def test_the_replacement_of_a_worker_that_hangs_is_watched_while_that_one_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with kept(monkeypatch) as scene:
        scene.started[0].hung.set_result(30)
        await scene.turns()
        assert scene.started[0].stops == [GRACE]
        await scene.die()
        assert len(scene.started) == 3


async def test_a_server_that_stops_waits_for_a_worker_that_is_being_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    async with kept(monkeypatch) as scene:
        scene.started[0].hung.set_result(30)
        await scene.turns()
        stopping = asyncio.create_task(scene.worker.stop())
        await scene.turns()
        scene.started[1].may_stop.set()
        await scene.turns()
        assert not stopping.done()
        scene.started[0].may_stop.set()
        await stopping


async def test_only_a_worker_that_replaces_one_that_serves_is_asked_to_check_redis(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with kept(monkeypatch) as scene:
        await scene.die()
        scene.started[-1].hung.set_result(30)
        await scene.turns()
        assert scene.checks_redis == [False] * 3
        scene.started[-1].may_stop.set()
        await scene.worker.replace()
        assert scene.checks_redis[-1]


async def test_a_rolling_restart_whose_worker_fails_leaves_the_old_one_and_goes_on_watching_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with kept(monkeypatch) as scene:
        scene.failures.append(WorkerFailed("no"))
        with pytest.raises(WorkerFailed):
            await scene.worker.replace()
        await scene.turns()
        assert len(scene.started) == 1
        assert scene.started[0].stops == []
        await scene.die()
        assert len(scene.started) == 2
