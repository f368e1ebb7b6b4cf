"""Refusals of Redis at run time: data stays consistent, the log has one line, and readiness is false."""

import asyncio
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
import redis as redis_py

from parts import DM, SECRET, FakeClock, FakeSink, Worker, a_worker, draft, settings
from redises import RedisProcess
from ssechat.app import create_app
from ssechat.errors import RedisUnavailable, Unauthorized
from ssechat.ids import ConversationId, UserId
from ssechat.redis import connection as connection_module
from ssechat.redis import health as health_module
from ssechat.redis import keys
from ssechat.redis.connection import CommandConnection, reconnecting
from ssechat.redis.health import RedisHealth
from ssechat.redis.refusals import parse_refusal
from ssechat.redis.rights import WORDS
from ssechat.tasks import end_task

pytestmark = pytest.mark.anyio

CODES = re.compile(r"\(([A-Z]+)\)")


@pytest.fixture
def user_url(redis: RedisProcess) -> Iterator[str]:
    """The URL of a user with exactly the needed rights."""
    set_rights(redis, "reset", "on", ">s3cret", *WORDS)
    yield redis.url.replace("unix://", "unix://chat:s3cret@")
    with redis.client() as client:
        client.execute_command("ACL", "DELUSER", "chat")


def set_rights(redis: RedisProcess, *words: str) -> None:
    with redis.client() as client:
        client.execute_command("ACL", "SETUSER", "chat", *words)


@pytest.fixture(params=["maxmemory", "min-replicas-to-write"])
def limit(request: pytest.FixtureRequest, redis: RedisProcess) -> Iterator[str]:
    """A setting that makes Redis refuse writes with the value 1, and accept them with 0."""
    yield str(request.param)
    configure(redis, request.param, "0")


def configure(redis: RedisProcess, name: str, value: str) -> None:
    with redis.client() as client:
        client.config_set(name, value)


async def until(condition: Callable[[], object], seconds: float = 8) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def texts_of(sink: FakeSink) -> list[str]:
    return [json.loads(event["data"])["text"] for event in sink.events() if event.get("event") == "message"]


# Stored data.


async def test_acl_a_send_without_the_right_to_publish_is_accepted_and_streams_find_it(
    redis: RedisProcess, user_url: str
) -> None:
    async with a_worker(user_url) as worker:
        noted: list[str] = []
        worker.redis.on_refused = noted.append
        stream, sink = worker.open_stream("bob", "0-0")
        await until(lambda: stream.live)
        set_rights(redis, "-publish")
        await worker.say("unheard")
        assert [parse_refusal(text).code for text in noted if "NOSCRIPT" not in text] == ["NOPERM"]
        assert texts_of(sink) == []
        worker.clock.time += 31
        await worker.hub.sweep()
        await until(lambda: texts_of(sink) == ["unheard"])
        set_rights(redis, "+publish")
        await worker.say("heard")
        await until(lambda: texts_of(sink) == ["unheard", "heard"])


@pytest.mark.parametrize(
    "word",
    [
        *("-publish", "-hset", "-xadd", "-hget", "-hmget", "-expire", "-exists", "-evalsha", "-eval", "-@all"),
        *("resetkeys", "resetchannels"),
    ],
)
async def test_acl_a_revoked_right_leaves_nothing_half_done_and_a_retry_completes(
    redis: RedisProcess, user_url: str, word: str
) -> None:
    async with a_worker(user_url) as worker:
        expected = []
        for turn in range(8):  # whether the next entry's tag is above the last one's is chance
            text = f"m{turn}"
            set_rights(redis, word)
            with suppress(RedisUnavailable):
                await worker.say(text, conversation=f"dm:alice:bob{turn % 2}")
            set_rights(redis, *WORDS)
            await say(worker, text, f"dm:alice:bob{turn % 2}")
            await say(worker, f"after {text}", f"dm:alice:bob{turn % 2}")
            expected += [text, f"after {text}"]
        assert [json.loads(each)["text"] for each in await worker.texts("alice")] == expected
        for one in (0, 1):
            mine = [text for turn, text in enumerate(expected) if turn // 2 % 2 == one]
            assert [json.loads(each)["text"] for each in await worker.texts(f"bob{one}")] == mine
            entries = await worker.conversations.entries(ConversationId(f"dm:alice:bob{one}"), "-", "+", 100)
            assert [json.loads(entry.data)["text"] for entry in entries] == mine


async def say(worker: Worker, text: str, conversation: str) -> None:
    """Retries a send, as a client does. Redis closes a connection whose channels are revoked."""
    for _ in range(500):
        with suppress(RedisUnavailable):
            await worker.say(text, conversation=conversation)
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it was never taken")


async def test_a_delivery_of_its_own_leaves_nothing_half_done_without_the_right_to_hset(
    redis: RedisProcess, user_url: str
) -> None:
    async with a_worker(user_url) as worker:
        await worker.say("before")
        expected = ["before"]
        for turn in range(8):
            await worker.append(draft(f"appended {turn}"))  # in the log, and in no inbox
            set_rights(redis, "-hset")
            with pytest.raises(RedisUnavailable):
                await worker.delivery.finish(draft("").conversation, [UserId("alice"), UserId("bob")])
            set_rights(redis, "+hset")
            await worker.say(f"after {turn}")
            expected += [f"appended {turn}", f"after {turn}"]
        assert [json.loads(each)["text"] for each in await worker.texts("bob")] == expected


async def test_an_account_is_never_made_without_its_password(redis: RedisProcess, user_url: str) -> None:
    async with a_worker(user_url) as worker:
        set_rights(redis, "-hset")
        with pytest.raises(RedisUnavailable):
            await worker.users.sign_up(UserId("carol"), "correct horse")
        set_rights(redis, "+hset")
        await worker.users.sign_up(UserId("carol"), "correct horse")
        await worker.users.check_password(UserId("carol"), "correct horse")


async def test_one_is_signed_out_though_other_workers_may_not_be_told(redis: RedisProcess, user_url: str) -> None:
    async with a_worker(user_url) as worker:
        token = await worker.auth.sign_in(UserId("alice"))
        identity = await worker.auth.identify(token, remember=False)
        set_rights(redis, "-publish")
        await worker.auth.sign_out(identity)
        with pytest.raises(Unauthorized):
            await worker.auth.identify(token, remember=False)


# Log lines.


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


@pytest.fixture(autouse=True)
def _quick_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "PAUSE", 0.02)


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if "the server asks of it" in each.getMessage()]


async def test_a_redis_refusal_is_logged_once_when_it_begins_and_once_when_it_ends(
    redis: RedisProcess, limit: str, caplog: pytest.LogCaptureFixture
) -> None:
    code = {"maxmemory": "OOM", "min-replicas-to-write": "NOREPLICAS"}[limit]
    clock = FakeClock()
    async with watched(redis.url, clock) as (worker, health):
        configure(redis, limit, "1")
        for turn in range(20):
            with pytest.raises(RedisUnavailable):
                await worker.say(f"a secret text {turn}")
        await until(lambda: not health.well)
        await asyncio.sleep(0.2)  # several trials
        assert health.codes == (code,)
        [line] = refusals(caplog)
        assert f"({code}): it has" in line
        configure(redis, limit, "0")
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
        set_rights(redis, "-hset")
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
            await say(worker, "x", "dm:alice:bob")
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
    connection.send_command("EVAL", "while true do end", 0)  # type: ignore[no-untyped-call]
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
        assert [CODES.search(line)[1] for line in refusals(caplog)] == ["WRONGTYPE"]  # type: ignore[index]
        assert health.well


async def test_acl_revoked_channels_are_logged_once_and_retried(
    redis: RedisProcess, user_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.redis.subscriptions.REFUSED_PAUSE", 0.05)
    async with watched(user_url, FakeClock()) as (worker, _):
        stream, sink = worker.open_stream("bob", "0-0")
        await until(lambda: stream.live)
        subscriptions = worker.hub.subscriptions
        set_rights(redis, "resetchannels", "&ssechat:*")
        if redis.release.startswith("6"):  # which keeps existing subscriptions
            subscriptions.reconnect()
        await until(lambda: subscriptions.refused)
        assert not subscriptions.connected
        await asyncio.sleep(0.3)
        assert len([line for line in refusals(caplog) if "use channels" in line]) == 1
        assert "ACL SETUSER chat &{u*" in refusals(caplog)[0]
        assert not any("refused a subscription" in each.getMessage() for each in caplog.records)
        await worker.say("meanwhile")
        set_rights(redis, *WORDS)
        await until(lambda: subscriptions.connected and subscriptions.all_heard)
        await worker.hub.sweep()
        await until(lambda: texts_of(sink) == ["meanwhile"])


async def test_a_revoked_redis_password_is_logged_once_and_not_shown(
    redis: RedisProcess, user_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with watched(user_url, FakeClock()) as (worker, _):
        set_rights(redis, "resetpass", ">another")
        worker.redis.reconnect()
        await until(lambda: not worker.redis.connected)
        await asyncio.sleep(0.3)
        lines = [each.getMessage() for each in caplog.records if "WRONGPASS" in each.getMessage()]
        assert len(lines) == 1
        assert "user or password of --redis-url" in lines[0]
        set_rights(redis, "resetpass", ">s3cret")
        assert await worker.redis.wait_connected(5)
    assert "s3cret" not in caplog.text


async def test_an_error_that_quotes_the_password_is_not_logged(
    redis: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    """`AUTH` is renamed: Redis's error then quotes the arguments."""
    process = RedisProcess(redis.release, ("--rename-command", "AUTH", ""))
    try:
        connections = reconnecting(process.url.replace("unix://", "unix://:s3cret@"), CommandConnection, 1)

        async def connect() -> None:
            async for _ in connections:
                pass

        connecting = asyncio.create_task(connect())
        await asyncio.sleep(0.3)
        await end_task(connecting)  # a cancellation that arrives while a connection is opened can get lost
        await connections.aclose()
    finally:
        process.close()
    assert "UNKNOWN" in caplog.text
    assert "s3cret" not in caplog.text


# The URL.


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
            await say(worker, "after", "dm:alice:bob")
            await until(lambda: worker.hub.subscriptions.all_heard)
            with new.client() as client:
                assert client.exists(keys.of_conversation(DM).conversation)
                assert client.pubsub_numsub("ssechat:control")[0][1] == 1
            await health.close()
    finally:
        old.close()
        new.close()


async def test_a_redis_that_is_away_for_hours_is_found_when_it_is_back(
    redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    async def refuse(url: str, connection: object, timeout: float) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 5000:
            raise RedisUnavailable("away")

    async def no_time(seconds: float) -> None:
        assert 0 < seconds <= 1

    monkeypatch.setattr(connection_module, "open_connection", refuse)
    with monkeypatch.context() as patched:
        patched.setattr(asyncio, "sleep", no_time)
        connections = reconnecting(redis.url, CommandConnection, 1)
        connection = await anext(connections)
    assert attempts == 5000
    connection.lost.set_result(None)
    await connections.aclose()


# Readiness.


@asynccontextmanager
async def app_on(url: str, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    (folder / "jwt.key").write_text(SECRET)
    app = create_app(settings(url, data=folder, redis_timeout=0.5))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://chat") as client,
    ):
        yield client


async def ready_is(client: httpx.AsyncClient, status: int) -> dict[str, object]:
    async with asyncio.timeout(8):
        while (answer := await client.get("/healthz/ready")).status_code != status:
            await asyncio.sleep(0.02)
    body: dict[str, object] = answer.json()
    return body


async def test_readiness_is_false_while_redis_takes_no_writes_though_nobody_has_tried(
    redis: RedisProcess, limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "FRESH", 0.05)
    async with app_on(redis.url, tmp_path) as client:
        assert (await ready_is(client, 200))["checks"] == {"redis": True, "writes": True, "subscriptions": True}
        configure(redis, limit, "1")
        body = await ready_is(client, 503)
        assert body["checks"] == {"redis": True, "writes": False, "subscriptions": True}
        assert body["refused"] == [{"maxmemory": "OOM", "min-replicas-to-write": "NOREPLICAS"}[limit]]
        configure(redis, limit, "0")
        assert "refused" not in await ready_is(client, 200)


@pytest.mark.parametrize("word", ["-publish", "-hset", "-get", "-hgetall", "resetkeys", "-@all"])
async def test_readiness_is_false_without_a_right_that_is_needed_and_comes_back(
    redis: RedisProcess, user_url: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "FRESH", 0.05)
    async with app_on(user_url, tmp_path) as client:
        await ready_is(client, 200)
        set_rights(redis, word)
        assert (await ready_is(client, 503))["refused"] == ["NOPERM"]
        set_rights(redis, *WORDS)
        await ready_is(client, 200)


async def test_readiness_is_false_while_no_channel_may_be_heard(
    redis: RedisProcess, user_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.redis.subscriptions.REFUSED_PAUSE", 0.05)
    async with app_on(user_url, tmp_path) as client:
        await ready_is(client, 200)
        set_rights(redis, "-subscribe")
        with redis.client() as other:
            other.client_kill_filter(_type="pubsub")
        body = await ready_is(client, 503)
        assert body["checks"] == {"redis": True, "writes": True, "subscriptions": False}
        set_rights(redis, "+subscribe")
        await ready_is(client, 200)


async def test_a_refused_request_says_so_with_the_code_and_not_that_the_storage_is_out_of_reach(
    redis: RedisProcess, limit: str, tmp_path: Path
) -> None:
    code = {"maxmemory": "OOM", "min-replicas-to-write": "NOREPLICAS"}[limit]
    async with app_on(redis.url, tmp_path) as client:
        await client.post("/v1/users", json={"name": "alice", "password": "correct horse"})
        configure(redis, limit, "1")
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
    async with app_on(user_url, tmp_path) as client:
        await client.post("/v1/users", json={"name": "alice", "password": "correct horse"})
        set_rights(redis, "resetpass", ">another")
        with redis.client() as other:
            other.execute_command("CLIENT", "KILL", "USER", "chat")
        async with asyncio.timeout(8):
            while (await client.get("/healthz/ready")).json().get("refused") != ["WRONGPASS"]:
                await asyncio.sleep(0.01)
        answer = await client.post("/v1/messages", json={"to": "alice", "text": "x"})
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert "refuses this (WRONGPASS)" in answer.json()["detail"]
        set_rights(redis, "resetpass", ">s3cret")
        await ready_is(client, 200)
        assert (await client.post("/v1/messages", json={"to": "alice", "text": "x"})).status_code == 201


async def test_the_metrics_count_refusals_by_code(redis: RedisProcess, tmp_path: Path) -> None:
    async with app_on(redis.url, tmp_path) as client:
        await client.post("/v1/users", json={"name": "alice", "password": "correct horse"})
        await ready_is(client, 200)
        configure(redis, "maxmemory", "1")
        try:
            assert (await client.post("/v1/messages", json={"to": "alice", "text": "x"})).status_code == 503
            await ready_is(client, 503)
            text = (await client.get("/metrics")).text
        finally:
            configure(redis, "maxmemory", "0")
    assert 'ssechat_redis_refusals_total{code="OOM"} 1.0' in text
    assert 'ssechat_redis_refusals_total{code="READONLY"} 0.0' in text
    assert "ssechat_redis_refused_workers 1.0" in text


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
