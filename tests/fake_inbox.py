"""An inbox in memory, and the part of the hub that one stream uses."""

import asyncio
from collections.abc import Callable, Sequence

from parts import ALICE, FOR_EVER, FakeClock, FakeSink
from ssechat.errors import RedisUnavailable
from ssechat.events import frames
from ssechat.events.source import START, Event, Page, Source
from ssechat.events.wake_ups import WakeUp
from ssechat.identity.tokens import Identity
from ssechat.ids import number_of
from ssechat.streams.latest import Latest
from ssechat.streams.stream import Stream
from ssechat.telemetry.metrics import Metrics


class FakeInbox:
    """An inbox in memory; wake-ups are sent only by `publish`."""

    def __init__(self) -> None:
        self.birth = "0-77"
        self.entries: list[str] = []
        self.trimmed = 0
        self.reads = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails = False

    skips: bool = False
    sort: str = "user"

    async def heads(self, names: Sequence[str]) -> list[str]:
        return [self.newest() for _ in names]

    def append(self, count: int = 1) -> None:
        """Adds so many entries, and tells nobody."""
        for _ in range(count):
            n = self.trimmed + len(self.entries) + 1
            self.entries.append(f"{n}-{n * 10}")

    def newest(self) -> str:
        """The id of the newest entry."""
        return self.entries[-1] if self.entries else self.birth

    async def head(self, name: str) -> str:
        await self.gate.wait()
        return self.newest()

    async def read(self, name: str, cursor: str, count: int, room: int) -> Page:
        self.reads += 1
        await asyncio.sleep(0)
        if self.fails:
            raise RedisUnavailable("away")
        entries, head = list(self.entries), self.newest()
        await self.gate.wait()
        oldest = entries[0] if entries else head
        if cursor == START:
            after = entries
        elif cursor in entries:
            after = entries[entries.index(cursor) + 1 :]
        elif cursor == self.birth and not self.trimmed:
            after = entries
        else:
            return Page(False, head, oldest, ())
        return Page(True, head, oldest, [Event(number_of(one), one, "message", chunk(one)) for one in after[:count]])


def chunk(entry: str) -> bytes:
    """The entry as a live stream writes it."""
    return frames.durable(entry, "message", b"{}")


class FakeOwner:
    """A fake of the hub for a stream."""

    def __init__(self) -> None:
        self.fake = FakeInbox()
        self.clock = FakeClock()
        self.tasks: list[asyncio.Task[None]] = []
        self.gone: list[Stream] = []
        self.metrics = Metrics()
        self.source = Source(self.fake, "alice", b"alice")

    @property
    def now(self) -> Callable[[], float]:
        return self.clock

    def catch_up(self, stream: Stream) -> None:
        self.tasks.append(asyncio.create_task(stream.catch_up()))

    def closed(self, stream: Stream) -> None:
        self.gone.append(stream)

    def latest(self, channel: bytes) -> Latest | None:
        return None

    def drain_delay(self) -> float:
        return 0.0

    async def settle(self) -> None:
        """Waits until no stream reads."""
        while self.tasks:
            await self.tasks.pop()


def a_stream(owner: FakeOwner) -> tuple[Stream, FakeSink]:
    """A stream whose response has started, without a last event id."""
    stream, sink = Stream(owner, Identity(ALICE, FOR_EVER), owner.source), FakeSink()
    stream.opened(sink, None)
    return stream, sink


def publish(owner: FakeOwner, stream: Stream, entry: str | None = None) -> None:
    """The wake-up of an entry, or of the newest one."""
    newest = entry or owner.fake.newest()
    position = owner.fake.entries.index(newest)
    before = owner.fake.entries[position - 1] if position else owner.fake.birth
    offer(stream, newest, before)


def offer(stream: Stream, entry: str, before: str) -> None:
    """A wake-up with these ids."""
    stream.offer(WakeUp("message", 0, entry, before, b"{}", number_of(entry)), chunk(entry))
