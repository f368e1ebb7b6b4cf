"""An inbox in memory whose reads advance step by step under the test's control."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from ssechat.errors import RedisUnavailable
from ssechat.events import frames
from ssechat.events.source import START, Event, Page
from ssechat.ids import entry_number, number_of


@dataclass
class Reading:
    """A request for a page: three commands that Redis runs one by one, and their reply in flight."""

    cursor: str
    count: int
    reply: "asyncio.Future[Page | None]"
    head: str = ""
    birth: str = ""
    oldest: str | None = None
    page: Page | None = None


@dataclass
class SteppedInbox:
    """An inbox in memory. A rule makes Redis run the next command of a reading, or delivers its reply."""

    birth: str = "0-7"
    entries: list[str] = field(default_factory=list)
    trimmed: int = 0
    tag: int = 10
    before: dict[str, str] = field(default_factory=dict)
    """Each id → the id before it. As ids have tags, each id has one history."""
    readings: list[Reading] = field(default_factory=list)
    skips = False
    sort = "user"

    @property
    def newest(self) -> str:
        return self.entries[-1] if self.entries else self.birth

    def append(self) -> None:
        self.tag += 1
        entry = f"{(entry_number(self.newest) or 0) + 1}-{self.tag}"
        self.before[entry] = self.newest
        self.entries.append(entry)

    async def heads(self, names: Sequence[str]) -> list[str]:
        return [self.newest for _ in names]

    async def head(self, name: str) -> str:
        return self.newest

    async def read(self, name: str, cursor: str, count: int, room: int) -> Page:
        reading = Reading(cursor, count, asyncio.get_running_loop().create_future())
        self.readings.append(reading)
        page = await reading.reply
        if page is None:
            raise RedisUnavailable("away")
        return page

    def run_command(self, reading: Reading) -> None:
        kept = self.entries[self.trimmed :]
        if not reading.head:
            reading.head, reading.birth = self.newest, self.birth
        elif reading.oldest is None:
            reading.oldest = kept[0] if kept else reading.head
        else:
            reading.page = self.page(reading, kept)

    def page(self, reading: Reading, kept: list[str]) -> Page:
        # As in Inbox.read: the cursor's entry must exist, or the cursor is the beginning of the inbox.
        cursor, oldest = reading.cursor, reading.oldest or ""
        if cursor in kept:
            after = kept[kept.index(cursor) + 1 :]
        elif cursor == START or (cursor == reading.birth and (entry_number(oldest) or 0) <= 1):
            after = [one for one in kept if cursor == START or (entry_number(one) or 0) > 0]
        else:
            return Page(False, reading.head, oldest, ())
        events = [Event(number_of(one), one, "message", chunk(one)) for one in after[: reading.count]]
        return Page(True, reading.head, oldest, events)


def chunk(entry: str) -> bytes:
    return frames.durable(entry, "message", b"{}")
