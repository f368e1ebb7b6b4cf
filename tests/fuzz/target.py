"""The server under attack: `ssechat serve` with its own folder; its log and its resources."""

import asyncio
import contextlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import redis.asyncio as redis_client

from serving import command_line, environment, is_running, kill_processes
from ssechat.processes import die_with_parent
from ssechat.redis import keys

from .attack import World
from .words import FORGED

READY_SECONDS = 60.0
STOP_SECONDS = 30.0

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ssechat\[\d+\] (DEBUG|INFO|WARNING): [\x20-\x7e\u2018-\u2026]*\Z")
"""Matches log lines that attacks may cause."""

ITS_OWN = re.compile(r"ssechat ready: http://\S+\Z|\S* ?(Log|Data|Open|Stop|Press|Sign)[^\x00-\x1f]*\Z|\s*\Z")
"""Matches the lines that the server prints at the start and the stop."""


class TargetFailed(Exception):
    """The server did not start or stop properly."""


@dataclass(frozen=True, slots=True)
class Usage:
    """The resources of a worker."""

    memory: float
    """Resident memory in bytes."""
    descriptors: int


class Target:
    """A server with two workers, whose keys are the same for the same seed."""

    def __init__(self, world: World, workers: int = 2) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        self.port = 0
        self._log = self.folder / "serve.log"
        self._read = 0
        self._half = ""
        self._workers = workers
        self._family: list[psutil.Process] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._key = world.key
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        key = data / "jwt.key"
        key.touch(mode=0o600)
        key.write_text(world.key + "\n")

    async def start(self) -> None:
        """Starts the server, and waits until it is ready.

        Raises:
            TargetFailed: it did not start.
        """
        # Without a limit, for which there are tests: each attack shall be answered for what it is.
        unlimited = {"deliveries-per-user": 0}
        options = {"port": 0, "data": self.folder / "data", "workers": self._workers, "access-log": "on", **unlimited}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 – quick
                [sys.executable, "-m", "ssechat", "serve", *(f"--{name}={value}" for name, value in options.items())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=environment(),
                process_group=0,
                preexec_fn=die_with_parent(),
            )
        deadline = time.monotonic() + READY_SECONDS
        while (found := re.search(r"ready: http://\S+:(\d+)", self.text())) is None:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise TargetFailed(f"the server did not start:\n{self.text()}")
            await asyncio.sleep(0.05)
        self.port = int(found[1])
        async with redis_client.Redis(unix_socket_path=str(self.folder / "data" / "redis" / "redis.sock")) as client:
            await client.set(keys.GROUPS, self._key)  # so that the ids of groups follow from the seed
        self._family = psutil.Process(self._process.pid).children(recursive=True)
        self._read = self._log.stat().st_size

    def text(self) -> str:
        """The whole log."""
        return self._log.read_text(errors="replace")

    def complaints(self) -> list[str]:
        """Returns the unexpected log lines since the last call: errors, tracebacks, text of requests."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        self._read += len(new)
        *lines, self._half = (self._half + new.decode("utf-8", "backslashreplace")).split("\n")
        found: list[str] = []
        inside = False
        for line in lines:
            fine = (LINE.match(line) or ITS_OWN.match(line)) and FORGED not in line
            if fine:
                inside = False
            elif inside and re.match(r"\s|[\w.]+(:|\Z)|which led to", line):
                found[-1] += "\n" + line
            else:
                found.append(line)
                inside = True
        return found

    def usage(self) -> dict[int, Usage]:
        """The resources of each worker, by its process id."""
        found = {}
        for process in self.workers():
            with contextlib.suppress(psutil.NoSuchProcess):
                found[process.pid] = Usage(process.memory_info().rss, process.num_fds())
        return found

    def cpu_seconds(self) -> float:
        """The CPU seconds of all workers so far."""
        spent = 0.0
        for process in self.workers():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                spent += times.user + times.system
        return spent

    def workers(self) -> list[psutil.Process]:
        """The worker processes."""
        return [process for process in self._family if "ssechat.server.worker" in command_line(process)]

    async def stop(self) -> None:
        """Stops the server gracefully.

        Raises:
            TargetFailed: it fails, or leaves processes behind.
        """
        assert self._process is not None
        if len(self.workers()) != self._workers:
            raise TargetFailed("a worker has died")
        self._process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self._process.poll() is None or any(map(is_running, self._family)):
            if time.monotonic() > deadline:
                raise TargetFailed(f"the server does not stop within {STOP_SECONDS:g} s")
            await asyncio.sleep(0.05)
        if self._process.returncode != 0:
            raise TargetFailed(f"the server ended with {self._process.returncode}")

    def close(self) -> None:
        """Kills the processes that are still running, and removes the folder."""
        kill_processes(self._family)
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
