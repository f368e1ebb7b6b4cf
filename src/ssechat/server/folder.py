"""The data folder: created if it does not exist, and locked by one `ssechat serve` at a time."""

import asyncio
import contextlib
import fcntl
import logging
import os
import time
from pathlib import Path

from ssechat.errors import SettingsError

log = logging.getLogger(__name__)


class DataFolder:
    """A locked data folder. Child processes that inherit `lock` keep it locked until the last of them has ended."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.lock = lock

    @classmethod
    async def take(cls, path: Path, patience: float) -> "DataFolder":
        """Creates the folder if it does not exist, and locks it.

        If the server that held the lock was killed, waits until its child processes have ended, at most `patience`
        seconds.

        Raises:
            SettingsError: the path is not a folder, is not writable, or is locked by another server.
        """
        lock = _open(path)
        try:
            await _lock(lock, path, patience)
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(lock)
            raise SettingsError(f"--data: cannot lock {path} ({error.strerror}): choose another.") from None
        except BaseException:
            os.close(lock)
            raise
        return cls(path, lock)

    def release(self) -> None:
        """Unlocks the folder."""
        os.close(self.lock)


def _open(path: Path) -> int:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (FileExistsError, NotADirectoryError):
        raise SettingsError(f"--data: {path} is not a folder, or is inside something that is not.") from None
    except OSError as error:
        raise SettingsError(
            f"--data: cannot write to {path} ({error.strerror}): let this user write there, or choose another folder."
        ) from None


async def _lock(lock: int, path: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    logged = False
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        holder = _holder(lock)
        if holder is not None and _alive(holder):
            raise SettingsError(
                f"another ssechat serve (process {holder}) is using {path}: "
                "stop it, or choose another folder with --data."
            )
        if time.monotonic() > deadline:
            raise SettingsError(
                f"{path} is still in use by processes of an ssechat serve that is gone: "
                f"`fuser {path / 'lock'}` names them; end them, or choose another folder with --data."
            )
        if not logged:
            log.info("waiting for the processes of an earlier ssechat serve in %s to end", path)
            logged = True
        await asyncio.sleep(0.05)


def _holder(lock: int) -> int | None:
    """Returns the process id in the lock file; None if there is none, or it is this process's."""
    text = os.pread(lock, 32, 0).strip()
    # In containers every `serve` may have the same process id: then it identifies nothing.
    return int(text) if text.isdigit() and int(text) != os.getpid() else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
