"""What readiness, the responses and the metrics say while Redis refuses what is needed of it."""

import asyncio
from pathlib import Path

import pytest

from app_client import client_of, ready_is
from redises import RedisProcess
from ssechat.redis import health as health_module
from ssechat.redis.rights import WORDS

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("quick_trials")]


async def test_readiness_is_false_while_redis_takes_no_writes_though_nobody_has_tried(
    redis: RedisProcess, limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "FRESH", 0.05)
    async with client_of(redis.url, tmp_path) as client:
        assert (await ready_is(client, 200))["checks"] == {"redis": True, "writes": True, "subscriptions": True}
        redis.configure(limit, "1")
        body = await ready_is(client, 503)
        assert body["checks"] == {"redis": True, "writes": False, "subscriptions": True}
        assert body["refused"] == [{"maxmemory": "OOM", "min-replicas-to-write": "NOREPLICAS"}[limit]]
        redis.configure(limit, "0")
        assert "refused" not in await ready_is(client, 200)


@pytest.mark.parametrize("word", ["-publish", "-hset", "-get", "-hgetall", "resetkeys", "-@all"])
async def test_readiness_is_false_without_a_right_that_is_needed_and_comes_back(
    redis: RedisProcess, user_url: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "FRESH", 0.05)
    async with client_of(user_url, tmp_path) as client:
        await ready_is(client, 200)
        redis.set_rights(word)
        assert (await ready_is(client, 503))["refused"] == ["NOPERM"]
        redis.set_rights(*WORDS)
        await ready_is(client, 200)


async def test_readiness_is_false_while_no_channel_may_be_heard(
    redis: RedisProcess, user_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.redis.subscriptions.REFUSED_PAUSE", 0.05)
    async with client_of(user_url, tmp_path) as client:
        await ready_is(client, 200)
        redis.set_rights("-subscribe")
        with redis.client() as other:
            other.client_kill_filter(_type="pubsub")
        body = await ready_is(client, 503)
        assert body["checks"] == {"redis": True, "writes": True, "subscriptions": False}
        redis.set_rights("+subscribe")
        await ready_is(client, 200)


async def test_a_refused_request_says_so_with_the_code_and_not_that_the_storage_is_out_of_reach(
    redis: RedisProcess, limit: str, tmp_path: Path
) -> None:
    code = {"maxmemory": "OOM", "min-replicas-to-write": "NOREPLICAS"}[limit]
    async with client_of(redis.url, tmp_path) as client:
        await client.post("/v1/users", json={"name": "alice", "password": "correct horse"})
        redis.configure(limit, "1")
        for answer in (
            await client.post("/v1/messages", json={"to": "alice", "text": "x"}),
            await client.post("/v1/tickets", json={}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert f"refuses this ({code})" in answer.json()["detail"]
            assert "cannot reach" not in answer.json()["detail"]
            assert answer.headers["retry-after"]


async def test_a_log_in_that_is_refused_is_said_as_such_and_not_that_the_storage_is_out_of_reach(
    redis: RedisProcess, user_url: str, tmp_path: Path
) -> None:
    async with client_of(user_url, tmp_path) as client:
        await client.post("/v1/users", json={"name": "alice", "password": "correct horse"})
        redis.set_rights("resetpass", ">another")
        with redis.client() as other:
            other.execute_command("CLIENT", "KILL", "USER", "chat")
        async with asyncio.timeout(8):
            while (await client.get("/healthz/ready")).json().get("refused") != ["WRONGPASS"]:
                await asyncio.sleep(0.01)
        answer = await client.post("/v1/messages", json={"to": "alice", "text": "x"})
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert "refuses this (WRONGPASS)" in answer.json()["detail"]
        redis.set_rights("resetpass", ">s3cret")
        await ready_is(client, 200)
        assert (await client.post("/v1/messages", json={"to": "alice", "text": "x"})).status_code == 201


async def test_the_metrics_count_refusals_by_code(redis: RedisProcess, tmp_path: Path) -> None:
    async with client_of(redis.url, tmp_path) as client:
        await client.post("/v1/users", json={"name": "alice", "password": "correct horse"})
        await ready_is(client, 200)
        redis.configure("maxmemory", "1")
        try:
            assert (await client.post("/v1/messages", json={"to": "alice", "text": "x"})).status_code == 503
            await ready_is(client, 503)
            text = (await client.get("/metrics")).text
        finally:
            redis.configure("maxmemory", "0")
    assert 'ssechat_redis_refusals_total{code="OOM"} 1.0' in text
    assert 'ssechat_redis_refusals_total{code="READONLY"} 0.0' in text
    assert "ssechat_redis_refused_workers 1.0" in text
