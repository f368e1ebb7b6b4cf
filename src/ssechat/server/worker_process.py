"""A worker process, as the supervisor controls it."""

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
    """The settings for the workers: `redis_url` is always set."""
    keep_open: tuple[int, ...] = ()
    """File descriptors that workers inherit and do not use: the data folder's lock."""
    arguments: tuple[str, ...] = ()
    """Additional arguments for `python -m ssechat.server.worker`."""


class WorkerProcess:
    """A worker process. `spawn` starts it."""

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
        """Starts the process and sends it the settings.

        With `checks_redis` the worker fails if Redis cannot be used.
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
                # Standard output is reserved for the address.
                stdout=sys.stderr,
                pass_fds=(*listening_fds, write_end, *options.keep_open),
                # A process group of its own: Ctrl-C goes to the terminal's process group, and the supervisor stops the
                # workers.
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
        """The process id."""
        return self._process.pid

    async def ready(self, limit: float = READY_SECONDS) -> None:
        """Waits until the worker serves.

        Raises:
            WorkerFailed: the worker ended, or was ended after `limit` seconds, with its stacks in the log.
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
        """Waits until the process has ended; returns how it ended."""
        return ending(await self._process.wait())

    async def hangs(self) -> float:
        """Waits until the worker hangs; returns the seconds since its last beat."""
        silence = self._report.silence
        while not silence.too_long:
            await asyncio.sleep(BEAT_SECONDS)
            silence.look()
        return silence.seconds

    async def stop(self, grace: float) -> None:
        """Asks the worker to stop, kills it after `grace` seconds, and waits until it has ended.

        A worker that hangs cannot stop: its faulthandler writes the stacks to the log, and it is killed.
        """
        self._pipe.close()
        if self._report.silence.too_long:
            await self._abort()
        else:
            await end_process(self._process, self._name, grace)

    async def _abort(self) -> None:
        log.error("%s is aborted; the stacks of its threads, if it can still write them:", self._name)
        await end_process(self._process, self._name, DUMP_SECONDS, signal.SIGABRT)

    @property
    def _name(self) -> str:
        return f"worker {self.pid}"

    def kill(self) -> None:
        """Kills the process at once."""
        kill_process(self._process)


class _ReportReader(asyncio.Protocol):
    """The supervisor's end of a worker's pipe."""

    def __init__(self) -> None:
        self._said = b""
        self.silence = Silence()
        self.started: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Resolves to True when the worker serves, to False when it cannot."""

    @property
    def text(self) -> str:
        """The error that keeps the worker from starting, if it reported one."""
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
    """Returns the interpreter's command. Its `-m` would search the current folder first, which may be anyone's."""
    ours = Path(ssechat.__file__).parent.parent
    return (sys.executable,) if ours == Path.cwd() else (sys.executable, "-P")
