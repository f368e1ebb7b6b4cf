"""Blocks over HTTP: who is blocked and listed, and what is answered across a block."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import jwt
import pytest

from app_client import client_of, code
from parts import SECRET
from people import direct, people, reaction
from redises import RedisProcess

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]


@pytest.fixture
async def client(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(redis.url, tmp_path) as client:
        yield client


async def test_one_blocks_unblocks_and_lists_in_any_spelling_as_often_as_one_likes(client: httpx.AsyncClient) -> None:
    [alice, *_] = await people(client, "alice", "bob", "carol", "dave")
    for name in ("dave", "BOB", "bob", "carol"):
        assert await alice.done("PUT", f"/blocks/{name}") == {"user": name.lower()}
    assert await alice.done("GET", "/blocks?limit=2") == {
        "blocks": [{"user": "bob"}, {"user": "carol"}],
        "next": "carol",
    }
    assert await alice.done("GET", "/blocks?limit=2&after=carol") == {"blocks": [{"user": "dave"}], "next": None}
    for name in ("Bob", "bob", "nobody", "no%20name", "alice"):
        answer = await alice.ask("DELETE", f"/blocks/{name}")
        assert (answer.status_code, answer.content) == (204, b"")
    assert [one["user"] for one in (await alice.done("GET", "/blocks"))["blocks"]] == ["carol", "dave"]


async def test_what_cannot_be_blocked_is_said(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, _, _ = await people(client, "alice", "bob", "carol")
    assert code(await alice.ask("PUT", "/blocks/alice")) == (422, "invalid_request")
    assert code(await alice.ask("PUT", "/blocks/nobody")) == (404, "unknown_user")
    assert code(await alice.ask("GET", "/blocks?limit=201")) == (422, "invalid_request")
    assert code(await alice.ask("GET", f"/blocks?after={'x' * 129}")) == (422, "invalid_request")
    for method in ("PUT", "DELETE"):
        refused = await alice.ask(method, "/blocks/bob", origin="http://elsewhere")
        assert code(refused) == (403, "forbidden_origin")
    monkeypatch.setattr("ssechat.chat.blocks.MAX_BLOCKS", 1)
    await alice.done("PUT", "/blocks/bob")
    assert code(await alice.ask("PUT", "/blocks/carol")) == (403, "too_many_blocks")


async def test_everybody_can_be_blocked_where_the_tokens_of_another_system_count(
    redis: RedisProcess, tmp_path: Path
) -> None:
    async with client_of(redis.url, tmp_path, jwt_secret=SECRET) as client:
        headers = {"authorization": f"Bearer {jwt.encode({'sub': 'alice', 'exp': 2**32}, SECRET, 'HS256')}"}
        assert (await client.put("/v1/blocks/auth0|5f7c", headers=headers)).json() == {"user": "auth0|5f7c"}


async def test_nothing_goes_across_a_block(client: httpx.AsyncClient) -> None:
    alice, bob, carol = await people(client, "alice", "bob", "carol")
    where = direct(alice, bob)
    await bob.say(where, "hi", client_msg_id="k")
    await alice.done("PUT", "/blocks/bob")
    own, others = await alice.done("GET", where), await bob.done("GET", where)
    assert (own["blocked"], others.get("blocked")) == (True, None)
    [listed] = (await alice.done("GET", "/conversations"))["conversations"]
    assert listed["blocked"]
    for who, other in ((alice, "bob"), (bob, "alice")):
        for method, path, body in (
            ("POST", "/messages", {"to": other, "text": "x"}),
            ("POST", "/messages", {"conversation_id": "dm:alice:bob", "text": "x"}),
            ("PUT", reaction(where, 1, "👍"), None),
            ("POST", f"{where}/typing", {}),
        ):
            assert code(await who.ask(method, path, body)) == (403, "blocked"), path
    assert code(await bob.ask("PATCH", f"{where}/messages/1", {"text": "x"})) == (403, "blocked")
    again = await bob.ask("POST", "/messages", {"to": "alice", "text": "hi", "client_msg_id": "k"})
    assert (again.status_code, again.json()["seq"]) == (200, 1)
    assert await alice.texts(where) == await bob.texts(where) == ["hi"]
    assert code(await bob.ask("POST", "/conversations", {"name": "x", "members": ["alice"]})) == (403, "blocked")
    group = await bob.make(carol)
    assert code(await bob.ask("POST", f"{group}/members", {"users": ["alice"]})) == (403, "blocked")
    refused = await bob.ask("PUT", f"{group}/members/alice", {})
    assert code(refused) == (403, "blocked")
    assert "'alice'" in refused.json()["detail"]
    assert (await bob.ask("DELETE", f"{where}/messages/1")).status_code == 200
    await alice.done("DELETE", "/blocks/bob")
    assert "blocked" not in await alice.done("GET", where)
    await bob.say(where, "again")
