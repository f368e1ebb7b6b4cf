"""A worker's place: its listening sockets, and the process that serves them now."""

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ssechat
from ssechat.errors import ChatError
from ssechat.redis.embedded import ending
from ssechat.server import READY
from ssechat.settings import Settings

log = logging.getLogger(__name__)

READY_SECONDS = 60.0
# A worker that has run for this long did not die of its start.
HEALTHY_SECONDS = 10.0
LONGEST_PAUSE = 2.0  # what the kernel gives to its socket meanwhile waits in the queue


class WorkerFailed(ChatError):
    """A worker ended, or took too long, before it was ready."""


@dataclass(frozen=True)
class WorkerKind:
    """What all workers have in common."""

    settings: Settings
    """As the workers get them: `redis_url` is always set."""
    keep_open: tuple[int, ...] = ()
    """File descriptors that they inherit and do not use: the data folder's lock."""
    arguments: tuple[str, ...] = ()
    """More arguments for `python -m ssechat.server.worker`."""


class Worker:
    """One worker process."""

    def __init__(
        self, process: asyncio.subprocess.Process, ready: asyncio.StreamReader, pipe: asyncio.ReadTransport
    ) -> None:
        self._process = process
        self._ready = ready
        self._pipe = pipe

    @classmethod
    async def spawn(cls, kind: WorkerKind, listening_fds: Sequence[int]) -> "Worker":
        """Start the process and hand it its settings."""
        ready_read, ready_write = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *_python(),
                *("-m", "ssechat.server.worker", f"--ready-fd={ready_write}"),
                *(f"--listen-fd={fd}" for fd in listening_fds),
                *kind.arguments,
                stdin=subprocess.PIPE,
                # Standard output is for the address and nothing else.
                stdout=sys.stderr,
                pass_fds=(*listening_fds, ready_write, *kind.keep_open),
                # Ctrl-C goes to the terminal's whole process group; workers are told by us.
                process_group=0,
            )
        except BaseException:
            os.close(ready_read)
            raise
        finally:
            os.close(ready_write)
        ready = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(ready), os.fdopen(ready_read, "rb")
        )
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):
            process.stdin.write(kind.settings.model_dump_json().encode() + b"\n")
            await process.stdin.drain()
        return cls(process, ready, pipe)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def ready(self, limit: float = READY_SECONDS) -> None:
        """Wait until it serves.

        Raises:
            WorkerFailed: it ended, or `limit` seconds have passed; then it is killed.
        """
        try:
            async with asyncio.timeout(limit):
                said = await self._ready.read()
                if said == READY:
                    return
                code = await self._process.wait()
        except TimeoutError:
            await self.stop(0)
            raise WorkerFailed(f"a worker was not ready within {limit:g} seconds") from None
        raise WorkerFailed(said.decode(errors="replace") or f"a worker ended at start ({ending(code)})")

    async def wait(self) -> str:
        """Wait until it has ended; how it did."""
        return ending(await self._process.wait())

    async def stop(self, grace: float) -> None:
        """Ask it to stop, kill it if it has not within `grace` seconds, and wait until it is gone."""
        self._pipe.close()
        if grace > 0:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await self._process.wait()
                    return
            log.warning("worker %d does not stop; killing it", self.pid)
        self.kill()
        await self._process.wait()

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


class Slot:
    """Keeps one worker alive on its listening sockets."""

    def __init__(self, kind: WorkerKind, listening_fds: Sequence[int], grace: float) -> None:
        """`grace` is the seconds that a worker may take to stop before it is killed."""
        self._kind = kind
        self._listening_fds = listening_fds
        self._grace = grace
        self._changing = asyncio.Lock()
        self._replaced = asyncio.Event()
        self._workers: list[Worker] = []
        self.current: Worker | None = None

    async def start(self) -> None:
        """Start a worker, and wait until it serves.

        Raises:
            WorkerFailed: it does not start.
        """
        worker = await Worker.spawn(self._kind, self._listening_fds)
        self._workers.append(worker)
        try:
            await worker.ready()
        except WorkerFailed:
            self._workers.remove(worker)
            raise
        self.current = worker

    async def keep(self) -> None:
        """Start another worker each time that it dies, for ever; after a pause if it dies young."""
        pause = 0.0
        while True:
            worker, since = self.current, time.monotonic()
            assert worker is not None
            how = await self._ended_or_replaced(worker)
            async with self._changing:
                if self.current is not worker:
                    continue
                self._workers.remove(worker)
                if time.monotonic() - since > HEALTHY_SECONDS:
                    pause = 0.0
                log.error("worker %d ended (%s); starting another", worker.pid, how)
                pause = await self._restart(pause)

    async def _ended_or_replaced(self, worker: Worker) -> str:
        """How the worker ended; anything when another has taken its place."""
        self._replaced.clear()
        waits = [asyncio.ensure_future(worker.wait()), asyncio.ensure_future(self._replaced.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return str(waits[0].result()) if waits[0].done() else ""
        finally:
            for each in waits:
                each.cancel()

    async def _restart(self, pause: float) -> float:
        while True:
            await asyncio.sleep(pause)
            pause = min(max(0.5, pause * 2), LONGEST_PAUSE)
            try:
                await self.start()
            except (WorkerFailed, OSError) as error:
                log.error("%s; trying again", error)
            else:
                return pause

    async def replace(self) -> None:
        """Put a new worker in the place of the current one, which stops when the new one serves.

        Raises:
            WorkerFailed: the new one does not start; the current one goes on.
        """
        async with self._changing:
            old = self.current
            await self.start()
            self._replaced.set()
        if old is not None:
            await old.stop(self._grace)
            with contextlib.suppress(ValueError):
                self._workers.remove(old)

    async def stop(self) -> None:
        """Stop whatever runs here, and wait until it is gone. Not while `keep` runs."""
        await asyncio.gather(*(worker.stop(self._grace) for worker in self._workers))
        self._workers.clear()

    def kill(self) -> None:
        """End whatever runs here at once."""
        for worker in self._workers:
            worker.kill()


def _python() -> Sequence[str]:
    """The interpreter. Its `-m` would look for modules in the current folder first, which may be anyone's."""
    ours = Path(ssechat.__file__).parent.parent
    return (sys.executable,) if ours == Path.cwd() else (sys.executable, "-P")
