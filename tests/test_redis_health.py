"""The watch over what Redis refuses: what the log says of it, once, and a primary that has become a replica."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import redis as redis_py

from parts import DM, FakeClock, Worker, a_worker
from polling import until
from redises import RedisProcess
from ssechat.errors import RedisUnavailable
from ssechat.redis import health as health_module
from ssechat.redis import keys
from ssechat.redis.health import RedisHealth
from ssechat.redis.rights import WORDS

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("quick_trials")]

CODES = re.compile(r"\(([A-Z]+)\)")


@asynccontextmanager
async def watched(url: str, now: Callable[[], float]) -> AsyncIterator[tuple[Worker, RedisHealth]]:
    async with a_worker(url) as worker:
        health = RedisHealth(worker.redis, now=now)
        worker.hub.subscriptions.on_refused = health.note_subscription
        health.reconnect.append(worker.hub.subscriptions.reconnect)
        health.start()
        try:
            assert await health.check()
            yield worker, health
        finally:
            await health.close()


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if "the server asks of it" in each.getMessage()]


async def test_a_redis_refusal_is_logged_once_when_it_begins_and_once_when_it_ends(
    redis: RedisProcess, limit: str, caplog: pytest.LogCaptureFixture
) -> None:
    code = {"maxmemory": "OOM", "min-replicas-to-write": "NOREPLICAS"}[limit]
    clock = FakeClock()
    async with watched(redis.url, clock) as (worker, health):
        redis.configure(limit, "1")
        for turn in range(20):
            with pytest.raises(RedisUnavailable):
                await worker.say(f"a secret text {turn}")
        await until(lambda: not health.well)
        await asyncio.sleep(0.2)  # several trials
        assert health.codes == (code,)
        [line] = refusals(caplog)
        assert f"({code}): it has" in line
        redis.configure(limit, "0")
        await until(lambda: health.well)
        clock.time += 60
        await until(lambda: len(refusals(caplog)) == 2)
        assert refusals(caplog)[1] == f"Redis no longer refuses what the server asks of it ({code})"
        assert worker.redis.metrics.redis_refusals[code] >= 1
    assert "secret text" not in caplog.text


async def test_the_log_names_the_right_that_was_taken_away_and_nothing_of_what_was_asked(
    redis: RedisProcess, user_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with watched(user_url, FakeClock()) as (worker, health):
        redis.set_rights("-hset")
        for _ in range(5):
            with pytest.raises(RedisUnavailable):
                await worker.say("a secret text")
        await until(lambda: not health.well)
        await asyncio.sleep(0.1)
        assert [line for line in refusals(caplog) if "ACL SETUSER chat +hset" in line] == refusals(caplog)[:1]
        assert len(refusals(caplog)) == 1
    for secret in ("secret text", "s3cret", "{u", "dm:alice"):
        assert secret not in caplog.text


@pytest.mark.parametrize("code", ["MISCONF", "BUSY", "READONLY"])
async def test_other_reasons_are_told_too_and_are_over_when_they_are_over(
    redis: RedisProcess, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    process = RedisProcess(redis.release)
    begin, end = {"MISCONF": (fail_to_save, save), "BUSY": (be_busy, be_idle), "READONLY": (follow, lead)}[code]
    try:
        async with watched(process.url, FakeClock()) as (worker, health):
            with process.client() as client:
                begin(client)
            with pytest.raises(RedisUnavailable):
                await worker.say("x")
            await until(lambda: health.codes == (code,))
            assert len(refusals(caplog)) == 1
            assert f"({code})" in refusals(caplog)[0]
            with process.client() as client:
                end(client)
            await worker.say_until_taken("x", "dm:alice:bob")
            await until(lambda: health.well)
    finally:
        process.close()


def fail_to_save(client: "redis_py.Redis") -> None:
    """Creates a folder in the place of Redis's file."""
    place = Path(str(client.config_get("dir")["dir"])) / "dump.rdb"
    place.mkdir()
    client.config_set("save", "3600 1")
    with suppress(redis_py.ResponseError):
        client.save()
    client.bgsave()
    while client.info("persistence")["rdb_last_bgsave_status"] == "ok":
        time.sleep(0.01)


def save(client: "redis_py.Redis") -> None:
    (Path(str(client.config_get("dir")["dir"])) / "dump.rdb").rmdir()
    client.save()
    client.config_set("save", "")


def be_busy(client: "redis_py.Redis") -> None:
    client.config_set("lua-time-limit", 1)
    connection = client.connection_pool.get_connection()
    connection.send_command("EVAL", "while true do end", 0)  # type: ignore[no-untyped-call]  # redis-py has no types for it
    time.sleep(0.2)


def be_idle(client: "redis_py.Redis") -> None:
    client.script_kill()


def follow(client: "redis_py.Redis") -> None:
    client.replicaof("127.0.0.1", 1)


def lead(client: "redis_py.Redis") -> None:
    client.replicaof("NO", "ONE")


async def test_what_a_trial_does_not_meet_is_told_too_and_is_no_reason_not_to_be_ready(
    redis: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    async with watched(redis.url, FakeClock()) as (worker, health):
        with redis.client() as client:
            client.set(keys.of_conversation(DM).conversation, "somebody else's")
        for _ in range(3):
            with pytest.raises(RedisUnavailable):
                await worker.say("x")
        await until(lambda: refusals(caplog))
        assert [CODES.findall(line)[:1] for line in refusals(caplog)] == [["WRONGTYPE"]]
        assert health.well


async def test_acl_revoked_channels_are_logged_once_and_retried(
    redis: RedisProcess, user_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.redis.subscriptions.REFUSED_PAUSE", 0.05)
    async with watched(user_url, FakeClock()) as (worker, _):
        stream, sink = worker.open_stream("bob", "0-0")
        await until(lambda: stream.live)
        subscriptions = worker.hub.subscriptions
        redis.set_rights("resetchannels", "&ssechat:*")
        if redis.release.startswith("6"):  # which keeps existing subscriptions
            subscriptions.reconnect()
        await until(lambda: subscriptions.refused)
        assert not subscriptions.connected
        await asyncio.sleep(0.3)
        assert len([line for line in refusals(caplog) if "use channels" in line]) == 1
        assert "ACL SETUSER chat &{f* &{u*" in refusals(caplog)[0]
        assert not any("refused a subscription" in each.getMessage() for each in caplog.records)
        await worker.say("meanwhile")
        redis.set_rights(*WORDS)
        await until(lambda: subscriptions.connected and subscriptions.all_heard)
        await worker.hub.sweep()
        await until(lambda: sink.texts() == ["meanwhile"])


async def test_a_revoked_redis_password_is_logged_once_and_not_shown(
    redis: RedisProcess, user_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with watched(user_url, FakeClock()) as (worker, _):
        redis.set_rights("resetpass", ">another")
        worker.redis.reconnect()
        await until(lambda: not worker.redis.connected)
        await asyncio.sleep(0.3)
        lines = [each.getMessage() for each in caplog.records if "WRONGPASS" in each.getMessage()]
        assert len(lines) == 1
        assert "user or password of --redis-url" in lines[0]
        redis.set_rights("resetpass", ">s3cret")
        assert await worker.redis.wait_connected(5)
    assert "s3cret" not in caplog.text


async def test_a_primary_that_became_a_replica_is_left_for_the_one_that_the_url_leads_to_now(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "RECONNECT_PAUSE", 0.1)
    old, new = RedisProcess(redis.release), RedisProcess(redis.release)
    place = tmp_path / "s"
    place.symlink_to(old.folder / "s")
    try:
        async with a_worker(f"unix://{place}") as worker:
            health = RedisHealth(worker.redis)
            health.reconnect.append(worker.hub.subscriptions.reconnect)
            health.start()
            await worker.say("before")
            with old.client() as client:
                client.execute_command("REPLICAOF", "127.0.0.1", "1")
            place.unlink()
            place.symlink_to(new.folder / "s")
            await worker.say_until_taken("after", "dm:alice:bob")
            await until(lambda: worker.hub.subscriptions.all_heard)
            with new.client() as client:
                assert client.exists(keys.of_conversation(DM).conversation)
                assert client.pubsub_numsub("ssechat:control")[0][1] == 1
            await health.close()
    finally:
        old.close()
        new.close()


def test_a_refusal_that_comes_and_goes_is_one_line_until_it_stays_away(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    troubles = health_module.Troubles(clock)
    caplog.set_level(logging.WARNING)
    for _ in range(100):
        troubles.seen("OOM", "it is full")
        troubles.forget_old()
        clock.time += health_module.CALM / 2
    assert len(caplog.records) == 1
    clock.time += health_module.CALM
    troubles.forget_old()
    troubles.forget_old()
    assert len(caplog.records) == 2
