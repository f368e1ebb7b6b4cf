"""The invariants of a hub, checked against a simple model."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant

from broker import Broker, Inboxes, SteppedLoop
from parts import parse_frames, settings
from slow_readers import Reader
from ssechat.events import frames
from ssechat.events.kinds import KINDS
from ssechat.identity.roll import Roll
from ssechat.identity.watch_lists import Watched
from ssechat.ids import UserId, entry_number
from ssechat.redis import keys, subscriptions
from ssechat.streams.hub import Hub
from ssechat.streams.people import People
from ssechat.streams.stream import ALL
from ssechat.telemetry.metrics import Metrics


async def watching_nobody(users: Sequence[UserId]) -> list[Watched]:
    return [Watched(frozenset(), frozenset()) for _ in users]


USERS = tuple(map(UserId, ("ann", "ben", "cyd")))


class HubModel(RuleBasedStateMachine):
    """The hub, streams and subscriptions are real; Redis, the connections and time are fakes.

    `due` is the n that the streams of each user must have reached when nothing is in flight and no reader is slow: that
    of the last event whose wake-up Redis sent to an open connection, and after a sweep that of the last event.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = SteppedLoop()
        self.patches = pytest.MonkeyPatch()
        self.broker = Broker(self.loop)
        self.patches.setattr(subscriptions, "_PubSubConnection", self.broker.make_connection)
        self.patches.setattr(subscriptions, "reconnecting", self.broker.reconnecting)
        self.inboxes = Inboxes(USERS)
        # The inboxes stand in for `Auth`, too: they know which sessions have ended. And for `Sightings`.
        fake: Any = self.inboxes
        chosen, of_presence = settings("unix:///none"), (People(), fake, Roll(fake), watching_nobody)
        self.hub = Hub(fake, chosen, Metrics(), KINDS, *of_presence, self.loop.time)
        self.readers: list[Reader] = []
        self.due = dict.fromkeys(USERS, 0)
        self.must_end: set[str] = set()
        """Ended sessions of which the hub has been notified."""
        self.shaken = False
        """Whether commands failed since the last whole sweep."""
        self.deaf = False
        """Whether subscriptions were lost since the last whole sweep."""
        self.sweeping: asyncio.Task[None] | None = None
        self.after_sweep: Callable[[], None] = lambda: None
        self.do(self.hub.subscriptions.start)

    def do(self, action: Callable[[], Any]) -> None:
        """Runs an action on the loop, and then all callbacks that are ready."""

        async def doing() -> None:
            action()
            for _ in range(12):
                await asyncio.sleep(0)

        losses = self.broker.losses
        self.loop.run_until_complete(doing())
        if self.broker.losses > losses:
            self.deafen()
        if self.sweeping is not None and self.sweeping.done():
            sweeping, self.sweeping = self.sweeping, None
            if sweeping.exception() is None:
                self.after_sweep()

    def deafen(self) -> None:
        self.deaf = True
        self.due = dict.fromkeys(USERS, 0)

    def open_readers(self) -> list[Reader]:
        return [reader for reader in self.readers if reader.open]

    # Invariants.

    @invariant()
    def nothing_is_skipped_doubled_or_swapped_without_a_word(self) -> None:
        for reader in self.readers:
            new = reader.sink.chunks[reader.seen :]
            reader.seen = len(reader.sink.chunks)
            for event in parse_frames(b"".join(map(frames.unchunk, new))):
                self.check_event(reader, event)
            reader.was_live |= reader.stream.live

    def check_event(self, reader: Reader, event: dict[str, str]) -> None:
        inbox = self.inboxes.of[reader.user]
        name, data = event.get("event"), json.loads(event.get("data", "{}"))
        if name == "retry":
            return  # it disconnected before the cursor was checked
        if name == "message":
            assert reader.valid, "events before the reset"
            assert reader.at in ("", inbox.before[event["id"]]), f"{event['id']} was written after {reader.at}"
        elif name == "reset":
            at_least = entry_number(reader.at) or 0
            assert not reader.valid or 0 < inbox.trimmed >= at_least, f"a reset that nothing explains: {data}"
            reader.valid = True
        elif name in ("ping", "caught_up"):
            assert reader.at in ("", data["id"]), f"{name} says {data['id']} to a reader at {reader.at}"
        elif name == "bye":
            assert self.may_say_goodbye(reader, data["reason"]), f"an unexplained goodbye: {data}"
        reader.greeted |= name == "hello"
        reader.at = "" if event.get("id") == ALL else event.get("id", reader.at)

    def may_say_goodbye(self, reader: Reader, reason: str) -> bool:
        paused_at = reader.stream.paused_at
        return {
            "unavailable": not reader.was_live,
            "signed_out": reader.session in self.inboxes.ended,
            "slow": paused_at is not None and self.loop.now - paused_at > 60,
            "drain": reader.drained,
        }[reason]

    @invariant()
    def what_was_heard_of_or_swept_up_is_there(self) -> None:
        if self.shaken or self.sweeping or self.inboxes.questions or self.broker.commands or self.broker.pushes:
            return
        for reader in self.open_readers():
            stream = reader.stream
            if reader.greeted and not stream.busy and stream.paused_at is None:
                n = entry_number(reader.at or stream.cursor) or 0
                assert n >= self.due[reader.user], f"{reader.user} is at {n}, and should have {self.due[reader.user]}"

    @invariant()
    def the_hub_has_the_streams_that_are_open_and_one_task_for_each_at_most(self) -> None:
        readers = self.open_readers()
        assert len(self.hub) == len(readers)
        assert set(self.hub._streams) == {keys.live(reader.user).encode() for reader in readers}
        assert len(self.hub._tasks) <= sum(reader.stream.busy for reader in self.readers)
        for reader in readers:
            assert reader.session not in self.must_end, "the stream of an ended session is still open"
        for reader in self.readers:
            assert reader.open or reader.left or reader.sink.ended, "the stream ended without `bye`"

    def close(self) -> None:
        for reader in self.open_readers():
            reader.drained = True
        self.loop.run_until_complete(self.hub.close())
        self.check_all()
        assert not self.open_readers()
        assert not asyncio.all_tasks(self.loop), "a task is left over"

    def check_all(self) -> None:
        self.nothing_is_skipped_doubled_or_swapped_without_a_word()
        self.what_was_heard_of_or_swept_up_is_there()
        self.the_hub_has_the_streams_that_are_open_and_one_task_for_each_at_most()
