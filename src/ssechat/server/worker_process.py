"""One worker process, as the supervisor sees it."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ssechat
from ssechat.errors import ChatError
from ssechat.processes import end_process, ending, kill_process
from ssechat.server.heartbeat import BEAT_SECONDS, READY, Silence
from ssechat.settings import Settings

log = logging.getLogger(__name__)

READY_SECONDS = 60.0

DUMP_SECONDS = 2.0
"""Seconds for a hanging worker to write its stacks to the log."""


class WorkerFailed(ChatError):
    """A worker ended, or took too long, before it was ready."""


@dataclass(frozen=True)
class WorkerOptions:
    """The options that all workers share."""

    settings: Settings
    """As the workers get them: `redis_url` is always set."""
    keep_open: tuple[int, ...] = ()
    """File descriptors that they inherit and do not use: the data folder's lock."""
    arguments: tuple[str, ...] = ()
    """More arguments for `python -m ssechat.server.worker`."""


class WorkerProcess:
    """One worker process. It is started with `spawn`."""

    def __init__(
        self, process: asyncio.subprocess.Process, report: "_ReportReader", pipe: asyncio.ReadTransport
    ) -> None:
        self._process = process
        self._report = report
        self._pipe = pipe

    @classmethod
    async def spawn(
        cls, options: WorkerOptions, listening_fds: Sequence[int], *, checks_redis: bool
    ) -> "WorkerProcess":
        """Start the process and hand it its settings.

        `checks_redis`: it fails where Redis cannot be used, rather than serve without.
        """
        read_end, write_end = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *_python(),
                *("-m", "ssechat.server.worker", f"--report-fd={write_end}"),
                *(f"--listen-fd={fd}" for fd in listening_fds),
                *(("--check-redis",) if checks_redis else ()),
                *options.arguments,
                stdin=subprocess.PIPE,
                # Standard output is for the address and nothing else.
                stdout=sys.stderr,
                pass_fds=(*listening_fds, write_end, *options.keep_open),
                # Ctrl-C goes to the terminal's whole process group; workers are told by us.
                process_group=0,
            )
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        pipe, report = await asyncio.get_running_loop().connect_read_pipe(_ReportReader, os.fdopen(read_end, "rb"))
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):
            process.stdin.write(options.settings.model_dump_json().encode() + b"\n")
            await process.stdin.drain()
        return cls(process, report, pipe)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def ready(self, limit: float = READY_SECONDS) -> None:
        """Wait until it serves.

        Raises:
            WorkerFailed: it ended, or `limit` seconds have passed; then it is ended, and its stacks are in the log.
        """
        try:
            async with asyncio.timeout(limit):
                if await self._report.started:
                    return
                code = await self._process.wait()
        except TimeoutError:
            await self._abort()
            raise WorkerFailed(f"a worker was not ready within {limit:g} seconds") from None
        raise WorkerFailed(self._report.text or f"a worker ended at start ({ending(code)})")

    async def wait(self) -> str:
        """Wait until it has ended; how it did."""
        return ending(await self._process.wait())

    async def hangs(self) -> float:
        """Wait until it hangs; the seconds since it was heard."""
        silence = self._report.silence
        while not silence.too_long:
            await asyncio.sleep(BEAT_SECONDS)
            silence.look()
        return silence.seconds

    async def stop(self, grace: float) -> None:
        """Ask it to stop, kill it if it has not within `grace` seconds, and wait until it is gone.

        If it hangs, it could not stop: its faulthandler writes to the log where its threads are, and it is killed.
        """
        self._pipe.close()
        if self._report.silence.too_long:
            await self._abort()
        else:
            await end_process(self._process, self._name, grace)

    async def _abort(self) -> None:
        log.error("%s is aborted; if it still can, it writes here where its threads are:", self._name)
        await end_process(self._process, self._name, DUMP_SECONDS, signal.SIGABRT)

    @property
    def _name(self) -> str:
        return f"worker {self.pid}"

    def kill(self) -> None:
        """End it at once."""
        kill_process(self._process)


class _ReportReader(asyncio.Protocol):
    """The supervisor's end of the pipe into which a worker reports."""

    def __init__(self) -> None:
        self._said = b""
        self.silence = Silence()
        self.started: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Whether the worker serves; False when it has ended, or is about to."""

    @property
    def text(self) -> str:
        """Why the worker cannot start, if it said so."""
        return self._said.decode(errors="replace")

    def data_received(self, data: bytes) -> None:
        self.silence.heard()
        if not self.started.done():
            self._said += data
            if self._said.startswith(READY):
                self.started.set_result(True)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.started.done():
            self.started.set_result(False)


def _python() -> Sequence[str]:
    """The interpreter. Its `-m` would look for modules in the current folder first, which may be anyone's."""
    ours = Path(ssechat.__file__).parent.parent
    return (sys.executable,) if ours == Path.cwd() else (sys.executable, "-P")
