"""All streams of this worker, by channel: attaches them, gives them their events, and looks after them."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from typing import Any

from ssechat.errors import RedisUnavailable, Unauthorized
from ssechat.events import frames, wake_ups
from ssechat.events.kinds import Kinds
from ssechat.events.source import Source
from ssechat.identity.auth import Auth
from ssechat.identity.roll import Roll
from ssechat.identity.sightings import HIDDEN, Sightings
from ssechat.identity.tokens import Identity
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.redis.subscriptions import Subscriptions
from ssechat.settings import Settings
from ssechat.streams.audit import find_holes
from ssechat.streams.batches import Batches
from ssechat.streams.fanout import FanOut
from ssechat.streams.feed_readers import FEED, LEFT, FeedReaders, MayRead, Stranger
from ssechat.streams.in_turn import slices
from ssechat.streams.latest import Latest
from ssechat.streams.openings import Openings
from ssechat.streams.people import People
from ssechat.streams.presence import Load, Presence
from ssechat.streams.stream import UNAVAILABLE, Stream
from ssechat.streams.sweep import Sweep
from ssechat.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

CONTROL = keys.CONTROL.encode()

READERS = 256
"""Upper bound of the streams that read their inboxes at a time: it bounds the memory of a reconnect storm."""

SWEEP_SECONDS = 1.0
AT_ONCE = 100
"""Streams looked at before others get their turn: that many pings hold them up for milliseconds."""

OPENINGS_A_MINUTE = 4
"""How often each stream that a user may have open may be opened anew in a minute: who reconnects all the time costs
everybody else, as each opening reads the source."""

STREAMS_PER_DRAIN_SECOND = 1000
"""Streams that are told goodbye in a second, if the time to drain allows."""


class Hub:
    """Channel → streams."""

    def __init__(
        self,
        auth: Auth,
        settings: Settings,
        metrics: Metrics,
        kinds: Kinds,
        people: People,
        sightings: Sightings,
        roll: Roll,
        load: Load,
        now: Callable[[], float] = time.monotonic,
        may_read: MayRead | None = None,
    ) -> None:
        """`people`, `sightings`, `roll` and `load` are those of `Presence`, `may_read` that of `FeedReaders`."""
        assert settings.redis_url is not None
        self.metrics = metrics
        self.now = now
        self._audited_at = now()
        self._auth = auth
        self._kinds = kinds
        self._settings = settings
        # Tuples: most have one stream, for which a list takes twice as much (`python -m tests.bench idle`).
        self._streams: dict[bytes, tuple[Stream, ...]] = {}
        self._count = 0
        self._sweep = Sweep(self._all, self.metrics)
        self._openings = Openings(settings.streams_per_user * OPENINGS_A_MINUTE, now)
        self._openings_of_feeds = Openings(settings.readers_per_feed * OPENINGS_A_MINUTE, now)
        self.feeds = FeedReaders(self._streams, may_read or _nobody_lost)
        self._stalled: set[Stream] = set()
        self._unaudited: set[bytes] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._readers = asyncio.Semaphore(READERS)
        self._fan_out = FanOut(self._streams, self._run, self._count_live)
        self._batches = Batches(self._emit, lambda channel: len(self._streams.get(channel, ())), self._fan_out.is_busy)
        self._roll = roll
        self.presence = Presence(self, people, sightings, roll, load, metrics, now)
        self.subscriptions = Subscriptions(
            settings.redis_url,
            settings.redis_timeout,
            self._on_message,
            self._on_resubscribed,
            self.metrics,
            self.presence.left,
        )

    def __len__(self) -> int:
        return self._count

    def start(self) -> None:
        """Begins to listen and to sweep. Needs a running loop."""
        self.subscriptions.start()
        self._run(self._keep_sweeping())
        self._run(self.presence.keep_asking())
        self._run(self._roll.keep_writing(self._users))

    async def close(self) -> None:
        """Ends every stream and every task."""
        channels = self.subscriptions.channels_of_users()
        for stream in list(self._all()):
            stream.bye("drain")
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.presence.close(channels)
        await self.subscriptions.close()

    def has_room(self, source: Source, identity: Identity | None = None) -> bool:
        """Whether there may be one more stream of this source here, and one was not opened too often lately.

        `identity`: its reader's, if that may be a stranger.
        """
        of_a_feed = keys.is_of_a_feed(source.channel)
        most = self._settings.readers_per_feed if of_a_feed else self._settings.streams_per_user
        openings = self._openings_of_feeds if of_a_feed else self._openings
        streams = len(self._streams.get(source.channel, ()))
        if isinstance(identity, Stranger) and not self.feeds.has_room(identity, streams, most):
            return False
        return streams < most and openings.admit(source.channel)

    def attach(self, stream: Stream, cursor: str | None, sign_outs: int, since: str | None = None) -> None:
        """Takes a stream whose response has started, and brings it level with its source.

        `since` is that of `Stream.begin`. `sign_outs` is the value of `Auth.sign_outs` from before the identity was
        checked: if the session has ended since, the stream missed the notice.
        """
        channel = stream.channel
        self._streams[channel] = (*self._streams.get(channel, ()), stream)
        self._count += 1
        self.feeds.attached(stream)
        self.metrics.connects += 1
        begin = self._begin if sign_outs == self._auth.sign_outs else self._begin_if_signed_in
        self._run(begin(stream, channel, cursor, since))

    async def _begin_if_signed_in(self, stream: Stream, channel: bytes, cursor: str | None, since: str | None) -> None:
        try:
            await self._auth.check_session(stream.identity)
        except Unauthorized:
            stream.bye("signed_out")
        except RedisUnavailable:
            stream.bye(UNAVAILABLE)
        await self._begin(stream, channel, cursor, since)

    async def _begin(self, stream: Stream, channel: bytes, cursor: str | None, since: str | None) -> None:
        # The order is: register, subscribe, read. An event in between is noted, so that no event is missed.
        if stream.closed:
            return
        try:
            await self.subscriptions.add(channel)
            # What is read from now on, and what is told, leaves nothing out.
            if not stream.closed and not keys.is_of_a_feed(channel):
                self.presence.opened(channel, UserId(stream.name))
            async with self._readers:
                await stream.begin(cursor, since)
        except RedisUnavailable:
            stream.bye(UNAVAILABLE)

    # Called by streams.

    def catch_up(self, stream: Stream) -> None:
        self._run(self._catch_up(stream))

    async def _catch_up(self, stream: Stream) -> None:
        try:
            async with self._readers:
                await stream.catch_up()
        except RedisUnavailable:
            self._stalled.add(stream)

    def closed(self, stream: Stream) -> None:
        channel = stream.channel
        streams = self._streams.get(channel, ())
        if stream in streams:
            rest = tuple([each for each in streams if each is not stream])
            self._count -= 1
            self.feeds.attached(stream, -1)
            self._stalled.discard(stream)
            if rest:
                self._streams[channel] = rest
            else:
                del self._streams[channel]
                self.subscriptions.discard(channel)
                self.presence.closed(channel)
                self.feeds.closed(channel)

    def latest(self, channel: bytes) -> Latest | None:
        return self._batches.latest(channel)

    # Called by presence.

    def has(self, channel: bytes) -> bool:
        return channel in self._streams

    def all_live(self, channel: bytes) -> bool:
        return all(stream.live for stream in self._streams.get(channel, ()))

    @property
    def hears(self) -> bool:
        return self.subscriptions.connected

    def tell(self, channel: bytes, kind: str, data: bytes, missed: Callable[[bytes], None]) -> None:
        def show(stream: Stream, chunk: bytes) -> bool:
            written = stream.show(chunk)
            if not written:
                missed(channel)
            return written

        self._fan_out.broadcast(channel, show, (frames.ephemeral(kind, data),), kind)

    def drain_delay(self) -> float:
        return random.uniform(0, min(self._settings.drain_seconds, self._count / STREAMS_PER_DRAIN_SECOND))

    # Called for messages from Redis.

    def _on_message(self, channel: bytes, payload: bytes) -> None:
        if channel not in self._streams:
            if channel == CONTROL:
                self._on_notice(payload)
            return
        try:
            event = wake_ups.decode(payload)
        except ValueError:
            logger.warning("what was published on a user's channel is no wake-up; the user's streams read their source")
            self._unaudited.add(channel)
            return
        metrics = self.metrics
        if keys.is_of_a_feed(channel):
            metrics.wake_ups += 1
            self._batches.add(channel, event)
            return
        if event.kind == wake_ups.WATCH:
            self.presence.changed(channel)
            return
        self.presence.heard(channel, event)
        metrics.wake_ups += 1
        kind, at = event.kind, 0 if metrics.wake_ups % metrics.stride else event.at
        if not event.id:
            if kind in self._kinds.ephemeral:
                chunk = frames.ephemeral(kind, event.data)
                self._fan_out.broadcast(channel, Stream.show, (chunk,), kind, at, may_be_missed=True)
        elif event.data and kind in self._kinds.durable:
            chunk = frames.durable(event.id, kind, event.data)
            self._fan_out.broadcast(channel, Stream.offer, (event, chunk), kind, at)
        else:  # too large to be carried, or of a newer version: the source tells what it is to this one
            self._fan_out.broadcast(channel, Stream.note, (event.n, event.at))

    def _on_notice(self, payload: bytes) -> None:
        word, *named = payload.decode().split(" ")
        if word == "signed_out":
            self._end_sessions({*named})
        elif word == HIDDEN:
            self.presence.hidden(UserId(named[0]))
        elif word in (FEED, LEFT):
            self.feeds.heard(word, named)

    def _emit(self, channel: bytes, latest: Latest) -> None:
        """Writes events of a feed to its streams."""
        at = 0 if self.metrics.wake_ups % self.metrics.stride else latest.newest.at
        self._fan_out.broadcast(channel, Stream.offer_latest, (latest,), FEED, at)

    def _count_live(self, kind: str, at: int, events: int) -> None:
        """Counts events that were written just now, and how old they are, if `at` says it (milliseconds since 1970)."""
        self.metrics.events_live[kind] += events
        if at:
            self.metrics.latency_live.observe(time.time() - at / 1000, events)

    def _on_resubscribed(self, channel: bytes) -> None:
        """The subscriber connection was lost: the streams must read from their source what was published meanwhile."""
        self._unaudited.add(channel)
        if channel == CONTROL:
            self.presence.deaf()
        else:
            self.presence.changed(channel)

    # Run at intervals.

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self.sweep()
            except RedisUnavailable as error:
                logger.debug("an audit is put off: %s", error)
            except Exception:
                logger.exception("a sweep failed; the next one goes on")

    async def sweep(self) -> None:
        """Pings quiet streams, closes expired and stuck ones, and finds events that Pub/Sub lost.

        Raises:
            RedisUnavailable: Redis cannot be asked; the next sweep repeats the audit.
        """
        for streams in slices(self._sweep.next_part(self._count), AT_ONCE):
            for stream in streams:
                self._look_at(stream)
            await asyncio.sleep(0)
        self._openings.free()
        self._openings_of_feeds.free()
        stalled, self._stalled = self._stalled, set()
        for stream in stalled:
            stream.behind()
        if self.now() - self._audited_at >= self._settings.audit_seconds:
            self._unaudited.update(self._streams)
            await self._audit_sessions()
            await self._audit_keys()
            await self.feeds.audit()
            self._audited_at = self.now()
        await self._audit()

    def _look_at(self, stream: Stream) -> None:
        now = self.now()
        if stream.identity.expires_at <= time.time():
            stream.bye("token_expired")
        elif stream.paused_at is not None and now - stream.paused_at > self._settings.slow_seconds:
            stream.cut()
        elif now - stream.touched_at >= self._settings.ping_seconds:
            stream.ping()

    async def _audit(self) -> None:
        """Finds what pub/sub lost: compares streams with the heads of their sources."""
        for some in slices(list(self._unaudited), AT_ONCE):
            self._unaudited.difference_update(some)
            try:
                await find_holes(self._streams, [channel for channel in some if channel in self._streams])
            except RedisUnavailable:
                self._unaudited.update(some)
                raise
        if not self._unaudited:
            self._unaudited.clear()  # what was only taken out of it keeps its room

    async def _audit_sessions(self) -> None:
        sessions = {stream.identity.session: stream.identity for stream in self._all()}
        for some in slices(sessions.values(), AT_ONCE):
            self._end_sessions(await self._auth.ended_sessions(some))

    async def _audit_keys(self) -> None:
        """Ends the streams of tokens whose key has been withdrawn."""
        if not self._auth.keys_can_be_withdrawn:
            return
        for some in slices(self._all(), AT_ONCE):
            for stream in some:
                if not self._auth.key_counts(stream.identity):
                    stream.bye("token_expired")
            await asyncio.sleep(0)

    def _end_sessions(self, sessions: set[str]) -> None:
        if not sessions:
            return  # as in most audits: all streams for each part of them would cost the square of their number
        self._auth.forget(sessions)
        for stream in [stream for stream in self._all() if stream.identity.session in sessions]:
            stream.bye("signed_out")

    def _all(self) -> Iterator[Stream]:
        for streams in list(self._streams.values()):
            yield from streams

    def _users(self) -> list[UserId]:
        """Who has a stream here."""
        return [UserId(user) for user in map(keys.user_of, self._streams) if user is not None]

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a task of the hub failed", exc_info=task.exception())


async def _nobody_lost(readers: Mapping[str, Collection[UserId]]) -> Mapping[str, Collection[UserId]]:
    return readers
