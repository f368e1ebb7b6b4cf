"""The channels that this worker is subscribed to: one table, owned by one task.

A worker that has a stream of a user is subscribed to the user's channel; nothing else records who has which streams.
"""

import asyncio
import enum
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from itertools import islice

from ssechat.errors import RedisUnavailable
from ssechat.redis import keys
from ssechat.redis.connection import RedisConnection, Reply, reconnecting
from ssechat.redis.refusals import parse_refusal
from ssechat.redis.rights import NOBODY
from ssechat.tasks import end_task
from ssechat.telemetry.metrics import SUBSCRIPTIONS, Metrics

logger = logging.getLogger(__name__)

LAST = keys.live(NOBODY).encode()
"""A channel named like any user's, subscribed to last: its acknowledgement says that no ACL forbids such channels."""

LINGER = 15.0
"""Seconds between `discard` and UNSUBSCRIBE: a page that is reloaded costs no command."""

MAX_CHANNELS = 512
"""Channels in one SUBSCRIBE."""

TICK = 1.0
"""Seconds between two looks at what is due: pings, and channels to leave."""

REFUSED_PAUSE = 3.0
"""Seconds before Redis is asked again after it refused."""

PING_SECONDS = 5.0
SILENCE_LIMIT = 15.0
"""Seconds without a pong after which the connection is taken for half-open."""


class _State(enum.Enum):
    """The state of a channel. One table of these: a user must not cost an entry in three."""

    WANTED = enum.auto()
    """SUBSCRIBE has not been sent."""
    ASKED = enum.auto()
    HEARD = enum.auto()
    """Redis has acknowledged it."""
    LOST = enum.auto()
    """It was subscribed to on a connection that was lost, and SUBSCRIBE has not been sent again."""
    ASKED_AGAIN = enum.auto()


_AFTER_ASKING = {_State.WANTED: _State.ASKED, _State.LOST: _State.ASKED_AGAIN}
_AFTER_LOSS = {_State.ASKED: _State.WANTED, _State.HEARD: _State.LOST, _State.ASKED_AGAIN: _State.LOST}


class _PubSubConnection(RedisConnection):
    """A connection in subscriber mode: everything that comes is a push."""

    def __init__(self, on_push: Callable[[list[Reply]], None], on_refused: Callable[[str], None]) -> None:
        super().__init__()
        self._on_push = on_push
        self._on_refused = on_refused

    def on_reply(self, reply: Reply) -> None:
        if isinstance(reply, list):
            on_push = self._on_push  # called by a local name: see src/README.md
            on_push(reply)
        else:  # an error, which does not say for which of the channels it is
            self._on_refused(str(reply))
            self.abort()


class Subscriptions:
    """Subscribes, resubscribes after a reconnect, and passes messages on."""

    def __init__(
        self,
        url: str,
        timeout: float,
        on_message: Callable[[bytes, bytes], None],
        on_resubscribed: Callable[[bytes], None],
        metrics: Metrics,
        on_left: Callable[[Sequence[bytes]], None] = lambda channels: None,
    ) -> None:
        """`on_left` is called with channels that are unsubscribed from."""
        self._url = url
        self._timeout = timeout
        self._on_message = on_message
        self._on_resubscribed = on_resubscribed
        self._metrics = metrics
        self._on_left = on_left
        self._pinged_at: float | None = None
        self._channels: dict[bytes, _State] = {keys.CONTROL.encode(): _State.WANTED}
        self._waiters: dict[bytes, asyncio.Future[None]] = {}
        self._new: list[bytes] = []
        self._leaving: dict[bytes, float] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._connection: _PubSubConnection | None = None
        self.on_refused: Callable[[str], None] = lambda text: None
        """Is called with the error reply when Redis refuses a subscription."""
        self.refused: frozenset[str] = frozenset()
        """Redis's code, if it refused the last SUBSCRIBE."""

    def start(self) -> None:
        """Begins to connect, and to reconnect whenever the connection is lost."""
        self._task = asyncio.create_task(self._stay_subscribed(), name="redis-subscriptions")

    async def close(self) -> None:
        """Drops the connection, and with it all subscriptions."""
        if self._task is not None:
            await end_task(self._task)

    @property
    def connected(self) -> bool:
        """Whether there is a connection on which Redis has not refused the subscriptions."""
        return self._connection is not None and not self.refused

    def reconnect(self) -> None:
        """Drops the connection for a new one, which may lead elsewhere."""
        if self._connection is not None:
            self._connection.abort()

    @property
    def all_heard(self) -> bool:
        """Whether Redis has acknowledged every channel on the connection that there is now."""
        return self.connected and all(state is _State.HEARD for state in self._channels.values())

    def channels_of_users(self) -> list[bytes]:
        """The channels of users with a stream here, or with one until `LINGER` seconds ago."""
        return [channel for channel in self._channels if channel != keys.CONTROL.encode()]

    async def add(self, channel: bytes) -> None:
        """Subscribes to a channel; returns when Redis has acknowledged it.

        Raises:
            RedisUnavailable: it took too long. It is tried again until `discard`.
        """
        self._leaving.pop(channel, None)
        state = self._channels.get(channel)
        if state is _State.HEARD:
            return
        if state is None:
            self._channels[channel] = _State.WANTED
            self._new.append(channel)
            self._wake.set()
        waiter = self._waiters.get(channel)
        if waiter is None:
            waiter = self._waiters[channel] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._timeout):
                await asyncio.shield(waiter)
        except TimeoutError:
            raise RedisUnavailable("Redis did not acknowledge a subscription in time") from None

    def discard(self, channel: bytes) -> None:
        """Unsubscribes from a channel in `LINGER` seconds, unless it is added again by then."""
        self._leaving.pop(channel, None)  # so that the order stays that of the times
        self._leaving[channel] = asyncio.get_running_loop().time() + LINGER

    async def _stay_subscribed(self) -> None:
        async with aclosing(reconnecting(self._url, self._make_connection, self._timeout)) as connections:
            async for connection in connections:
                self._subscribe(connection, self._channels)
                connection.write("SUBSCRIBE", LAST)
                self._connection = connection
                self._metrics.redis_connected[SUBSCRIPTIONS] = 1
                await self._serve(connection)
                self._connection = None
                self._metrics.disconnected(SUBSCRIPTIONS)
                for channel, state in self._channels.items():
                    self._channels[channel] = _AFTER_LOSS.get(state, state)
                if self.refused:
                    await asyncio.sleep(REFUSED_PAUSE)

    def _make_connection(self) -> _PubSubConnection:
        return _PubSubConnection(self._on_push, self._on_refusal)

    def _on_refusal(self, text: str) -> None:
        self.refused = frozenset({parse_refusal(text).code})
        self.on_refused(text)

    async def _serve(self, connection: _PubSubConnection) -> None:
        loop = asyncio.get_running_loop()
        connection.lost.add_done_callback(lambda _: self._wake.set())
        pinged_at = loop.time()
        while not connection.lost.done():
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._wake.wait()
            self._wake.clear()
            now = loop.time()
            self._subscribe(connection, self._new)
            self._leave(connection, now)
            if now - connection.heard_at > SILENCE_LIMIT:
                logger.warning("the subscriptions' connection to Redis is silent; reconnecting")
                connection.abort()
                await connection.lost
            elif now - pinged_at > PING_SECONDS:
                pinged_at = self._pinged_at = now
                connection.write("PING")

    def _subscribe(self, connection: _PubSubConnection, channels: Iterable[bytes]) -> None:
        asking = iter([channel for channel in channels if self._channels.get(channel) in _AFTER_ASKING])
        self._new = []
        while some := list(islice(asking, MAX_CHANNELS)):
            for channel in some:
                self._channels[channel] = _AFTER_ASKING[self._channels[channel]]
            connection.write("SUBSCRIBE", *some)

    def _leave(self, connection: _PubSubConnection, now: float) -> None:
        leaving, left = [], []
        for channel, at in list(islice(self._leaving.items(), MAX_CHANNELS)):
            if at > now:
                break
            state = self._channels.get(channel)  # none, if the stream was gone before it was wanted here
            if state in (_State.ASKED, _State.ASKED_AGAIN):
                continue  # unsubscribed only after the pending acknowledgement has arrived
            del self._leaving[channel]
            left.append(channel)
            self._channels.pop(channel, None)
            self._waiters.pop(channel, None)
            if state is _State.HEARD:
                leaving.append(channel)
        if leaving:
            connection.write("UNSUBSCRIBE", *leaving)
        if left:
            self._on_left(left)

    def _on_push(self, push: list[Reply]) -> None:
        if push[0] == b"message":
            on_message = self._on_message  # called by a local name
            on_message(push[1], push[2])
        elif push[0] == b"subscribe":
            self._on_acknowledged(push[1])
        elif push[0] == b"pong" and self._pinged_at is not None:
            # The pong queues behind all earlier messages: its round trip is the delay of a wake-up.
            self._metrics.pubsub_lag.observe(asyncio.get_running_loop().time() - self._pinged_at)
            self._pinged_at = None

    def _on_acknowledged(self, channel: bytes) -> None:
        if channel == LAST:
            self.refused = frozenset()
        state = self._channels.get(channel)
        if state is None:
            return
        self._channels[channel] = _State.HEARD
        waiter = self._waiters.pop(channel, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if state is _State.ASKED_AGAIN:
            self._on_resubscribed(channel)
