"""The embedded redis-server, which `ssechat serve` starts unless --redis-url is given."""

import asyncio
import contextlib
import logging
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO
from urllib.parse import quote

from ssechat.backoff import Backoff
from ssechat.errors import SettingsError
from ssechat.processes import die_with_parent, end_process, ending, start_process
from ssechat.redis.binary import Binary, Release, choose_binary, record_writer

log = logging.getLogger(__name__)

# sockaddr_un has room for 108 bytes on Linux and 104 on macOS, the final zero included.
SOCKET_PATH_LIMIT = 100
SILENCE_LIMIT = 60.0
FIRST_PROGRESS = 2.0
LATER_PROGRESS = 10.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
STOP_SECONDS = 20.0
LOG_LINES = 12


class EmbeddedRedis:
    """A redis-server on a Unix socket, started, restarted and stopped by this process.

    It syncs every write to disk before the reply (appendfsync always). It needs asyncio's own loop: uvloop does not
    support `umask` and `process_group`. `keep_open` are file descriptors that the process inherits: a lock among them
    is held until the process has ended.
    """

    def __init__(self, folder: Path, *, keep_open: Sequence[int] = (), search_path: str | None = None) -> None:
        self.folder = folder
        self.socket_path = folder / "redis.sock"
        self.log_path = folder / "redis.log"
        self._keep_open = tuple(keep_open)
        self._search_path = search_path
        self._short_folder: Path | None = None
        self._binary: Binary | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._log_start = 0

    @property
    def url(self) -> str:
        """The URL for clients: `unix:///…`."""
        return "unix://" + quote(str(self.socket_path))

    @property
    def release(self) -> Release:
        """Which server it is. Only after `start`."""
        assert self._binary is not None
        return self._binary.release

    @property
    def pid(self) -> int | None:
        """The server's process id; None before `start` and after `stop`."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start it and wait until it has loaded its data and answers.

        Raises:
            SettingsError: no program fits, or it does not start; the text has the end of its log.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._binary = choose_binary(self.folder, self._search_path)
            self._choose_socket()
            await self._launch()
            record_writer(self.folder, self._binary.release)
        except OSError as error:
            await self.stop()
            reason = error.strerror or error
            raise SettingsError(f"cannot keep Redis's data in {self.folder}: {reason}") from error
        except BaseException:
            await self.stop()
            raise
        self._watcher = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """End it in order: its data is on the disk, its socket is gone. Does nothing when it does not run."""
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
            self._watcher = None
        await self._end_process()
        if self._short_folder is not None:
            shutil.rmtree(self._short_folder, ignore_errors=True)
            self._short_folder = None

    def _choose_socket(self) -> None:
        if len(os.fsencode(self.socket_path)) > SOCKET_PATH_LIMIT:
            # TMPDIR may be too long as well.
            near = tempfile.gettempdir()
            self._short_folder = Path(tempfile.mkdtemp(prefix="ssechat-", dir=near if len(near) < 60 else "/tmp"))
            self.socket_path = self._short_folder / "redis.sock"

    def _command(self) -> list[str]:
        assert self._binary is not None
        options = {
            "port": ["0"],
            "unixsocket": [str(self.socket_path)],
            "unixsocketperm": ["700"],
            "daemonize": ["no"],
            "dir": [str(self.folder)],
            "logfile": [str(self.log_path)],
            "databases": ["1"],
            "save": [""],
            "appendonly": ["yes"],
            "appendfsync": ["always"],
            "aof-use-rdb-preamble": ["yes"],
            "maxmemory-policy": ["noeviction"],
            # A group that has ended expires with all its messages: to free a million of them holds Redis up for half a
            # second.
            "lazyfree-lazy-expire": ["yes"],
            # A stream of one entry costs 4.4 KB with the default of 4096, and most inboxes are short.
            "stream-node-max-bytes": ["512"],
            # With the default, a worker that is 32 MB behind, or 8 MB for a minute, is disconnected: a burst would do
            # that.
            "client-output-buffer-limit": ["pubsub", "256mb", "128mb", "60"],
        }
        words = [word for name, values in options.items() for word in (f"--{name}", *values)]
        return [str(self._binary.path), *words]

    async def _launch(self) -> None:
        self._log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        try:
            with self._open_log() as output:
                starting = asyncio.create_subprocess_exec(
                    *self._command(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=self.folder,
                    umask=0o077,
                    pass_fds=self._keep_open,
                    # Ctrl-C goes to the terminal's whole process group; Redis must run until the workers have stopped.
                    process_group=0,
                    preexec_fn=die_with_parent(),
                )
                process = await start_process(starting, self._started)
            await self._answering(process)
        except BaseException:
            await self._end_process()
            raise

    def _started(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def _answering(self, process: asyncio.subprocess.Process) -> None:
        started = heard = time.monotonic()
        next_progress = started + FIRST_PROGRESS
        while True:
            if process.returncode is not None:
                how = ending(process.returncode)
                raise SettingsError(f"the private Redis ended at start ({how}).{self._tail()}")
            answer = await self._ping()
            now = time.monotonic()
            if answer.startswith(b"+PONG"):
                return
            if answer:
                heard = now
            if now - heard > SILENCE_LIMIT:
                raise SettingsError(f"the private Redis does not answer.{self._tail()}")
            if now > next_progress:
                log.info("the private Redis is loading its data (%d s so far) …", now - started)
                next_progress = now + LATER_PROGRESS
            await asyncio.sleep(0.02)

    async def _ping(self) -> bytes:
        """The first line of the answer to PING; nothing when there is none within a second."""
        writer = None
        try:
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_unix_connection(str(self.socket_path))
                writer.write(b"PING\r\n")
                return await reader.readline()
        except (OSError, TimeoutError):
            return b""
        finally:
            if writer is not None:
                writer.close()

    async def _watch(self) -> None:
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE, at_once=True)
        while True:
            assert self._process is not None
            started = time.monotonic()
            code = await self._process.wait()
            if time.monotonic() - started > LONGEST_PAUSE:
                backoff.reset()
            log.error("the private Redis ended (%s); starting it again", ending(code))
            while True:
                await asyncio.sleep(backoff.pause())
                try:
                    await self._launch()
                except (SettingsError, OSError) as error:
                    log.error("%s", error)
                else:
                    log.info("the private Redis is back")
                    break

    async def _end_process(self) -> None:
        if self._process is not None:
            await end_process(self._process, "the private Redis", STOP_SECONDS)
            self._process = None

    def _open_log(self) -> IO[bytes]:
        return open(self.log_path, "ab", opener=_private)

    def _tail(self) -> str:
        """The last lines that this start wrote to the log."""
        try:
            with self.log_path.open("rb") as file:
                file.seek(self._log_start)
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        kept = [line for line in text.splitlines() if line.strip()][-LOG_LINES:]
        return "".join(f"\n  {line}" for line in (f"The end of {self.log_path}:", *kept))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
