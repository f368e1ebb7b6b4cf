"""Tokens with any content: each is accepted or refused, without another error."""

import base64
import hmac
import json
import math
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parts import SECRET
from ssechat.errors import Unauthorized
from ssechat.identity.key_file import SigningKey, SigningKeys
from ssechat.identity.tokens import MAX_EXPIRY, Tokens, VerifiedToken
from ssechat.ids import user_id

OURS = Tokens.of_our_own(SigningKeys(SigningKey(SECRET)))
THEIRS = Tokens.with_secret(SECRET, audience="chat", issuer="us")

HEADER = b'{"alg":"HS256"}'
DEEP = b"[" * 100_000


def encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def signed(header: bytes, claims: bytes) -> str:
    """Returns a token of any content with a valid signature."""
    content = encoded(header) + b"." + encoded(claims)
    return (content + b"." + encoded(hmac.digest(SECRET.encode(), content, "sha256"))).decode()


def judged(tokens: Tokens, token: str) -> VerifiedToken | None:
    """Returns the verified token, or None if it is refused properly."""
    refusal: Unauthorized | None = None
    try:
        verified = tokens.verify(token)
    except Unauthorized as error:
        refusal = error
    if refusal is not None:
        assert refusal.code in ("invalid_token", "token_expired")
        assert refusal.detail
        return None
    identity, *_ = verified
    assert identity.user == user_id(identity.user)
    assert isinstance(identity.expires_at, float)
    assert time.time() - 10 < identity.expires_at <= MAX_EXPIRY
    assert identity.session is None or (0 < len(identity.session) <= 64 and identity.session.isascii())
    return verified


def claims(**more: object) -> bytes:
    return json.dumps({"sub": "alice", "exp": time.time() + 60, **more}).encode()


@pytest.mark.parametrize(
    "said",
    [
        b'{"sub":"alice","exp":1e400}',
        b'{"sub":"alice","exp":-1e400}',
        b'{"sub":"alice","exp":Infinity}',
        b'{"sub":"alice","exp":NaN}',
        b'{"sub":"alice","exp":true}',
        b'{"sub":"alice","exp":"4000000000"}',
        b'{"sub":"alice","exp":"x"}',
        b'{"sub":"alice","exp":null}',
        b'{"sub":"alice","exp":[4000000000]}',
        b'{"sub":"alice","exp":{}}',
        b'{"sub":"alice","exp":' + b"9" * 5000 + b"}",
        b'{"sub":"alice","exp":4000000000,"nbf":1e400}',
        b'{"sub":"alice","exp":4000000000,"nbf":NaN}',
        b'{"sub":"alice","exp":4000000000,"nbf":[]}',
        b'{"sub":"alice","exp":4000000000,"x":' + DEEP + b"}",
        b'{"sub":7,"exp":4000000000}',
        b'{"sub":null,"exp":4000000000}',
        b'{"sub":["alice"],"exp":4000000000}',
        b'{"sub":"","exp":4000000000}',
        b'{"sub":"a\\u0000b","exp":4000000000}',
        b'{"sub":"\\ud800","exp":4000000000}',
        b'{"sub":"' + b"a" * 129 + b'","exp":4000000000}',
        b'{"sub":"alice","exp":4000000000,"sid":7}',
        b'{"sub":"alice","exp":4000000000,"sid":""}',
        b'{"sub":"alice","exp":4000000000,"sid":["x"]}',
        b'{"sub":"alice","exp":4000000000,"sid":"a\\nb"}',
        b'{"sub":"alice","exp":4000000000,"sid":"\\ud800"}',
        b'{"sub":"alice","exp":4000000000,"sid":"}:{s:"}',
        b'{"sub":"alice","exp":4000000000,"sid":"' + b"x" * 60_000 + b'"}',
        b'{"sub":"alice"}',
        b'{"exp":4000000000}',
        b"[]",
        b'"alice"',
        b"null",
        b"7",
        b"",
        b"{",
        b"\xff",
        b"\0",
        DEEP,
        b'{"x":' * 50_000,
    ],
)
def test_a_token_that_is_signed_and_makes_no_sense_is_refused(said: bytes) -> None:
    assert judged(OURS, signed(HEADER, said)) is None


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"none"}',
        b'{"alg":"None"}',
        b'{"alg":"hs256"}',
        b'{"alg":"HS512"}',
        b'{"alg":"RS256"}',
        b'{"alg":null}',
        b'{"alg":7}',
        b'{"alg":["HS256"]}',
        b'{"alg":{}}',
        b"{}",
        b"[]",
        b"null",
        b'"HS256"',
        b'{"alg":"HS256","kid":7}',
        b'{"alg":"HS256","kid":["x"]}',
        b'{"alg":"HS256","b64":false}',
        b'{"alg":"HS256","b64":false,"crit":["b64"]}',
        b'{"alg":"HS256","crit":["exp"],"exp":1}',
        b'{"alg":"HS256","crit":[]}',
        b'{"alg":"HS256","crit":"x"}',
        b'{"alg":"HS256","crit":["\\ud800"],"\\ud800":1}',
        b'{"alg":"HS256","x":' + DEEP + b"}",
        b'{"alg":"HS256","x":' + b"9" * 5000 + b"}",
        b'{"alg":"HS256"',
        b"\xff",
        b"\0",
        b"",
        DEEP,
    ],
)
def test_a_token_with_a_head_that_makes_no_sense_is_refused(header: bytes) -> None:
    assert judged(OURS, signed(header, claims())) is None


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"HS256","kid":"x"}',
        b'{"alg":"HS256","typ":"at+jwt"}',
        b'{"alg":"none","alg":"HS256"}',
        b' {"alg":"HS256"} ',
    ],
)
def test_a_head_may_say_what_decides_nothing(header: bytes) -> None:
    assert judged(OURS, signed(header, claims())) is not None


@pytest.mark.parametrize(
    "token", ["", ".", "..", "...", "a.b.c", "é.é.é", "\ud800.a.b", "\0.\0.\0", "a" * 70_000, "=" * 99]
)
def test_what_is_no_token_at_all_is_refused(token: str) -> None:
    assert judged(OURS, token) is None


@pytest.mark.parametrize("issued", [0, 4e9, -1, 1e300, "soon", None, [], "x" * 100])
@pytest.mark.parametrize("tokens", [OURS, Tokens.with_secret(SECRET)])
def test_when_a_token_was_issued_refuses_nobody(tokens: Tokens, issued: object) -> None:
    assert judged(tokens, signed(HEADER, claims(iat=issued))) is not None


def test_a_token_counts_from_its_nbf_on_give_or_take_a_clock() -> None:
    assert judged(OURS, signed(HEADER, claims(nbf=time.time() + 60))) is None
    assert judged(OURS, signed(HEADER, claims(nbf=time.time() + 3))) is not None


@pytest.mark.parametrize("exp", [4e9, 4e9 + 0.5, 10**17, 10**400, 1e300])
def test_a_token_may_last_as_long_as_it_likes(exp: float) -> None:
    verified = judged(OURS, signed(HEADER, claims(exp=exp)))
    assert verified is not None
    assert verified.identity.expires_at == min(exp, MAX_EXPIRY)
    json.dumps(verified.identity.expires_at, allow_nan=False)


def test_a_number_is_read_as_what_it_is() -> None:
    assert math.isfinite(MAX_EXPIRY)
    assert int(MAX_EXPIRY) == MAX_EXPIRY


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from(["alice", "HS256"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(["sub", "exp", "nbf", "iat", "sid", "aud", "iss", "jti", "create", "x"])
head_names = st.sampled_from(["alg", "typ", "kid", "crit", "b64", "zip", "jwk", "jku", "x5c", "cty", "x"])


@given(said=st.dictionaries(names, anything), as_it_should_be=st.booleans())
@example(said={"exp": math.inf}, as_it_should_be=True)
def test_whatever_the_claims_are_a_token_counts_or_is_refused(said: dict[str, Any], as_it_should_be: bool) -> None:
    whole = {"sub": "alice", "exp": time.time() + 60, "aud": "chat", "iss": "us", **said} if as_it_should_be else said
    for tokens in (OURS, THEIRS):
        judged(tokens, signed(HEADER, json.dumps(whole).encode()))


@given(said=st.dictionaries(head_names, anything), as_it_should_be=st.booleans())
def test_whatever_the_head_is_a_token_counts_or_is_refused(said: dict[str, Any], as_it_should_be: bool) -> None:
    whole = {**said, "alg": "HS256"} if as_it_should_be else said
    judged(OURS, signed(json.dumps(whole).encode(), claims()))


@given(header=st.binary(max_size=60), said=st.binary(max_size=60))
def test_whatever_the_bytes_are_a_token_counts_or_is_refused(header: bytes, said: bytes) -> None:
    judged(OURS, signed(header, claims()))
    judged(OURS, signed(HEADER, said))
    judged(OURS, (header + b"." + said).decode("latin-1"))
