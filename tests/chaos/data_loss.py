"""Data loss of Redis: its files are replaced by older ones, or a lagging replica is promoted."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from ssechat.processes import die_with_parent
from ssechat.redis.binary import choose_binary

START_SECONDS = 20.0
LINK = "redis.sock"
"""The socket in the server's URL: a symbolic link to that of the current primary."""


@contextlib.contextmanager
def stopped(process: psutil.Process | subprocess.Popen[bytes]) -> Iterator[None]:
    """Stops a process with SIGSTOP meanwhile."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


async def gone(process: psutil.Process) -> None:
    """Waits until a process that was killed has ended; its parent may not have noticed."""
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.005)


class Copy:
    """A copy of the files of a Redis."""

    def __init__(self, redis: psutil.Process, folder: Path, to: Path) -> None:
        self._folder = folder
        self._to = to
        with stopped(redis):
            shutil.rmtree(to, ignore_errors=True)
            shutil.copytree(folder, to, ignore=shutil.ignore_patterns("*.sock", "*.log", "temp-*"))

    def restore(self) -> None:
        """Restores the files. Redis must not be running."""
        for path in _persistence(self._folder):
            path.unlink()
        shutil.copytree(self._to, self._folder, dirs_exist_ok=True)


class Tails:
    """The current lengths of the append-only files: a power cut without a later sync leaves as much."""

    def __init__(self, folder: Path) -> None:
        self._lengths = {path: path.stat().st_size for path in _persistence(folder)}

    def restore(self) -> None:
        """Truncates the files. Redis must not be running."""
        for path, length in self._lengths.items():
            if path.suffix == ".aof" and path.exists() and path.stat().st_size > length:
                os.truncate(path, length)


def _persistence(folder: Path) -> list[Path]:
    return [path for pattern in ("**/*.aof", "**/*.rdb", "**/*.manifest") for path in folder.glob(pattern)]


class Pair:
    """A primary and its replica, with asynchronous replication."""

    def __init__(self, folder: Path, free_port: Callable[[], int]) -> None:
        self._folder = folder
        self._ports = [free_port(), free_port()]
        self._processes: list[subprocess.Popen[bytes] | None] = [None, None]
        self._primary = 0
        self.url = f"unix://{folder / LINK}"

    @property
    def primary(self) -> psutil.Process | None:
        """The process of the current primary."""
        process = self._processes[self._primary]
        return None if process is None else psutil.Process(process.pid)

    async def start(self) -> None:
        """Starts both, and waits until the replica is in sync."""
        await self._start(0)
        self._point()
        await self._start(1)
        await self._follow(1)

    async def lag(self) -> float | None:
        """Disconnects the replica; returns the time from which it certainly lags, or None if it was not in sync."""
        since = time.monotonic()
        offset = (await self._info(self._primary)).get("master_repl_offset", "0")
        deadline = since + START_SECONDS
        while int((await self._info(1 - self._primary)).get("slave_repl_offset", "0")) < int(offset):
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(0.005)
        await self._ask(1 - self._primary, "REPLICAOF NO ONE")
        return since

    async def fail_over(self) -> float:
        """Kills the primary, promotes the replica and starts a new one; returns the time of the promotion."""
        old = self._processes[self._primary]
        assert old is not None
        old.kill()
        await asyncio.to_thread(old.wait)
        lost, self._primary = self._primary, 1 - self._primary
        until = time.monotonic()
        self._point()
        shutil.rmtree(self._folder / str(lost))
        await self._start(lost)
        await self._follow(lost)
        return until

    def close(self) -> None:
        """Kills both."""
        for process in self._processes:
            if process is not None:
                process.kill()
                process.wait()

    def _point(self) -> None:
        link = self._folder / f"{LINK}.new"
        link.symlink_to(self._socket(self._primary))
        link.replace(self._folder / LINK)

    def _socket(self, number: int) -> Path:
        return self._folder / f"{number}.sock"

    async def _start(self, number: int) -> None:
        folder = self._folder / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        options = {
            "bind": "127.0.0.1",
            "port": self._ports[number],
            "unixsocket": self._socket(number),
            "dir": folder,
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "repl-diskless-sync-delay": 0,
        }
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        self._processes[number] = subprocess.Popen(  # noqa: ASYNC220 – quick, and the child must be of this process
            [choose_binary(folder).path, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            process_group=0,
            preexec_fn=die_with_parent(),
        )
        async with asyncio.timeout(START_SECONDS):
            while not (await self._ask(number, "PING")).startswith(b"+PONG"):
                await asyncio.sleep(0.02)

    async def _follow(self, number: int) -> None:
        await self._ask(number, f"REPLICAOF 127.0.0.1 {self._ports[1 - number]}")
        async with asyncio.timeout(START_SECONDS):
            while (await self._info(number)).get("master_link_status") != "up":
                await asyncio.sleep(0.02)

    async def _info(self, number: int) -> dict[str, str]:
        lines = (await self._ask(number, "INFO replication")).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    async def _ask(self, number: int, command: str) -> bytes:
        return await ask(self._socket(number), command)


async def ask(socket: Path, command: str, seconds: float = 3.0) -> bytes:
    """Returns Redis's reply to an inline command: a whole bulk string, else the first line; empty without a reply."""
    writer = None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            writer.write(command.encode() + b"\r\n")
            line = await reader.readline()
            return await reader.readexactly(int(line[1:])) if line.startswith(b"$") else line
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return b""
    finally:
        if writer is not None:
            writer.close()
