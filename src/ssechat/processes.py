"""Child processes: what they are started with, how they ended, and how they are ended."""

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

log = logging.getLogger(__name__)

Started = TypeVar("Started")

PR_SET_PDEATHSIG = 1


async def start_process(starting: Coroutine[Any, Any, Started], took: Callable[[Started], None]) -> Started:
    """Starts a process, and passes it to `took` also if the caller is cancelled meanwhile: one that nobody knows of
    would outlive the server."""
    task = asyncio.create_task(starting)
    try:
        await asyncio.shield(task)
    finally:
        took(await task)
    return task.result()


def die_with_parent() -> Callable[[], None] | None:
    """A `preexec_fn` that has the kernel send SIGTERM to the child when its parent ends, even by SIGKILL.

    Linux only (prctl(2), PR_SET_PDEATHSIG); None elsewhere. "Parent" is the thread that forks, so the child
    must be started from a thread that lives as long as the process: the main one.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def before_exec() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        # The parent may have died before the call above; then no signal comes any more.
        if os.getppid() != parent:
            os._exit(1)

    return before_exec


def ending(returncode: int) -> str:
    """How a process ended, for people: "exit code 1" or "SIGKILL"."""
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"


async def end_process(
    process: asyncio.subprocess.Process, name: str, seconds: float, first: signal.Signals = signal.SIGTERM
) -> None:
    """Sends `first`, and SIGKILL if the process has not ended `seconds` later; returns when it has ended.

    With 0 seconds it is killed at once. `name` stands in the log: "worker 17".
    """
    if seconds > 0:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(first)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await process.wait()
                return
        log.warning("%s does not stop; killing it", name)
    kill_process(process)
    await process.wait()


def kill_process(process: asyncio.subprocess.Process) -> None:
    """Sends SIGKILL; nothing if the process has ended."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
