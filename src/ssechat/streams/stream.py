"""One stream, which is either live or behind.

Live, it writes the event that comes next and drops what it has already. Behind, it only notes how far its source (a
user's inbox, for example) has come, and reads pages of it until it is level. Attaching, a hole and a slow reader that
has drained are all the second; there is no queue.
"""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Protocol

from ssechat.events import frames
from ssechat.events.source import START, Page, Source
from ssechat.events.wake_ups import WakeUp
from ssechat.identity.tokens import Identity
from ssechat.ids import NO_ENTRY, entry_number, number_of
from ssechat.streams.latest import Latest, Part
from ssechat.streams.sink import Sink
from ssechat.telemetry.metrics import Metrics

PAGE = 64
PAGE_BYTES = 64 * 1024
"""Upper bounds of a page: events, and bytes of their data. They bound what a reader that is behind costs in memory; a
page is about what fits into its connection, because what does not fit is read in vain."""

FIRST_PAGE = 8
"""Events of the first page of a reader that drained: what does not fit into the buffer is read in vain."""

PAGE_BYTES_OF_NEWEST = 16 * 1024
"""The same of a source that skips what was replaced: so little that all of a page fits, for its first page has `PAGE`
events at once. What is read in vain there is read again, and by then is another value."""

RETRY = (1000, 3000)
"""The `retry` field in milliseconds after an ordinary disconnect; random, to spread reconnects."""

RETRY_AFTER_TROUBLE = (1000, 8000)
"""The `retry` field in milliseconds after a `bye`."""

RETRY_WHEN_FULL = (15_000, 60_000)
"""The `retry` field in milliseconds after a `bye` because of a limit."""

UNAVAILABLE = "unavailable"
"""The reason to end a stream while Redis is away."""

FULL = "too_many"
"""The reason to end a stream that is over a limit."""

FINAL = frozenset({"token_expired", "signed_out"})
"""Reasons of a `bye` after which a reconnect is pointless."""

ALL = NO_ENTRY
"""The cursor that asks for everything that is kept."""

NOTHING_HEARD = (0, 0)
"""`Stream._heard` of a stream that is not behind."""

LAST_WORD_SECONDS = 4.0
"""Seconds that a stuck reader has to read the `bye`; must be less than the drain of a stopping server."""


class Owner(Protocol):
    """The part of the hub that a stream uses."""

    @property
    def now(self) -> Callable[[], float]:
        """The time in seconds, from a clock that never goes back."""

    @property
    def metrics(self) -> Metrics:
        """The counts of this worker."""

    def catch_up(self, stream: "Stream") -> None:
        """Runs `stream.catch_up()` in a task, and again later if Redis is away."""

    def closed(self, stream: "Stream") -> None:
        """The stream is no more."""

    def latest(self, channel: bytes) -> Latest | None:
        """What has come lately in the feed with this channel, if anything has."""

    def drain_delay(self) -> float:
        """Seconds to wait before this stream is told goodbye: random, so that they spread."""


class Stream:
    """The server side of one stream."""

    __slots__ = (
        "_heard",
        "_owner",
        "_sink",
        "busy",
        "channel",
        "closed",
        "cursor",
        "identity",
        "live",
        "log",
        "name",
        "newest",
        "owes_caught_up",
        "paused_at",
        "touched_at",
        "written",
    )

    def __init__(self, owner: Owner, identity: Identity, source: Source) -> None:
        self._owner = owner
        self._sink: Sink | None = None
        self.identity = identity
        # Not the tuple, of 72 bytes (`python -m tests.bench idle`).
        self.log, self.name, self.channel = source
        self.cursor = ""
        """The id of the last event written, or of the head that the stream began at."""
        self.written = 0
        """The number of that event."""
        self.newest = 0
        """The highest number that the stream has heard of while behind."""
        self._heard = NOTHING_HEARD
        """The newest event heard of while behind: its number, and when it was made (milliseconds since 1970)."""
        self.live = False
        self.busy = True
        """Whether a task of this stream reads the source; no other task is started meanwhile."""
        self.closed = False
        self.owes_caught_up = False
        """Whether the stream must send `caught_up` once it is live."""
        self.paused_at: float | None = None
        """Since when the reader's buffer is full."""
        self.touched_at = owner.now()
        """When something was written last."""

    @property
    def source(self) -> Source:
        """What the stream reads."""
        return Source(self.log, self.name, self.channel)

    # Called by the connection.

    def opened(self, sink: Sink, cursor: str | None) -> None:
        """The response has started; its first bytes leave before Redis has told whether the cursor is valid.

        So a well-formed last event id is repeated unchecked; a new stream has none yet.
        """
        self._sink = sink
        known = cursor if cursor is not None and entry_number(cursor) is not None else None
        self._write(frames.first_bytes(random.randint(*RETRY), known))

    def pause(self) -> None:
        """The reader is slow: its buffer is full."""
        self.live = False
        self.paused_at = self._owner.now()

    def resume(self) -> None:
        """The buffer has drained."""
        self.paused_at = None
        self.behind()

    def drain(self) -> None:
        """The server stops."""
        asyncio.get_running_loop().call_later(self._owner.drain_delay(), self.bye, "drain")

    def lost(self, reason: str = "gone") -> None:
        """The connection is gone."""
        if not self.closed:
            self._owner.metrics.closes[reason] += 1
            self.closed = True
            self.live = False
            self._sink = None
            self._owner.closed(self)

    # Called by the hub.

    def offer(self, event: WakeUp, chunk: bytes) -> bool:
        """The newest event of the source; returns whether it was written."""
        n = event.n
        if self.live and event.before == self.cursor:
            self.written, self.cursor = n, event.id
            self._write(chunk)
            return True
        self._note_newer(event)
        return False

    def offer_latest(self, latest: Latest) -> int:
        """The newest events of the source; returns how many were written."""
        part = latest.after(self.cursor) if self.live else None
        if part is None:
            self._note_newer(latest.newest)
            return 0
        self._write_part(part)
        return part.events

    def _write_part(self, part: Part) -> None:
        if part.events:
            self.written, self.cursor = part.n, part.id
            self._write(part.chunk)

    def _note_newer(self, event: WakeUp) -> None:
        n = event.n
        if n > self.written or (n == self.written and event.id != self.cursor):
            self._owner.metrics.holes["wake_up"] += self.live
            self.note(n, event.at)  # a hole, or another history: the source tells

    def show(self, chunk: bytes) -> bool:
        """An ephemeral event; returns whether it was written: a stream that is not live does not get it.

        Then it gets a `caught_up` once it is live: what is so may be another thing by then than what it has shown.
        """
        if self.live:
            self._write(chunk)
        elif self.cursor:  # it has had its `hello`
            self.owes_caught_up = True
        return self.live

    def lacks(self, n: int) -> None:
        """The audit has found that the source has come further than the stream knows, to `n`, or another history."""
        self._owner.metrics.holes["audit"] += self.live
        self.newest = max(self.newest, n, self.written + 1)
        self.behind()

    def note(self, n: int, at: int = 0) -> None:
        """The source has come to `n`, at least; that event was made `at` (milliseconds since 1970)."""
        self.newest = max(self.newest, n)
        if n > self._heard[0]:
            self._heard = (n, at)
        self.behind()

    def behind(self) -> None:
        """Has the stream read its source until it is level."""
        self.live = False
        if not self.busy and not self.closed and self.paused_at is None:
            self.busy = True
            self._owner.catch_up(self)

    def ping(self) -> None:
        """Sends a ping, which keeps proxies and the client from closing the connection."""
        if not self.busy and self.paused_at is None:
            self._write(frames.event(frames.PING, {"id": self.cursor}))

    def bye(self, reason: str) -> None:
        """Ends the stream and says why."""
        if self._sink is not None and not self.closed:
            retry = random.randint(*(RETRY_WHEN_FULL if reason == FULL else RETRY_AFTER_TROUBLE))
            self._write(frames.event(frames.BYE, {"reason": reason}, retry=retry))
            # Some clients do not reconnect after a complete response, so it is cut unless the reason is final.
            self._sink.end(final=reason in FINAL)
            self.lost(reason)

    def cut(self) -> None:
        """Closes the stream of a stuck reader: sends `bye`, and aborts if the reader does not read it in time."""
        sink = self._sink
        self.bye("slow")
        if sink is not None:
            asyncio.get_running_loop().call_later(LAST_WORD_SECONDS, sink.abort)

    # Reading the source.

    async def begin(self, cursor: str | None, since: str | None = None) -> None:
        """Sends `hello`, replays missed events, and goes live. The channel must be subscribed already.

        `since`: the cursor of a client that has none; None: it gets what comes from now on.

        Raises:
            RedisUnavailable: Redis did not answer; the stream has not begun.
        """
        try:
            if cursor is not None:
                await self._begin_at(cursor, resumed=True)
            elif since is not None:
                await self._begin_at(since, resumed=False)
            else:
                await self._begin_fresh()
        finally:
            self.busy = False

    async def catch_up(self) -> None:
        """Reads the source until the stream is level with it.

        Raises:
            RedisUnavailable: Redis did not answer; the stream is still behind.
        """
        try:
            await self._read_on()
        finally:
            self.busy = False

    async def _begin_fresh(self) -> None:
        head = await self.log.head(self.name)
        self._stand_at(head)
        self._hello(head, resumed=False, missed=0)
        if self.newest > self.written:
            await self._read_on()
        else:
            self._go_live()

    async def _begin_at(self, cursor: str, *, resumed: bool) -> None:
        known = entry_number(cursor) is not None
        start = cursor if known and cursor != ALL else START
        page = await self._read(start, PAGE if known else 1)
        if not page.continuous and not resumed:  # its client has nothing that it could miss
            await self._begin_fresh()
            return
        if not known or not page.continuous:
            # `hello` has no id here: a client that is cut off before the reset would resume after it.
            self._hello(None, resumed=False, missed=0)
            expired = known and number_of(cursor) < number_of(page.oldest) > 1
            self._reset("expired" if expired else "unknown", page)
        else:
            self._stand_at(cursor if cursor != ALL else page.before_oldest)
            missed = number_of(page.head) - self.written
            own = page.head if cursor == ALL and not page.events else cursor
            self._hello(own, resumed=resumed, missed=missed)
            self._owner.metrics.resumes += resumed
            self.owes_caught_up = missed > 0
            self._write_page(page)
        if self._is_level(page):
            self._go_live()
        else:
            await self._read_on()

    async def _read(self, cursor: str, count: int) -> Page:
        return await self.log.read(self.name, cursor, count, PAGE_BYTES_OF_NEWEST if self.log.skips else PAGE_BYTES)

    async def _read_on(self) -> None:
        """Pages of the source, until level, closed, or the buffer is full: then the next drain goes on."""
        count = PAGE if self.log.skips else FIRST_PAGE
        while not self.closed and self.paused_at is None and not self._take_latest():
            self.newest = 0  # what is published while the page is read is noted anew
            page = await self._read(self.cursor, count)
            count = min(PAGE, 2 * count)
            if page.continuous and (page.events or number_of(page.head) <= self.written):
                self._write_page(page)
            else:
                expired = self.written < number_of(page.oldest)
                self._reset("expired" if expired else "lost", page)
            if self._is_level(page):
                self._go_live()
                return

    def _take_latest(self) -> bool:
        """Writes what the reader lacks of what has come lately; returns whether nothing has to be read from the source:
        the stream is level, or the buffer is full.

        As much as a page has is written although its reader is slow, and some of it will be replaced meanwhile: if less
        were, what changes often would be replaced each time before its turn came.
        """
        latest = self._owner.latest(self.channel)
        if latest is None:
            return False
        while self.paused_at is None:
            part = latest.after(self.cursor, PAGE_BYTES)
            if part is None:
                return False
            if not part.events:
                if self.written < self.newest:
                    return False
                self._go_live()
                break
            self._write_part(part)
            self._owner.metrics.events_live[self.log.sort] += part.events
        return True

    def _is_level(self, page: Page) -> bool:
        return self.written >= max(self.newest, number_of(page.head)) and self.paused_at is None

    def _go_live(self) -> None:
        self.newest, self._heard = 0, NOTHING_HEARD
        if self.owes_caught_up:
            self.owes_caught_up = False
            self._write(frames.event(frames.CAUGHT_UP, {"id": self.cursor}))
        self.live = self.paused_at is None and not self.closed

    def _write_page(self, page: Page) -> None:
        metrics = self._owner.metrics
        heard, at = self._heard
        for n, entry, kind, chunk in page.events:
            if self.paused_at is not None:
                return
            if n != self.written + 1 and not self.log.skips:
                self._reset("lost", page)  # the log itself has a hole: say so rather than skip it
                return
            self.written, self.cursor = n, entry
            if not chunk:
                continue
            self._write(chunk)
            metrics.events_from_log[kind] += 1
            # What was sent while the reader was away is not late.
            if n == heard and at and not self.owes_caught_up:
                metrics.latency_from_log.observe(time.time() - at / 1000)

    def _stand_at(self, entry: str) -> None:
        self.cursor, self.written = entry, number_of(entry)

    def _hello(self, head: str | None, *, resumed: bool, missed: int) -> None:
        data = {self.log.sort: self.name, "resumed": resumed, "missed": missed}
        self._write(frames.event(frames.HELLO, data, head))

    def _reset(self, reason: str, page: Page) -> None:
        self._stand_at(page.head)
        self.owes_caught_up = False
        self._owner.metrics.resets[reason] += 1
        data = {"reason": reason, "oldest": page.oldest, "newest": page.head}
        self._write(frames.event(frames.RESET, data, page.head))

    def _write(self, chunk: bytes) -> None:
        if self._sink is not None:
            now = self._owner.now  # called by a local name: see src/README.md
            self.touched_at = now()
            self._sink.write(chunk)
