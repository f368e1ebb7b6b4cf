"""One connection to Redis, on which all commands travel in one pipeline.

redis-py opens the connection (URL, TLS, AUTH, SELECT); after that its transport is ours, because on the
path of a message a reply must cost a deque's popleft and no task, lock or time-out of its own. Commands of
one turn of the event loop leave in one write. A caller that is cancelled leaves its place in the queue
behind, so that replies never shift by one.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any, TypeVar, cast

import hiredis
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from ssechat.backoff import Backoff
from ssechat.errors import RedisUnavailable
from ssechat.redis.refusals import Refusal, parse_refusal, refused_by
from ssechat.telemetry.metrics import COMMANDS, Metrics

logger = logging.getLogger(__name__)

Argument = str | bytes | int
Reply = Any

QUEUE_LIMIT = 100_000
"""Commands that may wait for a reply on one connection; more are refused at once."""

LARGE_ANSWERS = 16
"""Large answers that are asked for at a time: more would wait in Redis's memory, in front of every other answer."""

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
"""Seconds between two attempts to reach Redis: the first two, and those to one that stays away."""


class RedisRefused(RedisUnavailable):
    """Redis answered with an error: loading, read-only, out of memory, … The text is Redis's own, and never shown."""

    @property
    def refusal(self) -> Refusal:
        """The code and the advice, which may be shown."""
        return parse_refusal(str(self))


class Link(asyncio.Protocol, ABC):
    """The bytes of one connection: replies in, commands out. Subclasses say what a reply answers."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._outgoing: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self.heard_at = self._loop.time()
        self.held: object = None
        """What must not be collected while the connection is in use."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not subclasses of it

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = self.held = None
        if not self.lost.done():
            self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._loop.time()
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self.on_reply(reply)
        except hiredis.ProtocolError:
            logger.exception("Redis sent something that is not RESP; reconnecting")
            self.abort()

    @abstractmethod
    def on_reply(self, reply: Reply) -> None:
        """Called for each reply or push, in order."""

    def write(self, *command: Argument) -> None:
        """Queues a command; what is queued in one turn of the loop leaves together."""
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(hiredis.pack_command(cast(Any, command)))

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is not None:
            self._transport.write(b"".join(outgoing))

    def abort(self) -> None:
        """Drops the connection without waiting for anything; counts as lost at once."""
        if self._transport is not None:
            self._transport.abort()
            # Not left to the transport: one that was lost before it was ours has told another protocol.
            self.connection_lost(None)


AnyLink = TypeVar("AnyLink", bound=Link)


class CommandLink(Link):
    """A link on which each command has one reply, in the order sent."""

    def __init__(self, metrics: Metrics | None = None, on_refused: Callable[[str], None] = lambda text: None) -> None:
        """`on_refused` is called with the text of each error reply."""
        super().__init__()
        self._on_refused = on_refused
        self._seconds = (metrics or Metrics()).redis_seconds
        self._pending: deque[tuple[asyncio.Future[Reply], float]] = deque()

    def send(self, *command: Argument) -> "asyncio.Future[Reply]":
        """Sends a command; the future gets its reply, or RedisUnavailable."""
        future: asyncio.Future[Reply] = self._loop.create_future()
        if self._transport is None or len(self._pending) >= QUEUE_LIMIT:
            future.set_exception(RedisUnavailable("not connected to Redis"))
            return future
        self.write(*command)  # first: a command that cannot be packed must not take a place in the queue
        self._pending.append((future, self._loop.time()))
        return future

    def on_reply(self, reply: Reply) -> None:
        future, sent_at = self._pending.popleft()
        self._seconds.observe(self.heard_at - sent_at)
        if future.done():  # its caller was cancelled, or was told that it took too long
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
        """Gives up on commands older than `seconds`; drops a connection that is silent twice as long."""
        now = self._loop.time()
        if self._pending and now - self._pending[0][1] > 2 * seconds:
            self.abort()
            return
        for future, sent_at in self._pending:
            if now - sent_at <= seconds:
                break
            if not future.done():
                future.set_exception(RedisUnavailable(f"Redis did not answer within {seconds:g} s"))


def connection_options(timeout: float) -> dict[str, Any]:
    """redis-py's options for each connection, beside its URL; `timeout` is in seconds."""
    return {
        # Without HELLO a missing password is said as such: NOAUTH.
        "protocol": 2,
        "socket_connect_timeout": timeout,
        "socket_timeout": timeout,
        # Its own defaults are three attempts with pauses.
        "retry": Retry(NoBackoff(), 0),
    }


async def open_link(url: str, link: Link, timeout: float) -> None:
    """Connects `link` to the Redis at `url`.

    Raises:
        RedisUnavailable: it cannot be reached within `timeout` seconds.
        RedisRefused: it refused the log-in.
    """
    pool = ConnectionPool.from_url(url, **connection_options(timeout))
    opened = pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py has no types for it
    try:
        await opened.connect()
    except BaseException as error:
        await opened.disconnect(nowait=True)
        if isinstance(error, RedisError | OSError):
            refused = refused_by(error)
            raise (RedisUnavailable(str(error)) if refused is None else RedisRefused(refused)) from None
        raise
    # From here on the socket is ours. redis-py's connection is let go without closing it, and asyncio's
    # writer, which would close it when collected, lives as long as the link.
    writer, opened._reader, opened._writer = opened._writer, None, None
    writer.transport.set_protocol(link)
    link.held = writer
    link.connection_made(writer.transport)
    if writer.transport.is_closing():
        link.abort()
        raise RedisUnavailable("the connection to Redis was lost")


def _for_the_log(error: RedisUnavailable) -> str:
    """A sentence without anything that the error quotes."""
    if isinstance(error, RedisRefused):
        return f"Redis refuses the connection ({error.refusal.code}): {error.refusal.advice}"
    return f"Redis is away: {error}"


async def reconnecting(
    url: str,
    make_link: Callable[[], AnyLink],
    timeout: float,
    on_failure: Callable[[RedisUnavailable], None] = lambda error: None,
) -> AsyncGenerator[AnyLink, None]:
    """Yields an open link, and another one after a pause each time the caller asks for more.

    `on_failure` is called with the error of each attempt that failed.
    The link is closed when the caller is done with it, so close this generator (`contextlib.aclosing`).
    """
    backoff, complaint = Backoff(FIRST_PAUSE, LONGEST_PAUSE, jitter=0.5), ""
    while True:
        link = make_link()
        opened_at, lasted = link.heard_at, 0.0
        try:
            await open_link(url, link, timeout)
        except RedisUnavailable as error:
            on_failure(error)
            complaint = _complain(_for_the_log(error), complaint)
        else:
            try:
                yield link
            finally:
                link.abort()
                await link.lost
            lasted = asyncio.get_running_loop().time() - opened_at
        if lasted > LONGEST_PAUSE:
            backoff.reset()
            complaint = ""
        await asyncio.sleep(backoff.pause())


def _complain(complaint: str, last: str) -> str:
    """Logs a complaint that is not the last one; returns it."""
    if complaint != last:
        logger.warning("%s; trying again until it is well", complaint)
    return complaint


async def stop(task: asyncio.Task[None]) -> None:
    """Cancels a task and waits until it has ended.

    Cancels it again and again: a cancellation that arrives while a connection is opened can get lost.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.1)


class Redis:
    """A command connection that comes back by itself."""

    def __init__(self, url: str, timeout: float, metrics: Metrics | None = None) -> None:
        self.url = url
        self.timeout = timeout
        self.metrics = metrics or Metrics()
        self.on_refused: Callable[[str], None] = lambda text: None
        """Is called with the text of each error reply."""
        self.large = asyncio.Semaphore(LARGE_ANSWERS)
        """A caller takes a place here while it asks for a large answer."""
        self._link: CommandLink | None = None
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
        return self._link is not None

    @property
    def link(self) -> CommandLink | None:
        """The connection; another one after each loss."""
        return self._link

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

    def send(self, *command: Argument) -> "asyncio.Future[Reply]":
        """Sends a command now; the future gets its reply, or RedisUnavailable."""
        if self._link is not None:
            return self._link.send(*command)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        refused = isinstance(self._failure, RedisRefused)
        future.set_exception(
            RedisRefused(str(self._failure)) if refused else RedisUnavailable("not connected to Redis")
        )
        return future

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
            for future in futures:  # one after another: they come in order, and gather costs as much as a command
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

    def reconnect(self) -> None:
        """Drops the connection for a new one, which may lead elsewhere; commands under way fail."""
        if self._link is not None:
            self._link.abort()

    async def close(self) -> None:
        """Drops the connection; commands under way fail."""
        if self._task is not None:
            await stop(self._task)

    async def _stay_connected(self) -> None:
        complaint = ""
        async with aclosing(reconnecting(self.url, self._make_link, self.timeout, self._note)) as links:
            async for link in links:
                try:
                    async with asyncio.timeout(self.timeout):
                        await link.send("PING")  # refused while Redis loads its data
                except RedisRefused as error:
                    # Without the right to PING, all else may be allowed: the trials tell (watch.py).
                    if error.refusal.code != "NOPERM":
                        self._note(error)
                        complaint = _complain(_for_the_log(error), complaint)
                        continue
                except (RedisUnavailable, TimeoutError) as error:
                    self._note(None)
                    complaint = _complain(f"Redis does not answer: {error}", complaint)
                    continue
                complaint = ""
                self._note(None)
                await self._use(link)

    def _note(self, failure: RedisUnavailable | None) -> None:
        self._failure = failure

    def _make_link(self) -> CommandLink:
        return CommandLink(self.metrics, lambda text: self.on_refused(text))

    async def _use(self, link: CommandLink) -> None:
        self._link = link
        self.metrics.redis_connected[COMMANDS] = 1
        self._connected.set()
        try:
            while not link.lost.done():
                await asyncio.wait([link.lost], timeout=min(0.5, self.timeout / 4))
                link.expire(self.timeout)
            self.metrics.disconnected(COMMANDS)
        finally:
            self._link = None
            self._connected.clear()
