"""Feeds: one to many. A feed has a log of its own, which its readers read: nothing is delivered to them one by one.

The log of a feed with keys holds the newest event of each key only: each takes the place of the one before. So whoever
is behind, or fresh, reads each key once, and what was replaced is read by nobody.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal, NamedTuple

from ssechat.errors import RedisUnavailable
from ssechat.events import frames
from ssechat.events.source import START, Event, Page, Source
from ssechat.ids import ConversationId, UserId, new_tag, number_of
from ssechat.logs.feed_scripts import DELETE, PUT, READ, RELEASE, RESERVE
from ssechat.logs.feed_terms import FIELDS, Terms, Wanted
from ssechat.logs.inbox import HEADS
from ssechat.recent import Recent
from ssechat.redis import keys
from ssechat.redis.batching import ScriptBatch
from ssechat.redis.client import Redis
from ssechat.redis.lua import load_script

KIND = "feed"
"""What all events of feeds are counted as: their names are whatever their publishers say."""

MOST_KEYS = 1000
"""Keys of a feed; and deleted ones of which it is known that they were."""

MOST_BYTES = 1024 * 1024
"""Bytes of the events that a feed keeps."""

MOST_KEPT = 10_000
"""Events that a feed keeps, at most."""

LARGEST = 16 * 1024
"""Bytes of the data of an event: each wake-up carries it, so that no reader need read it."""

MOST_FEEDS = 10_000
MOST_FEEDS_OF_ONE = 20
"""Feeds of all, and of one user."""

MOST_EPOCHS = 64
"""Epochs of a feed that are known: whoever comes with an id of an older one gets a reset."""

MOST_IDS = 10_000
IDS_SECONDS = 86_400
"""Ids of publications that are remembered at least, and for how many seconds."""

BEGUN = 1024
"""Feeds of which a worker knows that it has begun an epoch."""

ENVELOPE = 96
"""Bytes of a frame around its data, about."""

LIMITS = f"""
local MOST_KEYS, MOST_BYTES, MOST_EPOCHS = {MOST_KEYS}, {MOST_BYTES}, {MOST_EPOCHS}
local MOST_IDS, IDS_SECONDS = {MOST_IDS}, {IDS_SECONDS}
"""

Made = Literal["ok", "made", "changed", "kept", "forbidden", "keyed", "full", "too many"]


class Publication(NamedTuple):
    """An event to publish."""

    who: str
    """The user; empty: the admin."""
    event: str
    key: str
    """Empty: none."""
    deletes: bool
    """Whether the key goes."""
    at: int
    """Milliseconds since 1970."""
    data: bytes
    """JSON on one line, with the key and the time."""
    id: str = ""
    """By which a repeat is known; empty: by none."""
    digest: str = ""
    """By which a repeat is told from another request of the same id."""


class Published(NamedTuple):
    """What has become of a publication."""

    outcome: str
    """`published` or `repeat`; or why not, as logs/feeds.lua has it."""
    entry: str = ""
    at: int = 0


class Stored(NamedTuple):
    """An event of a feed, as its log has it."""

    id: str
    event: str
    data: bytes
    deletes: bool


class Feeds:
    """Makes, fills and reads feeds. As a log it has the events of each."""

    skips = True
    sort = KIND

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._publish = ScriptBatch(redis, LIMITS + load_script(__name__, "common.lua", "feeds.lua"))
        self._begun: Recent[str, list[object]] = Recent(BEGUN, lambda name: [None])
        """The connection on which this worker has begun an epoch of a feed."""
        self._asked: dict[tuple[str, str, int, int], asyncio.Task[Page]] = {}

    @staticmethod
    def channel(name: str) -> bytes:
        """The Pub/Sub channel of this feed's wake-ups."""
        return keys.live_feed(name).encode()

    def source(self, name: str) -> Source:
        """The source of this feed's streams."""
        return Source(self, name, self.channel(name))

    # What whoever makes or fills a feed does. All raise RedisUnavailable: the outcome is unknown.

    async def put(self, name: str, who: str, wanted: Wanted, *, may_make: bool) -> Made:
        """Makes a feed, unless there is one, or changes its terms. `who`: the user; empty: the admin."""
        if not may_make and await self.terms(name) is None:
            return "forbidden"
        if may_make:
            reserved = await self._index(RESERVE, name, who, MOST_FEEDS, MOST_FEEDS_OF_ONE)
            if reserved != "ok":
                return reserved
        publishers = f" {' '.join(wanted.publishers)} "
        values = (who, wanted.read, wanted.group, wanted.keep, int(wanted.keyed), publishers, new_tag())
        answer = await self._redis.call("EVAL", PUT, 1, keys.feed(name), *values)
        made: Made = answer.decode()
        if made == "changed":
            await self.announce(f"feed {name}")
        return made

    async def delete(self, name: str, who: str) -> bool:
        """Deletes a feed and ends its streams; False: it is somebody else's. That there is none is no error."""
        answer = await self._redis.call("EVAL", DELETE, 5, *keys.of_feed(name), who)
        if answer == b"forbidden":
            return False
        if answer == b"deleted":
            await self.announce(f"feed {name}")
        elif who:  # one that was noted and never made
            by = await self._redis.call("HGET", keys.FEEDS, name)
            if by != who.encode():
                return True
        await self._index(RELEASE, name)
        return True

    async def publish(self, name: str, publication: Publication) -> Published:
        """Appends an event, and wakes the readers."""
        connection, begun = self._redis.connection, self._begun[name]
        begins = begun[0] is not connection or connection is None
        who, id = publication.who, publication.id
        arguments = (
            *(new_tag(), int(begins), who, f"{who}:{id}" if id else "", publication.digest, publication.event),
            *(publication.key, int(publication.deletes), publication.at, publication.data),
        )
        outcome, *rest = await self._publish.submit(keys.of_feed(name), arguments)
        if outcome == b"published":
            begun[0] = connection
        return Published(outcome.decode(), rest[0].decode(), int(rest[1])) if rest else Published(outcome.decode())

    async def announce(self, what: str) -> None:
        """Tells all workers what may have taken a right to read away."""
        with suppress(RedisUnavailable):  # they find it when they look at all rights
            await self._redis.call("PUBLISH", keys.CONTROL, what)

    async def announce_left(self, group: ConversationId, user: UserId) -> None:
        """Tells all workers that somebody is no member of a group any more."""
        await self.announce(f"left {group} {user}")

    async def _index(self, script: str, *arguments: str | int) -> Made:
        answer = await self._redis.call("EVAL", script, 1, keys.FEEDS, *arguments)
        outcome: Made = answer.decode()
        return outcome

    # Reading.

    async def terms(self, name: str) -> Terms | None:
        """A feed as it stands; None: there is none of this name."""
        return Terms.parse(name, await self._redis.call("HMGET", keys.feed(name), *FIELDS))

    async def all_terms(self, names: Sequence[str]) -> list[Terms | None]:
        """Those of many, in one round trip."""
        answers = await self._redis.pipeline([("HMGET", keys.feed(name), *FIELDS) for name in names])
        return [Terms.parse(name, values) for name, values in zip(names, answers, strict=True)]

    async def head(self, name: str) -> str:
        """The id of the newest event. Always a valid cursor."""
        terms = await self.terms(name)
        return "0-0" if terms is None else terms.head

    async def heads(self, names: Sequence[str]) -> list[str]:
        """The heads of many feeds in one round trip."""
        replies = await self._redis.call("EVAL", HEADS, len(names), *map(keys.feed, names))
        return [reply.decode() for reply in replies]

    async def read(self, name: str, cursor: str, count: int, room: int) -> Page:
        """As `Log.read`. Many readers of one feed lack the same: those who ask for it in one turn of the loop share the
        answer, which Redis is asked for after all of them have come."""
        asked = (name, cursor, count, room)
        task = self._asked.get(asked)
        if task is None:
            task = self._asked[asked] = asyncio.get_running_loop().create_task(self._read_once(asked))
            task.add_done_callback(_look_at)
        return await asyncio.shield(task)

    async def _read_once(self, asked: tuple[str, str, int, int]) -> Page:
        await asyncio.sleep(0)
        del self._asked[asked]
        name, cursor, count, room = asked
        terms, stored = await self.stored(name, cursor, count, room)
        if terms is None:
            return Page(False, "0-0", "0-0", ())
        is_first = cursor == START
        if not is_first and not terms.leads_on_from(cursor):
            return Page(False, terms.head, terms.oldest, ())
        events = [
            # Who has nothing yet has no key that could be deleted.
            Event(number_of(one.id), one.id, KIND, b"" if is_first and one.deletes else _chunk(one))
            for one in stored
        ]
        return Page(True, terms.head, terms.oldest, events, terms.id_of(terms.floor) or START)

    async def stored(self, name: str, cursor: str, count: int, room: int) -> tuple[Terms | None, list[Stored]]:
        """The feed, and the first events after the cursor, as many as fit into `room` bytes, but one at least."""
        feed = keys.of_feed(name)
        start = cursor if cursor == START else f"({cursor}"
        async with self._redis.large:
            state, entries = await self._redis.call("EVAL", READ, 2, feed.feed, feed.log, start, count, room, ENVELOPE)
        events = [
            Stored(entry.decode(), event.decode(), data, deletes == b"1")
            for entry, (_, event, _, data, _, deletes) in entries
        ]
        return Terms.parse(name, state), events


def _look_at(task: asyncio.Task[Page]) -> None:
    """Whoever asked may have gone: then nobody else looks at what has become of it."""
    if not task.cancelled():
        task.exception()


def _chunk(one: Stored) -> bytes:
    return frames.durable(one.id, one.event, one.data)


def digest_of(*parts: bytes) -> str:
    """By which requests are told from each other."""
    return hashlib.blake2b(b"\0".join(parts), digest_size=16).hexdigest()
