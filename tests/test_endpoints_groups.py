"""Groups over HTTP: how they are made, renamed and ended."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import jwt
import pytest

from app_client import client_of, code
from parts import SECRET
from people import Person, people
from redises import RedisProcess
from ssechat.logs.members import MAX_MEMBERS
from ssechat.logs.pages import PAGE_BYTES

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]


COUNTS = {"read_up_to": 0, "unread": 0, "mentions": [], "muted": False}


@pytest.fixture
async def client(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(redis.url, tmp_path) as client:
        yield client


def of_another_system(client: httpx.AsyncClient, name: str) -> Person:
    """Somebody with a token of an existing system: there, everybody exists."""
    token = jwt.encode({"sub": name, "exp": 2**32}, SECRET, "HS256")
    return Person(client, name, {"authorization": f"Bearer {token}"})


async def test_a_group_is_made_and_described_to_each_of_its_members(client: httpx.AsyncClient) -> None:
    alice, bob = await people(client, "alice", "bob")
    body = {"name": "Lunch 🍜", "members": ["BOB", "bob", "alice"], "topic": "where", "history": "from_join"}
    answer = await alice.ask("POST", "/conversations", body)
    assert answer.status_code == 201
    made = answer.json()
    assert made == {
        "id": made["id"],
        "type": "group",
        "name": "Lunch 🍜",
        "topic": "where",
        "history": "from_join",
        "role": "owner",
        "member_count": 2,
        "members": ["alice", "bob"],
        "newest_seq": 0,
        **COUNTS,
        "receipts": [{"user": "bob", "read_up_to": 0, "delivered_up_to": 0}],
        "last_message": None,
    }
    assert len(made["id"]) == 28
    seen = await bob.done("GET", f"/conversations/{made['id']}")
    assert seen.pop("receipts") == [{"user": "alice", "read_up_to": 0, "delivered_up_to": 0}]
    del made["receipts"]
    assert seen == {**made, "role": "member"}
    assert (await bob.done("GET", "/conversations"))["conversations"] == [seen]


async def test_a_group_that_is_made_again_with_its_client_msg_id_is_the_same_one(client: httpx.AsyncClient) -> None:
    alice, bob, _ = await people(client, "alice", "bob", "carol")
    body = {"name": "Lunch", "members": ["bob", "carol"], "client_msg_id": "g1"}
    answers = await asyncio.gather(*[alice.ask("POST", "/conversations", body) for _ in range(5)])
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    where = f"/conversations/{answers[0].json()['id']}"
    await alice.done("PATCH", where, {"name": "Dinner"})
    reordered = {"name": "Lunch", "members": ["carol", "Bob", "carol"]}
    again = await alice.ask("POST", "/conversations", reordered, idempotency_key="g1")
    assert (again.status_code, again.json()["name"]) == (200, "Dinner")
    other = await alice.ask("POST", "/conversations", {**body, "name": "Breakfast"})
    assert code(other) == (422, "idempotency_conflict")
    theirs = await bob.ask("POST", "/conversations", body)
    assert theirs.status_code == 201, "another maker's client_msg_id is another one"
    differ = await alice.ask("POST", "/conversations", body, idempotency_key="g2")
    assert code(differ) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"name": " \t"}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"name": "ü" * 65}, "name"),
        ({"topic": "x" * 257}, "topic"),
        ({"history": "some"}, "history"),
        ({"members": "bob"}, "members"),
        ({"members": [1]}, "members.0"),
        ({"client_msg_id": "ü"}, "client_msg_id"),
    ],
)
async def test_a_group_that_cannot_be_names_the_field(
    client: httpx.AsyncClient, more: dict[str, object], field: str
) -> None:
    [alice] = await people(client, "alice")
    answer = await alice.ask("POST", "/conversations", {"name": "Lunch", "members": [], **more})
    assert code(answer) == (422, "invalid_request")
    assert [one["field"] for one in answer.json()["fields"]] == [field]


async def test_whoever_does_not_exist_is_named(client: httpx.AsyncClient) -> None:
    [alice, _] = await people(client, "alice", "bob")
    answer = await alice.ask("POST", "/conversations", {"name": "Lunch", "members": ["bob", "Nobody", "no name"]})
    assert code(answer) == (404, "unknown_user")
    assert "'Nobody', 'no name'" in answer.json()["detail"]
    where = await alice.make()
    assert code(await alice.ask("POST", f"{where}/members", {"users": ["nobody"]})) == (404, "unknown_user")
    assert code(await alice.ask("PUT", f"{where}/members/nobody", {})) == (404, "unknown_user")
    assert (await alice.ask("DELETE", f"{where}/members/nobody")).status_code == 204


async def test_redis_is_not_asked_for_more_people_than_a_group_can_have(client: httpx.AsyncClient) -> None:
    [alice] = await people(client, "alice")
    where, strangers = await alice.make(), [f"u{number}" for number in range(6000)]
    assert code(await alice.ask("POST", "/conversations", {"name": "All", "members": strangers})) == (403, "group_full")
    assert code(await alice.ask("POST", f"{where}/members", {"users": strangers})) == (403, "group_full")


async def test_a_page_of_groups_with_long_names_has_256_kib_at_most(redis: RedisProcess, tmp_path: Path) -> None:
    async with client_of(redis.url, tmp_path, jwt_secret=SECRET) as client:
        alice = of_another_system(client, "alice")
        members = [f"u{number:02}".ljust(128, "x") for number in range(20)]
        draft = {"name": "n" * 128, "topic": "t" * 256, "members": members}
        made = [(await alice.done("POST", "/conversations", draft))["id"] for _ in range(100)]
        found: list[str] = []
        before = ""
        while before is not None:
            answer = await alice.ask("GET", f"/conversations?limit=200{before and f'&before={before}'}")
            assert len(answer.content) <= PAGE_BYTES
            found += [one["id"] for one in answer.json()["conversations"]]
            before = answer.json()["next"]
        assert found == made[::-1]


async def test_a_group_has_1024_members_at_most(redis: RedisProcess, tmp_path: Path) -> None:
    async with client_of(redis.url, tmp_path, jwt_secret=SECRET) as client:
        alice = of_another_system(client, "alice")
        names = [f"user{number}" for number in range(MAX_MEMBERS)]
        answer = await alice.ask("POST", "/conversations", {"name": "All", "members": names})
        assert code(answer) == (403, "group_full")
        made = await alice.done("POST", "/conversations", {"name": "All", "members": names[:-1]})
        assert made["member_count"] == MAX_MEMBERS
        assert len(made["members"]) == 20
        where = f"/conversations/{made['id']}"
        assert code(await alice.ask("POST", f"{where}/members", {"users": names})) == (403, "group_full")
        assert code(await alice.ask("PUT", f"{where}/members/{names[-1]}")) == (403, "group_full")
        assert await alice.done("PUT", f"{where}/members/{names[0]}") == {"user": "user0", "role": "member"}
        found: list[str] = []
        after: str | None = ""
        while after is not None:
            page = await alice.done("GET", f"{where}/members?limit=200&after={after}")
            after = page["next"]
            found += [member["user"] for member in page["members"]]
        assert found == sorted(["alice", *names[:-1]])


async def test_a_direct_conversation_is_no_group(client: httpx.AsyncClient) -> None:
    alice, bob, eve = await people(client, "alice", "bob", "eve")
    where = "/conversations/dm:alice:bob"
    for method, path, body in (
        ("PATCH", where, {"name": "us"}),
        ("DELETE", where, None),
        ("GET", f"{where}/members", None),
        ("POST", f"{where}/members", {"users": ["eve"]}),
        ("PUT", f"{where}/members/eve", {}),
        ("DELETE", f"{where}/members/bob", None),
        ("POST", f"{where}/invites", {}),
        ("GET", f"{where}/invites", None),
    ):
        assert code(await alice.ask(method, path, body)) == (403, "not_a_group"), (method, path)
        assert code(await eve.ask(method, path, body)) == (403, "not_a_member"), (method, path)
    described = await bob.done("GET", where)
    assert described == {"id": "dm:alice:bob", "type": "dm", "members": ["alice", "bob"], "newest_seq": 0,
                         **COUNTS, "last_message": None,
                         "receipts": [{"user": "alice", "read_up_to": 0, "delivered_up_to": 0}]}  # fmt: skip


async def test_owners_and_admins_rename_a_group_and_set_its_topic(client: httpx.AsyncClient) -> None:
    alice, bob, carol = await people(client, "alice", "bob", "carol")
    where = await alice.make(bob, carol)
    await alice.done("PUT", f"{where}/members/bob", {"role": "admin"})
    renamed = await bob.done("PATCH", where, {"name": "Dinner", "topic": "where?"})
    assert (renamed["name"], renamed["topic"], renamed["role"]) == ("Dinner", "where?", "admin")
    assert (await carol.done("GET", where))["name"] == "Dinner"
    assert "topic" not in await bob.done("PATCH", where, {"topic": ""})
    assert code(await carol.ask("PATCH", where, {"name": "Mine"})) == (403, "not_allowed")
    assert code(await bob.ask("PATCH", where, {})) == (422, "invalid_request")
    assert code(await bob.ask("PATCH", where, {"name": "\u2028"})) == (422, "invalid_request")


async def test_renames_at_the_same_time_lose_nothing(client: httpx.AsyncClient) -> None:
    [alice] = await people(client, "alice")
    where = await alice.make()
    for _ in range(5):
        await asyncio.gather(
            alice.done("PATCH", where, {"name": "New"}), alice.done("PATCH", where, {"topic": "also new"})
        )
        described = await alice.done("GET", where)
        assert (described["name"], described["topic"]) == ("New", "also new")
        await alice.done("PATCH", where, {"name": "Old", "topic": "old"})


async def test_an_ended_group_is_read_and_not_written_to(client: httpx.AsyncClient, redis: RedisProcess) -> None:
    alice, bob, eve = await people(client, "alice", "bob", "eve")
    where = await alice.make(bob)
    group = where.removeprefix("/conversations/")
    await bob.say(where, "hi", client_msg_id="b1")
    invite = await alice.done("POST", f"{where}/invites", {})
    assert code(await bob.ask("DELETE", where)) == (403, "not_allowed")
    for _ in range(2):
        assert (await alice.ask("DELETE", where)).status_code == 204
    assert (await bob.done("GET", where))["ended"] is True
    assert (await bob.done("GET", "/conversations"))["conversations"][0]["ended"] is True
    assert await bob.texts(where) == ["hi"]
    repeat = await bob.ask("POST", "/messages", {"conversation_id": group, "text": "hi", "client_msg_id": "b1"})
    assert repeat.status_code == 200
    for method, path, body in (
        ("POST", "/messages", {"conversation_id": group, "text": "more"}),
        ("PATCH", f"{where}/messages/1", {"text": "more"}),
        ("DELETE", f"{where}/messages/1", None),
        ("PUT", f"{where}/messages/1/reactions/%F0%9F%91%8D", None),
    ):
        assert code(await bob.ask(method, path, body)) == (403, "ended"), (method, path)
    of_its_owner: list[tuple[str, str, dict[str, object]]] = [
        ("PATCH", where, {"name": "x"}),
        ("POST", f"{where}/members", {"users": ["eve"]}),
        ("PUT", f"{where}/members/bob", {"role": "admin"}),
        ("DELETE", f"{where}/members/bob", {}),
        ("POST", f"{where}/invites", {}),
    ]
    for method, path, change in of_its_owner:
        assert code(await alice.ask(method, path, change)) == (403, "ended"), (method, path)
    assert code(await eve.ask("POST", "/invites/join", {"secret": invite["secret"]})) == (403, "ended")
    assert code(await eve.ask("POST", "/messages", {"conversation_id": group, "text": "hi"})) == (403, "not_a_member")
    with redis.client() as admin:
        ttls = {key: admin.ttl(key) for key in admin.keys("{c*") if group.encode() in key and b"/sent/" not in key}
    assert sum(ttl > 29 * 24 * 3600 for ttl in ttls.values()) == len(ttls) - 1, "all but the group's hash"


async def test_an_ended_group_can_be_left_by_everybody_and_goes_with_what_that_made(
    client: httpx.AsyncClient, redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob, carol = await people(client, "alice", "bob", "carol")
    where = await alice.make(bob, carol)
    group = where.removeprefix("/conversations/")
    await bob.say(where, "hi")
    await alice.done("DELETE", where)
    an_hour_later = time.time_ns() // 1_000_000 + 3_600_000
    monkeypatch.setattr("ssechat.chat.groups.now", lambda: an_hour_later)
    for person in (alice, bob, bob):  # its only owner, too
        assert (await person.ask("DELETE", f"{where}/members/{person.name}")).status_code == 204
    for person in (alice, bob):
        assert (await person.done("GET", "/conversations"))["conversations"] == []
        assert (await person.done("GET", where))["left"] is True
        assert await person.texts(where) == ["hi"]
    seen = await carol.done("GET", where)
    assert (seen["ended"], seen["members"], seen["member_count"]) == (True, ["carol"], 1)
    assert (await carol.ask("DELETE", f"{where}/members/carol")).status_code == 204
    assert code(await bob.ask("PUT", f"{where}/members/bob", {})) == (403, "not_a_member")
    with redis.client() as admin:
        ttls = {key: admin.ttl(key) for key in admin.keys("{c*") if group.encode() in key and b"/sent/" not in key}
    month = 30 * 24 * 3600
    assert any(key.endswith(b"/left") for key in ttls)
    assert sum(month - 3700 < ttl < month - 3500 for ttl in ttls.values()) == len(ttls) - 1, "all but the group's hash"


async def test_a_list_of_conversations_leaves_out_groups_that_one_has_left(client: httpx.AsyncClient) -> None:
    alice, bob = await people(client, "alice", "bob")
    kept = [await alice.make(bob), await alice.make(bob, name="Second")]
    for _ in range(3):
        left = await alice.make(bob)
        await bob.done("DELETE", f"{left}/members/bob")
    await alice.done("POST", "/messages", {"to": "bob", "text": "hi"})
    found: list[str] = []
    query = "?limit=1"
    while True:
        page = await bob.done("GET", f"/conversations{query}")
        assert len(page["conversations"]) == 1
        found += [one["id"] for one in page["conversations"]]
        if page["next"] is None:
            break
        query = f"?limit=1&before={page['next']}"
    assert found == ["dm:alice:bob", *[where.removeprefix("/conversations/") for where in reversed(kept)]]
