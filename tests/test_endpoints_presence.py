"""`PUT /v1/presence`, and who is there in `GET /v1/users/{id}` and `GET /v1/me`."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app_client import client_of, code
from people import Person, direct, people
from redises import RedisProcess

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]


@pytest.fixture
async def client(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(redis.url, tmp_path) as client:
        yield client


async def put(who: Person, **body: Any) -> Any:
    return await who.done("PUT", "/presence", body)


async def test_the_answer_says_of_each_in_that_order_what_is_so_now(client: httpx.AsyncClient) -> None:
    alice, bob = await people(client, "alice", "bob")
    await alice.say(direct(alice, bob), "hi")
    assert await put(alice, watch=["Bob", "ＢＯＢ", "nobody", "alice"]) == {
        "users": [
            {"user": "bob", "online": False},
            {"user": "nobody", "online": False},
            {"user": "alice", "online": False},
        ],
        "visible": True,
    }
    assert await put(alice) == {"users": [], "visible": True}
    assert await put(alice, watch=[]) == {"users": [], "visible": True}


async def test_who_was_seen_is_told_to_those_who_may_know(client: httpx.AsyncClient, redis: RedisProcess) -> None:
    alice, bob, carol = await people(client, "alice", "bob", "carol")
    await alice.say(direct(alice, bob), "hi")
    group = (await alice.make(bob, carol)).removeprefix("/conversations/")
    with redis.client() as other:
        [key] = list(other.keys("{u*}bob"))
        other.hset(key, "last_seen", 1_767_225_600_000)
    seen = {"user": "bob", "online": False, "last_seen": "2026-01-01T00:00:00.000Z"}
    assert (await put(alice, watch=["bob"]))["users"] == [seen]
    assert (await put(carol, watch=["bob"]))["users"] == [{"user": "bob", "online": False}]
    assert (await put(carol, watch=["bob"], **{"in": group}))["users"] == [seen]
    assert await alice.done("GET", "/users/Bob") == {"id": "bob", "online": False, "last_seen": seen["last_seen"]}
    assert await carol.done("GET", "/users/bob") == {"id": "bob", "online": False}


async def test_who_is_visible_is_known_to_its_own_devices(client: httpx.AsyncClient) -> None:
    alice, bob = await people(client, "alice", "bob")
    await alice.say(direct(alice, bob), "hi")
    before = await bob.done("GET", "/me")
    assert before["visible"] is True
    assert (await put(bob, visible=False))["visible"] is False
    after = await bob.done("GET", "/me")
    assert after["visible"] is False
    assert after["version"] == before["version"] + 1, "its other devices are told"
    assert (await put(bob, visible=False))["visible"] is False
    assert (await bob.done("GET", "/me"))["version"] == after["version"]
    # Nothing of it is anybody else's.
    assert await alice.done("GET", "/users/bob") == {"id": "bob", "online": False}
    assert (await put(bob, visible=True))["visible"] is True


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"watch": "bob"}, "watch"),
        ({"watch": ["b b"]}, "watch"),
        ({"watch": [f"user{number}" for number in range(101)]}, "watch"),
        ({"watch": [], "device": "ü"}, "device"),
        ({"watch": [], "device": "x" * 65}, "device"),
        ({"visible": "no"}, "visible"),
        ({"in": "g:" + "a" * 26}, ""),
        ({"watching": []}, "watching"),
    ],
    ids=str,
)
async def test_what_is_wrong_is_named(client: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
    [alice] = await people(client, "alice")
    answer = await alice.ask("PUT", "/presence", body)
    assert code(answer) == (422, "invalid_request")
    assert [each["field"].partition(".")[0] for each in answer.json()["fields"]] == [field]


async def test_a_group_that_is_named_must_be_ones_own_and_go_on(client: httpx.AsyncClient) -> None:
    alice, bob, carol = await people(client, "alice", "bob", "carol")
    path = await alice.make(bob)
    group = path.removeprefix("/conversations/")

    async def refusal(who: Person, where: str) -> tuple[int, str]:
        return code(await who.ask("PUT", "/presence", {"watch": ["bob"], "in": where}))

    assert await refusal(carol, group) == (403, "not_a_member")
    assert await refusal(alice, "dm:alice:bob") == (403, "not_a_group")
    assert await refusal(alice, "g:" + "a" * 26) == (404, "unknown_conversation")
    assert await refusal(alice, "nonsense") == (404, "unknown_conversation")
    await alice.done("DELETE", path)
    assert await refusal(alice, group) == (403, "ended")
