"""The streams of feeds on this worker: they end when their readers may not read any more."""

import math
import resource
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ssechat.identity.tokens import Identity
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.streams.in_turn import slices
from ssechat.streams.stream import Stream

CHANGED = "changed"
"""The reason to end a stream whose reader may have lost the right to read: who comes back is told."""

FEED, LEFT = "feed", "left"
"""What is told to all workers: a feed has other terms, or is gone; somebody is no member of a group any more."""

ASKED_AT_ONCE = 20
"""Feeds whose readers are looked at in one go."""

STRANGERS = 2
"""The part of a worker's file descriptors that streams of strangers may take up: one of so many. The others are for
users, whom strangers shall not shut out."""

SHARE = 16
"""The part of the places that streams of strangers from one network may take up once half of the places are taken: one
of so many. Nobody alone shall have all of them."""

NO_USER = UserId("")

MayRead = Callable[[Mapping[str, Collection[UserId]]], Awaitable[Mapping[str, Collection[UserId]]]]
"""Of those who read feeds, by feed, those who still may."""


@dataclass(frozen=True, slots=True)
class Stranger(Identity):
    """Who has not said who it is."""

    user: UserId = NO_USER
    expires_at: float = math.inf
    network: str = ""
    """Where it comes from."""


class FeedReaders:
    """Ends streams of feeds."""

    def __init__(self, streams: Mapping[bytes, Sequence[Stream]], may_read: MayRead) -> None:
        """`streams`: all of this worker, by channel."""
        self._streams = streams
        self._may_read = may_read
        self._groups: dict[bytes, str] = {}
        """The groups that read feeds with streams here."""
        self._strangers: Counter[str] = Counter()
        """Streams of strangers, by network."""
        self._most_strangers = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // STRANGERS
        self.changes = 0
        """Counts what may have taken rights away: a caller that looks at a right before a stream is attached compares
        the count then."""

    def has_room(self, stranger: Stranger, readers: int, most: int) -> bool:
        """Whether a stranger may have one more stream here, of a feed that may have `most` readers and has so many."""
        own = self._strangers[stranger.network]
        return all(
            taken < places and (2 * taken < places or SHARE * own < places)
            for taken, places in ((self._strangers.total(), self._most_strangers), (readers, most))
        )

    def attached(self, stream: Stream, one: int = 1) -> None:
        """Counts a stream if its reader is a stranger; with `one` -1 it has gone."""
        if isinstance(stream.identity, Stranger):
            network = stream.identity.network
            self._strangers[network] += one
            if not self._strangers[network]:
                del self._strangers[network]

    def opened(self, stream: Stream, group: str, changes: int) -> None:
        """A stream was opened; the feed is read by the members of this group, or of no group. `changes`: the count from
        before its reader's right was checked."""
        if changes != self.changes:
            stream.bye(CHANGED)
        elif group:
            self._groups[stream.channel] = group

    def closed(self, channel: bytes) -> None:
        """The last stream of the channel is closed."""
        self._groups.pop(channel, None)

    def heard(self, word: str, named: Sequence[str]) -> None:
        """Ends at once the streams whose readers may have lost their right: what is published later comes later."""
        self.changes += 1
        if word == FEED:
            channel = keys.live_feed(named[0]).encode()
            self._end(self._streams.get(channel, ()))
        else:
            group, user = named
            for channel in [channel for channel, reads in self._groups.items() if reads == group]:
                self._end(stream for stream in self._streams.get(channel, ()) if stream.identity.user == user)

    def _end(self, streams: Iterable[Stream]) -> None:
        for stream in list(streams):
            stream.bye(CHANGED)

    async def audit(self) -> None:
        """Ends the streams of those who may not read any more, if it was not heard.

        Raises:
            RedisUnavailable: Redis cannot be asked.
        """
        for channels in slices([channel for channel in self._streams if keys.is_of_a_feed(channel)], ASKED_AT_ONCE):
            readers: dict[str, set[UserId]] = {}
            for channel in channels:
                streams = self._streams.get(channel, ())
                if streams:
                    readers[streams[0].name] = {stream.identity.user for stream in streams}
            allowed = await self._may_read(readers)
            for name, users in readers.items():
                lost = users - {*allowed.get(name, ())}
                if lost:
                    channel = keys.live_feed(name).encode()
                    self._end(stream for stream in self._streams.get(channel, ()) if stream.identity.user in lost)
