"""The members of groups over HTTP: who adds, removes and appoints whom, and what each may read."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import jwt
import pytest

from app_client import client_of, code, sign_up
from parts import SECRET
from people import Person, people
from redises import RedisProcess

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]


@pytest.fixture
async def client(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(redis.url, tmp_path) as client:
        yield client


def of_another_system(client: httpx.AsyncClient, name: str) -> Person:
    """Somebody with a token of an existing system: there, everybody exists."""
    token = jwt.encode({"sub": name, "exp": 2**32}, SECRET, "HS256")
    return Person(client, name, {"authorization": f"Bearer {token}"})


async def test_members_of_a_group_read_and_write_in_it_and_nobody_else(client: httpx.AsyncClient) -> None:
    alice, bob, eve = await people(client, "alice", "bob", "eve")
    where = await alice.make(bob)
    assert (await bob.say(where, "hi"))["seq"] == 1
    assert await alice.texts(where) == ["hi"]
    group = where.removeprefix("/conversations/")
    for method, path, body in (
        ("GET", where, None),
        ("GET", f"{where}/messages", None),
        ("GET", f"{where}/messages/1", None),
        ("PATCH", f"{where}/messages/1", {"text": "no"}),
        ("DELETE", f"{where}/messages/1", None),
        ("GET", f"{where}/messages/1/reactions", None),
        ("PUT", f"{where}/messages/1/reactions/%F0%9F%91%8D", None),
        ("GET", f"{where}/members", None),
        ("POST", f"{where}/members", {"users": ["eve"]}),
        ("PUT", f"{where}/members/eve", {}),
        ("DELETE", f"{where}/members/eve", None),
        ("DELETE", f"{where}/members/bob", None),
        ("POST", f"{where}/invites", {}),
        ("GET", f"{where}/invites", None),
        ("DELETE", f"{where}/invites/1", None),
        ("PATCH", where, {"name": "mine"}),
        ("DELETE", where, None),
        ("POST", "/messages", {"conversation_id": group, "text": "hi"}),
        ("POST", "/messages", {"conversation_id": group, "text": "hi", "reply_to": 1}),
    ):
        assert code(await eve.ask(method, path, body)) == (403, "not_a_member"), (method, path)
    assert (await eve.done("GET", "/conversations"))["conversations"] == []
    assert await alice.texts(where) == ["hi"]
    unknown = f"/conversations/g:{'a' * 26}"
    for method, path, body in (
        ("GET", unknown, None),
        ("GET", f"{unknown}/messages", None),
        ("GET", f"{unknown}/members", None),
        ("PUT", f"{unknown}/members/eve", {}),
        ("DELETE", f"{unknown}/members/eve", None),
        ("POST", f"{unknown}/invites", {}),
        ("PATCH", unknown, {"name": "mine"}),
        ("DELETE", unknown, None),
        ("POST", "/messages", {"conversation_id": f"g:{'a' * 26}", "text": "hi"}),
        ("GET", "/conversations/g:short", None),
        ("GET", f"/conversations/G:{'a' * 26}", None),
    ):
        assert code(await eve.ask(method, path, body)) == (404, "unknown_conversation"), (method, path)


async def test_many_are_added_at_once_and_again_without_an_error(client: httpx.AsyncClient) -> None:
    alice, bob, _, dave = await people(client, "alice", "bob", "carol", "dave")
    where = await alice.make(bob)
    added = await alice.done("POST", f"{where}/members", {"users": ["Carol", "bob", "dave", "carol"]})
    assert added == {"added": ["carol", "dave"], "member_count": 4}
    again = await alice.done("POST", f"{where}/members", {"users": ["carol", "dave"]})
    assert again == {"added": [], "member_count": 4}
    assert code(await bob.ask("POST", f"{where}/members", {"users": ["dave"]})) == (403, "not_allowed")
    assert await alice.done("GET", f"{where}/members?limit=3") == {
        "members": [
            {"user": "alice", "role": "owner"},
            {"user": "bob", "role": "member"},
            {"user": "carol", "role": "member"},
        ],
        "next": "carol",
    }
    assert await dave.done("GET", f"{where}/members?after=carol") == {
        "members": [{"user": "dave", "role": "member"}],
        "next": None,
    }


async def test_roles_say_who_adds_removes_and_appoints_whom(client: httpx.AsyncClient) -> None:
    alice, bob, carol, dave, eve = await people(client, "alice", "bob", "carol", "dave", "eve")
    where = await alice.make(bob, carol, dave)
    for name in ("bob", "carol"):
        assert await alice.done("PUT", f"{where}/members/{name}", {"role": "admin"}) == {"user": name, "role": "admin"}
    not_allowed = (403, "not_allowed")
    assert code(await bob.ask("PUT", f"{where}/members/dave", {"role": "admin"})) == not_allowed
    assert code(await bob.ask("DELETE", f"{where}/members/carol")) == not_allowed
    assert code(await bob.ask("DELETE", f"{where}/members/alice")) == not_allowed
    assert code(await dave.ask("DELETE", f"{where}/members/bob")) == not_allowed
    assert code(await dave.ask("PUT", f"{where}/members/eve", {})) == not_allowed
    assert code(await bob.ask("DELETE", where)) == not_allowed
    assert await bob.done("PUT", f"{where}/members/Eve", {}) == {"user": "eve", "role": "member"}
    assert await bob.done("PUT", f"{where}/members/carol", {}) == {"user": "carol", "role": "admin"}
    assert (await bob.ask("DELETE", f"{where}/members/eve")).status_code == 204
    assert (await bob.ask("DELETE", f"{where}/members/eve")).status_code == 204
    assert (await dave.ask("DELETE", f"{where}/members/dave")).status_code == 204
    assert (await dave.ask("DELETE", f"{where}/members/dave")).status_code == 204
    assert code(await eve.ask("DELETE", f"{where}/members/bob")) == (403, "not_a_member")
    assert (await alice.done("GET", where))["members"] == ["alice", "bob", "carol"]


async def test_the_last_owner_stays_until_somebody_else_is_one(client: httpx.AsyncClient) -> None:
    alice, bob = await people(client, "alice", "bob")
    where = await alice.make(bob)
    assert code(await alice.ask("DELETE", f"{where}/members/alice")) == (409, "last_owner")
    assert code(await alice.ask("PUT", f"{where}/members/alice", {"role": "member"})) == (409, "last_owner")
    await alice.done("PUT", f"{where}/members/bob", {"role": "owner"})
    await alice.done("PUT", f"{where}/members/alice", {"role": "member"})
    assert code(await bob.ask("DELETE", f"{where}/members/bob")) == (409, "last_owner")
    await alice.done("DELETE", f"{where}/members/alice")
    assert (await bob.ask("DELETE", f"{where}/members/bob")).status_code == 204, "nobody else is there"
    assert (await bob.ask("DELETE", f"{where}/members/bob")).status_code == 204
    left = await bob.done("GET", where)
    assert left["left"] is True


async def test_one_who_left_reads_the_group_up_to_then(client: httpx.AsyncClient) -> None:
    alice, bob = await people(client, "alice", "bob")
    where = await alice.make(bob)
    for text in ("one", "two", "three"):
        await alice.say(where, text)
    await alice.done("PATCH", f"{where}/messages/3", {"text": "three, edited"})
    await bob.done("DELETE", f"{where}/members/bob")
    await alice.say(where, "four")
    await alice.done("PATCH", f"{where}/messages/2", {"text": "secret"})
    await alice.done("PATCH", where, {"name": "Secret"})
    assert await bob.texts(where) == ["one", None, "three, edited"]
    left = await bob.done("GET", where)
    assert left == {
        "id": where.removeprefix("/conversations/"),
        "type": "group",
        "name": "Lunch",
        "left": True,
        "newest_seq": 3,
        "last_message": left["last_message"],
    }
    assert left["last_message"]["text"] == "three, edited"
    assert (await bob.done("GET", "/conversations"))["conversations"] == []
    assert code(await bob.ask("GET", f"{where}/messages/4")) == (404, "unknown_message")
    assert (await bob.done("GET", f"{where}/messages/2")) == {
        "conversation_id": left["id"],
        "seq": 2,
        "deleted": True,
    }
    group = left["id"]
    for method, path, body in (
        ("POST", "/messages", {"conversation_id": group, "text": "hi"}),
        ("PATCH", f"{where}/messages/1", {"text": "hi"}),
        ("PUT", f"{where}/messages/1/reactions/%F0%9F%91%8D", None),
        ("GET", f"{where}/members", None),
    ):
        assert code(await bob.ask(method, path, body)) == (403, "not_a_member"), (method, path)


async def test_one_who_joins_late_reads_what_history_says(client: httpx.AsyncClient) -> None:
    alice, bob = await people(client, "alice", "bob")
    for history, read in (("all", ["before", "after"]), ("from_join", ["after"])):
        where = await alice.make(history=history)
        await alice.say(where, "before")
        await alice.done("PUT", f"{where}/members/bob", {})
        last = (await bob.done("GET", where))["last_message"]
        assert (last is None) == (history == "from_join")
        await alice.say(where, "after")
        assert await bob.texts(where) == read
        assert await bob.texts(where, "?after=0&limit=1") == read[:1]
        assert await bob.texts(where, "?before=2") == read[:-1]
        if history == "from_join":
            unknown = (404, "unknown_message")
            group = where.removeprefix("/conversations/")
            assert code(await bob.ask("GET", f"{where}/messages/1")) == unknown
            assert code(await bob.ask("GET", f"{where}/messages/1/reactions")) == unknown
            assert code(await bob.ask("PUT", f"{where}/messages/1/reactions/%F0%9F%91%8D")) == unknown
            assert code(await bob.ask("DELETE", f"{where}/messages/1")) == unknown
            reply = await bob.ask("POST", "/messages", {"conversation_id": group, "text": "?", "reply_to": 1})
            assert code(reply) == (422, "invalid_request")
            assert reply.json()["fields"][0]["field"] == "reply_to"


async def test_one_who_comes_back_reads_both_times(client: httpx.AsyncClient) -> None:
    alice, bob = await people(client, "alice", "bob")
    where = await alice.make(history="from_join")
    await alice.say(where, "before")
    await alice.done("PUT", f"{where}/members/bob", {})
    await alice.say(where, "first time")
    await alice.done("DELETE", f"{where}/members/bob")
    await alice.say(where, "away")
    await alice.done("PUT", f"{where}/members/bob", {})
    await alice.say(where, "second time")
    assert await bob.texts(where) == ["first time", "second time"]
    assert await bob.texts(where, "?before=4") == ["first time"]
    assert await bob.texts(where, "?after=2") == ["second time"]
    assert await bob.texts(where, "?around=2&limit=1") == ["first time"]
    assert code(await bob.ask("GET", f"{where}/messages/3")) == (404, "unknown_message")
    own = (404, "unknown_message")
    assert code(await bob.ask("PUT", f"{where}/messages/2/reactions/%F0%9F%91%8D")) == own


async def test_names_with_any_character_they_can_have_work_in_a_path(redis: RedisProcess, tmp_path: Path) -> None:
    async with client_of(redis.url, tmp_path, jwt_secret=SECRET) as client:
        alice = of_another_system(client, "alice")
        where = await alice.make()
        for name, path in (
            ("auth0|5f+7", "auth0%7C5f%2B7"),
            ("a.b+c@example.org", "a.b+c@example.org"),
            ("x~y", "x~Y"),
        ):
            assert await alice.done("PUT", f"{where}/members/{path}") == {"user": name, "role": "member"}
            assert (await alice.ask("DELETE", f"{where}/members/{path}")).status_code == 204


async def test_changes_of_members_at_the_same_time_are_all_made(client: httpx.AsyncClient) -> None:
    [alice] = await people(client, "alice")
    names = [f"user{number}" for number in range(12)]
    for name in names:
        await sign_up(client, name)
    where = await alice.make()
    await asyncio.gather(*[alice.done("PUT", f"{where}/members/{name}", {}) for name in names])
    assert (await alice.done("GET", where))["member_count"] == 13
