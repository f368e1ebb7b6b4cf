"""Feeds: the log of each, and streams of it."""

import asyncio
import json
from typing import Any

import pytest

from feeding import EVENTS, ROOM, kept, make, opened, publish, values
from parts import FOR_EVER, Worker
from polling import until
from redises import RedisProcess
from ssechat.chat.groups import Draft
from ssechat.errors import Conflict, Forbidden
from ssechat.events.source import START
from ssechat.identity.tokens import Identity
from ssechat.ids import UserId, number_of
from ssechat.logs import feeds
from ssechat.redis import keys
from ssechat.streams.feed_readers import Stranger
from ssechat.streams.stream import ALL

pytestmark = pytest.mark.anyio


async def test_a_feed_keeps_as_many_events_as_it_says_and_no_more_bytes_than_it_may(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(worker, keep=3)
    ids = [await publish(worker, number) for number in range(5)]
    assert await kept(worker) == [2, 3, 4]
    feed = worker.chat.feeds.feeds
    assert [event.id for event in (await feed.read("ticks", ids[2], 10, ROOM)).events] == ids[3:]
    assert (await feed.read("ticks", ids[1], 10, ROOM)).continuous
    assert not (await feed.read("ticks", ids[0], 10, ROOM)).continuous
    await make(worker, "large")
    for _ in range(90):
        await publish(worker, "x" * 15_000, name="large")
    _, stored = await feed.stored("large", START, 5000, 8 * ROOM)
    assert 60 < len(stored) < 71
    assert sum(len(one.data) for one in stored) <= feeds.MOST_BYTES


async def test_a_feed_that_keeps_nothing_has_live_readers_all_the_same(worker: Worker) -> None:
    await make(worker, keep=0)
    stream, sink = opened(worker)
    await until(lambda: stream.live)
    await publish(worker, 1)
    await until(lambda: values(sink) == [1])
    assert await kept(worker) == []


async def test_of_a_feed_with_keys_only_the_newest_of_each_is_kept_and_read(worker: Worker) -> None:
    await make(worker, keyed=True)
    first = await publish(worker, 1, "a")
    for data, key in ((2, "b"), (3, "a"), (4, "c"), (5, "b")):
        await publish(worker, data, key)
    assert await kept(worker) == [3, 4, 5]
    page = await worker.chat.feeds.feeds.read("ticks", first, 10, ROOM)
    assert (page.continuous, [event.n for event in page.events]) == (True, [3, 4, 5])
    await publish(worker, None, "c")
    assert await kept(worker) == [3, 5, None]


async def test_deleted_keys_are_told_to_those_who_had_them_and_forgotten_when_they_are_too_many(worker: Worker) -> None:
    await make(worker, keyed=True)
    early = await publish(worker, 0, "stays")
    await publish(worker, 1, "goes")
    await publish(worker, None, "goes")
    assert await kept(worker, early) == [None]
    feed = worker.chat.feeds.feeds
    fresh = await feed.read("ticks", START, 10, ROOM)
    assert [bool(event.chunk) for event in fresh.events] == [True, False], "who has nothing has nothing to delete"
    for first in range(0, feeds.MOST_KEYS, 100):
        await asyncio.gather(*(publish(worker, None, f"k{number}") for number in range(first, first + 100)))
    late = await publish(worker, None, "last")
    assert await kept(worker) == [0, None, None], "those that were deleted last are known"
    assert not (await feed.read("ticks", early, 10, ROOM)).continuous, "it does not know what it had"
    await publish(worker, 5, "new")
    assert await kept(worker, late) == [5]
    assert (await feed.read("ticks", late, 10, ROOM)).continuous


async def test_a_feed_takes_no_more_keys_and_bytes_than_it_may(worker: Worker) -> None:
    await make(worker, keyed=True)
    for first in range(0, feeds.MOST_KEYS, 100):
        await asyncio.gather(*(publish(worker, 1, f"k{number}") for number in range(first, first + 100)))
    with pytest.raises(Forbidden, match="1,000 keys"):
        await publish(worker, 1, "one more")
    await publish(worker, 2, "k7")
    await publish(worker, None, "k8")
    await publish(worker, 1, "one more")
    await make(worker, "large", keyed=True)
    fit = feeds.MOST_BYTES // 15_100
    for number in range(fit):
        await publish(worker, "x" * 15_000, f"k{number}", name="large")
    with pytest.raises(Forbidden, match="1,024 KiB"):
        await publish(worker, "x" * 15_000, "too much", name="large")
    await publish(worker, "small", "k0", name="large")
    await publish(worker, "x" * 10_000, "another", name="large")


async def test_the_same_id_again_publishes_nothing_and_for_another_event_it_is_a_conflict(worker: Worker) -> None:
    await make(worker, keyed=True)
    first = await publish(worker, 1, "a", id="one")
    await publish(worker, 2, "a", id="two")
    assert await publish(worker, 1, "a", id="one") == first
    assert await kept(worker) == [2], "a late repeat does not bring an old value back"
    with pytest.raises(Conflict) as caught:
        await publish(worker, 3, "a", id="one")
    assert (caught.value.status, caught.value.code) == (422, "idempotency_conflict")


async def test_ids_are_remembered_as_many_as_promised_and_no_more(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = feeds.LIMITS.replace(f"MOST_IDS, IDS_SECONDS = {feeds.MOST_IDS}", "MOST_IDS, IDS_SECONDS = 3")
    monkeypatch.setattr(feeds, "LIMITS", few)
    worker.chat.feeds.feeds = feeds.Feeds(worker.redis)
    await make(worker)
    ids = [await publish(worker, number, id=f"n{number}") for number in range(12)]
    for number in (9, 10, 11):
        assert await publish(worker, number, id=f"n{number}") == ids[number]
    assert await publish(worker, 0, id="n0") not in ids
    of_feed = keys.of_feed("ticks")
    for key in (of_feed.ids, of_feed.other_ids):
        assert await worker.redis.call("HLEN", key) <= 3


async def test_a_key_belongs_to_a_feed_with_keys(worker: Worker) -> None:
    await make(worker)
    await make(worker, "table", keyed=True)
    with pytest.raises(Exception, match="no keys"):
        await publish(worker, 1, "a")
    with pytest.raises(Exception, match="has keys"):
        await publish(worker, 1, name="table")


async def test_a_reader_gets_each_event_once_and_in_order_live_and_after_it_was_away(
    worker: Worker, other_worker: Worker
) -> None:
    await make(worker)
    stream, sink = opened(worker)
    await until(lambda: stream.live)
    assert sink.events()[1]["event"] == "hello"
    assert json.loads(sink.events()[1]["data"]) == {"feed": "ticks", "resumed": False, "missed": 0}
    for number in range(30):
        await publish(other_worker if number % 2 else worker, number)
    await until(lambda: values(sink) == [*range(30)])
    assert stream.live
    cursor = sink.events()[12]["id"]
    stream.lost()
    missed = len(values(sink)) - 11
    again, more = opened(other_worker, cursor)
    await until(lambda: again.live)
    assert values(more) == [*range(11, 30)]
    assert json.loads(more.events()[1]["data"]) == {"feed": "ticks", "resumed": True, "missed": missed}
    assert more.names()[-1] == "caught_up"
    more.checked(EVENTS)


@pytest.mark.parametrize("cursor", ["5-5", "99-1", "x", "0-5"])
async def test_an_id_that_is_none_of_the_feeds_gets_a_reset(worker: Worker, cursor: str) -> None:
    await make(worker, keyed=True)
    for number in range(9):
        await publish(worker, number, f"k{number % 3}")
    stream, sink = opened(worker, cursor)
    await until(lambda: stream.live)
    assert sink.names() == ["hello", "reset"]
    sink.checked(EVENTS)
    assert stream.cursor == await worker.chat.feeds.feeds.head("ticks")


async def test_an_id_that_was_given_and_lost_gets_a_reset_before_anything_is_published_anew(worker: Worker) -> None:
    await make(worker)
    head = await publish(worker, 1)
    stream, sink = opened(worker, f"{number_of(head) + 1}-{head.partition('-')[2]}")
    await until(lambda: stream.live)
    assert sink.names() == ["hello", "reset"]


async def test_events_that_are_kept_no_more_are_a_reset(worker: Worker) -> None:
    await make(worker, keep=2)
    ids = [await publish(worker, number) for number in range(5)]
    stream, sink = opened(worker, ids[0])
    await until(lambda: stream.live)
    [reset] = [event for event in sink.events() if event["event"] == "reset"]
    assert json.loads(reset["data"]) == {"reason": "expired", "oldest": ids[3], "newest": ids[4]}


async def test_an_id_of_what_was_lost_is_never_taken_for_one_of_what_came_instead(
    redis: RedisProcess, worker: Worker
) -> None:
    """Redis comes back with what it had before: numbers are given again."""
    await make(worker, keyed=True)
    before = await publish(worker, 1, "a")
    saved = {key: await worker.redis.call("HGETALL", key) for key in keys.of_feed("ticks") if not key.endswith("/log")}
    lost = await publish(worker, 2, "b")
    of_feed = keys.of_feed("ticks")
    await worker.redis.call("DEL", of_feed.feed, of_feed.latest)
    await worker.redis.call("XDEL", of_feed.log, lost)
    connection = worker.redis.connection
    with redis.client() as client:
        client.execute_command("XSETID", of_feed.log, before)
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await until(lambda: worker.redis.connected and worker.redis.connection is not connection)
    for key, values_then in saved.items():
        if values_then:
            await worker.redis.call("HSET", key, *values_then)
    instead = await publish(worker, 3, "c")
    assert number_of(instead) == number_of(lost)
    feed = worker.chat.feeds.feeds
    assert (await feed.read("ticks", before, 10, ROOM)).continuous
    assert not (await feed.read("ticks", lost, 10, ROOM)).continuous
    assert (await feed.read("ticks", instead, 10, ROOM)).continuous


async def test_a_fresh_reader_of_a_feed_with_keys_gets_the_newest_of_each_key_then_what_comes(worker: Worker) -> None:
    await make(worker, keyed=True)
    for number in range(300):
        await publish(worker, number, f"k{number % 100}")
    await publish(worker, None, "k5")
    stream, sink = opened(worker, since=ALL)
    await until(lambda: stream.live)
    shown = [value for value in values(sink) if value is not None]
    assert shown == [number for number in range(200, 300) if number % 100 != 5]
    assert json.loads(sink.events()[1]["data"])["resumed"] is False
    await publish(worker, "new", "k7")
    await until(lambda: values(sink)[-1] == "new")


async def test_some_of_the_past_is_shown_if_asked_for(worker: Worker) -> None:
    await make(worker)
    for number in range(10):
        await publish(worker, number)
    terms = await worker.chat.feeds.terms("ticks")
    stream, sink = opened(worker, since=terms.before(3))
    await until(lambda: stream.live)
    assert values(sink) == [7, 8, 9]
    everything, all_of_it = opened(worker, since=terms.before(100))
    await until(lambda: everything.live)
    assert values(all_of_it) == [*range(10)]


async def test_readers_that_lack_the_same_share_one_reading(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    await make(worker)
    cursor = await publish(worker, 1)
    await publish(worker, 2)
    feed = worker.chat.feeds.feeds
    asked = []
    stored = feed.stored

    async def counted(*given: Any) -> Any:
        asked.append(given)
        return await stored(*given)

    monkeypatch.setattr(feed, "stored", counted)
    streams = [opened(worker, cursor) for _ in range(50)]
    await until(lambda: all(stream.live for stream, _ in streams))
    assert all(values(sink) == [2] for _, sink in streams)
    assert len(asked) < 10


async def test_what_pub_sub_lost_is_found(worker: Worker) -> None:
    await make(worker)
    stream, sink = opened(worker)
    await until(lambda: stream.live)
    worker.hub.subscriptions._on_message = lambda *_: None
    await publish(worker, 1)
    worker.clock.time += 601
    await worker.hub.sweep()
    await until(lambda: values(sink) == [1])


async def test_strangers_take_up_half_of_the_descriptors_at_most(worker: Worker) -> None:
    await make(worker)
    source = worker.chat.feeds.feeds.source("ticks")
    worker.hub.feeds._most_strangers = 2
    streams = [opened(worker, identity=Stranger(network=f"192.0.2.{number}"))[0] for number in range(2)]
    another = Stranger(network="192.0.2.7")
    assert not worker.hub.has_room(source, another)
    assert worker.hub.has_room(source)
    streams[0].lost()
    assert worker.hub.has_room(source, another)


@pytest.mark.parametrize("scarce", ["descriptors", "places of a feed"])
async def test_while_places_are_scarce_strangers_of_one_network_get_a_share_only(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, scarce: str
) -> None:
    await make(worker)
    source = worker.chat.feeds.feeds.source("ticks")
    if scarce == "descriptors":
        worker.hub.feeds._most_strangers = 64
    else:
        monkeypatch.setattr(worker.hub, "_settings", worker.hub._settings.model_copy(update={"readers_per_feed": 64}))
    here, there = Stranger(network="192.0.2.1"), Stranger(network="192.0.2.2")
    streams = []
    while worker.hub.has_room(source, here):
        streams.append(opened(worker, identity=here)[0])
    assert len(streams) == 32, "half of them to whoever comes first"
    for _ in range(4):
        assert worker.hub.has_room(source, there)
        streams.append(opened(worker, identity=there)[0])
    assert not worker.hub.has_room(source, there)
    assert worker.hub.has_room(source, Stranger(network="192.0.2.3"))
    assert worker.hub.has_room(source, Identity(UserId("alice"), FOR_EVER))
    for stream in streams[:10]:
        stream.lost()
    assert worker.hub.has_room(source, here), "there is enough again"
    for stream in streams[10:]:
        stream.lost()
    assert not worker.hub.feeds._strangers


async def test_who_may_have_lost_the_right_is_told_so_at_once_and_by_an_audit(worker: Worker) -> None:
    rules = worker.chat.feeds
    group = await worker.chat.groups.make(UserId("alice"), Draft("Plans", "", "all", ["bob", "carol"]), None)
    await rules.put(None, "plans", "group", group[0], 5, (), keyed=False)
    names = ("alice", "bob", "carol", "*")
    streams = {name: opened(worker, name="plans", user=name) for name in names}
    for stream, _ in streams.values():
        worker.hub.feeds.opened(stream, group[0], worker.hub.feeds.changes)
    await until(lambda: all(stream.live for stream, _ in streams.values()))
    await worker.chat.members.remove(UserId("alice"), group[0], "bob")
    await until(lambda: streams["bob"][0].closed)
    assert streams["bob"][1].names()[-1] == "bye"
    worker.hub.subscriptions._on_message = lambda *_: None
    await worker.chat.members.remove(UserId("alice"), group[0], "carol")
    worker.clock.time += 601
    await worker.hub.sweep()
    assert [name for name in names if streams[name][0].closed] == ["bob", "carol"]
    await rules.put(None, "plans", "public", None, 5, (), keyed=False)
    worker.hub.feeds.heard("feed", ["plans"])
    assert all(stream.closed for stream, _ in streams.values())


async def test_a_right_that_was_lost_while_a_stream_was_opened_is_found(worker: Worker) -> None:
    await make(worker)
    before = worker.hub.feeds.changes
    worker.hub.feeds.heard("feed", ["another"])
    stream, sink = opened(worker)
    worker.hub.feeds.opened(stream, "", before)
    assert stream.closed
    assert sink.names()[-1] == "bye"
