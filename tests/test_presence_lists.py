"""Whom a user watches: a list per device, read once its changes are heard, and bounded."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from parts import ALICE, BOB, Worker
from polling import until
from redises import RedisProcess
from ssechat.errors import RedisUnavailable
from ssechat.identity.watch_lists import KEPT_SECONDS, MAX_LISTS, WatchLists
from ssechat.ids import UserId
from ssechat.redis import keys
from watching import friends, gone, grace, leave, live, ticks, told, watch

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]


async def test_a_list_is_read_once_its_changes_are_heard(
    worker: Worker, other_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await friends(worker, "bob")
    await live(worker, "bob")
    heard = asyncio.Event()
    add = other_worker.hub.subscriptions.add

    async def late(channel: bytes) -> None:
        await heard.wait()
        await add(channel)

    monkeypatch.setattr(other_worker.hub.subscriptions, "add", late)
    stream, sink = other_worker.open_stream("alice")
    await ticks(other_worker)
    await watch(worker, "alice", "bob")  # nobody hears of it
    heard.set()
    await until(lambda: stream.live)
    await ticks(other_worker)
    assert told(sink) == [("bob", True)]


async def test_a_list_replaces_the_one_before_and_an_empty_one_ends_it(worker: Worker, redis: RedisProcess) -> None:
    await friends(worker, "bob", "carol")
    _, sink = await live(worker, "alice")
    theirs, _ = await live(worker, "bob")
    await live(worker, "carol")
    await watch(worker, "alice", "bob")
    await ticks(worker)
    await watch(worker, "alice", "carol")
    await ticks(worker)
    assert told(sink) == [("bob", True), ("carol", True)]
    leave(worker, theirs)
    await gone(redis, "bob")
    await grace(worker)
    assert told(sink) == [("bob", True), ("carol", True)], "Bob is not watched any more"
    await watch(worker, "alice")
    await ticks(worker)
    assert len(worker.hub.presence._people) == worker.hub.metrics.watched == 0
    asked = worker.hub.metrics.presence_asked
    await grace(worker)
    assert worker.hub.metrics.presence_asked == asked, "nobody is watched, and nobody asked for"


async def test_each_device_has_a_list_of_its_own_and_the_oldest_of_too_many_goes(worker: Worker) -> None:
    names = [f"user{number:02}" for number in range(MAX_LISTS + 1)]
    await friends(worker, *names)
    await live(worker, "alice")
    presence = worker.hub.presence
    for number, name in enumerate(names):
        await watch(worker, "alice", name, device=f"tab {number}")
        await ticks(worker)
        await asyncio.sleep(0.002)  # lists go by milliseconds
    assert sorted(person.user for person in presence._people) == names[1:]
    await watch(worker, "alice", device="tab 3")
    await ticks(worker)
    assert sorted(person.user for person in presence._people) == [*names[1:3], *names[4:]]


async def test_nothing_of_a_user_without_streams_is_kept_here_and_its_lists_expire(
    worker: Worker, redis: RedisProcess
) -> None:
    await friends(worker, "bob")
    stream, _ = await live(worker, "alice")
    await watch(worker, "alice", "bob")
    await ticks(worker)
    presence = worker.hub.presence
    assert len(presence._people) == 1
    stream.lost()
    assert len(presence._people) == 0
    assert presence._people.watch_of(stream.channel) is None
    assert not presence._all_again
    with redis.client() as client:
        assert 0 < client.ttl(keys.watch_lists("alice")) <= KEPT_SECONDS
        client.expire(keys.watch_lists("alice"), 10)
        await live(worker, "alice")
        await ticks(worker)
        assert client.ttl(keys.watch_lists("alice")) > 10, "it is kept for as long as there are streams"


async def test_a_user_who_watches_nobody_costs_one_question_when_it_comes(worker: Worker) -> None:
    await live(worker, "alice")
    await ticks(worker)
    asked = sum(worker.redis.metrics.redis_seconds.counts)
    await ticks(worker, seconds=60)
    assert sum(worker.redis.metrics.redis_seconds.counts) == asked


async def test_people_are_asked_for_in_turn_and_not_more_than_so_many_at_a_time(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.streams.presence.ASKED_PER_TICK", 3)
    names = [f"user{number}" for number in range(8)]
    await friends(worker, *names)
    _, sink = await live(worker, "alice")
    for name in names:
        await live(worker, name)
    await watch(worker, "alice", *names)
    for asked in (3, 6, 8):
        await ticks(worker)
        assert worker.hub.metrics.presence_asked >= asked
        assert worker.hub.metrics.presence_asked <= 3 * (asked + 1) // 3 + 1
    assert sorted({name for name, _ in told(sink)}) == names


async def test_lists_that_could_not_be_read_are_read_later(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssechat.streams.presence.LOADED_AT_ONCE", 1)
    await friends(worker, "bob", "carol")
    await live(worker, "alice")
    sinks = [(await live(worker, name))[1] for name in ("bob", "carol")]
    for name in ("bob", "carol"):
        await watch(worker, name, "alice")
    await asyncio.sleep(0.02)  # the workers hear of it
    asked = 0

    async def away(users: Sequence[UserId]) -> Any:
        nonlocal asked
        asked += 1
        raise RedisUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(worker.hub.presence, "_load", away)
        with suppress(RedisUnavailable):
            await ticks(worker)
    assert asked == 1
    await ticks(worker)
    assert [told(sink) for sink in sinks] == [[("alice", True)]] * 2


async def test_each_who_is_watched_counts_as_a_delivery(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    charged: list[tuple[Sequence[UserId], int]] = []
    monkeypatch.setattr(worker.chat.presence, "_charge", lambda users, reached: charged.append((users, reached)))
    await watch(worker, "alice", *(f"user{number}" for number in range(100)))
    assert charged == [((ALICE,), 100)]


async def test_lists_are_read_as_they_were_given(worker: Worker) -> None:
    lists = WatchLists(worker.redis)
    await watch(worker, "alice", "bob", "a|b@c.d+e~f-g")
    [[one]] = await lists.of((ALICE,))
    assert (list(one.users), one.group) == (["bob", "a|b@c.d+e~f-g"], None)
    assert await lists.of((BOB,)) == [[]]
