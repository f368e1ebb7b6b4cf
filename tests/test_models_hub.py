"""The hub against its model, and mutants of the hub that the model must detect."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from hub_machine import WholeHub
from models import profile
from ssechat.errors import RedisUnavailable
from ssechat.events import frames
from ssechat.events.wake_ups import WakeUp
from ssechat.redis.subscriptions import Subscriptions
from ssechat.streams.hub import Hub
from ssechat.streams.stream import Stream


def test_whatever_happens_each_stream_has_its_inbox_and_the_hub_nothing_else() -> None:
    run_state_machine_as_test(WholeHub, settings=profile(150, 50))


def test_a_reader_that_left_during_a_long_redis_outage_can_reconnect() -> None:
    machine = WholeHub()
    machine.a_reader_attaches(0, 0, "fresh")
    machine.the_subscriptions_are_lost(stays_away=True)
    machine.time_passes(31)
    machine.redis_is_back()
    machine.time_passes(1)
    machine.a_reader_attaches(0, 0, "fresh")
    machine.redis_is_quick()
    try:
        assert machine.readers[1].greeted or "hello" in machine.readers[1].sink.names()
    finally:
        machine.teardown()


class ReplaysBeforeItSubscribes(Hub):
    async def _begin(self, stream: Stream, channel: bytes, cursor: str | None, since: str | None) -> None:
        try:
            await stream.begin(cursor, since)
            await self.subscriptions.add(channel)
        except RedisUnavailable:
            stream.bye("unavailable")


def ignores_holes(self: Stream, event: WakeUp, chunk: bytes) -> None:
    if self.live and event.before == self.cursor:
        self.written, self.cursor = event.n, event.id
        self._write(chunk)


def skips_holes(self: Stream, event: WakeUp, chunk: bytes) -> None:
    if self.live and event.n > self.written:
        self.written, self.cursor = event.n, event.id
        self._write(chunk)
    elif not self.live:
        self.note(event.n)


def doubles(self: Stream, event: WakeUp, chunk: bytes) -> None:
    if self.live and event.n >= self.written:
        self.written, self.cursor = event.n, event.id
        self._write(chunk)
    else:
        self.note(event.n)


def pings_whoever_is_slow(self: Stream) -> None:
    if not self.busy:
        self._write(frames.event(frames.PING, {"id": self.cursor}))


def ignores_a_full_buffer(self: Stream) -> None:
    self.paused_at = None


def forgets_the_streams_that_failed(self: Hub, stream: Stream) -> None:
    async def reading() -> None:
        with suppress(RedisUnavailable):
            await stream.catch_up()

    self._run(reading())


def keeps_the_channel(self: Hub, stream: Stream) -> None:
    channel = next(channel for channel, streams in self._streams.items() if stream in streams)
    self._streams[channel] = tuple([each for each in self._streams[channel] if each is not stream])
    self._count -= 1
    if not self._streams[channel]:
        del self._streams[channel]


def keeps_the_stream(self: Hub, stream: Stream) -> None:
    self._count -= 1


def does_nothing(*_: object) -> None:
    pass


async def finds_nothing(self: Hub) -> None:
    self._unaudited.clear()


def leaves_though_it_is_wanted_again(real: Callable[..., Awaitable[None]]) -> Callable[..., object]:
    async def add(self: Subscriptions, channel: bytes) -> None:
        leaves_at = self._leaving.get(channel)
        await real(self, channel)
        if leaves_at is not None:
            self._leaving[channel] = leaves_at

    return add


MUTANTS: dict[str, tuple[type, str, object]] = {
    "replays before it subscribes": (Hub, "_begin", ReplaysBeforeItSubscribes._begin),
    "ignores holes": (Stream, "offer", ignores_holes),
    "skips holes": (Stream, "offer", skips_holes),
    "doubles": (Stream, "offer", doubles),
    "forgets a wake-up without the event": (Stream, "note", does_nothing),
    "pings whoever is slow": (Stream, "ping", pings_whoever_is_slow),
    "never pings": (Stream, "ping", does_nothing),
    "ignores a full buffer": (Stream, "pause", ignores_a_full_buffer),
    "never reads on for who has drained": (Stream, "resume", does_nothing),
    "keeps whoever takes nothing": (Stream, "cut", does_nothing),
    "forgets the streams whose reading failed": (Hub, "catch_up", forgets_the_streams_that_failed),
    "keeps the channel": (Hub, "closed", keeps_the_channel),
    "keeps the stream": (Hub, "closed", keeps_the_stream),
    "does not mind lost subscriptions": (Hub, "_on_resubscribed", does_nothing),
    "audits nothing": (Hub, "_audit", finds_nothing),
    "ends nobody's session": (Hub, "_end_sessions", does_nothing),
    "leaves a channel that is wanted again": (
        Subscriptions,
        "add",
        leaves_though_it_is_wanted_again(Subscriptions.add),
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_model_finds_a_hub_that_is_broken_on_purpose(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*MUTANTS[name])
    quick = settings(profile(1000, 50), report_multiple_bugs=False, phases=(Phase.generate,))
    with pytest.raises(AssertionError):
        run_state_machine_as_test(WholeHub, settings=quick)
