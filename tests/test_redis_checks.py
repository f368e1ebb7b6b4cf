"""The start checks of an external Redis, with real servers of both series."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving import accepts, redis_binaries, until
from ssechat.errors import SettingsError
from ssechat.redis.checks import check_key, check_redis, judge
from ssechat.redis.url import shown_url

pytestmark = pytest.mark.anyio
BINARIES = redis_binaries()
STRICT = ("--appendonly", "yes", "--appendfsync", "always")


@contextmanager
def redis(folder: Path, *options: str, series: str = "7.0") -> Iterator[str]:
    """Runs a Redis for one test; yields its URL."""
    path = folder / "given.sock"
    place = ("--port", "0", "--unixsocket", str(path), "--dir", str(folder), "--save", "")
    command = [str(BINARIES[series]), *place, *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            until(lambda: accepts(path))
            yield f"unix://{path}"
        finally:
            process.kill()


@pytest.mark.parametrize("series", BINARIES)
async def test_a_strict_redis_gives_no_warning(tmp_path: Path, series: str) -> None:
    with redis(tmp_path, *STRICT, series=series) as url:
        facts = await check_redis(url, 5)
    assert (facts.name, facts.appendonly, facts.appendfsync) == ("Redis", True, "always")
    assert facts.version.startswith(series)
    assert facts.maxmemory_policy == "noeviction"
    assert facts.warnings == ()


async def test_weak_durability_settings_are_warned_of(tmp_path: Path) -> None:
    with redis(tmp_path) as url:
        assert "no append-only file" in (await check_redis(url, 5)).warnings[0]
    with redis(tmp_path, "--appendonly", "yes") as url:
        assert "appendfsync everysec" in (await check_redis(url, 5)).warnings[0]


async def test_a_redis_that_hides_its_settings_is_used_with_a_warning(tmp_path: Path) -> None:
    with redis(tmp_path, *STRICT, "--rename-command", "CONFIG", "") as url:
        facts = await check_redis(url, 5)
    assert facts.appendonly is True
    assert facts.appendfsync is None
    assert facts.maxmemory_policy == "noeviction"
    assert ["CONFIG" in warning for warning in facts.warnings] == [True]


async def test_an_evicting_redis_is_refused(tmp_path: Path) -> None:
    with (
        redis(tmp_path, *STRICT, "--maxmemory-policy", "allkeys-lru") as url,
        pytest.raises(SettingsError, match=r"allkeys-lru.*CONFIG SET maxmemory-policy noeviction"),
    ):
        await check_redis(url, 5)


async def test_a_wrong_password_is_told_and_never_shown(tmp_path: Path) -> None:
    with redis(tmp_path, "--requirepass", "right") as url:
        for wrong in (url, url.replace("unix://", "unix://:wr0ng@")):
            with pytest.raises(SettingsError, match="refuses the user or password") as caught:
                await check_redis(wrong, 5)
            assert "wr0ng" not in str(caught.value)
        assert await check_redis(url.replace("unix://", "unix://:right@"), 5)


async def test_an_acl_user_without_info_is_told_what_it_needs(tmp_path: Path) -> None:
    with (
        redis(tmp_path, "--user", "chat", "on", ">pw", "~*", "&*", "+@all", "-info") as url,
        pytest.raises(SettingsError, match=r"may not call INFO"),
    ):
        await check_redis(url.replace("unix://", "unix://chat:pw@"), 5)


async def test_an_unreachable_redis_is_told_with_its_address(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(SettingsError, match=f"redis://127.0.0.1:{port}/0 cannot be used: .*refused"):
            await check_redis(f"redis://:secret@127.0.0.1:{port}/0", 5)
    with pytest.raises(SettingsError, match="cannot be used"):
        await check_redis(f"unix://{tmp_path}/none.sock", 5)
    with pytest.raises(SettingsError, match="cannot be used"):
        await check_redis("redis://no-such-host.invalid", 5)


async def test_a_silent_redis_is_given_up_after_the_timeout() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(SettingsError, match=r"did not answer within 0\.2 seconds"):
            await check_redis(f"redis://127.0.0.1:{silent.getsockname()[1]}", 0.2)


async def test_a_server_that_is_not_redis_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--redis-url"):
        await check_redis("http://127.0.0.1:6379", 5)
    with pytest.raises(SettingsError, match="--redis-url"):
        await check_redis("redis://127.0.0.1:port", 5)


def test_old_servers_and_replicas_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"version 6\.0\.16; 6\.2 or later"):
        judge({"redis_version": "6.0.16"}, {}, "here")
    with pytest.raises(SettingsError, match="version unknown"):
        judge({}, {}, "here")
    with pytest.raises(SettingsError, match="is a replica"):
        judge({"redis_version": "7.0.0", "role": "slave"}, {}, "here")


def test_a_valkey_without_config_is_read_from_info_alone() -> None:
    info = {"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "8.1.0", "aof_enabled": "0"}
    facts = judge(info, None, "here")
    assert (facts.name, facts.version, facts.appendonly) == ("Valkey", "8.1.0", False)
    assert len(facts.warnings) == 3


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:secret@host:6379/0", "redis://host:6379/0"),
        ("rediss://:p@ss@host/1?ssl_cert_reqs=none", "rediss://host/1"),
        ("unix:///run/redis.sock?password=secret", "unix:///run/redis.sock"),
        ("unix://:secret@/run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert shown_url(url) == shown


async def test_servers_that_share_a_redis_must_share_the_signing_key(tmp_path: Path) -> None:
    with redis(tmp_path, *STRICT) as url:
        await check_key(url, "one", 5)
        await check_key(url, "one", 5)
        with pytest.raises(SettingsError, match="--key-file"):
            await check_key(url, "another", 5)
    with pytest.raises(SettingsError, match="cannot be used"):
        await check_key("redis://127.0.0.1:1", "one", 5)


def test_a_cluster_is_refused_as_long_as_it_is_not_spoken() -> None:
    with pytest.raises(SettingsError, match="cluster"):
        judge({"redis_version": "7.0.15", "redis_mode": "cluster"}, None, "here")
