"""The client of Redis: commands over a connection that comes back by itself."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing

from ssechat.errors import RedisUnavailable
from ssechat.redis.connection import NOTHING, CommandConnection, Reply, for_the_log, log_once, reconnecting
from ssechat.redis.packed import Argument, Packed
from ssechat.redis.refusals import RedisRefused, Refusal
from ssechat.tasks import end_task
from ssechat.telemetry.metrics import COMMANDS, Metrics

LARGE_ANSWERS = 16
"""Large answers that are asked for at a time: more would wait in Redis's memory, in front of every other answer."""


class Redis:
    """A connection for commands that reconnects automatically."""

    def __init__(self, url: str, timeout: float, metrics: Metrics) -> None:
        self.url = url
        self.timeout = timeout
        self.metrics = metrics
        self.on_refused: Callable[[str], None] = lambda text: None
        """Is called with the text of each error reply."""
        self.large = asyncio.Semaphore(LARGE_ANSWERS)
        """A caller takes a place here while it asks for a large answer."""
        self._connection: CommandConnection | None = None
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failure: RedisUnavailable | None = None
        """The error of the last attempt to connect."""

    @property
    def refusal(self) -> Refusal | None:
        """Why there is no connection, if Redis refuses it."""
        return self._failure.refusal if isinstance(self._failure, RedisRefused) else None

    @property
    def connected(self) -> bool:
        """Whether commands can be sent now."""
        return self._connection is not None

    @property
    def connection(self) -> CommandConnection | None:
        """The connection; another one after each loss."""
        return self._connection

    def start(self) -> None:
        """Begins to connect, and to reconnect whenever the connection is lost."""
        self._task = asyncio.create_task(self._stay_connected(), name="redis-commands")

    async def wait_connected(self, seconds: float) -> bool:
        """Waits for a connection; False when there is none after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._connected.wait()
        except TimeoutError:
            return False
        return True

    def send(self, *command: Argument, rest: Packed = NOTHING) -> "asyncio.Future[Reply]":
        """Sends a command now, whose last arguments may be packed; the future gets its reply, or RedisUnavailable."""
        if self._connection is not None:
            return self._connection.send(*command, rest=rest)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        future.set_exception(self._unconnected())
        return future

    def _unconnected(self) -> RedisUnavailable:
        if isinstance(self._failure, RedisRefused):
            return RedisRefused(str(self._failure))
        return RedisUnavailable("not connected to Redis")

    async def call(self, *command: Argument) -> Reply:
        """Sends a command and waits for its reply.

        Raises:
            RedisUnavailable: there is no connection, it was lost, or the answer took too long.
            RedisRefused: Redis answered with an error.
        """
        return await self.send(*command)

    async def pipeline(self, commands: Iterable[Sequence[Argument]]) -> list[Reply]:
        """Sends commands together and waits for all replies; raises as `call` does."""
        futures = [self.send(*command) for command in commands]
        replies, errors = [], []
        try:
            for future in futures:  # awaited in order, as replies come in order: gather() costs as much as a command
                try:
                    replies.append(await future)
                except RedisUnavailable as error:
                    errors.append(error)
        finally:
            for future in futures:  # if the caller was cancelled
                future.cancel()
        if errors:
            raise errors[0]
        return replies

    async def each(self, verb: str, about: Sequence[str], *arguments: Argument) -> list[Reply]:
        """Sends the same command about each of these keys, and waits for all replies; raises as `call` does."""
        if not about:
            return []
        if self._connection is None:
            raise self._unconnected()
        return await self._connection.send_each(verb, about, *arguments)

    def reconnect(self) -> None:
        """Drops the connection and opens a new one, possibly to another server (DNS, a proxy); pending commands
        fail."""
        if self._connection is not None:
            self._connection.abort()

    async def close(self) -> None:
        """Drops the connection; commands under way fail."""
        if self._task is not None:
            await end_task(self._task)

    async def _stay_connected(self) -> None:
        complaint = ""
        async with aclosing(reconnecting(self.url, self._make_connection, self.timeout, self._note)) as connections:
            async for connection in connections:
                try:
                    async with asyncio.timeout(self.timeout):
                        await connection.send("PING")  # refused while Redis loads its data
                except RedisRefused as error:
                    # Without the right to PING, all else may be allowed: the trials tell (health.py).
                    if error.refusal.code != "NOPERM":
                        self._note(error)
                        complaint = log_once(for_the_log(error), complaint)
                        continue
                except (RedisUnavailable, TimeoutError) as error:
                    self._note(None)
                    complaint = log_once(f"Redis does not answer: {error}", complaint)
                    continue
                complaint = ""
                self._note(None)
                await self._use(connection)

    def _note(self, failure: RedisUnavailable | None) -> None:
        self._failure = failure

    def _make_connection(self) -> CommandConnection:
        return CommandConnection(self.metrics, lambda text: self.on_refused(text))

    async def _use(self, connection: CommandConnection) -> None:
        self._connection = connection
        self.metrics.redis_connected[COMMANDS] = 1
        self._connected.set()
        try:
            while not connection.lost.done():
                await asyncio.wait([connection.lost], timeout=min(0.5, self.timeout / 4))
                connection.expire(self.timeout)
            self.metrics.disconnected(COMMANDS)
        finally:
            self._connection = None
            self._connected.clear()
