"""A supervised worker: its listening sockets, and the process that serves them."""

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from ssechat.backoff import Backoff
from ssechat.processes import start_process
from ssechat.server.worker_process import WorkerFailed, WorkerOptions, WorkerProcess

log = logging.getLogger(__name__)

# Seconds after which an exit of a worker counts as unrelated to its start.
HEALTHY_SECONDS = 10.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 2.0  # connections wait in the accept queue meanwhile


class SupervisedWorker:
    """Keeps one worker process running and responsive on its listening sockets."""

    def __init__(self, options: WorkerOptions, listening_fds: Sequence[int], grace: float) -> None:
        """`grace`: seconds that a worker may take to stop before it is killed."""
        self._options = options
        self._listening_fds = listening_fds
        self._grace = grace
        self._changing = asyncio.Lock()
        self._replaced = asyncio.Event()
        self._processes: list[WorkerProcess] = []
        self._stopping: set[asyncio.Task[None]] = set()
        self.current: WorkerProcess | None = None

    async def start(self, *, checks_redis: bool = False) -> None:
        """Starts a worker, and waits until it serves.

        With `checks_redis` the start fails if Redis cannot be used; otherwise the worker serves, and answers 503.

        Raises:
            WorkerFailed: the worker does not start.
        """
        spawning = WorkerProcess.spawn(self._options, self._listening_fds, checks_redis=checks_redis)
        worker = await start_process(spawning, self._processes.append)
        try:
            await worker.ready()
        except WorkerFailed:
            self._processes.remove(worker)
            raise
        self.current = worker

    async def keep(self) -> None:
        """Replaces the worker each time that it dies or hangs, for ever; after a pause if it ended soon after its
        start."""
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE, at_once=True)
        while True:
            worker, since = self.current, time.monotonic()
            assert worker is not None
            self._replaced.clear()
            ended, hung, _ = await _first_of(worker.wait(), worker.hangs(), self._replaced.wait())
            async with self._changing:
                if self.current is not worker:
                    continue
                if time.monotonic() - since > HEALTHY_SECONDS:
                    backoff.reset()
                if ended is not None:
                    self._processes.remove(worker)
                    log.error("worker %d ended (%s); starting another", worker.pid, ended)
                    await self._restart(backoff)
                else:
                    log.error("worker %d has not answered for %d s; starting another in its place", worker.pid, hung)
                    await self._restart(backoff)
                    # Not awaited: the new worker must be watched from now on.
                    task = asyncio.create_task(self._retire(worker), name=f"stop-worker-{worker.pid}")
                    self._stopping.add(task)
                    task.add_done_callback(self._stopping.discard)

    async def _restart(self, backoff: Backoff) -> None:
        while True:
            await asyncio.sleep(backoff.pause())
            try:
                await self.start()
            except (WorkerFailed, OSError) as error:
                log.error("%s; trying again", error)
            else:
                return

    async def replace(self) -> None:
        """Starts a new worker; when it serves, stops the current one.

        Raises:
            WorkerFailed: the new worker does not start, or cannot use Redis; the current one continues.
        """
        async with self._changing:
            old = self.current
            await self.start(checks_redis=True)
            self._replaced.set()
        if old is not None:
            await self._retire(old)

    async def _retire(self, worker: WorkerProcess) -> None:
        await worker.stop(self._grace)
        if worker in self._processes:
            self._processes.remove(worker)

    async def stop(self) -> None:
        """Stops the worker's processes, and waits until they have ended. It must not be called while `keep` runs."""
        for task in self._stopping:
            task.cancel()
        await asyncio.gather(*(worker.stop(self._grace) for worker in self._processes))
        self._processes.clear()

    def kill(self) -> None:
        """Kills the worker's processes at once."""
        for worker in self._processes:
            worker.kill()


async def _first_of(*waits: Coroutine[Any, Any, Any]) -> list[Any]:
    """Waits until one coroutine is done, and cancels the others. Returns the results, None for those cancelled."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return [task.result() if task.done() else None for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
