"""The embedded redis-server, with the programs of both series."""

import asyncio
import importlib.util
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis.asyncio as redis_client

from serving import environment, redis_binaries, until
from ssechat.errors import SettingsError
from ssechat.processes import ending
from ssechat.redis.binary import Release, choose_binary, writer_of
from ssechat.redis.embedded import EmbeddedRedis

pytestmark = pytest.mark.anyio
BINARIES = redis_binaries()


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """The supervisor's loop: uvloop does not know some of subprocess.Popen's options."""
    return "asyncio"


def only(series: str, folder: Path) -> str:
    """A PATH with the redis-server of this series."""
    path = folder / f"path-{series}"
    path.mkdir(exist_ok=True)
    if not (path / "redis-server").exists():
        (path / "redis-server").symlink_to(BINARIES[series])
    return str(path)


def fake_server(folder: Path, says: str, name: str = "redis-server") -> str:
    """A PATH with a fake redis-server that prints this version."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    return str(folder)


@asynccontextmanager
async def running(folder: Path, search_path: str | None = None) -> AsyncIterator[tuple[EmbeddedRedis, Any]]:
    """A running server and a client of it; at the end no process must be left."""
    server = EmbeddedRedis(folder, search_path=search_path)
    await server.start()
    pid = server.pid
    assert pid is not None
    try:
        async with redis_client.Redis.from_url(server.url, decode_responses=True) as client:
            yield server, client
    finally:
        last = server.pid
        await server.stop()
        assert not psutil.pid_exists(pid)
        assert last is None or not psutil.pid_exists(last)


@pytest.mark.parametrize("series", BINARIES)
async def test_it_syncs_every_write_and_evicts_nothing(tmp_path: Path, series: str) -> None:
    async with running(tmp_path / "redis", only(series, tmp_path)) as (server, client):
        assert str(server.release).startswith(f"Redis {series}.")
        expected = {
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "maxmemory-policy": "noeviction",
            "lazyfree-lazy-expire": "yes",
            "stream-node-max-bytes": "512",
            "port": "0",
            "aof-use-rdb-preamble": "yes",
        }
        for name, value in expected.items():
            assert (await client.config_get(name))[name] == value
        limits = (await client.config_get("client-output-buffer-limit"))["client-output-buffer-limit"]
        assert f"pubsub {256 << 20} {128 << 20} 60" in limits


@pytest.mark.parametrize("series", BINARIES)
async def test_what_was_written_is_there_after_a_restart(tmp_path: Path, series: str) -> None:
    for turn in range(2):
        async with running(tmp_path / "redis", only(series, tmp_path)) as (_, client):
            assert await client.incr("turns") == turn + 1


async def test_an_upgrade_from_6_to_7_keeps_the_data(tmp_path: Path) -> None:
    async with running(tmp_path / "redis", only("6.2", tmp_path)) as (_, client):
        await client.set("kept", "yes")
    for _ in range(2):
        async with running(tmp_path / "redis", only("7.0", tmp_path)) as (_, client):
            assert await client.get("kept") == "yes"
    assert str(writer_of(tmp_path / "redis")).startswith("Redis 7.0.")


@pytest.mark.parametrize("record", [True, False])
async def test_an_older_server_is_refused_instead_of_starting_empty(tmp_path: Path, record: bool) -> None:
    folder = tmp_path / "redis"
    async with running(folder, only("7.0", tmp_path)) as (_, client):
        await client.set("kept", "yes")
    if not record:
        (folder / "written-by").unlink()
    with pytest.raises(SettingsError, match=r"written by Redis 7\.0\..* can(not)? read it\. Install"):
        await EmbeddedRedis(folder, search_path=only("6.2", tmp_path)).start()
    async with running(folder, only("7.0", tmp_path)) as (_, client):
        assert await client.get("kept") == "yes"


async def test_it_is_started_again_when_it_dies(tmp_path: Path) -> None:
    async with running(tmp_path / "redis") as (server, client):
        await client.set("kept", "yes")
        for _ in range(2):
            old = server.pid
            assert old is not None
            os.kill(old, signal.SIGKILL)
            async with asyncio.timeout(10):
                while True:
                    try:
                        assert await client.get("kept") == "yes"
                        break
                    except redis_client.ConnectionError:
                        await asyncio.sleep(0.02)
            assert server.pid != old


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys, pathlib\n"
        "from ssechat.redis.embedded import EmbeddedRedis\n"
        "async def main():\n"
        "    server = EmbeddedRedis(pathlib.Path(sys.argv[1])); await server.start()\n"
        "    print(server.pid, flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "redis")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as parent:
        assert parent.stdout is not None
        redis = psutil.Process(int(parent.stdout.readline()))
        assert os.getpgid(redis.pid) == redis.pid, "Ctrl-C must not reach it"
        parent.kill()
        until(lambda: not redis.is_running())


async def test_a_long_folder_name_gets_its_socket_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / ("ö " * 40) / "redis"
    async with running(folder) as (server, client):
        assert await client.ping()
        assert folder not in server.socket_path.parents
        assert stat.S_IMODE(server.socket_path.parent.stat().st_mode) == 0o700
    assert not server.socket_path.parent.exists()


async def test_a_long_temporary_folder_is_no_place_for_the_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    async with running(long / "redis") as (_, client):
        assert await client.ping()


async def test_nobody_else_may_read_what_it_writes(tmp_path: Path) -> None:
    async with running(tmp_path / "redis") as (_, client):
        await client.set("a", "b")
        for path in [tmp_path / "redis", *(tmp_path / "redis").rglob("*")]:
            if not path.is_socket():
                assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or path.name == "written-by"


async def test_a_broken_file_is_told_with_the_end_of_the_log(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    async with running(folder, only("7.0", tmp_path)) as (_, client):
        await client.set("a", "b")
    [increments] = (folder / "appendonlydir").glob("*.incr.aof")
    increments.write_bytes(b"this is no append-only file\r\n" + increments.read_bytes())
    with pytest.raises(SettingsError, match=r"(?s)ended at start \(exit code 1\).*Bad file format"):
        await EmbeddedRedis(folder, search_path=only("7.0", tmp_path)).start()


async def test_without_any_server_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="apt install redis-server"):
        choose_binary(tmp_path, str(tmp_path))
    old = fake_server(tmp_path / "old", "Redis server v=5.0.14 sha=0")
    with pytest.raises(SettingsError, match=r"is Redis 5\.0\.14, too old"):
        choose_binary(tmp_path, old)


def test_a_server_that_is_too_old_or_broken_is_passed_over(tmp_path: Path) -> None:
    for says in ("Redis server v=5.0.14 sha=0", "Segmentation fault"):
        assert choose_binary(tmp_path, fake_server(tmp_path / "old", says)).path == BINARIES["6.2"]


def test_valkey_is_taken_where_there_is_no_redis(tmp_path: Path) -> None:
    path = fake_server(tmp_path / "valkey", "Valkey server v=8.1.0 sha=0", "valkey-server")
    assert choose_binary(tmp_path, path).release == Release("Valkey", (8, 1, 0))


def test_a_fitting_server_is_preferred_to_the_first_one(tmp_path: Path) -> None:
    path = fake_server(tmp_path / "both", "Redis server v=6.2.1 sha=0")
    fake_server(tmp_path / "both", "Valkey server v=8.1.0 sha=0", "valkey-server")
    (tmp_path / "written-by").write_text("Redis 7.0.15\n")
    assert choose_binary(tmp_path, path).release.name == "Valkey"


@pytest.mark.parametrize(
    ("reader", "writer", "reads"),
    [
        ("Redis 7.0.15", "Redis 6.2.14", True),
        ("Redis 7.0.1", "Redis 7.0.15", True),
        ("Redis 7.0.15", "Redis 7.2.0", False),
        ("Redis 6.2.14", "Redis 7.0.0", False),
        ("Redis 6.2.14", "Valkey 8.1.0", False),
        ("Valkey 8.1.0", "Redis 7.2.4", True),
    ],
)
def test_a_release_reads_what_is_not_newer(reader: str, writer: str, reads: bool) -> None:
    one, other = Release.parse(reader), Release.parse(writer)
    assert one is not None
    assert other is not None
    assert one.reads(other) is reads


def test_an_ending_is_told_in_words() -> None:
    assert [ending(1), ending(-9), ending(-99)] == ["exit code 1", "SIGKILL", "signal 99"]
