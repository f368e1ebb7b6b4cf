"""The format of the data in Redis: it is stored in an empty one, and data of another version are refused."""

import asyncio

import pytest

from redises import RedisProcess
from ssechat import __version__
from ssechat.errors import SettingsError
from ssechat.redis import keys
from ssechat.redis.checks import check_format
from ssechat.redis.connection import Argument, CommandConnection, Reply

OLD, READS = r"was written by ssechat 0\.1", f", and ssechat {__version__} reads format '2' only: start with"

pytestmark = pytest.mark.anyio


async def test_an_empty_redis_is_given_the_format_and_keeps_it(redis: RedisProcess) -> None:
    await check_format(redis.url, 5)
    with redis.client() as client:
        assert client.get(keys.FORMAT) == keys.FORMAT_OF_THIS_VERSION.encode()
        client.set(keys.KEY_FINGERPRINT, "one")
        client.set(keys.of_user("bob").user, "x")
    await check_format(redis.url, 5)
    await check_format(redis.url, 5, own=True)


@pytest.mark.parametrize(
    ("written", "own", "said"),
    [
        ({keys.KEY_FINGERPRINT: "one"}, False, OLD + READS),
        ({"{u:bob}": "x"}, True, "data folder was written by ssechat 0.1"),
        ({keys.FORMAT: "3"}, False, r"\(format '3'\)" + READS),
        ({keys.FORMAT: "3"}, True, "another folder"),
        ({keys.FORMAT: "2\n\x1b[2J"}, False, r"'2\\n\\x1b\[2J'"),
    ],
)
async def test_data_of_another_format_is_refused_and_left_alone(
    redis: RedisProcess, written: dict[str, str], own: bool, said: str
) -> None:
    with redis.client() as client:
        for key, value in written.items():
            client.set(key, value)
        with pytest.raises(SettingsError, match=said):
            await check_format(redis.url, 5, own=own)
        assert {key.decode(): client.get(key).decode() for key in client.scan_iter()} == written


def test_the_version_is_not_that_of_the_data_that_it_refuses() -> None:
    assert not __version__.startswith("0.1."), "who reads that 0.1 wrote the data would look for another 0.1"


async def test_a_shared_redis_with_keys_of_others_is_no_old_data(redis: RedisProcess) -> None:
    with redis.client() as client:
        client.set("somebody else's", "x")
    await check_format(redis.url, 5)


async def test_a_redis_away_or_a_format_that_is_no_string_is_said_so(redis: RedisProcess) -> None:
    with pytest.raises(SettingsError, match="cannot be used"):
        await check_format("redis://127.0.0.1:1", 5)
    with redis.client() as client:
        client.hset(keys.FORMAT, "a", "b")
    with pytest.raises(SettingsError, match="WRONGTYPE"):
        await check_format(redis.url, 5)


async def test_of_two_versions_that_start_at_once_the_first_one_gives_the_format(
    redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = CommandConnection.send

    def another_starts(self: CommandConnection, *command: Argument) -> "asyncio.Future[Reply]":
        if command[0] == "EXISTS":
            with redis.client() as client:
                client.set(keys.FORMAT, "3")
        return send(self, *command)

    monkeypatch.setattr(CommandConnection, "send", another_starts)
    with pytest.raises(SettingsError, match="format '3'"):
        await check_format(redis.url, 5)
