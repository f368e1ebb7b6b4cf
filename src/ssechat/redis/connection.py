"""One connection to Redis, on which all commands travel in one pipeline.

redis-py opens the connection (URL, TLS, AUTH, SELECT); after that this module uses the transport directly, so that a
reply costs a deque's popleft and no task, lock or timeout of its own. Commands of one loop iteration leave in one
write. A cancelled caller keeps its place in the queue, so that replies never shift by one.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, TypeVar, cast

import hiredis
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import RedisError

from ssechat.backoff import Backoff
from ssechat.errors import RedisUnavailable
from ssechat.redis.packed import Argument as Argument
from ssechat.redis.packed import Packed, pack
from ssechat.redis.refusals import RedisRefused, refused_by
from ssechat.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

Reply = Any

NOTHING: Packed = (0, b"")

DRIVER = DriverInfo()
"""What redis-py says of itself to a Redis. It looks that up in the installed packages, for 2 ms: once is enough."""

QUEUE_LIMIT = 100_000
"""Commands that may wait for a reply on one connection; more are refused at once."""

FED_AT_ONCE = 32_768
"""Bytes that hiredis gets at a time: for each kilobyte that it has read it moves the rest of them. Of 256 KB, what a
large group's wake-ups come in, a reply costs 0.9 µs in one piece, and 0.2 in these."""

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
"""Seconds between two attempts to reach Redis: the first two, and those to one that stays away."""


class RedisConnection(asyncio.Protocol, ABC):
    """The bytes of one connection: replies in, commands out. Subclasses say what a reply answers."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._outgoing: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self.heard_at = self._loop.time()
        self.held: object = None
        """A reference that keeps asyncio's writer alive as long as the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not subclasses of it

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = self.held = None
        if not self.lost.done():
            self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._loop.time()
        reader = self._reader
        try:
            for at in range(0, len(data), FED_AT_ONCE):
                reader.feed(data, at, min(FED_AT_ONCE, len(data) - at))
                while (reply := reader.gets()) is not False:
                    self.on_reply(reply)
        except hiredis.ProtocolError:
            logger.exception("Redis sent something that is not RESP; reconnecting")
            self.abort()

    @abstractmethod
    def on_reply(self, reply: Reply) -> None:
        """Called for each reply or push, in order."""

    def write(self, *command: Argument, rest: Packed = NOTHING) -> None:
        """Queues a command, whose last arguments may be packed; the commands of one loop iteration leave in one
        write."""
        number, data = pack(command)
        more, last = rest
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing += (b"*%d\r\n" % (number + more), data, last)

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is not None:
            self._transport.write(b"".join(outgoing))

    def abort(self) -> None:
        """Drops the connection without waiting for anything; counts as lost at once."""
        if self._transport is not None:
            self._transport.abort()
            # Called here too: a transport that was lost before `set_protocol` has notified its former protocol.
            self.connection_lost(None)


AnyConnection = TypeVar("AnyConnection", bound=RedisConnection)


class _Replies:
    """Stands for each of some commands in the place of a future, and gathers their replies for one future."""

    __slots__ = ("_error", "_missing", "_replies", "future")

    def __init__(self, future: "asyncio.Future[list[Reply]]", number: int) -> None:
        self.future = future
        self._missing = number
        self._replies: list[Reply] = []
        self._error: BaseException | None = None

    def done(self) -> bool:
        return self.future.done()

    def set_result(self, reply: Reply) -> None:
        self._replies.append(reply)
        self._answered()

    def set_exception(self, error: BaseException) -> None:
        self._error = self._error or error
        self._answered()

    def _answered(self) -> None:
        self._missing -= 1
        if self._missing:
            return
        if self._error is None:
            self.future.set_result(self._replies)
        else:
            self.future.set_exception(self._error)


class CommandConnection(RedisConnection):
    """A connection on which each command has one reply, in the order sent."""

    def __init__(self, metrics: Metrics | None = None, on_refused: Callable[[str], None] = lambda text: None) -> None:
        """`on_refused` is called with the text of each error reply."""
        super().__init__()
        self._on_refused = on_refused
        self._seconds = (metrics or Metrics()).redis_seconds
        self._pending: deque[tuple[asyncio.Future[Reply] | _Replies, float]] = deque()

    def send(self, *command: Argument, rest: Packed = NOTHING) -> "asyncio.Future[Reply]":
        """Sends a command, whose last arguments may be packed; the future gets its reply, or RedisUnavailable."""
        future: asyncio.Future[Reply] = self._loop.create_future()
        if self._transport is None or len(self._pending) >= QUEUE_LIMIT:
            future.set_exception(RedisUnavailable("not connected to Redis"))
            return future
        self.write(
            *command, rest=rest
        )  # before the append: a command that cannot be packed must not take a place in the queue
        self._pending.append((future, self._loop.time()))
        return future

    def send_each(self, verb: str, about: Sequence[str], *arguments: Argument) -> "asyncio.Future[list[Reply]]":
        """Sends the same command about each of these keys, one at least; the future gets all replies when the last has
        come, or the first error. That costs half of what `send` does."""
        future: asyncio.Future[list[Reply]] = self._loop.create_future()
        if self._transport is None or len(self._pending) + len(about) > QUEUE_LIMIT:
            future.set_exception(RedisUnavailable("not connected to Redis"))
            return future
        (_, first), (number, last) = pack((verb,)), pack(arguments)
        head = b"*%d\r\n%b$" % (2 + number, first)
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing += [b"%b%d\r\n%b\r\n%b" % (head, len(key), key, last) for key in map(str.encode, about)]
        place = (_Replies(future, len(about)), self._loop.time())
        self._pending.extend([place] * len(about))
        return future

    def on_reply(self, reply: Reply) -> None:
        future, sent_at = self._pending.popleft()
        self._seconds.observe(self.heard_at - sent_at)
        if future.done():  # the caller was cancelled, or has timed out
            return
        if isinstance(reply, hiredis.ReplyError):
            self._on_refused(str(reply))
            future.set_exception(RedisRefused(str(reply)))
        else:
            future.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        while self._pending:
            future, _ = self._pending.popleft()
            if not future.done():
                future.set_exception(RedisUnavailable("the connection to Redis was lost"))

    def expire(self, seconds: float) -> None:
        """Fails commands older than `seconds`; drops a connection without a reply for twice as long."""
        now = self._loop.time()
        if self._pending and now - self._pending[0][1] > 2 * seconds:
            self.abort()
            return
        for future, sent_at in self._pending:
            if now - sent_at <= seconds:
                break
            if not future.done():
                future.set_exception(RedisUnavailable(f"Redis did not answer within {seconds:g} s"))


def unopened_connection(url: str, timeout: float) -> Any:
    """redis-py's own connection to the Redis at `url`, which it has not opened; `timeout` is in seconds."""
    pool = ConnectionPool.from_url(
        url,
        protocol=2,  # RESP2 needs no HELLO: a missing password is then reported as NOAUTH
        socket_connect_timeout=timeout,
        socket_timeout=timeout,
        retry=Retry(NoBackoff(), 0),  # its own defaults are three attempts with pauses
        driver_info=DRIVER,
    )
    return pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py has no types for it


async def open_connection(url: str, connection: RedisConnection, timeout: float) -> None:
    """Connects `connection` to the Redis at `url`.

    Raises:
        RedisUnavailable: it cannot be reached within `timeout` seconds.
        RedisRefused: it refused the log-in.
    """
    opened = unopened_connection(url, timeout)
    try:
        await opened.connect()
    except BaseException as error:
        await opened.disconnect(nowait=True)
        if isinstance(error, RedisError | OSError):
            refused = refused_by(error)
            raise (RedisUnavailable(str(error)) if refused is None else RedisRefused(refused)) from None
        raise
    # From here on the socket is ours. redis-py's connection is let go without closing it, and asyncio's
    # writer, which would close it when collected, lives as long as the connection.
    writer, opened._reader, opened._writer = opened._writer, None, None
    writer.transport.set_protocol(connection)
    connection.held = writer
    connection.connection_made(writer.transport)
    if writer.transport.is_closing():
        connection.abort()
        raise RedisUnavailable("the connection to Redis was lost")


def for_the_log(error: RedisUnavailable) -> str:
    """A sentence without anything that the error quotes."""
    if isinstance(error, RedisRefused):
        return f"Redis refuses the connection ({error.refusal.code}): {error.refusal.advice}"
    return f"Redis is away: {error}"


async def reconnecting(
    url: str,
    make_connection: Callable[[], AnyConnection],
    timeout: float,
    on_failure: Callable[[RedisUnavailable], None] = lambda error: None,
) -> AsyncGenerator[AnyConnection, None]:
    """Yields an open connection, and another one after a pause each time the caller asks for more.

    `on_failure` is called with the error of each attempt that failed.
    The connection is closed when the caller is done with it, so close this generator (`contextlib.aclosing`).
    """
    backoff, complaint = Backoff(FIRST_PAUSE, LONGEST_PAUSE, jitter=0.5), ""
    while True:
        connection = make_connection()
        opened_at, lasted = connection.heard_at, 0.0
        try:
            await open_connection(url, connection, timeout)
        except RedisUnavailable as error:
            on_failure(error)
            complaint = log_once(for_the_log(error), complaint)
        else:
            try:
                yield connection
            finally:
                connection.abort()
                await connection.lost
            lasted = asyncio.get_running_loop().time() - opened_at
        if lasted > LONGEST_PAUSE:
            backoff.reset()
            complaint = ""
        await asyncio.sleep(backoff.pause())


def log_once(complaint: str, last: str) -> str:
    """Logs a complaint unless it equals the last one; returns it."""
    if complaint != last:
        logger.warning("%s; retrying until it succeeds", complaint)
    return complaint
