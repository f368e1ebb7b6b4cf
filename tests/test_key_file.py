"""The key file: what stands in it, and how one key follows another."""

import math
import os
import stat
import time
from pathlib import Path

import pytest

from ssechat.errors import SettingsError
from ssechat.identity.key_file import (
    KEPT_SECONDS,
    MAX_KEYS,
    SigningKey,
    SigningKeys,
    locked_key_file,
    read_key_file,
    time_text,
    write_key_file,
)

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
SOON = "2127-01-31T12:00:00Z"


def written(folder: Path, text: str) -> Path:
    path = folder / "jwt.key"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_a_file_of_one_key_is_that_key_whatever_it_looks_like(tmp_path: Path) -> None:
    for key in (A, "correct horse battery staple, and a bit more", "# " + A):
        keys = read_key_file(written(tmp_path, f"{key}\n"))
        assert keys == SigningKeys(SigningKey(key))


def test_the_first_key_with_nothing_behind_it_signs_and_the_others_verify(tmp_path: Path) -> None:
    keys = read_key_file(written(tmp_path, f"{B} next\n\n{A}\n{C}  until {SOON}\r\n"))
    assert keys.signing.secret == A
    assert [key.secret for key in keys.upcoming] == [B]
    assert [(key.secret, time_text(key.until)) for key in keys.former] == [(C, SOON)]
    by_hand = read_key_file(written(tmp_path, f"{A}\n{B}\n"))
    assert (by_hand.signing.secret, by_hand.former[0].secret, by_hand.former[0].until) == (A, B, math.inf)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "too short"),
        ("\n \n", "too short"),
        ("short\n", "too short"),
        (f"{A}\nshort\n", "line 2 of .* too short"),
        (f"{A}\n{B} nxet\n", "behind the key in line 2"),
        (f"{A} signs\n{B}\n", "behind the key in line 1"),
        (f"{A}\n{B} until tomorrow\n", "the time in line 2"),
        (f"{A}\n{B} until 2027-02-31T00:00:00Z\n", "the time in line 2"),
        (f"{A}\n{B} until\n", "behind the key in line 2"),
        (f"{A} next\n{B} until {SOON}\n", "no key in .* signs"),
        (f"{A} next\n", "no key in .* signs"),
        (f"{A}\n{A} next\n", "a key twice"),
        ("".join(f"{number:064}\n" for number in range(MAX_KEYS + 1)), "9 keys: 8 are the most"),
        (f"{A}\n" * 5000, "too large"),
    ],
)
def test_a_line_that_is_no_key_is_said_with_its_number_and_without_the_key(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(SettingsError, match=reason) as caught:
        read_key_file(written(tmp_path, text))
    assert A not in str(caught.value)
    assert B not in str(caught.value)


def test_a_rotation_adds_a_key_that_only_verifies_and_then_lets_it_sign(tmp_path: Path) -> None:
    path = written(tmp_path, f"{A}\n")
    write_key_file(path, read_key_file(path).add())
    added = read_key_file(path)
    assert added.signing.secret == A
    [new] = added.upcoming
    assert len(new.secret) == 64
    until = time.time() + 1000
    write_key_file(path, added.advance(until))
    advanced = read_key_file(path)
    assert advanced.signing == SigningKey(new.secret)
    assert advanced.upcoming == ()
    assert advanced.former == (SigningKey(A, until=math.floor(until)),)


def test_many_rotations_keep_the_file_small_and_old_keys_long_enough_to_be_recognised() -> None:
    keys = SigningKeys(SigningKey(A))
    for _ in range(2 * MAX_KEYS):
        keys = keys.add()
        assert len(keys.all) <= MAX_KEYS
        keys = keys.advance(time.time())
        assert len(keys.all) <= MAX_KEYS
    assert len(keys.former) >= 2
    old = SigningKeys(
        SigningKey(A),
        upcoming=(SigningKey(B, is_next=True),),
        former=(SigningKey(C, until=time.time() - KEPT_SECONDS - 1), SigningKey("d" * 64, until=time.time() - 1)),
    )
    assert [key.secret for key in old.advance(time.time()).former] == [A, "d" * 64]


def test_a_file_that_is_replaced_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    path = written(tmp_path, f"{A}\n")
    path.chmod(0o640)
    link = tmp_path / "link.key"
    link.symlink_to(path)
    write_key_file(link, SigningKeys(SigningKey(B)))
    assert link.is_symlink()
    assert read_key_file(path).signing.secret == B
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(each.name for each in tmp_path.iterdir()) == ["jwt.key", "link.key"]


def test_a_file_that_cannot_be_replaced_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, f"{A}\n")

    def refuse(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("ssechat.identity.key_file.os.fsync", refuse)
    with pytest.raises(SettingsError, match=r"cannot write .*No space left"):
        write_key_file(path, SigningKeys(SigningKey(B)))
    assert read_key_file(path).signing.secret == A
    assert list(tmp_path.iterdir()) == [path]


def test_of_two_who_change_the_file_at_once_one_is_told_to_try_again(tmp_path: Path) -> None:
    path = written(tmp_path, f"{A}\n")
    with (
        locked_key_file(path) as keys,
        pytest.raises(SettingsError, match="somebody else is changing"),
        locked_key_file(path),
    ):
        pass
    assert keys.signing.secret == A
    with locked_key_file(path):
        pass
