import errno
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from parts import SECRET
from ssechat.errors import SettingsError, Unauthorized
from ssechat.identity.key_file import SigningKey, SigningKeys, create_key_file, fingerprint, key_path, read_key_file
from ssechat.identity.tokens import Tokens
from ssechat.settings import Settings

HOUR = timedelta(hours=1)
PUBLIC_PEM = (
    ed25519.Ed25519PrivateKey.generate()
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
OURS = Tokens.of_our_own(SigningKeys(SigningKey(SECRET)))


def signed(key: Any = SECRET, algorithm: str = "HS256", **claims: object) -> str:
    full = {"sub": "alice", "exp": int(time.time()) + 3600, **claims}
    return jwt.encode({name: value for name, value in full.items() if value is not None}, key, algorithm)


def test_a_minted_token_stands_for_its_user() -> None:
    identity, *_ = OURS.verify(OURS.mint("alice", HOUR, "a-session"))
    assert (identity.user, identity.session) == ("alice", "a-session")
    assert 3590 < identity.expires_at - time.time() <= 3600


@pytest.mark.parametrize(
    ("token", "code", "told"),
    [
        (signed(exp=int(time.time()) - 60), "token_expired", "get a new one"),
        (signed(exp=None), "invalid_token", "MissingRequiredClaim"),
        (signed(sub=None), "invalid_token", "MissingRequiredClaim"),
        (signed(sub="no name"), "invalid_token", "not a user id"),
        (signed(key="another secret of 32 characters!"), "invalid_token", "signed with another key"),
        (jwt.encode({"sub": "alice", "exp": int(time.time()) + 60}, "", "none"), "invalid_token", ""),
        (signed(key=SECRET * 2, algorithm="HS512"), "invalid_token", "InvalidAlgorithm"),
        ("garbage", "invalid_token", "it cannot be read"),
        ("é.é.é", "invalid_token", "it cannot be read"),
        ("", "invalid_token", "it cannot be read"),
    ],
    # Not the tokens: a name with a time in it differs between the processes of a run.
    ids=["expired", "no end", "no user", "no name", "key", "unsigned", "algorithm", "garbage", "not ASCII", "empty"],
)
def test_any_other_token_is_refused_with_what_is_wrong(token: str, code: str, told: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        OURS.verify(token)
    assert caught.value.code == code
    assert told in caught.value.detail


def test_the_sid_of_an_external_token_is_ignored() -> None:
    assert Tokens.with_secret(SECRET).verify(signed(sid="theirs")).identity.session is None


def test_audience_and_issuer_are_checked_where_they_are_set() -> None:
    tokens = Tokens.with_secret(SECRET, audience="chat", issuer="us")
    assert tokens.verify(tokens.mint("alice", HOUR)).identity.user == "alice"
    for wrong in ({"aud": "other", "iss": "us"}, {"aud": "chat", "iss": "them"}, {}):
        with pytest.raises(Unauthorized):
            tokens.verify(signed(**wrong))
    assert Tokens.with_secret(SECRET).verify(signed(aud="any")).identity.user == "alice"


@pytest.mark.parametrize(
    ("private", "algorithm"),
    [
        (rsa.generate_private_key(65537, 2048), "RS256"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    ],
    ids=["rsa", "p-256", "ed25519"],
)
def test_the_algorithm_follows_from_the_kind_of_key(private: rsa.RSAPrivateKey, algorithm: str) -> None:
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    tokens = Tokens.from_settings(Settings(jwt_public_key=pem.decode()))
    assert tokens.verify(signed(private, algorithm)).identity.user == "alice"
    # Algorithm confusion: the public key used as a shared secret.
    confused = "eyJhbGciOiJIUzI1NiJ9." + signed().split(".", 1)[1]  # {"alg":"HS256"}
    with pytest.raises(Unauthorized):
        tokens.verify(confused)
    with pytest.raises(SettingsError, match="verify"):
        tokens.mint("alice", HOUR)


@pytest.mark.parametrize(
    "settings",
    [
        {"jwt_public_key": "no pem"},
        {"jwt_secret": SECRET, "jwt_public_key": "both"},
        {"jwt_public_key": "\udcff"},
        {
            "jwt_public_key": rsa.generate_private_key(65537, 1024)
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        },
        {
            "jwt_public_key": ec.generate_private_key(ec.SECP384R1())
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        },
    ],
)
def test_keys_that_cannot_be_used_are_refused_at_start(settings: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="JWT"):
        Tokens.from_settings(Settings(**settings))


@pytest.mark.parametrize("secret", [PUBLIC_PEM, '{"kty": "oct", "k": "' + "c2VjcmV0" * 8 + '"}'], ids=["pem", "jwk"])
def test_a_public_key_is_no_shared_secret(secret: str) -> None:
    with pytest.raises(SettingsError, match="give a public key as SSECHAT_JWT_PUBLIC_KEY"):
        Tokens.from_settings(Settings(jwt_secret=secret))


def test_a_shared_secret_makes_tokens_too() -> None:
    tokens = Tokens.from_settings(Settings(jwt_secret=SECRET))
    assert tokens.verify(tokens.mint("alice", HOUR)).identity.user == "alice"


def test_a_token_is_minted_for_the_one_spelling_of_a_name() -> None:
    token = OURS.mint("BOB", HOUR)
    assert jwt.decode(token, SECRET, algorithms=["HS256"])["sub"] == "bob"
    assert OURS.verify(signed(sub="Ｂob")).identity.user == "bob"


def test_a_token_makes_its_user_unless_it_was_minted_for_one_who_exists() -> None:
    assert OURS.verify(OURS.mint("bob", HOUR)).creates_user
    assert OURS.verify(signed()).creates_user
    assert not OURS.verify(OURS.mint("bob", HOUR, creates_user=False)).creates_user
    assert Tokens.with_secret(SECRET).verify(signed(create=False)).creates_user


def cookies(*secrets: str) -> list[str]:
    """The names of the session cookie of a server with these keys, of which the first signs."""
    signing, *former = (SigningKey(secret) for secret in secrets)
    return list(Tokens.of_our_own(SigningKeys(signing, former=tuple(former))).cookies)


def test_the_sessions_cookie_has_a_name_of_the_keys_own_and_not_the_key_in_it() -> None:
    one, other = (cookies(key * 40) for key in "ab")
    assert one != other
    assert one == cookies("a" * 40)
    assert "aaa" not in one[0]
    assert Tokens.from_settings(Settings(jwt_secret=SECRET)).cookies == ("ssechat_session",)


def test_a_token_can_be_minted_for_a_user_id_only() -> None:
    with pytest.raises(SettingsError, match="not a user id"):
        OURS.mint("no name", HOUR)


def test_the_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "jwt.key"
    create_key_file(path)
    key = read_key_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    create_key_file(path)
    assert read_key_file(path) == key
    assert list(tmp_path.iterdir()) == [path]
    tokens = Tokens.from_settings(Settings(data=tmp_path))
    assert tokens.verify(tokens.mint("alice", HOUR)).identity.user == "alice"


def test_servers_that_start_at_once_in_containers_make_one_key(tmp_path: Path) -> None:
    # Threads simulate containers: all have the same process id.
    for number in range(20):
        path = tmp_path / str(number) / "jwt.key"
        path.parent.mkdir()
        start = threading.Barrier(8)

        def make(path: Path = path, start: threading.Barrier = start) -> SigningKeys:
            start.wait()
            create_key_file(path)
            return read_key_file(path)

        with ThreadPoolExecutor(8) as servers:
            made = [server.result() for server in [servers.submit(make) for _ in range(8)]]
        assert len({*made, read_key_file(path)}) == 1
        assert list(path.parent.iterdir()) == [path]


def test_a_key_that_is_there_needs_no_folder_to_write_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "jwt.key"
    path.write_text("k" * 64)

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("ssechat.identity.key_file.os.open", refuse)
    create_key_file(path)
    assert read_key_file(path).signing.secret == "k" * 64


def test_a_key_file_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="start the server once"):
        read_key_file(tmp_path / "none")
    (tmp_path / "short").write_text("short")
    with pytest.raises(SettingsError, match="too short"):
        read_key_file(tmp_path / "short")
    (tmp_path / "binary").write_bytes(b"\xff" * 40)
    with pytest.raises(SettingsError, match="cannot read"):
        read_key_file(tmp_path / "binary")
    with pytest.raises(SettingsError, match="cannot write"):
        create_key_file(tmp_path / "no" / "folder" / "key")


def test_the_key_file_setting_is_used() -> None:
    assert key_path(Settings(data=Path("/d"))) == Path("/d/jwt.key")
    assert key_path(Settings(data=Path("/d"), key_file=Path("/k"))) == Path("/k")


def test_a_fingerprint_tells_keys_apart() -> None:
    assert fingerprint("a" * 32) == fingerprint("a" * 32) != fingerprint("b" * 32)
