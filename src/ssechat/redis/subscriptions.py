"""Which channels this worker hears: a wanted and an acknowledged set, owned by one task.

Being subscribed to a user's channel is what it means to own a stream of that user; nothing else records it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import aclosing
from itertools import islice

from ssechat.errors import RedisUnavailable
from ssechat.metrics import SUBSCRIPTIONS, Metrics
from ssechat.redis import keys
from ssechat.redis.link import Link, Reply, reconnecting, stop

logger = logging.getLogger(__name__)

LINGER = 15.0
"""Seconds before an unwanted channel is left: a page that is reloaded costs nothing."""

MOST_CHANNELS = 512
"""Channels in one SUBSCRIBE."""

TICK = 1.0
"""Seconds between looks at what is due."""

PING_SECONDS = 5.0
SILENCE_LIMIT = 15.0
"""A half-open connection says nothing for ever; this long without an answer to a ping means it is one."""


class _PushLink(Link):
    """A link in subscriber mode: everything that comes is a push."""

    def __init__(self, on_push: Callable[[list[Reply]], None]) -> None:
        super().__init__()
        self._on_push = on_push

    def on_reply(self, reply: Reply) -> None:
        if isinstance(reply, list):
            self._on_push(reply)
        else:
            logger.error("Redis refused a subscription: %s", reply)
            self.abort()


class Subscriptions:
    """Subscribes, resubscribes after a loss, and hands on what arrives."""

    def __init__(
        self,
        url: str,
        timeout: float,
        on_message: Callable[[bytes, bytes], None],
        on_resubscribed: Callable[[bytes], None],
        metrics: Metrics | None = None,
    ) -> None:
        self._url = url
        self._timeout = timeout
        self._on_message = on_message
        self._on_resubscribed = on_resubscribed
        self._metrics = metrics or Metrics()
        self._pinged_at: float | None = None
        self._wanted: set[bytes] = {keys.CONTROL.encode()}
        self._asked: set[bytes] = set()
        self._acknowledged: set[bytes] = set()
        self._lost: set[bytes] = set()
        self._waiters: dict[bytes, asyncio.Future[None]] = {}
        self._new: dict[bytes, None] = {}
        self._leaving: dict[bytes, float] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.connected = False

    def start(self) -> None:
        """Begins to connect, and to reconnect whenever the connection is lost."""
        self._task = asyncio.create_task(self._stay_subscribed(), name="redis-subscriptions")

    async def close(self) -> None:
        """Leaves all channels."""
        if self._task is not None:
            await stop(self._task)

    async def add(self, channel: bytes) -> None:
        """Wants a channel; returns when Redis has acknowledged it.

        Raises:
            RedisUnavailable: it took too long. The channel stays wanted until `discard`.
        """
        self._leaving.pop(channel, None)
        self._wanted.add(channel)
        if channel in self._acknowledged:
            return
        waiter = self._waiters.get(channel)
        if waiter is None:
            waiter = self._waiters[channel] = asyncio.get_running_loop().create_future()
            if channel not in self._asked:
                self._new[channel] = None
                self._wake.set()
        try:
            async with asyncio.timeout(self._timeout):
                await asyncio.shield(waiter)
        except TimeoutError:
            raise RedisUnavailable("Redis did not acknowledge a subscription in time") from None

    def discard(self, channel: bytes) -> None:
        """Wants a channel no more; it is left after `LINGER` seconds unless it is wanted again."""
        self._leaving.pop(channel, None)  # so that the order stays that of the times
        self._leaving[channel] = asyncio.get_running_loop().time() + LINGER

    async def _stay_subscribed(self) -> None:
        async with aclosing(reconnecting(self._url, lambda: _PushLink(self._on_push), self._timeout)) as links:
            async for link in links:
                self._subscribe(link, self._wanted)
                self.connected = True
                self._metrics.redis_connected[SUBSCRIPTIONS] = 1
                await self._serve(link)
                self.connected = False
                self._metrics.disconnected(SUBSCRIPTIONS)
                self._asked.clear()
                self._lost |= self._acknowledged
                self._acknowledged.clear()
                self._new = dict.fromkeys(self._waiters)

    async def _serve(self, link: _PushLink) -> None:
        loop = asyncio.get_running_loop()
        link.lost.add_done_callback(lambda _: self._wake.set())
        pinged_at = loop.time()
        while not link.lost.done():
            try:
                async with asyncio.timeout(TICK):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            now = loop.time()
            new, self._new = self._new, {}
            self._subscribe(link, (channel for channel in new if channel not in self._asked))
            self._leave(link, now)
            if now - link.heard_at > SILENCE_LIMIT:
                logger.warning("the subscriptions' connection to Redis is silent; reconnecting")
                link.abort()
                await link.lost
            elif now - pinged_at > PING_SECONDS:
                pinged_at = self._pinged_at = now
                link.write("PING")

    def _subscribe(self, link: _PushLink, channels: Iterable[bytes]) -> None:
        remaining = iter(list(channels))
        while some := list(islice(remaining, MOST_CHANNELS)):
            self._asked.update(some)
            link.write("SUBSCRIBE", *some)

    def _leave(self, link: _PushLink, now: float) -> None:
        due = [channel for channel, at in islice(self._leaving.items(), MOST_CHANNELS) if at <= now]
        leaving = []
        for channel in due:
            del self._leaving[channel]
            self._wanted.discard(channel)
            self._waiters.pop(channel, None)
            self._lost.discard(channel)
            if channel in self._acknowledged:
                self._acknowledged.discard(channel)
                self._asked.discard(channel)
                leaving.append(channel)
        if leaving:
            link.write("UNSUBSCRIBE", *leaving)

    def _on_push(self, push: list[Reply]) -> None:
        if push[0] == b"message":
            self._on_message(push[1], push[2])
        elif push[0] == b"subscribe":
            self._on_acknowledged(push[1])
        elif push[0] == b"pong" and self._pinged_at is not None:
            # It stands in line behind all that was published before: this is how late a wake-up is.
            self._metrics.pubsub_lag.observe(asyncio.get_running_loop().time() - self._pinged_at)
            self._pinged_at = None

    def _on_acknowledged(self, channel: bytes) -> None:
        if channel not in self._wanted:
            return
        self._acknowledged.add(channel)
        waiter = self._waiters.pop(channel, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if channel in self._lost:
            self._lost.discard(channel)
            self._on_resubscribed(channel)
