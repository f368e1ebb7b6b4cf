"""The server under test: `ssechat serve` with its own folder; its processes, kills and restarts."""

import asyncio
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jwt
import psutil

from serving import command_line, environment, is_running, kill_processes
from ssechat.processes import die_with_parent

from .data_loss import Copy, Pair, Tails, ask, gone, stopped

READY_SECONDS = 60.0
STOP_SECONDS = 30.0


class ServerFailed(Exception):
    """The server did not start, or did not stop; the text has the end of its log."""


class Server:
    """Starts, kills and restarts a server on one port and folder. It signals only processes that it started."""

    tls = None

    def __init__(self, seed: int, workers: int = 2, mutation: str = "", *, pair: bool = False) -> None:
        """With `pair` the server uses a primary and a replica instead of its private Redis."""
        self.seed = seed
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-"))
        self.log = self.folder / "serve.log"
        dice = random.Random(f"{seed} {os.getpid()}")
        self.port = _free_port(dice)
        self.pair = Pair(self.folder, lambda: _free_port(dice)) if pair else None
        self._mutation = mutation
        self._workers = workers
        self._process: subprocess.Popen[bytes] | None = None
        self._family: dict[int, psutil.Process] = {}
        self._tokens: dict[str, str] = {}

    async def start(self) -> None:
        """Starts the server, and waits until it is ready.

        Raises:
            ServerFailed: it did not start.
        """
        program = ("-m", "chaos.mutant") if self._mutation else ("-m", "ssechat")
        options = {
            "port": self.port,
            "data": self.folder / "data",
            "workers": self._workers,
            "drain-seconds": 1,
            "ping-seconds": 5,
            "feeds": "anybody",
            "deliveries-per-user": 0,  # the writers are few, and send for many
        }
        if self.pair is not None:
            if self.pair.primary is None:
                await self.pair.start()
            options["redis-url"] = self.pair.url
        said = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 – quick, and the child must be of this process
                [sys.executable, *program, "serve", *(f"--{name}={value}" for name, value in options.items())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=environment({"CHAOS_MUTATION": self._mutation}),
                process_group=0,
                preexec_fn=die_with_parent(),
            )
        deadline = time.monotonic() + READY_SECONDS
        while not re.search(rb"ready: http://", self.log.read_bytes()[said:]):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise ServerFailed(f"the server did not start:\n{self.tail()}")
            await asyncio.sleep(0.05)
        self.family()

    def token(self, user: str) -> str:
        """Mints a token, as `ssechat token` does."""
        if user not in self._tokens:
            key = (self.folder / "data" / "jwt.key").read_text().strip()
            self._tokens[user] = jwt.encode({"sub": user, "exp": time.time() + 86400}, key, algorithm="HS256")
        return self._tokens[user]

    def family(self) -> list[psutil.Process]:
        """Every child process that is still running."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(self._process.pid).children(recursive=True):
                    self._family.setdefault(child.pid, child)
        self._family = {pid: process for pid, process in self._family.items() if is_running(process)}
        return list(self._family.values())

    def workers(self) -> list[psutil.Process]:
        """The worker processes, the oldest first."""
        found = [process for process in self.family() if "ssechat.server.worker" in command_line(process)]
        return sorted(found, key=lambda process: float(process.create_time()))

    def redis(self) -> psutil.Process | None:
        """The private Redis, or the primary."""
        if self.pair is not None:
            return self.pair.primary
        return next((each for each in self.family() if command_line(each).split(" ")[0].endswith("redis-server")), None)

    async def ask_redis(self, command: str) -> bytes:
        """Returns Redis's reply; empty without one."""
        return await ask(self._redis_folder / "redis.sock", command)

    @property
    def _redis_folder(self) -> Path:
        return self.folder / "data" / "redis" if self.pair is None else self.folder

    def copy_data(self) -> Copy | None:
        """Copies the files of the private Redis; None if it is not running."""
        redis = self.redis()
        return None if redis is None else Copy(redis, self._redis_folder, self.folder / "copy")

    def tails_of_data(self) -> Tails:
        """Returns the lengths of the append-only files."""
        return Tails(self._redis_folder)

    async def lose_data(self, state: Copy | Tails) -> float:
        """Kills the private Redis, and lets it restart with older files; returns the earliest time of the restart."""
        assert self._process is not None
        with stopped(self._process):  # otherwise it would restart Redis before the files are restored
            redis = self.redis()
            if redis is not None:
                redis.kill()
                await gone(redis)
            state.restore()
            return time.monotonic()

    def roll(self) -> None:
        """Replaces the workers one by one."""
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    async def kill_everything(self) -> None:
        """Kills all processes with SIGKILL."""
        assert self._process is not None
        family = self.family()
        self._process.kill()
        kill_processes(family)
        self._process.wait()
        deadline = time.monotonic() + STOP_SECONDS
        while self.family():
            if time.monotonic() > deadline:
                raise ServerFailed(f"processes that cannot be killed: {self.family()}")
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Stops the server gracefully.

        Raises:
            ServerFailed: it does not stop, or leaves processes behind.
        """
        assert self._process is not None
        self.family()
        self._process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while self._process.poll() is None or self.family():
            if time.monotonic() > deadline:
                raise ServerFailed(f"the server does not stop:\n{self.tail()}")
            await asyncio.sleep(0.05)

    def close(self, keep_folder: bool = False) -> None:
        """Kills the processes that are still running."""
        kill_processes(self.family())
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self.pair is not None:
            self.pair.close()
        if not keep_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def complaints(self) -> list[str]:
        """The tracebacks in the log: no fault may cause one."""
        text = self.log.read_text(errors="replace")
        return [part.strip()[-2000:] for part in text.split("Traceback (most recent call last)")[1:]]

    def tail(self) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


def _free_port(dice: random.Random) -> int:
    """Returns a port below the ephemeral ones, of which a client could take the server's while it is dead."""
    while True:
        port = dice.randrange(20_000, 32_000)
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
