"""What is measured: a server process, with all that it started."""

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ssechat.redis.embedded import die_with_parent

from . import processes
from .errors import BenchError

READY_SECONDS = 30.0
STOP_SECONDS = 30.0
COMPLAINT = re.compile(r"warning|error|critical|exception|traceback", re.IGNORECASE)


class Subject:
    """A server that runs. As a context manager it is stopped, and killed with all it started if it won't."""

    def __init__(self, name: str, folder: Path, arguments: Sequence[str]) -> None:
        """Start it, with `python` and these arguments. `folder` is its own and is removed at the end."""
        self.name = name
        self.folder = folder
        self.address = ("", 0)
        self._log = folder / "stderr.log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SSECHAT_")}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=kept,
                # Ctrl-C is ours to handle: the server is stopped in order, after its clients.
                process_group=0,
                preexec_fn=die_with_parent(),
            )

    def __enter__(self) -> Self:
        try:
            self._wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait_ready(self) -> None:
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        deadline = time.monotonic() + READY_SECONDS
        said = b""
        while (found := re.search(rb"ready: http://([0-9.]+):(\d+)\s", said)) is None:
            readable, _, _ = select.select([output], [], [], max(0.0, deadline - time.monotonic()))
            part = os.read(output, 4096) if readable else b""
            if not part:
                raise BenchError(f"{self.name} does not start: {said.decode()}{self._log.read_text()[-2000:]}")
            said += part
        self.address = (found[1].decode(), int(found[2]))

    @property
    def workers(self) -> list[int]:
        """Process ids of what holds the streams."""
        return [self._process.pid]

    @property
    def redis(self) -> list[int]:
        """Process ids of its Redis, if it has one."""
        return []

    @property
    def complaints(self) -> list[str]:
        """What it logged as a warning or worse, so far."""
        return [line for line in self._log.read_text(errors="replace").splitlines() if COMPLAINT.search(line)]

    def close(self) -> None:
        """Stop it as an operator would, then by force, and remove its folder."""
        family = {pid: processes.command(pid) for pid in processes.descendants(self._process.pid)}
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid, command in family.items():
            # Whoever outlives the parent would stay for ever.
            if command and processes.command(pid) == command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if self._process.stdout is not None:
            self._process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Ssechat(Subject):
    """`ssechat serve` as it is shipped, with its private Redis that writes every change to the disk."""

    def __init__(self, workers: int) -> None:
        folder = _new_folder()
        self.data = folder / "data"
        """Its data folder, in which is the key that signs tokens."""
        serve = ("-m", "ssechat", "serve", "--port", "0", "--data", str(self.data), "--workers", str(workers))
        super().__init__("ssechat", folder, serve)

    @property
    def workers(self) -> list[int]:
        return self._of("ssechat.server.worker")

    @property
    def redis(self) -> list[int]:
        return self._of("redis-server")

    def _of(self, word: str) -> list[int]:
        return [pid for pid in processes.descendants(self._process.pid) if word in processes.command(pid)]


class Peer(Subject):
    """One of the servers in peers.py, in one process."""

    def __init__(self, name: str) -> None:
        super().__init__(name, _new_folder(), ("-m", f"{__package__}.peers", name))


def _new_folder() -> Path:
    # Not in a RAM disk: what is measured is durable.
    return Path(tempfile.mkdtemp(prefix="ssechat-bench-"))
