"""`ssechat serve`: starts and stops the data folder, Redis, the sockets and the workers."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence

from ssechat import __version__
from ssechat.errors import SettingsError
from ssechat.identity.admin_token import read_admin_token
from ssechat.identity.key_file import create_key_file, key_path, read_key_file
from ssechat.identity.tokens import Tokens
from ssechat.redis.embedded import EmbeddedRedis
from ssechat.server import KILL_SECONDS
from ssechat.server.folder import DataFolder
from ssechat.server.sockets import ListeningSockets, listen, shown_address
from ssechat.server.supervised_worker import SupervisedWorker
from ssechat.server.worker_process import WorkerFailed, WorkerOptions
from ssechat.settings import Settings
from ssechat.telemetry.snapshots import clear
from ssechat.texts.printable import one_line

log = logging.getLogger(__name__)

# Seconds after which the kernel closes a connection whose peer acknowledges nothing.
USER_TIMEOUT = 30.0
USER_TIMEOUT_MARGIN = 15.0


class Supervisor:
    """The parent process. It starts, watches, replaces and stops the workers and Redis; it serves no request."""

    def __init__(
        self,
        settings: Settings,
        *,
        say: Callable[[str], None],
        worker_arguments: Sequence[str] = (),
    ) -> None:
        """`say` prints a line to the terminal."""
        self._settings = settings
        self._say = say
        self._worker_arguments = tuple(worker_arguments)
        self._grace = settings.drain_seconds + KILL_SECONDS
        self._folder: DataFolder | None = None
        self._redis: EmbeddedRedis | None = None
        self._redis_shown = ""
        self._sockets: ListeningSockets | None = None
        self._workers: list[SupervisedWorker] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._rolling: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._had_terminal = os.isatty(0)

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT; a second SIGINT ends at once.

        SIGHUP replaces the workers, or stops the server if its terminal was closed.

        Raises:
            SettingsError: the server cannot start with these settings.
            WorkerFailed: the workers do not start.
        """
        self._catch_signals()
        life = asyncio.create_task(self._live())
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((life, stop), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (life, stop):
                task.cancel()
            ended = await asyncio.gather(life, stop, return_exceptions=True)
            await self._stop()
        if isinstance(ended[0], Exception):
            raise ended[0]

    async def _live(self) -> None:
        await self._start()
        self._announce()
        self._keepers = [asyncio.create_task(worker.keep()) for worker in self._workers]
        await asyncio.gather(*self._keepers)

    async def _start(self) -> None:
        settings = self._settings
        self._folder = await DataFolder.take(settings.data, patience=self._grace + 2)
        # The port comes before Redis: a taken port is the most likely mistake, and shows at once. The workers, not the
        # kernel, must close slow readers.
        self._sockets = listen(
            settings.host,
            settings.port,
            settings.workers,
            user_timeout=max(USER_TIMEOUT, settings.slow_seconds + USER_TIMEOUT_MARGIN),
        )
        redis_url = await self._find_redis()
        await self._check_identity()
        counts = settings.metrics_folder or settings.data / "metrics"
        clear(counts)
        options = WorkerOptions(
            settings=settings.model_copy(update={"redis_url": redis_url, "metrics_folder": counts}),
            keep_open=(self._folder.lock,),
            arguments=self._worker_arguments,
        )
        self._workers = [
            SupervisedWorker(options, [each.fileno() for each in sockets], self._grace)
            for sockets in self._sockets.of_workers
        ]
        await self._start_workers()

    async def _find_redis(self) -> str:
        assert self._folder is not None
        from ssechat.redis.checks import check_format, check_redis  # imported late: the import of redis-py is slow

        if self._settings.redis_url is not None:
            from ssechat.redis.url import shown_url

            facts = await check_redis(self._settings.redis_url, self._settings.redis_timeout)
            for warning in facts.warnings:
                log.warning("%s", warning)
            await check_format(self._settings.redis_url, self._settings.redis_timeout)
            self._redis_shown = f"{facts.name} {facts.version} at {shown_url(self._settings.redis_url)}"
            return self._settings.redis_url
        self._redis = EmbeddedRedis(self._settings.data / "redis", keep_open=(self._folder.lock,))
        await self._redis.start()
        await check_format(self._redis.url, self._settings.redis_timeout, own=True)
        self._redis_shown = f"{self._redis.release}, private, in the data folder"
        return self._redis.url

    async def _check_identity(self) -> None:
        """Checks that tokens can be verified, and that all servers of a Redis sign with one key.

        Raises:
            SettingsError: a setting or the key file cannot be used, or the servers have another key.
        """
        settings = self._settings
        if settings.admin_token_file is not None:
            read_admin_token(settings.admin_token_file)
            if settings.admin_token_file.stat().st_mode & 0o004:
                log.warning("everybody on this machine can read the admin token: chmod o-r the file")
        if settings.external_identity:
            Tokens.from_settings(settings)
            claims = {"SSECHAT_JWT_ISSUER": settings.jwt_issuer, "SSECHAT_JWT_AUDIENCE": settings.jwt_audience}
            unset = [name for name, value in claims.items() if value is None]
            if settings.jwks_url is not None and unset:
                log.warning("tokens count that were issued for other applications, too: set %s", " and ".join(unset))
            return
        path = key_path(settings)
        create_key_file(path)
        keys = read_key_file(path)
        if settings.redis_url is not None:
            from ssechat.redis.checks import check_key

            await check_key(
                settings.redis_url,
                keys.signing.fingerprint,
                upcoming=[key.fingerprint for key in keys.upcoming],
                former=[key.fingerprint for key in keys.former],
                timeout=settings.redis_timeout,
            )

    async def _start_workers(self) -> None:
        starts = [asyncio.create_task(worker.start()) for worker in self._workers]
        try:
            await asyncio.gather(*starts)
        except BaseException:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            raise

    def _announce(self) -> None:
        assert self._sockets is not None
        address = self._sockets.address
        count = self._settings.workers
        self._say(
            f"ssechat {__version__} is ready: {shown_address(*address)}\n"
            f"  data     {one_line(str(self._settings.data))}\n"
            f"  redis    {self._redis_shown}\n"
            f"  workers  {count}\n"
            "Ctrl-C stops it."
        )

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stopping.set)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def _interrupt(self) -> None:
        if not self._stopping.is_set():
            self._stopping.set()
            return
        for worker in self._workers:
            worker.kill()

    def _hang_up(self) -> None:
        if self._had_terminal and not os.isatty(0):
            self._stopping.set()
        elif self._rolling is not None and not self._rolling.done():
            log.warning("a rolling restart is under way already")
        elif self._keepers and not self._stopping.is_set():
            self._rolling = asyncio.create_task(self._replace_workers())

    async def _replace_workers(self) -> None:
        log.info("rolling restart: replacing %d workers, one by one", len(self._workers))
        try:
            await self._check_identity()
            for worker in self._workers:
                await worker.replace()
        except (SettingsError, WorkerFailed, OSError) as error:
            log.error("rolling restart given up; the current workers continue: %s", error)
            return
        log.info("rolling restart done")

    async def _stop(self) -> None:
        """Stops the workers, so that their last requests can still use Redis, then Redis, and unlocks the folder."""
        tasks = [task for task in (*self._keepers, self._rolling) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._sockets is not None:
            self._sockets.close()
        await asyncio.gather(*(worker.stop() for worker in self._workers))
        if self._redis is not None:
            await self._redis.stop()
        if self._folder is not None:
            self._folder.release()


def print_line(text: str) -> None:
    """Prints a line at once, also into a pipe; a closed pipe is ignored."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stdout, flush=True)
