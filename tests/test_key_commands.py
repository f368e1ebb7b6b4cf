"""`ssechat key`: the steps of a rotation, as a person takes them."""

import re
import time
from pathlib import Path

import pytest

from ssechat.cli.main import main
from ssechat.identity.key_file import read_key_file

KEY = "k" * 64


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a key."""
    for name in ("SSECHAT_KEY_FILE", "SSECHAT_SESSION_DAYS", "SSECHAT_JWT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSECHAT_DATA", str(tmp_path))
    (tmp_path / "jwt.key").write_text(f"{KEY}\n")
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What `ssechat key` prints."""
    main(["key", *arguments])
    captured = capsys.readouterr()
    assert captured.err == ""
    assert KEY not in captured.out
    return captured.out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The sentence with which `ssechat key` ends."""
    with pytest.raises(SystemExit) as ended:
        main(["key", *arguments])
    captured = capsys.readouterr()
    assert (ended.value.code, captured.out) == (2, "")
    assert KEY not in captured.err
    assert captured.err.count("\n") == 1
    return captured.err


def test_a_rotation_takes_two_steps_and_each_says_what_comes_next(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "jwt.key"
    old = read_key_file(path).signing.short
    assert said(capsys, "list") == f"{old}  signs\n"
    first = said(capsys, "rotate")
    new = read_key_file(path).upcoming[0].short
    assert f"has a new key, {new}" in first
    assert f"{old} still signs" in first
    assert "SIGHUP" in first
    assert "run `ssechat key rotate` again" in first
    assert [line.split()[:2] for line in said(capsys, "list").splitlines()] == [[old, "signs"], [new, "next:"]]
    second = said(capsys, "rotate")
    assert f"{new} signs now" in second
    assert "SIGHUP" in second
    until = read_key_file(path).former[0].until
    assert 29.9 * 86_400 < until - time.time() < 30.1 * 86_400
    assert re.search(rf"What {old} signed counts until \d{{4}}-\d\d-\d\dT[\d:]+Z\.", second)
    assert [line.split()[:2] for line in said(capsys, "list").splitlines()] == [[new, "signs"], [old, "verifies:"]]


def test_how_long_the_former_key_counts_follows_from_the_sign_ins_or_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "jwt.key"
    monkeypatch.setenv("SSECHAT_SESSION_DAYS", "7")
    said(capsys, "rotate")
    said(capsys, "rotate")
    assert 6.9 * 86_400 < read_key_file(path).former[0].until - time.time() < 7.1 * 86_400
    assert "--days is for the second step" in refused(capsys, "rotate", "--days", "1")
    said(capsys, "rotate")
    said(capsys, "rotate", "--days", "0")
    assert read_key_file(path).former[0].until <= time.time()
    assert "over: what it signed counted until" in said(capsys, "list")


def test_a_key_of_a_file_made_by_hand_has_no_end(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "jwt.key").write_text(f"{'n' * 64}\n{KEY}\n")
    assert said(capsys, "list").splitlines()[1].endswith("  verifies, without an end")


@pytest.mark.parametrize("arguments", [("list",), ("rotate",)])
def test_where_there_is_no_key_of_the_servers_own_the_command_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    (folder / "jwt.key").unlink()
    assert "start the server once" in refused(capsys, *arguments)
    monkeypatch.setenv("SSECHAT_JWKS_URL", "https://id.example/certs")
    assert "this server has no key of its own" in refused(capsys, *arguments)


def test_a_file_that_is_wrong_is_not_changed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "jwt.key"
    path.write_text(f"{KEY}\n{'b' * 64} nxet\n")
    assert "line 2" in refused(capsys, "rotate")
    assert path.read_text() == f"{KEY}\n{'b' * 64} nxet\n"
