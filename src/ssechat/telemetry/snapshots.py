"""The metrics of all workers, in a folder that they share: a scrape reaches one worker and must show all.

prometheus_client has a multiprocess mode for this. It was not taken: an environment variable switches it on when
the library is imported, it keeps its values behind a lock and a dict of labels, and it leaves two files for each
worker that ever ran. Here each worker writes one small file, once a second, in place. The kernel's lock on the file
shows whether its writer lives, however it ended. A worker that starts takes over the counts of dead workers, so no
counter goes down and no file is left over. No worker waits for another: a stopped worker holds up none.
"""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import secrets
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ssechat import __version__
from ssechat.telemetry.metrics import Metrics, Snapshot, add
from ssechat.telemetry.process import Process

logger = logging.getLogger(__name__)

SUFFIX = ".counts"
"""The suffix of the files' names; files without it are left alone."""

PUBLISH_SECONDS = 1.0

ATTEMPTS = 50
PAUSE = 0.01
"""A scrape tries `ATTEMPTS` times, `PAUSE` seconds apart, while another worker moves the counts of a dead one."""


def clear(folder: Path) -> None:
    """Deletes all counts; no worker may run."""
    for path in folder.glob(f"*{SUFFIX}"):
        path.unlink()


class Snapshots:
    """This worker's metrics, beside those of the others."""

    def __init__(self, metrics: Metrics, folder: Path | None) -> None:
        """Without a folder, this process counts as the only worker."""
        self._metrics = metrics
        self._folder = folder
        self._process = Process()
        self._inherited: Snapshot = {}
        self._path: Path | None = None
        self._file = -1

    def open(self) -> None:
        """Makes this worker's file in the folder, and takes over the counts of dead workers."""
        if self._folder is None:
            return
        try:
            self._make_file(self._folder)
        except OSError as error:  # the server can serve without
            logger.warning("this worker's metrics cannot be shared: %s in %s", error.strerror, self._folder)
            self.close()
            self._folder = None

    def _make_file(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self.inherit()

    def close(self) -> None:
        """Publishes for the last time. The file stays until another worker takes its counts over."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                self.publish()
            os.close(self._file)
            self._file = -1

    async def keep_publishing(self) -> None:
        """Publishes every `PUBLISH_SECONDS`, until cancelled."""
        complained = False
        while True:
            await asyncio.sleep(PUBLISH_SECONDS)
            self._metrics.pace()
            try:
                self.publish()
                complained = False
            except OSError as error:  # a full disk must not stop the server
                if not complained:
                    logger.warning("other workers cannot see this one's metrics: %s", error.strerror)
                complained = True

    def publish(self) -> None:
        """Writes this worker's metrics into its file, for the other workers to read.

        Raises:
            OSError: the file cannot be written.
        """
        if self._file >= 0:
            content = {"version": __version__, "counts": self._counts(), "worker": self._worker()}
            _write(self._file, content)

    def inherit(self) -> None:
        """Takes over the counts of dead workers, unless another worker reads them or takes them over now.

        Raises:
            OSError: the folder cannot be written to.
        """
        with self._locked(fcntl.LOCK_EX) as is_mine:
            if not is_mine:
                return
            dead = [(path, content) for path, content, alive in self._others() if not alive]
            self._inherited = add([self._inherited, *(content["counts"] for _, content in dead)])
            self.publish()
            for path, _ in dead:
                path.unlink(missing_ok=True)

    async def read(self) -> tuple[Snapshot, list[dict[str, Any]]]:
        """The counts of all workers since the server's start, and the state of each that lives.

        Raises:
            TimeoutError: another worker still moves the counts of a dead one after `ATTEMPTS` tries.
        """
        with contextlib.suppress(OSError):
            self.publish()  # the next scrape, on whatever worker, must not show less
        for _ in range(ATTEMPTS):
            with self._locked(fcntl.LOCK_SH) as nobody_moves:
                if nobody_moves:
                    others = list(self._others())
                    counts = add([self._counts(), *(content["counts"] for _, content, _ in others)])
                    return counts, [self._worker(), *(content["worker"] for _, content, alive in others if alive)]
            await asyncio.sleep(PAUSE)
        raise TimeoutError("the metrics' folder stays locked")

    def _counts(self) -> Snapshot:
        return add((self._inherited, self._metrics.snapshot()))

    def _worker(self) -> dict[str, Any]:
        return {"pid": os.getpid(), **self._metrics.state(), **self._process.usage()}

    @contextlib.contextmanager
    def _locked(self, kind: int) -> Iterator[bool]:
        """Locks the folder, and yields whether that was possible at once."""
        if self._folder is None:
            yield True
            return
        folder = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(folder)  # also unlocks it

    def _others(self) -> Iterator[tuple[Path, dict[str, Any], bool]]:
        """The file, the content, and whether its writer lives, of each other worker."""
        for path in self._folder.glob(f"*{SUFFIX}") if self._folder is not None else ():
            if path == self._path:
                continue
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                content = _read(file)
                # A file without content belongs to a worker that starts now; one of another version of ssechat to a
                # rolling upgrade, and its counts may mean something else.
                if content is not None and content["version"] == __version__:
                    yield path, content, not _is_free(file)
            finally:
                os.close(file)


def _write(file: int, content: dict[str, Any]) -> None:
    body = json.dumps(content, separators=(",", ":")).encode()
    os.pwrite(file, b"%08x%08x" % (len(body), zlib.crc32(body)) + body, 0)


def _read(file: int) -> dict[str, Any] | None:
    """The content of the file; None while it is empty. A reading that meets a writing is repeated."""
    for _ in range(ATTEMPTS):
        data = os.pread(file, os.fstat(file).st_size, 0)
        if not data:
            return None
        body = data[16 : 16 + int(data[:8], 16)]
        if zlib.crc32(body) == int(data[8:16], 16):
            content: dict[str, Any] = json.loads(body)
            return content
    return None


def _is_free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
