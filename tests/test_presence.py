"""Who is there: told to those who watch, right across workers and devices, and without flicker."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import pytest

from parts import ALICE, BOB, Worker, a_worker
from polling import until
from redises import RedisProcess
from ssechat.chat.groups import Draft
from ssechat.errors import RedisUnavailable
from ssechat.identity.sightings import GRACE_SECONDS
from ssechat.ids import UserId
from ssechat.redis.subscriptions import LINGER
from ssechat.streams.presence import ROUND_SECONDS, TICK_SECONDS
from ssechat.streams.stream import RETRY_AFTER_TROUBLE
from watching import all_told, friends, gone, grace, kill, last_seen, leave, live, now, ticks, told, watch

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]

MS = 1000


async def test_who_comes_is_told_at_once_and_who_goes_after_the_grace(
    worker: Worker, other_worker: Worker, redis: RedisProcess
) -> None:
    await friends(worker, "bob")
    _, sink = await live(worker, "alice")
    await watch(other_worker, "alice", "bob")  # arrives at another worker than the stream
    await grace(worker)
    assert told(sink) == [("bob", False)]
    theirs, _ = await live(other_worker, "bob")
    await ticks(worker, seconds=ROUND_SECONDS)
    assert told(sink) == [("bob", False), ("bob", True)]
    before = time.time_ns() // 1_000_000
    leave(other_worker, theirs)
    await gone(redis, "bob")
    await ticks(worker, other_worker, seconds=GRACE_SECONDS - ROUND_SECONDS)
    assert told(sink)[-1] == ("bob", True), "offline before the grace was over"
    await ticks(worker, seconds=3 * ROUND_SECONDS)
    assert told(sink) == [("bob", False), ("bob", True), ("bob", False)]
    assert all_told(sink)[-1]["last_seen"].startswith("20")
    seen = await last_seen(worker, "alice", "bob")
    assert seen is not None
    assert before <= seen <= time.time_ns() // 1_000_000


async def reloads(worker: Worker, other_worker: Worker, redis: RedisProcess) -> list[tuple[str, bool]]:
    """Bob reloads three times; returns what alice's stream was told, and what answers told her meanwhile."""
    await friends(worker, "bob")
    _, sink = await live(worker, "alice")
    theirs, _ = await live(other_worker, "bob")
    await watch(worker, "alice", "bob")
    await ticks(worker)
    answers = []
    for _ in range(3):
        leave(other_worker, theirs)
        await gone(redis, "bob")
        await ticks(worker, seconds=GRACE_SECONDS - ROUND_SECONDS)
        answers += await now(worker, "alice", "bob")
        theirs, _ = await live(other_worker, "bob")
        await ticks(worker, seconds=ROUND_SECONDS)
    await grace(worker)
    return [*told(sink), *answers]


async def test_a_reload_shows_nowhere(worker: Worker, other_worker: Worker, redis: RedisProcess) -> None:
    assert await reloads(worker, other_worker, redis) == [("bob", True)] * 4, "once on the stream, and in each answer"


async def test_a_server_that_flickers_on_a_reload_is_found(
    worker: Worker, other_worker: Worker, redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.streams.presence.GRACE_SECONDS", 0)
    assert ("bob", False) in await reloads(worker, other_worker, redis)


async def test_two_gaps_do_not_add_up(worker: Worker, other_worker: Worker, redis: RedisProcess) -> None:
    await friends(worker, "bob")
    _, sink = await live(worker, "alice")
    theirs, _ = await live(other_worker, "bob")
    await watch(worker, "alice", "bob")
    await ticks(worker)
    leave(other_worker, theirs)
    await gone(redis, "bob")
    await ticks(worker, seconds=GRACE_SECONDS - ROUND_SECONDS)
    theirs, _ = await live(other_worker, "bob")
    await ticks(worker, seconds=ROUND_SECONDS)
    leave(other_worker, theirs)
    await gone(redis, "bob")
    await ticks(worker, seconds=GRACE_SECONDS - ROUND_SECONDS)
    assert told(sink) == [("bob", True)]


async def test_a_worker_that_lingers_counts_for_its_time_only(
    worker: Worker, other_worker: Worker, redis: RedisProcess
) -> None:
    await friends(worker, "bob")
    _, sink = await live(worker, "alice")
    theirs, _ = await live(other_worker, "bob")
    await watch(worker, "alice", "bob")
    await ticks(worker)
    theirs.lost()
    due = other_worker.hub.subscriptions._leaving[theirs.channel]
    assert 0 < due - asyncio.get_running_loop().time() <= LINGER
    await grace(worker)
    assert told(sink) == [("bob", True)]
    other_worker.hub.subscriptions._leaving[theirs.channel] = 0.0
    other_worker.hub.subscriptions._wake.set()
    await gone(redis, "bob")
    await grace(worker)
    assert told(sink) == [("bob", True), ("bob", False)]


async def test_one_of_two_devices_is_enough(worker: Worker, other_worker: Worker, redis: RedisProcess) -> None:
    await friends(worker, "bob")
    _, sink = await live(worker, "alice")
    phone, _ = await live(other_worker, "bob")
    laptop, _ = await live(worker, "bob")
    await watch(worker, "alice", "bob")
    await ticks(worker)
    leave(other_worker, phone)
    await grace(worker)
    assert told(sink) == [("bob", True)]
    leave(worker, laptop)
    await gone(redis, "bob")
    await grace(worker)
    assert told(sink) == [("bob", True), ("bob", False)]


async def test_the_death_of_a_worker_is_told_once_and_only_of_those_who_do_not_come_back(
    worker: Worker, other_worker: Worker, redis: RedisProcess
) -> None:
    names = [f"user{number:02}" for number in range(20)]
    group, _ = await worker.chat.groups.make(ALICE, Draft("Lunch", "", "all", names), None)
    _, sink = await live(worker, "alice")
    before = time.time_ns() // 1_000_000
    async with a_worker(redis.url) as dying:
        for name in names:
            await live(dying, name)
        await watch(worker, "alice", *names, group=group)
        await ticks(worker)
        assert sorted(told(sink)) == [(name, True) for name in names]
        await kill(dying)
        await gone(redis, *names)
        await ticks(worker, seconds=2 * ROUND_SECONDS)
        for name in names[:15]:
            await live(other_worker, name)
        await grace(worker)
        assert sorted(told(sink)[20:]) == [(name, False) for name in names[15:]]
        await grace(worker)
        assert len(told(sink)) == 25
        # Nobody could note it but those who watch.
        seen = [one.last_seen for one in await worker.chat.presence.now(ALICE, [UserId(names[-1])], group)]
        assert seen[0] is not None
        assert seen[0] >= before


async def test_redis_that_is_away_makes_nobody_offline(
    worker: Worker, redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    await friends(worker, "bob")
    _, sink = await live(worker, "alice")
    await live(worker, "bob")
    await watch(worker, "alice", "bob")
    await ticks(worker)
    presence = worker.hub.presence
    person = presence._people.get(BOB)
    assert person is not None
    person.missing_since = worker.clock.time - GRACE_SECONDS + 1  # as the last answer before it said, perhaps

    async def away(channels: Sequence[bytes]) -> list[bool]:
        raise RedisUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(presence._sightings, "connected", away)
        for _ in range(20):
            worker.clock.time += TICK_SECONDS
            with suppress(RedisUnavailable):
                await presence.tick()

    async def nobody(channels: Sequence[bytes]) -> list[bool]:
        return [False] * len(channels)

    with monkeypatch.context() as patch:
        patch.setattr(presence._sightings, "connected", nobody)  # nobody has subscribed again yet
        await ticks(worker, seconds=GRACE_SECONDS - ROUND_SECONDS)
    await ticks(worker, seconds=2 * ROUND_SECONDS)
    assert told(sink) == [("bob", True)]


async def test_a_new_worker_takes_nobody_for_offline_who_was_there_a_moment_ago(
    worker: Worker, redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    await friends(worker, "bob")
    async with a_worker(redis.url) as stopping:
        await live(stopping, "bob")
    await gone(redis, "bob")
    assert await now(worker, "alice", "bob") == [("bob", True)]
    stopped = time.time()
    monkeypatch.setattr("ssechat.chat.presence.time.time", lambda: stopped + GRACE_SECONDS)
    assert await now(worker, "alice", "bob") == [("bob", False)]
    _, sink = await live(worker, "alice")
    await watch(worker, "alice", "bob")
    await grace(worker)
    assert told(sink) == [("bob", False)]
    monkeypatch.undo()
    assert await now(worker, "alice", "bob") == [("bob", False)], "as it was told"


async def test_a_worker_that_hears_nothing_does_not_ask(worker: Worker) -> None:
    await friends(worker, "bob")
    _, sink = await live(worker, "alice")
    theirs, _ = await live(worker, "bob")
    await watch(worker, "alice", "bob")
    await ticks(worker)
    worker.hub.subscriptions.refused = frozenset({"NOPERM"})
    asked = worker.hub.metrics.presence_asked
    await grace(worker)
    assert worker.hub.metrics.presence_asked == asked
    worker.hub.subscriptions.refused = frozenset()
    await ticks(worker, seconds=2 * ROUND_SECONDS)
    assert told(sink) == [("bob", True)]
    assert not theirs.closed


async def test_a_new_stream_is_told_all_and_a_watch_survives_a_reconnect_to_another_worker(
    worker: Worker, other_worker: Worker
) -> None:
    await friends(worker, "bob", "carol")
    await live(worker, "bob")
    first, _ = await live(worker, "alice")
    await watch(worker, "alice", "bob", "carol")
    await grace(worker)
    _, second = await live(worker, "alice")
    await ticks(worker)
    assert sorted(told(second)) == [("bob", True), ("carol", False)]
    first.lost()
    _, third = await live(other_worker, "alice")
    await grace(other_worker)
    assert sorted(told(third)) == [("bob", True), ("carol", False)]


async def test_a_stream_that_was_behind_is_told_what_it_missed(worker: Worker, other_worker: Worker) -> None:
    await friends(worker, "bob")
    stream, sink = await live(worker, "alice")
    _, other = await live(worker, "alice")
    await watch(worker, "alice", "bob")
    await grace(worker)
    stream.pause()
    await live(other_worker, "bob")
    await ticks(worker, seconds=5 * ROUND_SECONDS)
    assert told(sink) == [("bob", False)]
    assert told(other) == [("bob", False), ("bob", True)], "told once, though another stream is behind"
    stream.resume()
    await until(lambda: stream.live)
    await ticks(worker)
    assert told(sink) == [("bob", False), ("bob", True)]


def test_the_grace_is_longer_than_a_client_takes_to_come_back() -> None:
    assert RETRY_AFTER_TROUBLE[1] / MS + 2 < GRACE_SECONDS
