"""Presence: asks who of those whom this worker's streams watch is there, and tells the streams what has changed.

Nobody tells it: all who are watched here are asked for in turn, in one command for hundreds. Who is there is online at
once; who is not is offline only if that is still so after `GRACE_SECONDS`, so neither a reload, nor the death of a
worker, nor Redis's shows as long as people come back.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Protocol

from ssechat.errors import RedisUnavailable
from ssechat.events.kinds import CONVERSATION, MEMBER, MESSAGE, PRESENCE
from ssechat.events.wake_ups import WakeUp
from ssechat.identity.roll import Roll
from ssechat.identity.sightings import AGAIN, ASKED_AT_ONCE, GRACE_SECONDS, Sightings
from ssechat.identity.watch_lists import Watched
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.streams.in_turn import InTurn, slices
from ssechat.streams.people import People, Person, event_data
from ssechat.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0

ASKED_PER_TICK = 5000
"""Names that are asked for in a tick, at most: with more of them a round takes longer."""

ROUND_SECONDS = 2.0
"""Seconds between two times that one name is asked for, at least."""

LOADED_PER_TICK = 60_000
"""Names in the watch lists that are read in a tick, about, each list counted as one more: that takes a worker a third
of a second. So 20,000 lists of 20 names take one worker some seconds after a storm of reconnects."""

LOADED_AT_ONCE = 20
"""Users whose lists are read together: some milliseconds of work."""

LOADING_PAUSE = 0.002
"""Seconds between two such readings. A send is a handful of steps, each of which would wait for one of them."""

ANEW_SECONDS = 600.0
"""Seconds after which everybody's rights and visibility are read anew. What changes them is told at once; this is for
what was not heard."""

TOLD_AT_ONCE = 100
"""Users who are told before others get their turn."""

IN_ONE_EVENT = 100
"""People in one event, at most."""

CLOSING_SECONDS = 2.0
"""Seconds for which a worker that stops notes when its users were seen."""

DIRECT_MESSAGE = b'{"conversation_id":"dm:'
"""The beginning of the data of a message in a direct conversation: its first may give a right."""


class Streams(Protocol):
    """The part of the hub that is used here."""

    def has(self, channel: bytes) -> bool:
        """Whether there are streams of this channel."""

    def all_live(self, channel: bytes) -> bool:
        """Whether whatever is told now is written to all streams of this channel."""

    def tell(self, channel: bytes, kind: str, data: bytes, missed: Callable[[bytes], None]) -> None:
        """Writes an ephemeral event to all streams of this channel; calls `missed` if one is not live."""

    @property
    def hears(self) -> bool:
        """Whether the subscriptions are connected."""


Load = Callable[[Sequence[UserId]], Awaitable[Sequence[Watched]]]
"""Whom users watch, and of whom they may know."""


class Presence:
    """Who is watched here, whether they are there, and what was told of it."""

    def __init__(
        self,
        streams: Streams,
        people: People,
        sightings: Sightings,
        roll: Roll,
        load: Load,
        metrics: Metrics,
        now: Callable[[], float],
    ) -> None:
        self._streams = streams
        self._people = people
        self._sightings = sightings
        self._roll = roll
        self._load = load
        self._metrics = metrics
        self._now = now
        self._to_load: dict[bytes, UserId] = {}
        self._to_look: dict[UserId, None] = {}
        self._fresh: list[Person] = []
        self._round: Iterator[Person] = iter(())
        self._round_began = float("-inf")
        self._people_anew = InTurn(lambda: self._people, ANEW_SECONDS / TICK_SECONDS)
        self._watches_anew = InTurn(self._people.watches, ANEW_SECONDS / TICK_SECONDS)
        self._all_again: set[bytes] = set()
        """Channels with a stream that has not been told everything."""
        self._left: dict[UserId, int] = {}
        """When those were here last who have no stream here any more, until it is noted."""

    # Called by the hub.

    def opened(self, channel: bytes, user: UserId) -> None:
        """A stream was opened."""
        self._roll.came((user,))
        if self._people.watch_of(channel) is None:
            self._to_load[channel] = user
        else:
            self._all_again.add(channel)

    def closed(self, channel: bytes) -> None:
        """The last stream of the channel is closed."""
        self._to_load.pop(channel, None)
        self._all_again.discard(channel)
        self._people.drop(channel)
        self._metrics.watched = len(self._people)

    def left(self, channels: Iterable[bytes]) -> None:
        """This worker does not listen to these channels any more: it has had no stream of them for a while."""
        at = time.time_ns() // 1_000_000
        users = map(keys.user_of, channels)
        self._left.update((UserId(user), at) for user in users if user is not None)

    def changed(self, channel: bytes) -> None:
        """What the user watches, or may know, has changed, or may have."""
        user = keys.user_of(channel)
        if user is not None:
            self._to_load[channel] = UserId(user)

    def heard(self, channel: bytes, event: WakeUp) -> None:
        """An event that may change what its reader may know."""
        watch_of = self._people.watch_of  # called by a local name: see src/README.md
        watch = watch_of(channel)
        if watch is None:
            return
        if event.kind in (MEMBER.name, CONVERSATION.name) or (
            event.kind == MESSAGE.name and watch.denied and (not event.data or event.data.startswith(DIRECT_MESSAGE))
        ):
            self._to_load[channel] = watch.user

    def hidden(self, user: UserId) -> None:
        """Somebody has become visible, or invisible."""
        if self._people.get(user) is not None:
            self._to_look[user] = None

    def deaf(self) -> None:
        """What was told to all workers may not have been heard."""
        self._to_look.update((person.user, None) for person in self._people)

    # Run at intervals.

    async def keep_asking(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await self.tick()
            except RedisUnavailable as error:
                logger.debug("presence is not known: %s", error)
            except Exception:
                logger.exception("presence could not be asked for; it is tried again")

    async def tick(self) -> None:
        """Does what is due.

        Raises:
            RedisUnavailable: Redis cannot be asked; the next tick goes on.
        """
        if not self._streams.hears:  # nor do others, perhaps: then nobody is there for Redis
            self._forget_missing()
            return
        try:
            await self._note_left()
            await self._load_lists()
            await self._look()
            await self._ask()
        except RedisUnavailable:
            self._forget_missing()
            raise
        await self._tell_all_again()

    async def close(self, channels: Iterable[bytes]) -> None:
        """Notes that the users of these channels, and those who left, were seen until now."""
        self.left(channels)
        with suppress(RedisUnavailable, TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                await self._note_left()

    def _forget_missing(self) -> None:
        """Who is missing while Redis does not know who is there must be missing afterwards, for the whole time."""
        for person in self._people:
            person.missing_since = None

    async def _note_left(self) -> None:
        for some in slices(list(self._left), ASKED_AT_ONCE):
            await self._sightings.note({user: self._left[user] for user in some})
            for user in some:
                self._left.pop(user, None)
            self._roll.left(user for user in some if not self._streams.has(keys.live(user).encode()))

    async def _load_lists(self) -> None:
        """Reads the lists of those who have come or changed theirs, and of some others anew."""
        due = [(watch.channel, watch.user) for watch in self._watches_anew.next()]
        due += self._to_load.items()
        names = 0
        for some in slices(due, LOADED_AT_ONCE):
            if names >= LOADED_PER_TICK:
                break
            for channel, _ in some:
                self._to_load.pop(channel, None)  # before they are read: a change that comes meanwhile is due again
            try:
                loaded = await self._load([user for _, user in some])
            except RedisUnavailable:
                self._to_load.update(some)
                raise
            for (channel, user), watched in zip(some, loaded, strict=True):
                names += 1 + len(watched.users)
                if self._streams.has(channel):
                    self._set(channel, user, watched)
            if any(watched.users for watched in loaded):
                await asyncio.sleep(LOADING_PAUSE)
        if not self._to_load:
            self._to_load.clear()  # what was only taken out of it keeps its room
        self._metrics.watched = len(self._people)

    def _set(self, channel: bytes, user: UserId, watched: Watched) -> None:
        first = self._people.watch_of(channel) is None
        fresh, say = self._people.set(user, channel, watched)
        self._fresh += fresh
        if first and watched.users:
            self._all_again.add(channel)
        elif say:
            self._tell(channel, say)

    async def _look(self) -> None:
        """Reads who is visible: of those who are new, who changed it, and of some others anew."""
        asked = [person for user in self._to_look if (person := self._people.get(user)) is not None]
        self._to_look.clear()
        try:
            await self._read([*self._fresh[:ASKED_PER_TICK], *asked, *self._people_anew.next()])
        except RedisUnavailable:
            self._to_look.update((person.user, None) for person in asked)
            raise

    async def _read(self, people: Sequence[Person]) -> None:
        if people:
            sights = await self._sightings.look([person.user for person in people])
            for person, sight in zip(people, sights, strict=True):
                person.visible = sight.visible

    async def _ask(self) -> None:
        fresh, self._fresh = self._fresh, []
        due = fresh[:ASKED_PER_TICK]
        self._fresh = fresh[ASKED_PER_TICK:]
        room = ASKED_PER_TICK - len(due)
        going_on = list(islice(self._round, room))
        if len(going_on) < room and self._now() - self._round_began >= ROUND_SECONDS:
            self._round_began = self._now()
            self._round = iter(list(self._people))
            going_on += islice(self._round, room - len(going_on))
        due += [person for person in going_on if person.watches]
        for some in slices(due, ASKED_AT_ONCE):
            there = await self._sightings.connected([person.channel for person in some])
            self._metrics.presence_asked += len(some)
            come, gone = self._compare(some, there)
            if come:
                # What they want may have changed while they were away.
                await self._read([person for person in come if person.online is not None])
                come = [person for person in come if person.visible]
                for person in come:
                    person.is_now(online=True, last_seen=None)
            if gone:
                # Of one who was online nobody may have noted it: its worker died.
                seen = {person.user: person.missing_at if person.online else -1 for person in gone}
                for person, sight in zip(gone, await self._sightings.note(seen, AGAIN), strict=True):
                    person.is_now(online=False, last_seen=sight.last_seen)
            if come or gone:
                await self._tell_differences([*come, *gone])

    def _compare(self, people: Sequence[Person], there: Sequence[bool]) -> tuple[list[Person], list[Person]]:
        """Those of these people who have come, and those who have gone."""
        come, gone, now = [], [], self._now()
        for person, is_there in zip(people, there, strict=True):
            if is_there and person.visible:
                person.missing_since = None
                if not person.online:
                    come.append(person)
            elif person.online is not False:
                if person.missing_since is None:
                    person.missing_since, person.missing_at = now, time.time_ns() // 1_000_000
                elif now - person.missing_since >= GRACE_SECONDS:
                    gone.append(person)
        return come, gone

    async def _tell_differences(self, people: Sequence[Person]) -> None:
        by_channel: dict[bytes, list[bytes]] = {}
        for person in people:
            for watch in person.watches:
                by_channel.setdefault(watch.channel, []).append(person.json)
        for some in slices(by_channel.items(), TOLD_AT_ONCE):
            for channel, said in some:
                if not (channel in self._all_again and self._streams.all_live(channel)):
                    self._tell(channel, said)
            await asyncio.sleep(0)

    async def _tell_all_again(self) -> None:
        """Tells everything to users with a stream that has come, or that was behind when something was told."""
        ready = [channel for channel in self._all_again if self._streams.all_live(channel)]
        for some in slices(ready, TOLD_AT_ONCE):
            for channel in some:
                self._all_again.discard(channel)
                watch = self._people.watch_of(channel)
                if watch is not None:
                    self._tell(channel, watch.known())
            await asyncio.sleep(0)

    def _tell(self, channel: bytes, said: Sequence[bytes]) -> None:
        self._metrics.presence_told += len(said)
        for some in slices(said, IN_ONE_EVENT):
            self._streams.tell(channel, PRESENCE.name, event_data(some), self._all_again.add)
