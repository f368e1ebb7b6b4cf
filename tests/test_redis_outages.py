"""Outages of Redis: sends fail so that they can be retried, streams stay open, and catch up afterwards."""

import asyncio
import os
import time
from pathlib import Path

import pytest
import redis as redis_py

from parts import DM, FakeSink, Worker, a_worker
from polling import until
from proxy import a_proxy
from redises import RedisProcess
from ssechat.errors import RedisUnavailable
from ssechat.redis import keys, subscriptions

pytestmark = pytest.mark.anyio


async def opened(worker: Worker, user: str, cursor: str | None = "0-0") -> FakeSink:
    stream, sink = worker.open_stream(user, cursor)
    await until(lambda: stream.live)
    return sink


async def check_all_arrived(worker: Worker, sink: FakeSink, expected: list[str]) -> None:
    """Checks that the open stream has each message once, in order, and no reset."""
    worker.clock.time += 31
    await worker.hub.sweep()
    await until(lambda: len(sink.texts()) >= len(expected))
    assert sink.texts() == expected
    assert "reset" not in sink.names()
    assert not sink.ended


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ([("CONFIG", "SET", "maxmemory", "1")], [("CONFIG", "SET", "maxmemory", "0")]),
        ([("REPLICAOF", "127.0.0.1", "1")], [("REPLICAOF", "NO", "ONE")]),
        (
            [("CONFIG", "SET", "min-replicas-to-write", "1")],
            [("CONFIG", "SET", "min-replicas-to-write", "0")],
        ),
    ],
    ids=["out of memory", "read only", "without its replicas"],
)
async def test_a_send_that_redis_refuses_can_be_retried_and_streams_stay_open(
    worker: Worker, redis: RedisProcess, begin: list[tuple[str, ...]], end: list[tuple[str, ...]]
) -> None:
    await worker.say("before")
    sink = await opened(worker, "bob")
    with redis.client() as client:
        try:
            for command in begin:
                client.execute_command(*command)
            with pytest.raises(RedisUnavailable):
                await worker.say("during")
        finally:
            for command in end:
                client.execute_command(*command)
    await worker.say_until_taken("during")
    await worker.say("after")
    await check_all_arrived(worker, sink, ["before", "during", "after"])


async def test_idempotency_a_redis_reply_cut_in_the_middle_leaves_one_message_after_the_retry(
    redis: RedisProcess, tmp_path: Path
) -> None:
    async with a_proxy(tmp_path, redis.url) as proxy, a_worker(proxy.url) as worker:
        await worker.say("before")
        sink = await opened(worker, "bob")
        for cut in (0, 1, 5, 20, 40):
            proxy.cut_after = cut
            await worker.say_until_taken(f"cut after {cut}")
        await worker.say("after")
        await check_all_arrived(worker, sink, ["before", *[f"cut after {cut}" for cut in (0, 1, 5, 20, 40)], "after"])
        assert await worker.conversations.newest_seq(DM) == 7


async def test_pubsub_resubscribes_after_a_half_open_connection(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "TICK", 0.02)
    monkeypatch.setattr(subscriptions, "PING_SECONDS", 0.1)
    monkeypatch.setattr(subscriptions, "SILENCE_LIMIT", 0.4)
    async with a_proxy(tmp_path, redis.url) as proxy, a_worker(redis.url) as worker:
        await worker.hub.subscriptions.close()
        worker.hub.subscriptions = subscriptions.Subscriptions(
            proxy.url, 2, worker.hub._on_message, worker.hub._on_resubscribed, worker.hub.metrics
        )
        worker.hub.subscriptions.start()
        sink = await opened(worker, "bob")
        proxy.hold()
        await worker.say("nobody hears this")
        await asyncio.sleep(0.5)
        proxy.release()
        await until(lambda: keys.live("bob").encode() in worker.hub._unaudited)
        await worker.hub.sweep()
        await until(lambda: sink.texts() == ["nobody hears this"])


async def test_pubsub_a_subscriber_that_redis_drops_repeatedly_catches_up(worker: Worker, redis: RedisProcess) -> None:
    sink = await opened(worker, "bob")
    expected = [f"m{i}" for i in range(200)]
    with redis.client() as client:
        for text in expected:
            await worker.say(text)
            if text.endswith("0"):
                client.client_kill_filter(_type="pubsub")
    await until(lambda: worker.hub.subscriptions.all_heard)
    await check_all_arrived(worker, sink, expected)


async def test_redis_paused_for_longer_than_the_time_out_costs_latency_and_no_message(redis: RedisProcess) -> None:
    async with a_worker(redis.url, redis_timeout=0.4) as worker:
        sink = await opened(worker, "bob")
        with redis.client() as client:
            client.execute_command("CLIENT", "PAUSE", 700)
        began = time.monotonic()
        refused = await worker.say_until_taken("paused")
        assert refused >= 1  # it was answered after the time-out, not after the pause
        assert time.monotonic() - began < 8
        await check_all_arrived(worker, sink, ["paused"])


async def test_a_redis_that_is_still_loading_is_waited_for(redis: RedisProcess) -> None:
    process = RedisProcess(redis.release)
    try:
        async with a_worker(process.url) as worker:
            await worker.say("before")
            sink = await opened(worker, "bob")
            with process.client() as client:
                client.mset({f"k{i}": os.urandom(100_000) for i in range(70)})
                client.save()
            process.kill()
            await until(lambda: not worker.redis.connected)
            # Microseconds per key: more than a second in total; Redis handles clients every 2 MiB.
            process.start("--key-load-delay", "20000", ready=False)
            await until(lambda: is_loading(process))
            assert not worker.redis.connected
            assert await worker.say_until_taken("while it loads") > 10
            await until(lambda: worker.hub.subscriptions.all_heard)
            await check_all_arrived(worker, sink, ["before", "while it loads"])
    finally:
        process.close()


def is_loading(process: RedisProcess) -> bool:
    try:
        with process.client() as client:
            client.get("k1")
    except redis_py.exceptions.BusyLoadingError:
        return True
    except redis_py.RedisError:
        return False
    return False


async def test_script_flush_fails_no_send(worker: Worker, redis: RedisProcess) -> None:
    sink = await opened(worker, "bob")
    with redis.client() as client:
        for i in range(20):
            client.script_flush()
            await worker.say(f"m{i}")
    await check_all_arrived(worker, sink, [f"m{i}" for i in range(20)])
