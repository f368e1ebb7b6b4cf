"""Whom a user watches: a list per device, read once its changes are heard, and bounded."""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from parts import ALICE, BOB, Worker
from polling import until
from redises import RedisProcess
from ssechat.chat.groups import Draft
from ssechat.errors import RedisUnavailable
from ssechat.identity.sightings import Sight, Sightings
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


async def test_the_lists_of_many_are_read_in_a_few_round_trips(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [[f"user{group}{number}" for number in range(5)] for group in range(6)]
    for names in groups:
        group, _ = await worker.chat.groups.make(UserId(names[0]), Draft("Lunch", "", "all", names[1:]), None)
        for name in names:
            await watch(worker, name, *(other for other in names if other != name), group=group)
    users = [UserId(name) for names in groups for name in names]
    trips: list[list[Any]] = []
    pipeline, each = worker.redis.pipeline, worker.redis.each

    async def counted(commands: Iterable[Any]) -> list[Any]:
        trips.append([*commands])
        return await pipeline(trips[-1])

    async def counted_each(verb: str, about: Sequence[str], *arguments: Any) -> list[Any]:
        trips.append([*about])
        return await each(verb, about, *arguments)

    monkeypatch.setattr(worker.redis, "pipeline", counted)
    monkeypatch.setattr(worker.redis, "each", counted_each)
    monkeypatch.setattr(worker.redis, "call", None)
    found = await worker.chat.presence.watched(users)
    assert [one.seen for one in found] == [{*names} - {name} for names in groups for name in names]
    lists, kept, entered, present, directs = map(len, trips)
    assert (lists, kept, entered) == (30, 30, 30)
    assert present == 6, "one for each group"
    assert directs == 6 * 5 * 4 / 2, "two who watch each other have one conversation"


async def test_hundreds_of_lists_are_read_in_one_tick_and_everybody_is_told_once(worker: Worker) -> None:
    names = [f"user{number}" for number in range(500)]
    sinks = [sink for _, sink in await asyncio.gather(*(live(worker, name) for name in names))]
    for name, other in zip(names, names[1:] + names[:1], strict=True):
        await worker.say("hi", sender=name, conversation=":".join(["dm", *sorted((name, other))]))
        await watch(worker, name, other)
    await ticks(worker)
    expected = [[(other, True)] for other in names[1:] + names[:1]]
    assert [told(sink) for sink in sinks] == expected
    await grace(worker)
    assert [told(sink) for sink in sinks] == expected


async def test_nobody_is_told_twice_while_lists_are_read_and_people_asked_for_some_at_a_time(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.streams.presence.LOADED_PER_TICK", 10)
    monkeypatch.setattr("ssechat.streams.presence.LOADED_AT_ONCE", 1)
    monkeypatch.setattr("ssechat.streams.presence.ASKED_PER_TICK", 3)
    names = [f"user{number}" for number in range(8)]
    group, _ = await worker.chat.groups.make(UserId(names[0]), Draft("Lunch", "", "all", names[1:]), None)
    sinks = [(await live(worker, name))[1] for name in names[:-1]]
    for name in names:
        await watch(worker, name, *(other for other in names if other != name), group=group)
    expected = [sorted((other, other != names[-1]) for other in names if other != name) for name in names[:-1]]
    for read in (2, 4, 6, 7):
        await ticks(worker)
        watches = [*worker.hub.presence._people.watches()]
        assert len(watches) == read, "ten names, and each list is one more"
    await grace(worker)
    await grace(worker)
    assert [sorted(told(sink)) for sink in sinks] == expected


async def test_who_is_new_is_looked_at_once(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssechat.streams.presence.ASKED_PER_TICK", 3)
    names = [f"user{number}" for number in range(8)]
    await friends(worker, *names)
    await live(worker, "alice")
    await watch(worker, "alice", *names)
    looked: list[UserId] = []
    look = Sightings.look

    async def counted(self: Sightings, users: Sequence[UserId]) -> list[Sight]:
        looked.extend(users)
        return await look(self, users)

    monkeypatch.setattr(Sightings, "look", counted)
    await ticks(worker, seconds=4)
    assert sorted(looked) == names


async def test_lists_that_were_read_take_no_room_among_those_that_are_to_be_read(worker: Worker) -> None:
    presence = worker.hub.presence
    for number in range(1000):
        presence.changed(keys.live(f"user{number}").encode())
    await ticks(worker)
    assert sys.getsizeof(presence._to_load) == sys.getsizeof({})


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
