"""Feeds: made, filled and read, in the log of each and over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app_client import client_of, code, sign_up
from parts import FOR_EVER, FakeSink, Worker
from people import people
from polling import until
from redises import RedisProcess
from ssechat.chat.feeds import NewEvent
from ssechat.chat.groups import Draft
from ssechat.errors import Conflict, Forbidden
from ssechat.events.source import START
from ssechat.identity.tokens import Identity
from ssechat.ids import UserId, number_of
from ssechat.logs import feeds
from ssechat.logs.feed_terms import Terms
from ssechat.redis import keys
from ssechat.streams.stream import ALL, Stream

pytestmark = pytest.mark.anyio

ADMIN_TOKEN = "an-admin-token-for-tests"
ADMIN = {"authorization": f"Bearer {ADMIN_TOKEN}"}
ROOM = 1_000_000
EVENTS = "/v1/feeds/ticks/events"


async def make(
    worker: Worker, name: str = "ticks", *, keyed: bool = False, keep: int = 1000, read: Any = "public"
) -> Terms:
    terms, made = await worker.chat.feeds.put(None, name, "public", None, keep, (), keyed=keyed)
    assert made
    return terms


async def publish(
    worker: Worker, data: Any, key: str | None = None, *, name: str = "ticks", id: str | None = None
) -> str:
    event, _ = await worker.chat.feeds.publish(None, name, NewEvent("tick", data, key, id))
    return event.id


async def kept(worker: Worker, cursor: str = START, name: str = "ticks") -> list[Any]:
    """The data of what is kept after the cursor."""
    _, stored = await worker.chat.feeds.feeds.stored(name, cursor, 5000, 8 * ROOM)
    return [json.loads(one.data)["data"] for one in stored]


def opened(
    worker: Worker, cursor: str | None = None, since: str | None = None, name: str = "ticks", user: str = ""
) -> tuple[Stream, FakeSink]:
    source = worker.chat.feeds.feeds.source(name)
    stream, sink = Stream(worker.hub, Identity(UserId(user), FOR_EVER), source), FakeSink()
    stream.opened(sink, cursor)
    worker.hub.attach(stream, cursor, worker.auth.sign_outs, since)
    return stream, sink


def values(sink: FakeSink) -> list[Any]:
    return [json.loads(event["data"])["data"] for event in sink.events() if event["event"] == "tick"]


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


async def test_a_slow_reader_gets_the_newest_values_and_reads_no_others(worker: Worker) -> None:
    await make(worker, keyed=True)
    stream, sink = opened(worker)
    await until(lambda: stream.live)
    stream.pause()
    for number in range(200):
        await publish(worker, number, f"k{number % 10}")
    assert values(sink) == []
    reads = worker.hub.metrics.events_from_log["feed"]
    stream.resume()
    await until(lambda: stream.live)
    assert values(sink) == [*range(190, 200)]
    assert worker.hub.metrics.events_from_log["feed"] - reads == 10


async def test_many_changes_in_a_moment_are_one_write_a_reader_with_the_newest_of_each_key(worker: Worker) -> None:
    await make(worker, keyed=True)
    stream, sink = opened(worker)
    await until(lambda: stream.live)
    await asyncio.gather(*(publish(worker, number, f"k{number % 5}") for number in range(100)))
    head = await worker.chat.feeds.feeds.head("ticks")
    await until(lambda: stream.cursor == head)
    assert len(sink.chunks) < 50
    newest = {}
    for event in sink.events():
        if event["event"] == "tick":
            item = json.loads(event["data"])
            newest[item["key"]] = item["data"]
    assert await kept(worker) == sorted(newest.values(), key=[*newest.values()].index)
    assert stream.live
    assert not worker.hub.metrics.holes.total()


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


@pytest.fixture
async def client(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with app_of(redis, tmp_path) as client:
        yield client


def app_of(redis: RedisProcess, folder: Path, **more: Any) -> Any:
    (folder / "admin").write_text(f"{ADMIN_TOKEN}\n")
    return client_of(redis.url, folder, admin_token_file=folder / "admin", **more)


SCORES = "/v1/feeds/scores"


async def test_the_admin_makes_fills_shows_and_deletes_a_public_feed(client: httpx.AsyncClient) -> None:
    made = await client.put(SCORES, json={"read": "public"}, headers=ADMIN)
    assert (made.status_code, made.json()) == (
        201,
        {"name": "scores", "read": "public", "keep": 1000, "keyed": False, "publishers": []},
    )
    assert (await client.put(SCORES, json={"read": "public", "keep": 5}, headers=ADMIN)).status_code == 200
    first = await client.post(f"{SCORES}/events", json={"data": {"home": 1}, "id": "g1"}, headers=ADMIN)
    again = await client.post(f"{SCORES}/events", json={"data": {"home": 1}, "id": "g1"}, headers=ADMIN)
    assert (first.status_code, again.status_code, again.json()) == (201, 200, first.json())
    await client.post(f"{SCORES}/events", json={"event": "end", "data": None}, headers=ADMIN)
    shown = await client.get(SCORES)
    assert shown.headers["access-control-allow-origin"] == "*"
    assert shown.headers["cache-control"] == "public, max-age=1"
    body = shown.json()
    assert [(event["event"], event["data"]) for event in body["events"]] == [("message", {"home": 1}), ("end", None)]
    assert body["id"] == body["events"][-1]["id"]
    assert [event["event"] for event in (await client.get(f"{SCORES}?last=1")).json()["events"]] == ["end"]
    same = await client.get(SCORES, headers={"if-none-match": shown.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert (await client.delete(SCORES, headers=ADMIN)).status_code == 204
    assert (await client.delete(SCORES, headers=ADMIN)).status_code == 204
    assert code(await client.get(SCORES)) == (401, "unauthorized"), "a stranger is not told what there is"
    assert code(await client.get(SCORES, headers=ADMIN)) == (404, "unknown_feed")


async def test_where_only_the_admin_makes_feeds_users_make_none_and_publish_where_they_may(
    client: httpx.AsyncClient,
) -> None:
    alice, bob = await people(client, "alice", "bob")
    for person in (alice, bob):
        assert code(await person.ask("PUT", "/feeds/scores", {"read": "users"})) == (403, "feeds_closed")
        assert code(await person.ask("POST", "/feeds/scores/events", {"data": 1})) == (404, "unknown_feed")
    body = {"read": "users", "publishers": ["ALICE"]}
    assert (await client.put(SCORES, json=body, headers=ADMIN)).json()["publishers"] == ["alice"]
    assert (await alice.ask("POST", "/feeds/scores/events", {"data": 1, "id": "x"})).status_code == 201
    assert code(await bob.ask("POST", "/feeds/scores/events", {"data": 1})) == (403, "not_a_publisher")
    assert code(await bob.ask("POST", "/feeds/scores/events", {"data": 1, "id": "x"})) == (403, "not_a_publisher")
    assert code(await alice.ask("PUT", "/feeds/scores", {"read": "users"})) == (403, "not_your_feed")
    assert code(await alice.ask("DELETE", "/feeds/scores")) == (403, "not_your_feed")
    unknown = {"read": "users", "publishers": ["nobody"]}
    assert code(await client.put(SCORES, json=unknown, headers=ADMIN)) == (404, "unknown_user")


async def test_with_feeds_anybody_each_user_makes_some_and_owns_them(redis: RedisProcess, tmp_path: Path) -> None:
    async with app_of(redis, tmp_path, feeds="anybody") as client:
        alice, bob = await people(client, "alice", "bob")
        for number in range(feeds.MOST_FEEDS_OF_ONE):
            assert (await alice.ask("PUT", f"/feeds/f{number}", {"read": "users"})).status_code == 201
        assert code(await alice.ask("PUT", "/feeds/more", {"read": "users"})) == (403, "too_many_feeds")
        assert code(await bob.ask("PUT", "/feeds/f1", {"read": "users"})) == (403, "not_your_feed")
        assert code(await bob.ask("DELETE", "/feeds/f1")) == (403, "not_your_feed")
        assert code(await bob.ask("POST", "/feeds/f1/events", {"data": 1})) == (403, "not_a_publisher")
        assert (await alice.ask("POST", "/feeds/f1/events", {"data": 1})).status_code == 201
        assert (await alice.ask("PUT", "/feeds/f1", {"read": "public"})).status_code == 200
        assert (await alice.ask("DELETE", "/feeds/f1")).status_code == 204
        assert (await bob.ask("PUT", "/feeds/f1", {"read": "users"})).status_code == 201
        assert (await alice.ask("PUT", "/feeds/more", {"read": "users"})).status_code == 201
        assert (await client.delete("/v1/feeds/f1", headers=ADMIN)).status_code == 204, "the admin may do all"


async def test_who_reads_a_feed_is_decided_by_what_it_says(client: httpx.AsyncClient) -> None:
    alice, bob, carol = await people(client, "alice", "bob", "carol")
    group = (await alice.make(bob)).removeprefix("/conversations/")
    for name, body in (("of-users", {"read": "users"}), ("of-group", {"read": "group", "group": group})):
        assert (await client.put(f"/v1/feeds/{name}", json=body, headers=ADMIN)).status_code == 201
    for path in ("", "/events"):
        assert code(await client.get(f"/v1/feeds/of-users{path}")) == (401, "unauthorized")
        assert code(await client.get(f"/v1/feeds/of-group{path}")) == (401, "unauthorized")
        assert code(await carol.ask("GET", f"/feeds/of-group{path}")) == (403, "not_a_member")
        assert code(await carol.ask("GET", f"/feeds/none{path}")) == (404, "unknown_feed")
        assert code(await carol.ask("GET", f"/feeds/No%20Name{path}")) == (404, "unknown_feed")
    for person, name in ((carol, "of-users"), (bob, "of-group"), (alice, "of-group")):
        answer = await person.ask("GET", f"/feeds/{name}")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "private, no-cache"
        assert "access-control-allow-origin" not in answer.headers
    assert (await client.get("/v1/feeds/of-group", headers=ADMIN)).status_code == 200
    assert code(await client.get("/v1/feeds/of-group/events?ticket=x")) == (401, "invalid_ticket")


async def test_a_group_that_reads_a_feed_is_one_of_its_makers(redis: RedisProcess, tmp_path: Path) -> None:
    async with app_of(redis, tmp_path, feeds="anybody") as client:
        alice, bob = await people(client, "alice", "bob")
        group = (await alice.make()).removeprefix("/conversations/")
        body = {"read": "group", "group": group}
        assert code(await bob.ask("PUT", "/feeds/x", body)) == (403, "not_a_member")
        for unknown in ("g:" + "a" * 26, "dm:alice:bob"):
            refused = await alice.ask("PUT", "/feeds/x", {**body, "group": unknown})
            assert code(refused) == (404, "unknown_conversation")
        assert (await alice.ask("PUT", "/feeds/x", body)).json()["group"] == group


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("", {"read": "group"}, "give `group` with"),
        ("", {"read": "public", "group": "g:x"}, "give `group` with"),
        ("", {"read": "friends"}, "read: "),
        ("", {"read": "public", "keep": 10_001}, "keep: "),
        ("", {"read": "public", "publishers": [f"u{n}" for n in range(101)]}, "100 publishers"),
        ("/events", {}, "data: "),
        ("/events", {"data": 1, "event": "hello"}, "the server's own"),
        ("/events", {"data": 1, "event": "typing"}, "the server's own"),
        ("/events", {"data": 1, "event": "Upper"}, "event: "),
        ("/events", {"data": 1, "event": "a\nid"}, "event: "),
        ("/events", {"data": 1, "key": "a"}, "no keys"),
        ("/events", {"data": 1, "key": "ä"}, "key: "),
        ("/events", {"data": 1, "id": ""}, "id: "),
        ("/events", {"data": "x" * 17_000}, "16 KiB"),
    ],
)
async def test_what_cannot_be_is_refused_with_a_sentence(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], says: str
) -> None:
    assert (await client.put(SCORES, json={"read": "public"}, headers=ADMIN)).status_code == 201
    answer = await client.request("POST" if path else "PUT", SCORES + path, json=body, headers=ADMIN)
    assert code(answer) == (422, "invalid_request")
    assert says in answer.json()["detail"]


async def test_names_of_feeds_are_plain(client: httpx.AsyncClient) -> None:
    for name in ("Scores", "x" * 65, "-x", "%20"):
        refused = await client.put(f"/v1/feeds/{name}", json={"read": "public"}, headers=ADMIN)
        assert code(refused) == (422, "invalid_request")
        assert code(await client.delete(f"/v1/feeds/{name}", headers=ADMIN)) == (404, "unknown_feed")
        published = await client.post(f"/v1/feeds/{name}/events", json={"data": 1}, headers=ADMIN)
        assert code(published) == (404, "unknown_feed")


async def test_whether_a_feed_has_keys_stays(client: httpx.AsyncClient) -> None:
    assert (await client.put(SCORES, json={"read": "public", "keyed": True}, headers=ADMIN)).status_code == 201
    assert code(await client.put(SCORES, json={"read": "public"}, headers=ADMIN)) == (409, "keys_stay")
    assert code(await client.post(f"{SCORES}/events", json={"data": 1}, headers=ADMIN)) == (422, "invalid_request")
    for number in range(feeds.MOST_BYTES // 15_000 + 1):
        answer = await client.post(f"{SCORES}/events", json={"data": "x" * 15_000, "key": f"k{number}"}, headers=ADMIN)
    assert code(answer) == (403, "feed_full")


async def test_an_id_of_another_event_is_a_conflict(client: httpx.AsyncClient) -> None:
    await client.put(SCORES, json={"read": "public"}, headers=ADMIN)
    assert (await client.post(f"{SCORES}/events", json={"data": 1, "id": "x"}, headers=ADMIN)).status_code == 201
    other = await client.post(f"{SCORES}/events", json={"data": 2, "id": "x"}, headers=ADMIN)
    assert code(other) == (422, "idempotency_conflict")


async def test_data_of_any_kind_is_one_line_and_comes_as_it_was(client: httpx.AsyncClient) -> None:
    await client.put(SCORES, json={"read": "public"}, headers=ADMIN)
    odd = [0, -1.5, "", "\u2028 \u0085\n\r ä 👍", [1, [2]], {"a": {"key": '"data":null'}}, True, None]
    for data in odd:
        assert (await client.post(f"{SCORES}/events", json={"data": data}, headers=ADMIN)).status_code == 201
    assert [event["data"] for event in (await client.get(SCORES)).json()["events"]] == odd


async def test_a_users_events_count_as_deliveries_and_the_admins_do_not(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.http.responses.REFUSAL_DELAY", 0)
    async with app_of(redis, tmp_path, deliveries_per_user=20) as client:
        headers = await sign_up(client, "alice")
        await client.put(SCORES, json={"read": "public", "publishers": ["alice"]}, headers=ADMIN)
        answers = [await client.post(f"{SCORES}/events", json={"data": 1}, headers=headers) for _ in range(40)]
        assert code(answers[-1]) == (429, "quota_exceeded")
        for _ in range(40):
            assert (await client.post(f"{SCORES}/events", json={"data": 1}, headers=ADMIN)).status_code == 201


async def test_strangers_take_up_half_of_the_descriptors_at_most(worker: Worker) -> None:
    await make(worker)
    source = worker.chat.feeds.feeds.source("ticks")
    worker.hub.feeds._most_strangers = 2
    streams = [opened(worker)[0] for _ in range(2)]
    assert not worker.hub.has_room(source, stranger=True)
    assert worker.hub.has_room(source)
    streams[0].lost()
    assert worker.hub.has_room(source, stranger=True)


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
