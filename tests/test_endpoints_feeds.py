"""Feeds over HTTP: made, filled and shown by whom they may be."""

import hmac
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from app_client import code, sign_up
from feeding import ADMIN, ADMIN_TOKEN, app_of
from people import people
from redises import RedisProcess
from ssechat.identity import admin_token
from ssechat.logs import feeds
from ssechat.streams.feed_readers import Stranger
from ssechat.streams.hub import Hub

pytestmark = pytest.mark.anyio

SCORES = "/v1/feeds/scores"


@pytest.fixture
async def client(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with app_of(redis, tmp_path) as client:
        yield client


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
    alice, bob, lice = await people(client, "alice", "bob", "lice")
    for person in (alice, bob):
        assert code(await person.ask("PUT", "/feeds/scores", {"read": "users"})) == (403, "feeds_closed")
        assert code(await person.ask("POST", "/feeds/scores/events", {"data": 1})) == (404, "unknown_feed")
    body = {"read": "users", "publishers": ["ALICE"]}
    assert (await client.put(SCORES, json=body, headers=ADMIN)).json()["publishers"] == ["alice"]
    assert (await alice.ask("POST", "/feeds/scores/events", {"data": 1, "id": "x"})).status_code == 201
    for person in (bob, lice):
        refused = await person.ask("POST", "/feeds/scores/events", {"data": 1})
        assert code(refused) == (403, "not_a_publisher")
    assert code(await bob.ask("POST", "/feeds/scores/events", {"data": 1, "id": "x"})) == (403, "not_a_publisher")
    assert code(await alice.ask("PUT", "/feeds/scores", {"read": "users"})) == (403, "not_your_feed")
    assert code(await alice.ask("DELETE", "/feeds/scores")) == (403, "not_your_feed")
    unknown = {"read": "users", "publishers": ["nobody"]}
    assert code(await client.put(SCORES, json=unknown, headers=ADMIN)) == (404, "unknown_user")


@pytest.mark.parametrize("sent", ["", "an", ADMIN_TOKEN[:-1], ADMIN_TOKEN + "x", ADMIN_TOKEN.upper(), "ä", "\ud800"])
async def test_another_token_than_the_admins_is_none_and_takes_as_long(
    monkeypatch: pytest.MonkeyPatch, sent: str
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(admin_token, "hmac", SimpleNamespace(compare_digest=compare))
    token = admin_token.AdminToken(ADMIN_TOKEN)
    assert not token.is_(sent)
    assert token.is_(ADMIN_TOKEN)
    assert {len(digest) for pair in compared for digest in pair} == {32}, "whatever its length"
    assert len(compared) == 2
    assert not admin_token.AdminToken(None).is_(sent)


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


FOREIGN = "https://evil.example"


def asking(origin: str, method: str = "GET", **more: str) -> dict[str, str]:
    """The headers of a preflight."""
    return {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": "last-event-id,x-requested-with",
        **more,
    }


@pytest.mark.parametrize("allowed", [(), ("https://app.example",)], ids=["no-origin-allowed", "one-allowed"])
async def test_a_page_of_any_origin_may_ask_for_a_feed_without_credentials_and_reads_what_is_public(
    redis: RedisProcess, tmp_path: Path, allowed: tuple[str, ...]
) -> None:
    async with app_of(redis, tmp_path, allowed_origins=allowed) as client:
        for name, read in (("scores", "public"), ("inside", "users")):
            assert (await client.put(f"/v1/feeds/{name}", json={"read": read}, headers=ADMIN)).status_code == 201
        for path in (SCORES, f"{SCORES}/events"):
            preflight = await client.options(path, headers=asking(FOREIGN))
            assert preflight.status_code == 200
            assert preflight.headers["access-control-allow-origin"] == "*"
            assert preflight.headers["access-control-allow-methods"] == "GET"
            assert preflight.headers["access-control-allow-headers"] == "last-event-id,x-requested-with"
            assert "access-control-allow-credentials" not in preflight.headers
        shown = await client.get(SCORES, headers={"origin": FOREIGN})
        assert shown.headers["access-control-allow-origin"] == "*"
        assert "etag" in shown.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in shown.headers
        for path in ("/v1/feeds/inside", "/v1/feeds/inside/events", "/v1/feeds/none"):
            refused = await client.get(path, headers={"origin": FOREIGN})
            assert code(refused) == (401, "unauthorized")
            assert "access-control-allow-origin" not in refused.headers, "there may be another who can read it"


async def test_what_changes_a_feed_and_what_is_no_feed_stays_closed_to_pages_of_other_origins(
    redis: RedisProcess, tmp_path: Path
) -> None:
    async with app_of(redis, tmp_path, allowed_origins=("https://app.example",)) as client:
        await client.put(SCORES, json={"read": "public"}, headers=ADMIN)
        for method, path in (
            *(("PUT", SCORES), ("DELETE", SCORES), ("POST", f"{SCORES}/events")),
            *(("GET", "/v1/events"), ("GET", "/v1/feeds"), ("GET", f"{SCORES}/events/x"), ("GET", "/v1/me")),
        ):
            refused = await client.options(path, headers=asking(FOREIGN, method))
            assert refused.status_code == 400, (method, path)
            assert "access-control-allow-origin" not in refused.headers
        private = asking(FOREIGN, **{"access-control-request-private-network": "true"})
        assert "access-control-allow-private-network" not in (await client.options(SCORES, headers=private)).headers
        ours = await client.options(SCORES, headers=asking("https://app.example", "PUT"))
        assert ours.headers["access-control-allow-origin"] == "https://app.example"
        assert ours.headers["access-control-allow-credentials"] == "true"
        own = await client.get(SCORES, headers={"origin": "https://app.example"})
        assert own.headers["access-control-allow-origin"] == "https://app.example"
        assert own.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    ("forwarded", "network"),
    [("192.0.2.9", "192.0.2.9"), ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"), ("", "127.0.0.1")],
)
async def test_a_stranger_is_counted_for_the_network_that_it_comes_from(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forwarded: str, network: str
) -> None:
    came: list[Any] = []

    def refuse(hub: Hub, source: object, identity: object = None) -> bool:
        came.append(identity)
        return False

    monkeypatch.setattr(Hub, "has_room", refuse)
    async with app_of(redis, tmp_path, trusted_proxies=("127.0.0.1",)) as client:
        await client.put(SCORES, json={"read": "public"}, headers=ADMIN)
        await client.put("/v1/feeds/ours", json={"read": "users"}, headers=ADMIN)
        await client.get(f"{SCORES}/events", headers={"x-forwarded-for": forwarded} if forwarded else {})
        await client.get("/v1/feeds/ours/events", headers=ADMIN)
    stranger, other = came
    assert isinstance(stranger, Stranger)
    assert stranger.network == network
    assert not isinstance(other, Stranger)
