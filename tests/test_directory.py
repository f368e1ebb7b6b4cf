"""The directory finds users by the first letters of their names, where it is on; and many can be asked for by name."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from app_client import client_of, code, sign_up
from parts import ALICE, SECRET, Worker
from people import Person, people
from redises import RedisProcess
from ssechat.identity.directory import Directory
from ssechat.ids import UserId
from ssechat.redis import keys

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]


@pytest.fixture
async def client(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(redis.url, tmp_path, directory="on") as client:
        yield client


async def found(person: Person, prefix: str) -> tuple[list[str], bool]:
    answer = await person.done("GET", f"/users?prefix={prefix}")
    return [each["id"] for each in answer["users"]], answer["has_more"]


async def test_a_search_finds_the_names_that_begin_so_in_any_spelling(client: httpx.AsyncClient) -> None:
    alice, *_ = await people(client, "alice", "bob", "bobby", "bobo", "bob.b", "bo", "al")
    assert (await client.get("/v1/server")).json()["directory"] is True
    assert await found(alice, "bob") == (["bob", "bob.b", "bobby", "bobo"], False)
    assert await found(alice, "BOBB") == (["bobby"], False)
    assert await found(alice, "Ｂｏｂｏ") == (["bobo"], False)
    assert await found(alice, "bob.") == (["bob.b"], False), "and a dot is no wildcard"
    assert await found(alice, "bob~") == ([], False)
    await alice.done("PATCH", "/me", {"display_name": "Алиса"})
    assert await alice.done("GET", "/users?prefix=ali") == {
        "users": [{"id": "alice", "display_name": "Алиса"}],
        "has_more": False,
    }


async def test_no_search_shows_two_to_each_other_with_a_block_between_them(client: httpx.AsyncClient) -> None:
    alice, bob, _ = await people(client, "alice", "bob", "bobby")
    await bob.done("PUT", "/blocks/alice", {})
    assert await found(alice, "bob") == (["bobby"], False)
    assert await found(bob, "ali") == ([], False)
    await bob.done("DELETE", "/blocks/alice")
    assert await found(alice, "bob") == (["bob", "bobby"], False)


async def test_a_search_brings_ten_at_most_and_says_that_there_are_more(client: httpx.AsyncClient) -> None:
    alice, *_ = await people(client, "alice", *(f"user{number:02}" for number in range(11)))
    names, more = await found(alice, "use")
    assert (names, more) == ([f"user{number:02}" for number in range(10)], True)
    assert await found(alice, "user0") == (names, False)


@pytest.mark.parametrize("query", ["", "prefix=", "prefix=bo", "prefix=%20bob", "prefix=b*b", "prefix=-bob",
                                   "prefix=bob&ids=bob", "ids=", "ids=bob,,eve", "prefix=" + "b" * 129, "name=bob",
                                   "ids=" + ",".join(f"u{number}" for number in range(101))])  # fmt: skip
async def test_what_is_no_search_is_refused(client: httpx.AsyncClient, query: str) -> None:
    [alice] = await people(client, "alice")
    assert code(await alice.ask("GET", f"/users?{query}")) == (422, "invalid_request")


async def test_many_are_asked_for_by_name_and_who_is_nobody_is_left_out(redis: RedisProcess, tmp_path: Path) -> None:
    async with client_of(redis.url, tmp_path) as client:
        alice, bob = await people(client, "alice", "bob")
        await bob.done("PATCH", "/me", {"display_name": "Bob"})
        listed = await alice.done("GET", "/users?ids=BOB,nobody,alice,bob")
        assert listed == {"users": [{"id": "bob", "display_name": "Bob"}, {"id": "alice"}]}
        assert (await client.get("/v1/server")).json()["directory"] is False
        assert code(await alice.ask("GET", "/users?prefix=bob")) == (403, "directory_off")
        assert await client.get("/v1/users?ids=bob") is not None
        assert code(await client.get("/v1/users?ids=bob")) == (401, "unauthorized")


async def test_searches_have_a_quota_each_user_has_for_itself(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.http.responses.REFUSAL_DELAY", 0)
    alice, bob = await people(client, "alice", "bob")
    quotas = {each["name"]: each["limit"] for each in (await client.get("/v1/limits")).json()["quotas"]}
    for way, name in (("prefix=bob", "directory"), ("ids=bob", "profiles")):
        answers = [(await alice.ask("GET", f"/users?{way}")).status_code for _ in range(quotas[name] + 5)]
        assert answers[: quotas[name]] == [200] * quotas[name]
        assert answers[-1] == 429
        refused = await alice.ask("GET", f"/users?{way}")
        assert code(refused) == (429, "quota_exceeded")
        assert refused.json()["violated-policies"] == [name]
        assert (await bob.ask("GET", f"/users?{way}")).status_code == 200


async def test_who_came_before_the_directory_is_found_once_it_has_been_there(
    redis: RedisProcess, tmp_path: Path
) -> None:
    async with client_of(redis.url, tmp_path) as client:
        alice, bob = await people(client, "alice", "bob")
    async with client_of(redis.url, tmp_path, directory="on") as client:
        alice.client = bob.client = client
        assert await found(alice, "bob") == ([], False)
        await bob.done("GET", "/session")
        assert await found(alice, "bob") == (["bob"], False)
        await sign_up(client, "bobby")
        assert await found(alice, "bob") == (["bob", "bobby"], False)
        assert code(await client.post("/v1/users", json={"name": "Bobby", "password": "correct horse"})) == (
            *(409, "name_taken"),
        )


async def test_who_was_written_to_before_it_came_back_is_added_when_it_comes(worker: Worker) -> None:
    await worker.users.create_if_missing(ALICE)
    worker.users._directory = Directory(worker.redis)
    await worker.users.create_if_missing(ALICE)
    assert (await Directory(worker.redis).search(ALICE)).users == [ALICE]


async def test_the_users_of_another_system_are_found_by_their_tokens(redis: RedisProcess, tmp_path: Path) -> None:
    def headers(user: str, **claims: Any) -> dict[str, str]:
        token = jwt.encode({"sub": user, "exp": time.time() + 60, **claims}, SECRET, "HS256")
        return {"authorization": f"Bearer {token}"}

    async with client_of(redis.url, tmp_path, jwt_secret=SECRET, directory="on") as client:
        await client.get("/v1/session", headers=headers("Auth0|5F7C", name="Ann Lee"))
        answer = await client.get("/v1/users?prefix=auth0", headers=headers("bob"))
        assert answer.json()["users"] == [{"id": "auth0|5f7c", "display_name": "Ann Lee"}]
        listed = await client.get("/v1/users?ids=whoever", headers=headers("bob"))
        assert listed.json()["users"] == [{"id": "whoever"}], "any name exists there"


async def test_a_directory_that_is_off_stores_nobody(worker: Worker) -> None:
    await worker.users.sign_up(UserId("alice"), "correct horse")
    await worker.users.create_if_missing(UserId("alicia"))
    assert await worker.redis.call("ZLEXCOUNT", keys.directory("ali"), "-", "+") == 0
    assert (await Directory(worker.redis).search(UserId("ali"))).users == []
