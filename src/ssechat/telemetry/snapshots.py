"""The counts of all workers, in a folder that they share: a scrape reaches one of them and must show all.

prometheus_client has a multiprocess mode for this. It was not taken: it is chosen by an environment variable when
the library is imported, keeps its values behind a lock and a dict of labels, and leaves two files for each worker
that ever ran. Here each worker writes one small file, once a second, in place; the kernel's lock on the file says
whether its writer lives, however it ended; and a worker that starts takes over what dead ones have counted, so
that no counter goes down and no file is left over. Nobody waits for anybody: a stopped worker holds up none.
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
"""The end of the files' names; other files are none of ours."""

PUBLISH_SECONDS = 1.0

ATTEMPTS = 50
PAUSE = 0.01
"""A scrape tries so often, so many seconds apart, while another worker moves a dead one's counts."""


def clear(folder: Path) -> None:
    """Forgets what has been counted; for when no worker runs."""
    for path in folder.glob(f"*{SUFFIX}"):
        path.unlink()


class Snapshots:
    """What this worker has counted, beside what the others have."""

    def __init__(self, metrics: Metrics, folder: Path | None) -> None:
        """Without a folder, this process is the only worker."""
        self._metrics = metrics
        self._folder = folder
        self._process = Process()
        self._inherited: Snapshot = {}
        self._path: Path | None = None
        self._file = -1

    def open(self) -> None:
        """Takes a place in the folder, and over what workers that have died had counted."""
        if self._folder is None:
            return
        try:
            self._take_place(self._folder)
        except OSError as error:  # no reason not to serve
            logger.warning("this worker's metrics are its own: %s in %s", error.strerror, self._folder)
            self.close()
            self._folder = None

    def _take_place(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self.inherit()

    def close(self) -> None:
        """Publishes for the last time; the file stays, for the next worker to take over."""
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
            except OSError as error:  # a full disk is no reason to stop serving
                if not complained:
                    logger.warning("other workers cannot see this one's metrics: %s", error.strerror)
                complained = True

    def publish(self) -> None:
        """Shows the other workers what has been counted so far.

        Raises:
            OSError: it cannot be written.
        """
        if self._file >= 0:
            content = {"version": __version__, "counts": self._counts(), "worker": self._worker()}
            _write(self._file, content)

    def inherit(self) -> None:
        """Takes over the counts of dead workers; not now, if somebody reads, or does the same.

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
        """The counts of all workers that there have been, and the state of each that lives.

        Raises:
            TimeoutError: a worker that moves a dead one's counts does not come to an end.
        """
        with contextlib.suppress(OSError):
            self.publish()  # what one scrape has shown must be there for the next, on whatever worker
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
        """The folder's lock, if it is free now."""
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
            os.close(folder)  # which unlocks it

    def _others(self) -> Iterator[tuple[Path, dict[str, Any], bool]]:
        """The file, the content, and whether its writer lives, of each other worker."""
        for path in self._folder.glob(f"*{SUFFIX}") if self._folder is not None else ():
            if path == self._path:
                continue
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                content = _read(file)
                # Else it is just beginning, or counts as another version of ssechat does: a rolling upgrade.
                if content is not None and content["version"] == __version__:
                    yield path, content, not _is_free(file)
            finally:
                os.close(file)


def _write(file: int, content: dict[str, Any]) -> None:
    body = json.dumps(content, separators=(",", ":")).encode()
    os.pwrite(file, b"%08x%08x" % (len(body), zlib.crc32(body)) + body, 0)


def _read(file: int) -> dict[str, Any] | None:
    """What was written last; None when nothing was. A reading that meets a writing is repeated."""
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
