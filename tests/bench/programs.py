"""Starts processes with their own logs, and ends them with all their children."""

import contextlib
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ssechat.processes import die_with_parent

from . import processes
from .errors import BenchError

READY_SECONDS = 30.0
STOP_SECONDS = 30.0
COMPLAINT = re.compile(r"warning|error|critical|exception|traceback|\[(?:warn|crit|alert|emerg)\]", re.IGNORECASE)


class Program:
    """One process in the foreground. Its stderr goes to a log in its folder."""

    def __init__(self, name: str, folder: Path, command: Sequence[str], *, cwd: Path | None = None) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SSECHAT_")}
        kept["PATH"] = _path()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=kept,
                cwd=cwd,
                # This process handles Ctrl-C: the server is stopped after its clients.
                process_group=0,
                preexec_fn=die_with_parent(),
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def family(self) -> list[int]:
        """The ids of the process and its descendants."""
        return [self.pid, *processes.descendants(self.pid)]

    def of(self, word: str) -> list[int]:
        """The ids of the family whose command line has this word."""
        return [pid for pid in self.family if word in processes.command(pid)]

    def wait_announced(self) -> tuple[str, int]:
        """Waits for the line `ready: http://…`; returns the address.

        Raises:
            BenchError: it does not start.
        """
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        deadline = time.monotonic() + READY_SECONDS
        said = b""
        while (found := re.search(rb"ready: http://([0-9.]+):(\d+)\s", said)) is None:
            readable, _, _ = select.select([output], [], [], max(0.0, deadline - time.monotonic()))
            part = os.read(output, 4096) if readable else b""
            if not part:
                raise self._not_started(said)
            said += part
        return found[1].decode(), int(found[2])

    def wait_answering(self, address: tuple[str, int]) -> None:
        """Waits until it accepts connections.

        Raises:
            BenchError: it does not start.
        """
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                socket.create_connection(address, 1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise self._not_started(b"") from None
                time.sleep(0.05)

    def wait_ended(self) -> None:
        """Waits until it has done its work.

        Raises:
            BenchError: it fails, or takes too long.
        """
        try:
            if self._process.wait(READY_SECONDS):
                raise self._not_started(b"")
        except subprocess.TimeoutExpired:
            raise self._not_started(b"") from None
        finally:
            self.close()

    def _not_started(self, said: bytes) -> BenchError:
        return BenchError(f"{self.name} does not start: {said.decode()}{self.log.read_text(errors='replace')[-2000:]}")

    @property
    def complaints(self) -> list[str]:
        """The logged warnings and errors so far."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if COMPLAINT.search(line)]

    def close(self) -> None:
        """Stops the process, by SIGTERM, then by SIGKILL."""
        family = {pid: processes.command(pid) for pid in processes.descendants(self.pid)}
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid, command in family.items():
            # Descendants that outlive the process would never end.
            if command and processes.command(pid) == command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if self._process.stdout is not None:
            self._process.stdout.close()


def new_folder() -> Path:
    """Creates a folder for a server's data, not on a RAM disk: writes must reach a disk."""
    return Path(tempfile.mkdtemp(prefix="ssechat-bench-"))


def free_port() -> int:
    """Returns a free port of 127.0.0.1, for servers that cannot choose one."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def missing(programs: Sequence[str]) -> list[str]:
    """The programs that are not installed."""
    return [program for program in programs if shutil.which(program, path=_path()) is None]


def _path() -> str:
    # Debian installs servers in folders outside an ordinary user's PATH.
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
