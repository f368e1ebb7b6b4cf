"""Who is there: told to those who watch and may know, right across workers and devices, and without flicker."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from parts import ALICE, BOB, FakeSink, Worker, a_worker
from polling import until
from redises import RedisProcess
from ssechat.chat.groups import Draft
from ssechat.errors import RedisUnavailable, RequestError
from ssechat.identity.watch_lists import KEPT_SECONDS, MAX_LISTS, WatchLists
from ssechat.ids import ConversationId, UserId
from ssechat.redis import keys
from ssechat.redis.subscriptions import LINGER
from ssechat.streams.presence import ANEW_SECONDS, GRACE_SECONDS, ROUND_SECONDS, TICK_SECONDS
from ssechat.streams.stream import RETRY_AFTER_TROUBLE, Stream

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]

CAROL = UserId("carol")
MS = 1000


async def live(worker: Worker, user: str) -> tuple[Stream, FakeSink]:
    """A stream of this user that is live."""
    stream, sink = worker.open_stream(user)
    await until(lambda: stream.live)
    return stream, sink


async def friends(worker: Worker, *names: str) -> None:
    """Alice has written to each of these."""
    for name in names:
        await worker.say("hi", conversation=":".join(["dm", *sorted(("alice", name))]))


async def watch(worker: Worker, user: str, *names: str, device: str = "", group: str | None = None) -> None:
    await worker.chat.presence.watch(UserId(user), device, [UserId(name) for name in names], group)


async def ticks(*workers: Worker, seconds: float = TICK_SECONDS) -> None:
    """So much time passes on these workers."""
    await asyncio.sleep(0.02)  # what was published arrives
    for _ in range(round(seconds / TICK_SECONDS)):
        for worker in workers:
            worker.clock.time += TICK_SECONDS
            await worker.hub.presence.tick()


async def grace(*workers: Worker) -> None:
    await ticks(*workers, seconds=GRACE_SECONDS + 2 * ROUND_SECONDS)


def told(sink: FakeSink) -> list[tuple[str, bool]]:
    """What a stream was told, in order."""
    return [(one["user"], one["online"]) for one in all_told(sink)]


def all_told(sink: FakeSink) -> list[dict[str, Any]]:
    events = [json.loads(event["data"]) for event in sink.checked() if event["event"] == "presence"]
    assert all("id" not in event for event in sink.events() if event["event"] == "presence")
    return [one for event in events for one in event["users"]]


def leave(worker: Worker, *streams: Stream) -> None:
    """These streams end, and the worker does not linger on their channels."""
    for stream in streams:
        stream.lost()
        worker.hub.subscriptions._leaving[stream.channel] = 0.0
    worker.hub.subscriptions._wake.set()


async def gone(redis: RedisProcess, *names: str) -> None:
    """Waits until no worker is subscribed to the channels of these."""
    with redis.client() as client:
        await until(lambda: not any(count for _, count in client.pubsub_numsub(*map(keys.live, names))))


async def kill(worker: Worker) -> None:
    """Ends all that Redis knows of the worker, as its death does."""
    await worker.hub.subscriptions.close()


async def now(worker: Worker, user: str, *names: str, group: str | None = None) -> list[tuple[str, bool]]:
    found = await worker.chat.presence.now(UserId(user), [UserId(name) for name in names], group)
    return [(one.user, one.online) for one in found]


async def last_seen(worker: Worker, user: str, name: str) -> int | None:
    [seen] = await worker.chat.presence.now(UserId(user), (UserId(name),))
    return seen.last_seen


@asynccontextmanager
async def third_worker(redis: RedisProcess) -> AsyncIterator[Worker]:
    async with a_worker(redis.url) as worker:
        yield worker


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


async def test_a_reload_shows_nowhere(worker: Worker, other_worker: Worker, redis: RedisProcess) -> None:
    await friends(worker, "bob")
    _, sink = await live(worker, "alice")
    theirs, _ = await live(other_worker, "bob")
    await watch(worker, "alice", "bob")
    await ticks(worker)
    for _ in range(3):
        leave(other_worker, theirs)
        await gone(redis, "bob")
        await ticks(worker, seconds=GRACE_SECONDS - ROUND_SECONDS)
        assert await now(worker, "alice", "bob") == [("bob", True)], "nor in an answer"
        theirs, _ = await live(other_worker, "bob")
        await ticks(worker, seconds=ROUND_SECONDS)
    await grace(worker)
    assert told(sink) == [("bob", True)]


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
    async with third_worker(redis) as dying:
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


async def test_one_may_know_of_those_with_whom_one_shares_a_conversation(worker: Worker) -> None:
    group, _ = await worker.chat.groups.make(ALICE, Draft("Lunch", "", "all", ["bob"]), None)
    await friends(worker, "carol")
    for name in ("alice", "bob", "carol", "dave"):
        await live(worker, name)
    names = ("bob", "carol", "dave", "nobody", "alice")
    assert await now(worker, "alice", *names) == [
        ("bob", False),  # shares a group, which is not named
        ("carol", True),
        ("dave", False),
        ("nobody", False),
        ("alice", True),
    ]
    assert await now(worker, "alice", *names, group=group) == [
        ("bob", True),
        ("carol", True),
        ("dave", False),
        ("nobody", False),
        ("alice", True),
    ]
    assert await last_seen(worker, "alice", "dave") is None


@pytest.mark.parametrize(
    ("group", "code"),
    [("dm:alice:bob", "not_a_group"), ("dm:bob:carol", "not_a_member"), ("g:" + "a" * 26, "unknown_conversation")],
)
async def test_only_a_group_of_ones_own_can_be_named(worker: Worker, group: str, code: str) -> None:
    for attempt in (watch(worker, "alice", "bob", group=group), now(worker, "alice", "bob", group=group)):
        with pytest.raises(RequestError) as refused:
            await attempt
        assert refused.value.code == code


async def test_a_group_that_one_is_not_in_or_that_has_ended_tells_nothing(worker: Worker) -> None:
    group, _ = await worker.chat.groups.make(BOB, Draft("Lunch", "", "all", ["carol"]), None)
    for code in ("not_a_member", "ended"):
        with pytest.raises(RequestError) as refused:
            await watch(worker, "alice" if code == "not_a_member" else "carol", "bob", group=group)
        assert refused.value.code == code
        await worker.chat.groups.end(BOB, group)


async def grouped(worker: Worker) -> tuple[ConversationId, FakeSink]:
    """Alice watches Bob, who is there, in a group."""
    group, _ = await worker.chat.groups.make(ALICE, Draft("Lunch", "", "all", ["bob", "carol"]), None)
    _, sink = await live(worker, "alice")
    await live(worker, "bob")
    await watch(worker, "alice", "bob", group=group)
    await ticks(worker)
    assert told(sink) == [("bob", True)]
    return group, sink


@pytest.mark.parametrize("who", ["bob", "alice"])
async def test_a_leave_takes_the_right_away_within_a_second(worker: Worker, who: str) -> None:
    group, sink = await grouped(worker)
    if who == "alice":
        await worker.chat.members.put(ALICE, group, "carol", "owner")
    await worker.chat.members.remove(UserId(who), group, who)
    await ticks(worker)
    assert told(sink) == [("bob", True), ("bob", False)]
    assert "last_seen" not in all_told(sink)[-1]
    await grace(worker)
    assert len(told(sink)) == 2


async def test_the_end_of_a_group_takes_the_right_away(worker: Worker) -> None:
    group, sink = await grouped(worker)
    await worker.chat.groups.end(ALICE, group)
    await ticks(worker)
    assert told(sink) == [("bob", True), ("bob", False)]


@pytest.mark.parametrize(("blocks", "other"), [("alice", "bob"), ("bob", "alice")])
async def test_a_block_hides_either_from_the_other_within_a_second(
    worker: Worker, other_worker: Worker, blocks: str, other: str
) -> None:
    await friends(worker, "bob")
    sinks = {name: (await live(worker, name))[1] for name in ("alice", "bob")}
    for name, watched in (("alice", "bob"), ("bob", "alice")):
        await watch(worker, name, watched)
    await ticks(worker)
    assert [told(sink)[-1][1] for sink in sinks.values()] == [True, True]
    await other_worker.chat.blocks.block(UserId(blocks), other)
    await ticks(worker)
    assert told(sinks["alice"]) == [("bob", True), ("bob", False)]
    assert told(sinks["bob"]) == [("alice", True), ("alice", False)]
    for name, watched in (("alice", "bob"), ("bob", "alice")):
        assert await now(other_worker, name, watched) == [(watched, False)]
        assert "last_seen" not in all_told(sinks[name])[-1]
    await other_worker.chat.blocks.unblock(UserId(blocks), other)
    await ticks(worker)
    assert [told(sink)[-1][1] for sink in sinks.values()] == [True, True]


async def test_the_first_direct_message_gives_the_right(worker: Worker) -> None:
    _, sink = await live(worker, "alice")
    await live(worker, "bob")
    await watch(worker, "alice", "bob")
    await ticks(worker)
    assert told(sink) == [("bob", False)]
    await worker.say("hi", sender="bob")
    await ticks(worker)
    assert told(sink) == [("bob", False), ("bob", True)]


async def test_a_first_direct_message_too_long_for_a_wake_up_gives_the_right_too(worker: Worker) -> None:
    _, sink = await live(worker, "alice")
    await live(worker, "bob")
    await watch(worker, "alice", "bob")
    await ticks(worker)
    await worker.say("long " * 1000, sender="bob")
    await ticks(worker)
    assert told(sink) == [("bob", False), ("bob", True)]


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


async def test_nobody_is_seen_by_who_could_not_hear_that_the_right_is_gone(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was published on a connection that was lost is not heard: rights are read anew from time to time."""
    group, sink = await grouped(worker)
    presence = worker.hub.presence
    monkeypatch.setattr(presence, "heard", lambda channel, event: None)
    await worker.chat.members.remove(BOB, group, "bob")
    await ticks(worker, seconds=ANEW_SECONDS + 2)
    assert told(sink) == [("bob", True), ("bob", False)]


async def test_who_becomes_invisible_goes_as_one_who_leaves_and_comes_as_one_who_comes(
    worker: Worker, other_worker: Worker, redis: RedisProcess
) -> None:
    await friends(worker, "bob", "carol")
    _, sink = await live(worker, "alice")
    hides, _ = await live(other_worker, "bob")
    leaves, _ = await live(other_worker, "carol")
    await watch(worker, "alice", "bob", "carol")
    await ticks(worker)
    leave(other_worker, leaves)
    await gone(redis, "carol")
    await other_worker.chat.presence.set_visible(BOB, visible=False)
    assert await now(worker, "alice", "bob", "carol") == [("bob", True), ("carol", True)], "neither is gone at once"
    await ticks(other_worker)
    await grace(worker)
    assert sorted(told(sink)[2:]) == [("bob", False), ("carol", False)]
    bob, carol = sorted(all_told(sink)[2:], key=lambda one: one["user"])
    assert bob.keys() == carol.keys(), "nothing distinguishes them"
    frozen = await last_seen(worker, "alice", "bob")
    leave(other_worker, hides)
    await gone(redis, "bob")
    await ticks(other_worker, worker, seconds=GRACE_SECONDS)
    await live(other_worker, "bob")
    await ticks(other_worker, worker, seconds=GRACE_SECONDS)
    assert await last_seen(worker, "alice", "bob") == frozen
    assert await now(other_worker, "alice", "bob") == [("bob", False)]
    assert len(told(sink)) == 4
    await worker.chat.presence.set_visible(BOB, visible=True)
    await ticks(worker, seconds=ROUND_SECONDS)
    assert told(sink)[4:] == [("bob", True)]


async def test_an_invisible_user_who_comes_is_not_told_though_nobody_heard_that_it_is(
    worker: Worker, other_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await friends(worker, "bob")
    _, sink = await live(worker, "alice")
    await watch(worker, "alice", "bob")
    await grace(worker)
    presence = worker.hub.presence
    monkeypatch.setattr(presence, "hidden", lambda user: None)
    await other_worker.chat.presence.set_visible(BOB, visible=False)
    await live(other_worker, "bob")
    await ticks(worker, seconds=60)
    assert told(sink) == [("bob", False)]
    assert await last_seen(worker, "alice", "bob") is None, "it was never seen"


async def test_who_was_invisible_when_the_subscriptions_were_lost_is_looked_at_again(
    worker: Worker, other_worker: Worker, redis: RedisProcess
) -> None:
    await friends(worker, "bob")
    _, sink = await live(worker, "alice")
    await live(worker, "bob")
    await watch(worker, "alice", "bob")
    await ticks(worker)
    hears = worker.hub.subscriptions._on_message
    worker.hub.subscriptions._on_message = lambda *_: None
    await other_worker.chat.presence.set_visible(BOB, visible=False)
    await asyncio.sleep(0.02)
    worker.hub.subscriptions._on_message = hears
    with redis.client() as client:
        client.client_kill_filter(_type="pubsub")
    await until(lambda: worker.hub.presence._to_look)
    await until(lambda: worker.hub.subscriptions.all_heard)
    await grace(worker)
    assert told(sink) == [("bob", True), ("bob", False)]


async def test_a_worker_that_stops_notes_when_its_users_were_seen(worker: Worker, redis: RedisProcess) -> None:
    await friends(worker, "bob", "carol")
    before = time.time_ns() // 1_000_000
    async with third_worker(redis) as stopping:
        await live(stopping, "bob")
        await live(stopping, "carol")
        await stopping.chat.presence.set_visible(CAROL, visible=False)
        hidden = await last_seen(worker, "alice", "carol")
        await asyncio.sleep(0.005)
    seen = await last_seen(worker, "alice", "bob")
    assert seen is not None
    assert hidden is not None
    assert before <= hidden < seen
    assert await last_seen(worker, "alice", "carol") == hidden


async def test_what_a_worker_could_not_note_it_notes_later(
    worker: Worker, redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    await friends(worker, "bob")
    stream, _ = await live(worker, "bob")
    leave(worker, stream)
    await gone(redis, "bob")
    presence = worker.hub.presence

    async def away(*_: object) -> list[object]:
        raise RedisUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(presence._sightings, "note", away)
        with pytest.raises(RedisUnavailable):
            await presence.tick()
    await ticks(worker)
    assert await last_seen(worker, "alice", "bob") is not None
    assert not presence._left


def test_the_grace_is_longer_than_a_client_takes_to_come_back() -> None:
    assert RETRY_AFTER_TROUBLE[1] / MS + 2 < GRACE_SECONDS


async def test_lists_are_read_as_they_were_given(worker: Worker) -> None:
    lists = WatchLists(worker.redis)
    await watch(worker, "alice", "bob", "a|b@c.d+e~f-g")
    [[one]] = await lists.of((ALICE,))
    assert (list(one.users), one.group) == (["bob", "a|b@c.d+e~f-g"], None)
    assert await lists.of((BOB,)) == [[]]
