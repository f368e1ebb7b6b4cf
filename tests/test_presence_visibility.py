"""Who is invisible looks like one who has gone; and when somebody was last seen is noted."""

import asyncio
import time

import pytest

from parts import BOB, Worker, a_worker
from polling import until
from redises import RedisProcess
from ssechat.errors import RedisUnavailable
from ssechat.ids import UserId
from ssechat.streams.presence import GRACE_SECONDS, ROUND_SECONDS
from watching import all_told, friends, gone, grace, last_seen, leave, live, now, ticks, told, watch

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]

CAROL = UserId("carol")


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
    async with a_worker(redis.url) as stopping:
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
