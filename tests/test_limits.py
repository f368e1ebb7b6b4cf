"""Rate limits (429) and bounded pages of the HTTP API."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app_client import client_of, code, sign_up
from parts import SECRET
from redises import RedisProcess
from ssechat.chat.conversations import Description, Descriptions
from ssechat.identity.leases import AT_ONCE
from ssechat.ids import UserId

pytestmark = pytest.mark.anyio


async def test_a_quota_refusal_is_delayed_and_delays_nobody_else(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late: list[float] = []
    now = asyncio.Event()

    async def sleep(seconds: float) -> None:
        late.append(seconds)
        await now.wait()

    body = {"name": "nobody", "password": "wrong horse"}
    async with client_of(redis.url, tmp_path, failed_sign_ins_per_account=1) as client:
        assert code(await client.post("/v1/session", json=body)) == (401, "wrong_credentials")
        monkeypatch.setattr("ssechat.http.responses.sleep", sleep)
        flood = [asyncio.create_task(client.post("/v1/session", json=body)) for _ in range(20)]
        async with asyncio.timeout(5):
            while len(late) < 20:
                await asyncio.sleep(0.01)
        assert (await client.get("/v1/server")).status_code == 200
        assert not any(each.done() for each in flood)
        now.set()
        assert {answer.status_code for answer in await asyncio.gather(*flood)} == {429}
    assert late == [1.0] * 20


async def test_over_a_quota_is_429_with_ratelimit_headers(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.http.responses.REFUSAL_DELAY", 0)
    limits = {"failed_sign_ins_per_account": 2, "failed_sign_ins_per_address": 7, "sign_ups_per_address": 1}
    async with client_of(redis.url, tmp_path, **limits) as client:
        await sign_up(client, "alice")

        async def sign_in(name: str, address: str, password: str = "correct horse") -> httpx.Response:
            body = {"name": name, "password": password}
            return await client.post("/v1/session", json=body, headers={"x-forwarded-for": address})

        for name in ("Alice", "nobody"):  # existing and unknown names
            for address in ("192.0.2.1", "192.0.2.2"):
                assert code(await sign_in(name, address, "wrong horse")) == (401, "wrong_credentials")
            refused = await sign_in(name.lower(), "192.0.2.3")
            assert code(refused) == (429, "quota_exceeded")
            assert refused.json()["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
            assert refused.json()["violated-policies"] == ["sign-in-account"]
            assert "try again in 30 minutes" in refused.json()["detail"]
            policy = '"sign-in-address";q=7;w=3600, "sign-in-account";q=2;w=3600'
            assert refused.headers["ratelimit-policy"] == policy
            wait = int(refused.headers["retry-after"])
            assert 1790 <= wait <= 1800
            assert refused.headers["ratelimit"] == f'"sign-in-account";r=0;t={wait}'
        assert (await sign_in("alice", "127.0.0.1")).status_code == 200, "it has signed up here"
        again = await client.post("/v1/users", json={"name": "bob", "password": "correct horse"})
        assert code(again) == (429, "quota_exceeded")
        assert again.headers["ratelimit-policy"] == '"sign-up";q=1;w=3600'


async def test_bodies_that_do_not_end_take_nothing_from_what_their_user_may_do_at_once(
    redis: RedisProcess, tmp_path: Path
) -> None:
    begun, end = asyncio.Semaphore(0), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b'{"to":"alice",'
        begun.release()
        await end.wait()
        yield b'"text":"late"}'

    async with client_of(redis.url, tmp_path) as client:
        alice = await sign_up(client, "alice")
        headers = {**alice, "content-type": "application/json"}
        slow = [asyncio.create_task(client.post("/v1/messages", content=body(), headers=headers)) for _ in range(20)]
        async with asyncio.timeout(20):
            for _ in slow:
                await begun.acquire()
            sent = await client.post("/v1/messages", json={"to": "alice", "text": "in time"}, headers=alice)
            assert sent.status_code == 201
            end.set()
            assert {answer.status_code for answer in await asyncio.gather(*slow)} == {201}


async def test_a_user_with_many_requests_that_wait_holds_up_nobody_else_and_all_are_answered(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = asyncio.Event()
    held: list[str] = []
    one = Descriptions.one

    async def slow(self: Descriptions, user: UserId, conversation: str) -> Description:
        held.append(user)
        if user == "mallory":
            await go_on.wait()
        return await one(self, user, conversation)

    monkeypatch.setattr(Descriptions, "one", slow)
    async with client_of(redis.url, tmp_path) as client:
        mallory, alice = await sign_up(client, "mallory"), await sign_up(client, "alice")
        path = "/v1/conversations/dm:alice:mallory"
        flood = [asyncio.create_task(client.get(path, headers=mallory)) for _ in range(50)]
        async with asyncio.timeout(20):
            while len(held) < AT_ONCE:
                await asyncio.sleep(0.01)
            assert (await client.get(path, headers=alice)).status_code == 200
            assert held.count("mallory") == AT_ONCE
            go_on.set()
            assert {answer.status_code for answer in await asyncio.gather(*flood)} == {200}


async def test_behind_a_front_that_is_not_trusted_all_people_have_one_address(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.http.responses.REFUSAL_DELAY", 0)
    async with client_of(redis.url, tmp_path, failed_sign_ins_per_address=1, trusted_proxies=()) as client:
        answers = [
            await client.post(
                "/v1/session",
                json={"name": name, "password": "wrong horse"},
                headers={"x-forwarded-for": f"192.0.2.{number}"},
            )
            for number, name in enumerate(("alice", "bob"))
        ]
    assert [answer.status_code for answer in answers] == [401, 429]


async def test_the_limits_are_told_in_numbers(redis: RedisProcess, tmp_path: Path) -> None:
    async with client_of(redis.url, tmp_path, failed_sign_ins_per_account=7, sign_ups_per_address=0) as client:
        told = (await client.get("/v1/limits")).json()
    quotas = {quota["name"]: (quota["limit"], quota["window_seconds"]) for quota in told.pop("quotas")}
    assert quotas == {
        "deliveries": (30_000, 60),
        "sign-in-address": (200, 3600),
        "sign-in-account": (7, 3600),
        "sign-in-known": (7, 3600),
        "ticket": (120, 60),
        "profiles": (120, 60),
    }
    assert told == {
        "body_bytes": 65536,
        "page_bytes": 262144,
        "page_items": 200,
        "inbox_events": 10000,
        "requests_per_user_and_worker": 8,
        "streams_per_user_and_worker": 32,
        "sessions_per_user": 100,
        "ticket_seconds": 30,
        "group_members": 1024,
        "group_name_bytes": 128,
        "group_topic_bytes": 256,
        "invites_per_group": 50,
        "invite_seconds": 2592000,
        "mentions_per_message": 50,
        "message_data_bytes": 16384,
        "reaction_kinds_per_message": 20,
        "receipts_group_members": 32,
        "typing_group_members": 32,
        "watched_users": 100,
        "watch_lists": 8,
        "blocks_per_user": 10000,
        "feeds": 10000,
        "feeds_per_user": 20,
        "feed_publishers": 100,
        "feed_events": 10000,
        "feed_keys": 1000,
        "feed_bytes": 1048576,
        "feed_event_bytes": 16384,
        "feed_ids": 10000,
        "readers_per_feed_and_worker": 100000,
    }
    async with client_of(redis.url, tmp_path, jwt_secret=SECRET) as client:
        told = (await client.get("/v1/limits")).json()
        assert [quota["name"] for quota in told["quotas"]] == ["deliveries", "ticket", "profiles"]


async def test_an_answer_has_256_kib_at_most_and_says_that_there_is_more(redis: RedisProcess, tmp_path: Path) -> None:
    async with client_of(redis.url, tmp_path) as client:
        alice = await sign_up(client, "alice")
        for number in range(12):
            for to in ("alice", f"friend-with-a-name-of-some-length-{number}"):
                if to != "alice":
                    await sign_up(client, to)
                text = "x" * (65_400)
                assert (
                    await client.post("/v1/messages", json={"to": to, "text": text}, headers=alice)
                ).status_code == 201
        history = await client.get("/v1/conversations/dm:alice:alice/messages?limit=200", headers=alice)
        assert len(history.content) <= 256 * 1024
        assert history.json()["has_more"] is True
        assert [message["seq"] for message in history.json()["messages"]] == [10, 11, 12]
        listed = await client.get("/v1/conversations?limit=200", headers=alice)
        assert len(listed.content) <= 256 * 1024
        assert len(listed.json()["conversations"]) == 3
        assert listed.json()["next"] is not None
