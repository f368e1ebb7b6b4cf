"""What the claims of a token say of its user: the id, and the display name."""

import time
from datetime import timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parts import SECRET, Worker
from ssechat.errors import Unauthorized
from ssechat.identity import users as users_module
from ssechat.identity.display_names import MAX_DISPLAY_NAME, display_name
from ssechat.identity.key_file import SigningKey, SigningKeys
from ssechat.identity.profiles import Profiles
from ssechat.identity.tokens import Tokens
from ssechat.ids import UserId
from ssechat.redis import keys

ALICE = UserId("alice")


def signed(**claims: object) -> str:
    full = {"sub": "f3c1e7d2-0000-4000-8000-123456789abc", "exp": time.time() + 60, **claims}
    return jwt.encode({name: value for name, value in full.items() if value is not None}, SECRET, "HS256")


def user_by(claim: str, **claims: object) -> str:
    return Tokens.with_secret(SECRET, user_claim=claim).verify(signed(**claims)).identity.user


def refusal(claim: str, **claims: object) -> str:
    with pytest.raises(Unauthorized) as caught:
        user_by(claim, **claims)
    assert caught.value.code == "invalid_token"
    return caught.value.detail


def test_the_claim_that_the_setting_names_is_the_users_id() -> None:
    assert user_by("preferred_username", preferred_username="Ann") == "ann"
    assert user_by("https://id.example/name", **{"https://id.example/name": "ann"}) == "ann"
    assert user_by("preferred_username", preferred_username="ann", sub=None) == "ann"
    assert user_by("sub") == "f3c1e7d2-0000-4000-8000-123456789abc"


@pytest.mark.parametrize("said", ["Ann Lee", "", 7, ["ann"], {}])
def test_a_token_whose_claim_is_no_user_id_is_refused_and_the_claim_is_named(said: object) -> None:
    assert "preferred_username is not a user id" in refusal("preferred_username", preferred_username=said)


def test_a_token_without_the_claim_is_refused() -> None:
    assert "MissingRequiredClaim" in refusal("preferred_username")


@pytest.mark.parametrize("verified", [False, "false", None, 0, "yes"])
def test_an_email_that_nobody_has_verified_is_nobodys_id(verified: object) -> None:
    token = {"email": "ann@example.com", "email_verified": verified}
    if verified is not None:
        assert "email_verified" in refusal("email", **token)
    assert user_by("preferred_username", preferred_username="ann", **token) == "ann"


@pytest.mark.parametrize("verified", [True, "true", None])
def test_an_email_that_is_verified_or_of_an_issuer_that_does_not_say_is_an_id(verified: object) -> None:
    assert user_by("email", email="Ann@Example.com", email_verified=verified) == "ann@example.com"


def test_a_token_that_is_minted_has_its_user_in_the_claim() -> None:
    tokens = Tokens.with_secret(SECRET, user_claim="preferred_username")
    assert tokens.verify(tokens.mint("ann", timedelta(hours=1))).identity.user == "ann"


@pytest.mark.parametrize(
    ("claimed", "shown"),
    [
        ("Ann Lee", "Ann Lee"),
        ("  Ann \t\n Lee ", "Ann Lee"),
        ("Анна Ли", "Анна Ли"),
        ("李安", "李安"),
        ("آنا", "آنا"),
        ("Ann 👩‍👧", "Ann 👩‍👧"),
        ("e\u0301", "é"),
        ("x" * MAX_DISPLAY_NAME, "x" * MAX_DISPLAY_NAME),
        ("x" * (MAX_DISPLAY_NAME + 1), None),
        (" " * 2000, None),
        ("", None),
        (" \u200b\u2060", None),
        ("Ann\x1b[31m", None),
        ("Ann\x00", None),
        ("Ann \u202eeeL", None),
        ("Ann \u2066Lee", None),
        ("\ud800", None),
        (7, None),
        (None, None),
        (["Ann"], None),
        ({"first": "Ann"}, None),
    ],
)
def test_a_display_name_is_one_line_in_any_script_or_none(claimed: object, shown: str | None) -> None:
    assert display_name(claimed) == shown


@given(st.text() | st.integers() | st.lists(st.text()))
def test_whatever_is_claimed_what_is_shown_is_short_and_stays_what_it_is(claimed: Any) -> None:
    shown = display_name(claimed)
    assert shown is None or (0 < len(shown) <= MAX_DISPLAY_NAME and display_name(shown) == shown)


class Counted:
    """The commands that Redis gets."""

    def __init__(self, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
        self.commands: list[str] = []
        call = worker.redis.call

        async def counted(*words: Any) -> Any:
            self.commands.append(words[0])
            return await call(*words)

        monkeypatch.setattr(worker.redis, "call", counted)


@pytest.mark.anyio
async def test_the_name_in_a_token_is_stored_when_it_is_another_one_and_asked_for_once(
    worker: Worker, other_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (worker, other_worker):
        each.auth._tokens = Tokens.with_secret(SECRET)
    counted, elsewhere = Counted(worker, monkeypatch), Counted(other_worker, monkeypatch)
    await worker.auth.identify(signed(sub="alice", name="Alice"))
    assert counted.commands == ["HSETNX", "HGET"]
    profiles = Profiles(worker.redis)
    assert (await profiles.of(ALICE)).display_name == "Alice"
    counted.commands.clear()
    await worker.auth.identify(signed(sub="alice", name="Alice", jti="2"))
    await worker.auth.identify(signed(sub="alice", jti="3"))
    assert counted.commands == []
    await other_worker.auth.identify(signed(sub="alice", name="Alice"))
    assert elsewhere.commands == ["HSETNX", "HGET"]
    await other_worker.auth.identify(signed(sub="alice", name="Alice\nLiddell"))
    assert (await profiles.of(ALICE)).display_name == "Alice Liddell"
    await other_worker.auth.identify(signed(sub="alice", name="\x00"))
    assert (await profiles.of(ALICE)).display_name == "Alice Liddell"
    assert (await profiles.of(UserId("nobody"))).display_name is None


@pytest.mark.anyio
async def test_a_cached_token_costs_nothing_for_its_name(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    token = signed(sub="alice", name="Alice")
    worker.auth._tokens = Tokens.with_secret(SECRET)
    await worker.auth.identify(token)
    await worker.redis.call("HDEL", keys.user(ALICE), users_module.CLAIMED_NAME)
    counted = Counted(worker, monkeypatch)
    await worker.auth.identify(token)
    assert counted.commands == []


@pytest.mark.anyio
async def test_the_cache_of_display_names_is_bounded(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users_module, "MAX_CACHED_NAMES", 3)
    for number in range(10):
        await worker.users.note_claimed_name(UserId(f"u{number}"), "Name")
        assert len(worker.users._claimed) <= 3


def test_a_token_of_our_own_may_name_its_user_too() -> None:
    tokens = Tokens.of_our_own(SigningKeys(SigningKey(SECRET)))
    assert tokens.verify(signed(sub="alice", name="Alice")).display_name == "Alice"
