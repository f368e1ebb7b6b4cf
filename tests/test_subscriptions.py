import asyncio
from collections.abc import AsyncIterator

import pytest

from polling import until
from redises import RedisProcess
from ssechat.errors import RedisUnavailable
from ssechat.redis import subscriptions as module
from ssechat.redis.subscriptions import Subscriptions
from ssechat.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio


class Ear:
    """Subscriptions with their received messages."""

    def __init__(self, url: str, timeout: float = 2) -> None:
        self.heard: list[tuple[bytes, bytes]] = []
        self.resubscribed: list[bytes] = []
        self.subscriptions = Subscriptions(
            url,
            timeout,
            lambda channel, payload: self.heard.append((channel, payload)),
            self.resubscribed.append,
            Metrics(),
        )
        self.subscriptions.start()


@pytest.fixture(autouse=True)
def _quick_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK", 0.05)


@pytest.fixture
async def ear(redis: RedisProcess) -> AsyncIterator[Ear]:
    ear = Ear(redis.url)
    yield ear
    await ear.subscriptions.close()


def subscribers(redis: RedisProcess, channel: bytes) -> int:
    with redis.client() as client:
        return int(client.pubsub_numsub(channel)[0][1])


async def test_pubsub_messages_after_the_subscribe_reply_are_received(redis: RedisProcess, ear: Ear) -> None:
    await ear.subscriptions.add(b"a")
    with redis.client() as client:
        assert client.publish("a", b"x") == 1
    await until(lambda: ear.heard)
    assert ear.heard == [(b"a", b"x")]
    assert ear.resubscribed == []


async def test_concurrent_subscribes_to_one_channel_share_a_reply(redis: RedisProcess, ear: Ear) -> None:
    await asyncio.gather(*[ear.subscriptions.add(b"a") for _ in range(20)])
    assert subscribers(redis, b"a") == 1


async def test_more_channels_than_one_command_takes_are_all_subscribed(redis: RedisProcess, ear: Ear) -> None:
    channels = [b"c%d" % i for i in range(2 * module.MAX_CHANNELS + 1)]
    await asyncio.gather(*[ear.subscriptions.add(channel) for channel in channels])
    assert all(subscribers(redis, channel) == 1 for channel in channels[:: module.MAX_CHANNELS])


async def test_unsubscribe_follows_some_seconds_after_the_last_stream(
    redis: RedisProcess, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINGER", 0.0)
    await ear.subscriptions.add(b"a")
    ear.subscriptions.discard(b"a")
    await until(lambda: subscribers(redis, b"a") == 0)
    await ear.subscriptions.add(b"a")
    assert subscribers(redis, b"a") == 1


async def test_a_channel_wanted_again_in_time_is_not_unsubscribed(redis: RedisProcess, ear: Ear) -> None:
    await ear.subscriptions.add(b"a")
    ear.subscriptions.discard(b"a")
    await ear.subscriptions.add(b"a")
    assert not ear.subscriptions._leaving
    assert subscribers(redis, b"a") == 1


async def test_reconnect_resubscribes_all_channels_and_calls_back(redis: RedisProcess, ear: Ear) -> None:
    await ear.subscriptions.add(b"a")
    with redis.client() as client:
        client.client_kill_filter(_type="pubsub")
    await ear.subscriptions.add(b"a")  # another stream of the same user does not change that
    await until(lambda: b"a" in ear.resubscribed)
    assert subscribers(redis, b"a") == 1


async def test_a_channel_wanted_while_redis_is_away_is_acknowledged_when_it_is_back(
    redis: RedisProcess, ear: Ear
) -> None:
    await until(lambda: ear.subscriptions.connected)
    redis.kill()
    await until(lambda: not ear.subscriptions.connected)
    waiting = asyncio.create_task(ear.subscriptions.add(b"a"))
    await asyncio.sleep(0)
    redis.start()
    await waiting
    assert subscribers(redis, b"a") == 1


async def test_an_acknowledgement_that_does_not_come_is_an_error() -> None:
    subscriptions = Subscriptions("unix:///nowhere", 0.05, lambda *_: None, lambda _: None, Metrics())
    subscriptions.start()
    with pytest.raises(RedisUnavailable):
        await subscriptions.add(b"a")
    await subscriptions.close()


async def test_a_silent_subscriber_connection_reconnects(
    redis: RedisProcess, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENCE_LIMIT", 0.2)
    monkeypatch.setattr(module, "PING_SECONDS", 100)
    await ear.subscriptions.add(b"a")
    await until(lambda: b"a" in ear.resubscribed)  # no message arrived, so the connection counted as dead


async def test_pings_keep_a_quiet_connection(redis: RedisProcess, ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE_LIMIT", 0.4)
    monkeypatch.setattr(module, "PING_SECONDS", 0.1)
    await ear.subscriptions.add(b"a")
    await asyncio.sleep(1)
    assert ear.resubscribed == []


async def test_a_refused_subscription_ends_the_connection_rather_than_being_missed(redis: RedisProcess) -> None:
    with redis.client() as client:
        client.execute_command("ACL", "SETUSER", "deaf", "on", ">x", "~*", "resetchannels", "+@all")
    ear = Ear(redis.url.replace("unix://", "unix://deaf:x@"), timeout=0.3)
    with pytest.raises(RedisUnavailable):
        async with asyncio.timeout(5):
            await ear.subscriptions.add(b"a")
    await ear.subscriptions.close()
    with redis.client() as client:
        client.execute_command("ACL", "DELUSER", "deaf")
