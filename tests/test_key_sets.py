"""Key sets as issuers publish them, and as nobody should."""

import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuers import IssuerKey, key_set, unpadded
from ssechat.identity.key_sets import MAX_KEYS, MAX_TRIED, KeySet, KeySetError, parse_key_set

EC = IssuerKey("ec")
OTHER = IssuerKey("other")
RSA = IssuerKey("rsa", "RS256")


def parsed(*keys: object) -> KeySet:
    return parse_key_set(key_set(*keys))


def refusal(content: bytes) -> str:
    with pytest.raises(KeySetError) as caught:
        parse_key_set(content)
    return str(caught.value)


@pytest.mark.parametrize("algorithm", ["RS256", "PS384", "ES256", "ES384", "ES512", "EdDSA"])
def test_a_key_of_each_kind_verifies_what_it_signed(algorithm: str) -> None:
    key = IssuerKey("k", algorithm)
    [found] = parsed(key).keys
    assert (found.id, found.algorithm) == ("k", algorithm)
    assert jwt.decode(key.sign(), found.key, algorithms=[found.algorithm])["sub"] == "ann"


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256"), (IssuerKey("k", "ES512"), "ES512")])
def test_a_key_that_names_no_algorithm_has_that_of_its_kind(key: IssuerKey, algorithm: str) -> None:
    assert [found.algorithm for found in parsed(key.jwk(alg=None)).keys] == [algorithm]


def test_the_algorithm_that_a_key_is_published_for_is_the_only_one_it_has() -> None:
    assert [found.algorithm for found in parsed(RSA.jwk(alg="PS512")).keys] == ["PS512"]


SYMMETRIC = {"kty": "oct", "kid": "s", "alg": "HS256", "k": unpadded(b"s" * 32)}


@pytest.mark.parametrize(
    ("jwk", "reason"),
    [
        (SYMMETRIC, "symmetric"),
        ({**SYMMETRIC, "alg": None}, "symmetric"),
        (RSA.jwk(use="enc"), "not for signatures"),
        (RSA.jwk(use="enc", alg="RSA-OAEP"), "not for signatures"),
        (RSA.jwk(use=["sig"]), "not for signatures"),
        (RSA.jwk(alg="RSA-OAEP"), "alg"),
        (RSA.jwk(alg="HS256"), "alg"),
        (RSA.jwk(alg="ES256"), "alg"),
        (RSA.jwk(alg="none"), "alg"),
        (RSA.jwk(alg=["RS256"]), "alg"),
        (EC.jwk(alg="ES384"), "alg"),
        (EC.jwk(key_ops=["sign"]), "key_ops"),
        (EC.jwk(key_ops="verify"), "key_ops"),
        (EC.jwk(crv="secp256k1"), "unsupported kind"),
        (EC.jwk(crv="P-384"), "alg"),
        (EC.jwk(crv="P-384", alg=None), "cannot be read"),
        (EC.jwk(crv=["P-256"]), "unsupported kind"),
        (EC.jwk(kty="XX"), "unsupported kind"),
        (EC.jwk(kty=None), "unsupported kind"),
        (EC.jwk(kty={}), "unsupported kind"),
        (EC.jwk(x="AAAA"), "cannot be read"),
        (EC.jwk(x=7), "cannot be read"),
        (EC.jwk(y=None), "cannot be read"),
        (EC.jwk(d="AAAA"), "private part"),
        (IssuerKey("k", "EdDSA").jwk(crv="Ed448"), "unsupported kind"),
        (IssuerKey("k", "EdDSA").jwk(crv="X25519"), "unsupported kind"),
        (IssuerKey("k", "RS256", 1024).jwk(), "1024 bits"),
        (RSA.jwk(n=unpadded(b"\xff" * 2048)), "16384 bits"),
        (RSA.jwk(e=unpadded(b"\xff" * 9)), "exponent"),
        (RSA.jwk(e=unpadded(b"\x02")), "cannot be read"),
        (RSA.jwk(n=""), "cannot be read"),
        (EC.jwk(kid=7), "kid"),
        (EC.jwk(kid="k" * 257), "kid"),
        (7, "not an object"),
        (None, "not an object"),
        (["kty"], "not an object"),
    ],
)
def test_a_key_that_must_not_verify_is_skipped_and_the_others_are_not(jwk: object, reason: str) -> None:
    found = parsed(jwk, OTHER)
    assert [key.id for key in found.keys] == ["other"]
    [skipped] = found.skipped
    assert reason in skipped.reason
    assert "no key that can be used" in refusal(key_set(jwk))


def test_of_two_keys_with_one_id_the_first_that_can_be_used_counts() -> None:
    found = parsed(EC.jwk(kid="same", use="enc"), OTHER.jwk(kid="same"), RSA.jwk(kid="same"))
    assert [key.algorithm for key in found.keys] == ["ES256"]
    assert [each.key for each in found.skipped] == ["'same'", "'same'"]
    assert "same kid" in found.skipped[1].reason
    assert jwt.decode(OTHER.sign(), found.keys[0].key, algorithms=["ES256"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"keys":' + b"9" * 5000 + b"}", "not JSON"),
        (b"[]", "not a JWK Set"),
        (b"null", "not a JWK Set"),
        (b'{"keys":{}}', "not a JWK Set"),
        (b'{"error":"none"}', "not a JWK Set"),
        (b'{"keys":[]}', "no key that can be used"),
    ],
)
def test_what_is_no_key_set_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    assert reason in refusal(content)


def test_a_set_is_read_up_to_a_number_of_keys_and_the_rest_is_said() -> None:
    jwks = [EC.jwk(kid=str(number)) for number in range(MAX_KEYS + 5)]
    found = parsed(*jwks)
    assert len(found.keys) == MAX_KEYS
    assert found.skipped[-1].key == f"all from number {MAX_KEYS + 1} on"


def test_a_token_is_tried_with_the_key_of_its_id_only() -> None:
    found = parsed(EC, OTHER, RSA, IssuerKey(None))
    assert [key.id for key in found.fitting("other", "ES256")] == ["other"]


def test_a_token_that_names_no_key_is_tried_with_all_of_its_algorithm_but_not_with_many() -> None:
    found = parsed(EC, OTHER, RSA)
    assert [key.id for key in found.fitting(None, "ES256")] == ["ec", "other"]
    assert [key.id for key in found.fitting(None, "RS256")] == ["rsa"]
    many = parsed(*(EC.jwk(kid=str(number)) for number in range(MAX_KEYS)))
    assert len(many.fitting(None, "ES256")) == MAX_TRIED


def test_a_token_that_names_an_unknown_key_is_tried_with_those_that_have_no_name() -> None:
    found = parsed(EC, IssuerKey(None), OTHER)
    assert [key.id for key in found.fitting("unknown", "ES256")] == [None]
    assert parsed(EC, OTHER).fitting("unknown", "ES256") == []


def test_a_key_has_the_same_name_under_any_id_and_another_key_another_one() -> None:
    assert parsed(EC).names == parsed(EC.jwk(kid="renamed", alg=None)).names
    assert parsed(EC).names != parsed(OTHER).names


anything: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
members = st.dictionaries(
    st.sampled_from(["kty", "crv", "alg", "use", "kid", "key_ops", "n", "e", "x", "y", "d"]), anything
)


@given(changes=members, of=st.sampled_from([EC, RSA]))
def test_whatever_stands_in_a_key_it_is_used_or_skipped(changes: dict[str, Any], of: IssuerKey) -> None:
    found = parse_key_set(json.dumps({"keys": [{**of.jwk(), **changes}, OTHER.jwk()]}).encode())
    assert len(found.keys) + len(found.skipped) == 2
    assert {key.algorithm[:2] for key in found.keys} <= {"ES", "RS", "PS"}
