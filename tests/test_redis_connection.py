import asyncio
import gc

import pytest

from redises import RedisProcess
from ssechat.errors import RedisUnavailable
from ssechat.redis import connection as connection_module
from ssechat.redis.client import Redis
from ssechat.redis.connection import CommandConnection, RedisConnection, open_connection, reconnecting
from ssechat.redis.refusals import RedisRefused
from ssechat.tasks import end_task
from ssechat.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio


async def connected(url: str, timeout: float = 2) -> Redis:
    redis = Redis(url, timeout, Metrics())
    redis.start()
    assert await redis.wait_connected(5)
    return redis


async def test_pipelining_commands_of_one_loop_iteration_leave_in_one_write(redis: RedisProcess) -> None:
    client = await connected(redis.url)
    replies = await client.pipeline([("SET", "a", 1), ("INCR", "a"), ("GET", "a"), ("GET", "none")])
    assert replies == [b"OK", 2, b"2", None]
    await client.close()


async def test_a_cancelled_caller_does_not_shift_the_replies_of_others(redis: RedisProcess) -> None:
    client = await connected(redis.url)
    cancelled, after = client.send("ECHO", "mine"), client.send("ECHO", "yours")
    cancelled.cancel()
    assert await after == b"yours"
    assert await client.call("ECHO", "next") == b"next"
    await client.close()


async def test_a_pipeline_whose_caller_was_cancelled_leaves_no_error_that_nobody_looks_at(
    redis: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    client = await connected(redis.url)
    waiting = asyncio.create_task(client.pipeline([("PING",), ("PING",), ("PING",)]))
    await asyncio.sleep(0)
    waiting.cancel()
    assert client._connection is not None
    client._connection.abort()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    del waiting
    gc.collect()
    assert [record.message for record in caplog.records if "never retrieved" in record.message] == []
    await client.close()


async def test_one_command_about_many_keys_has_a_reply_for_each_in_their_order(redis: RedisProcess) -> None:
    client = await connected(redis.url)
    names = [f"ключ {number}" for number in range(1000)]
    before = client.send("ECHO", "before")
    sets = asyncio.create_task(client.each("HSET", names, "a", 1, "b", b"\r\n"))
    assert await before == b"before"
    after = client.send("ECHO", "after")
    assert await sets == [2] * 1000
    assert await after == b"after"
    await client.call("HSET", names[7], "a", 8)
    read = await client.each("HMGET", names, "a", "none", "b")
    assert read == [[b"8" if number == 7 else b"1", None, b"\r\n"] for number in range(1000)]
    assert await client.each("HVALS", []) == []
    await client.close()


async def test_one_command_about_many_keys_that_fails_for_one_fails_and_shifts_nothing(
    redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connected(redis.url)
    await client.call("SET", "b", "no hash")
    with pytest.raises(RedisRefused, match="WRONGTYPE"):
        await client.each("HVALS", ["a", "b", "c"])
    cancelled = asyncio.create_task(client.each("HVALS", ["a", "b", "c"]))
    await asyncio.sleep(0)
    cancelled.cancel()
    assert await client.call("ECHO", "next") == b"next"
    monkeypatch.setattr(connection_module, "QUEUE_LIMIT", 2)
    with pytest.raises(RedisUnavailable):
        await client.each("HVALS", ["a", "b", "c"])
    await client.close()
    with pytest.raises(RedisUnavailable, match="not connected"):
        await client.each("HVALS", ["a"])


async def test_one_command_about_many_keys_fails_when_the_connection_is_lost_or_silent(redis: RedisProcess) -> None:
    client = await connected(redis.url, timeout=0.5)
    for lose in (True, False):
        with redis.client() as other:
            other.execute_command("CLIENT", "PAUSE", 800)
            under_way = asyncio.create_task(client.each("HVALS", ["a", "b", "c"]))
            await asyncio.sleep(0.05)
            if lose:
                client.reconnect()
            with pytest.raises(RedisUnavailable, match="lost" if lose else "within"):
                await under_way
        async with asyncio.timeout(5):
            while not client.connected:
                await asyncio.sleep(0.02)
    await client.close()


async def test_an_error_reply_is_that_commands_alone(redis: RedisProcess) -> None:
    client = await connected(redis.url)
    bad, good = client.send("NOSUCH"), client.send("ECHO", "x")
    with pytest.raises(RedisRefused, match="unknown command"):
        await bad
    assert await good == b"x"
    await client.close()


async def test_a_command_that_is_not_answered_in_time_fails_and_the_connection_goes_on(redis: RedisProcess) -> None:
    client = await connected(redis.url, timeout=0.5)
    with redis.client() as other:
        other.execute_command("CLIENT", "PAUSE", 800)
    slow = client.send("SET", "a", "late")
    with pytest.raises(RedisUnavailable, match="within"):
        await slow
    assert client.connected
    for _ in range(50):
        try:
            assert await client.call("GET", "a") == b"late"
            break
        except RedisUnavailable:
            await asyncio.sleep(0.05)
    else:
        pytest.fail("it did not come back")
    await client.close()


async def test_a_silent_connection_is_dropped_and_reconnects(redis: RedisProcess) -> None:
    client = await connected(redis.url, timeout=0.2)
    with redis.client() as other:
        other.execute_command("CLIENT", "PAUSE", 1000)
        first = client._connection
        with pytest.raises(RedisUnavailable):
            await client.call("GET", "a")
        async with asyncio.timeout(5):
            while client._connection is first or not client.connected:
                await asyncio.sleep(0.02)
        assert await client.call("PING") == b"PONG"
    await client.close()


async def test_reconnect_after_a_redis_outage_and_fail_fast_meanwhile(redis: RedisProcess) -> None:
    client = await connected(redis.url)
    redis.kill()
    async with asyncio.timeout(5):
        while client.connected:
            await asyncio.sleep(0.01)
    with pytest.raises(RedisUnavailable, match="not connected"):
        await client.call("PING")
    assert not await client.wait_connected(0.1)
    redis.start()
    assert await client.wait_connected(5)
    assert await client.call("PING") == b"PONG"
    await client.close()


async def test_commands_under_way_fail_when_the_connection_is_lost(redis: RedisProcess) -> None:
    client = await connected(redis.url)
    with redis.client() as other:
        other.execute_command("CLIENT", "PAUSE", 300)
        under_way = client.send("GET", "a")
        await asyncio.sleep(0.05)
        assert client._connection is not None
        client._connection.abort()
        with pytest.raises(RedisUnavailable, match="lost"):
            await under_way
    await client.close()


async def test_a_redis_that_cannot_be_reached_is_said_so() -> None:
    with pytest.raises(RedisUnavailable):
        await open_connection("unix:///nowhere/redis.sock", CommandConnection(), 1)
    with pytest.raises(RedisUnavailable):
        await open_connection("redis://127.0.0.1:1", CommandConnection(), 1)


async def test_a_connection_lost_before_it_was_ours_is_noticed(
    redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = RedisConnection.connection_made

    def lose(connection: RedisConnection, transport: asyncio.BaseTransport) -> None:
        taken(connection, transport)
        transport.close()

    monkeypatch.setattr(RedisConnection, "connection_made", lose)
    connection = CommandConnection()
    with pytest.raises(RedisUnavailable, match="lost"):
        await open_connection(redis.url, connection, 1)
    assert connection.lost.done()


async def test_bytes_that_are_not_resp_end_the_connection() -> None:
    async def talk_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(talk_nonsense, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = Redis(f"redis://127.0.0.1:{port}", 0.5, Metrics())
    client.start()
    assert not await client.wait_connected(0.3)
    await client.close()
    server.close()
    await asyncio.sleep(0.05)


async def test_auth_uses_the_password_of_the_url(redis: RedisProcess) -> None:
    with redis.client() as other:
        other.execute_command("ACL", "SETUSER", "someone", "on", ">secret", "~*", "&*", "+@all")
    url = redis.url.replace("unix://", "unix://someone:secret@")
    client = await connected(url + "?db=3")
    assert await client.call("ACL", "WHOAMI") == b"someone"
    await client.close()
    with redis.client() as other:
        other.execute_command("ACL", "DELUSER", "someone")


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
