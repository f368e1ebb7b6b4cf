"""A model test of a stream over an inbox in memory: any interleaving, any loss."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import hypothesis.strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from models import profile
from parts import FOR_EVER, FakeClock, FakeSink
from ssechat.errors import RedisUnavailable
from ssechat.events.source import Source
from ssechat.events.wake_ups import WakeUp
from ssechat.identity.tokens import Identity
from ssechat.ids import UserId, entry_number
from ssechat.streams.latest import Latest
from ssechat.streams.stream import ALL, Stream
from ssechat.telemetry.metrics import Metrics
from stepped import SteppedInbox, chunk

Result = TypeVar("Result")


class SteppedOwner:
    """A fake of the hub for a stream; after a failed catch-up the stream waits for the sweep."""

    def __init__(self) -> None:
        self.stepped = SteppedInbox()
        self.source = Source(self.stepped, "alice", b"alice")
        self.clock = FakeClock()
        self.stalled: list[Stream] = []
        self.metrics = Metrics()
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def now(self) -> Callable[[], float]:
        return self.clock

    def catch_up(self, stream: Stream) -> None:
        self.start(self.try_to_catch_up(stream))

    async def try_to_catch_up(self, stream: Stream) -> None:
        try:
            await stream.catch_up()
        except RedisUnavailable:
            self.stalled.append(stream)

    def start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        self.tasks.add(task)

    def closed(self, stream: Stream) -> None:
        raise AssertionError("nothing here closes a stream")

    def latest(self, channel: bytes) -> Latest | None:
        return None

    def drain_delay(self) -> float:
        return 0.0


class OneStream(RuleBasedStateMachine):
    """Wake-ups that are lost, repeated, late or of another history; a reader that pauses; slow replies.

    Whatever happens: each event written is the one that follows the one before it, or a reset stands between.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.owner = SteppedOwner()
        self.inbox = self.owner.stepped
        self.sink = FakeSink()
        self.checked = 0
        self.at = ""
        """The last event id that the client has received."""
        self.heard = ""
        """The last event of this history whose wake-up arrived in order."""

    def do(self, action: Callable[[], object]) -> None:
        """Runs an action on the loop, and then all callbacks that are ready."""

        async def doing() -> None:
            action()
            for _ in range(6):
                await asyncio.sleep(0)

        self.loop.run_until_complete(doing())
        ended = {task for task in self.owner.tasks if task.done()}
        self.owner.tasks -= ended
        for task in ended:
            task.result()

    @initialize(
        already=st.integers(0, 5), cursor=st.sampled_from(["fresh", "all", "birth", "some", "unknown", "nonsense"])
    )
    def begin(self, already: int, cursor: str) -> None:
        for _ in range(already):
            self.inbox.append()
        self.at = {
            "all": "",
            "birth": self.inbox.birth,
            "some": self.inbox.entries[already // 2] if already else self.inbox.birth,
        }.get(cursor, "")
        given = {"fresh": None, "all": "0-0", "unknown": "3-1", "nonsense": "x"}.get(cursor, self.at)

        def opening() -> None:
            self.stream = Stream(self.owner, Identity(UserId("alice"), FOR_EVER), self.owner.source)
            self.stream.opened(self.sink, given)
            self.owner.start(self.beginning(given))

        self.do(opening)

    async def beginning(self, cursor: str | None) -> None:
        while True:
            try:
                return await self.stream.begin(cursor)
            except RedisUnavailable:
                # A real reader gets `bye`, and reconnects with its cursor.
                self.stream.busy = True
                seen = [event["id"] for event in self.sink.events()[1:] if "id" in event]
                cursor = seen[-1] if seen else cursor

    @rule(count=st.integers(1, 70))
    def events_are_appended_and_their_wake_ups_lost(self, count: int) -> None:
        for _ in range(count):
            self.inbox.append()

    @rule(count=st.integers(1, 3))
    def events_are_appended_and_published(self, count: int) -> None:
        for _ in range(count):
            self.inbox.append()
            self.publish(self.inbox.newest)

    @precondition(lambda self: self.inbox.before)
    @rule(age=st.integers(0, 8))
    def a_wake_up_arrives_late_or_again(self, age: int) -> None:
        ever = list(self.inbox.before)
        self.publish(ever[max(0, len(ever) - 1 - age)])

    def publish(self, entry: str) -> None:
        n, before = entry_number(entry) or 0, self.inbox.before[entry]
        if n > self.stream.written and entry in self.inbox.entries:
            self.heard = entry
        wake_up = WakeUp("message", 0, entry, before, b"{}", n)
        self.do(lambda: self.stream.offer(wake_up, chunk(entry)))

    @rule()
    def the_reader_is_slow(self) -> None:
        self.do(self.stream.pause)

    @precondition(lambda self: self.stream.paused_at is not None)
    @rule()
    def the_reader_has_drained(self) -> None:
        self.do(self.stream.resume)

    @precondition(lambda self: self.inbox.readings)
    @rule(commands=st.integers(1, 3))
    def redis_runs_commands_of_a_reading(self, commands: int) -> None:
        for reading in self.inbox.readings:
            for _ in range(commands):
                if reading.page is None:
                    self.inbox.run_command(reading)

    @precondition(lambda self: any(reading.page for reading in self.inbox.readings))
    @rule()
    def a_reply_arrives(self) -> None:
        reading = next(reading for reading in self.inbox.readings if reading.page)
        self.inbox.readings.remove(reading)
        self.do(lambda: reading.reply.set_result(reading.page))

    @precondition(lambda self: self.inbox.readings)
    @rule()
    def redis_is_lost_in_the_middle_of_a_reading(self) -> None:
        reading = self.inbox.readings.pop(0)
        self.do(lambda: reading.reply.set_result(None))

    @precondition(lambda self: self.inbox.readings)
    @rule()
    def an_event_overtakes_the_page_that_lacks_it(self) -> None:
        self.redis_runs_commands_of_a_reading(3)
        self.events_are_appended_and_published(1)
        self.a_reply_arrives()

    @rule()
    def redis_is_quick(self) -> None:
        while self.inbox.readings:
            self.redis_runs_commands_of_a_reading(3)
            self.a_reply_arrives()

    @rule(left=st.integers(0, 3))
    def the_inbox_is_trimmed(self, left: int) -> None:
        self.inbox.trimmed = max(self.inbox.trimmed, len(self.inbox.entries) - left)

    @rule(lost=st.integers(1, 4), since=st.integers(0, 4))
    def a_failover_loses_the_newest_events(self, lost: int, since: int) -> None:
        self.lose_history()
        del self.inbox.entries[max(0, len(self.inbox.entries) - lost) :]
        self.inbox.trimmed = min(self.inbox.trimmed, len(self.inbox.entries))
        for _ in range(since):
            self.inbox.append()

    def lose_history(self) -> None:
        """Loses history. No reading sees two histories: a restart of Redis closes its connections."""
        self.heard = ""
        while self.inbox.readings:
            self.redis_is_lost_in_the_middle_of_a_reading()
            if self.stream.live or not self.owner.stalled:
                break  # it has not begun, and is started again

    @rule()
    def redis_is_wiped(self) -> None:
        self.lose_history()
        self.inbox.tag += 1
        self.inbox.entries, self.inbox.trimmed, self.inbox.birth = [], 0, f"0-{self.inbox.tag}"

    @rule()
    def the_sweeper_comes_by(self) -> None:
        stalled, self.owner.stalled = self.owner.stalled, []
        for stream in stalled:
            self.do(stream.behind)
        n = entry_number(self.inbox.newest) or 0
        if n > self.stream.written or (self.stream.live and self.inbox.newest != self.stream.cursor):
            self.do(self.stream.behind)

    @invariant()
    def nothing_is_skipped_doubled_or_swapped_without_a_word(self) -> None:
        events = self.sink.events()
        for event in events[self.checked :]:
            if event.get("event") == "message":
                entry = event["id"]
                # The cursor of a reader that reads from the beginning is before its first event.
                assert self.at in ("", self.inbox.before[entry]), f"{entry} was written after {self.at}"
                self.at = entry
            elif "id" in event and event["event"] != "retry":
                self.at = "" if event["id"] == ALL else event["id"]
        self.checked = len(events)
        if self.heard and self.heard == self.inbox.newest and self.stream.live:
            assert self.stream.cursor == self.heard, "live, and without what it has heard of"

    def teardown(self) -> None:
        try:
            if self.at or hasattr(self, "stream"):
                self.settle()
        finally:
            self.loop.close()

    def settle(self) -> None:
        if self.stream.paused_at is not None:
            self.the_reader_has_drained()
        for _ in range(200):
            self.redis_is_quick()
            if self.stream.live and self.stream.cursor == self.inbox.newest:
                break
            self.the_sweeper_comes_by()
        self.nothing_is_skipped_doubled_or_swapped_without_a_word()
        assert self.stream.live
        assert self.stream.cursor == self.inbox.newest
        assert not self.owner.tasks


def test_whatever_is_lost_late_or_repeated_a_stream_is_the_inbox_or_says_reset() -> None:
    run_state_machine_as_test(OneStream, settings=profile(120, 40))


def test_an_event_published_while_a_page_that_makes_a_reset_is_on_its_way_is_not_left_for_the_sweeper() -> None:
    machine = OneStream()
    machine.begin(0, "fresh")
    machine.redis_is_wiped()
    machine.the_sweeper_comes_by()
    machine.redis_runs_commands_of_a_reading(3)
    machine.events_are_appended_and_published(1)
    machine.a_reply_arrives()
    machine.redis_is_quick()
    try:
        assert machine.sink.names() == ["hello", "reset", "message"]
    finally:
        machine.teardown()
