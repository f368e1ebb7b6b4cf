"""JWK Sets (RFC 7517): the public keys that an existing system publishes, and that its tokens are verified with."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ssechat.identity.verification_keys import MIN_RSA_BITS, VerificationKey
from ssechat.texts.printable import one_line

MAX_BYTES = 262_144
"""Upper bound of a key set."""

MAX_KEYS = 100
"""Keys of a set that are read."""

MAX_TRIED = 4
"""Keys that a token is tried with if its head does not say which signed it: a trial takes up to milliseconds."""

MAX_RSA_BITS = 8192
"""A larger key would hold up others for every stranger's token."""

MAX_RSA_EXPONENT = 2**32

MAX_ID = 256
"""Characters of a `kid`."""

ALGORITHMS = {
    ("RSA", None): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
"""By `kty` and `crv`: the algorithms that such a key may be published for. The first is its algorithm if it does not
say. A symmetric key (`oct`) is none of them: in a published set everybody has it."""

PARTS = ("kty", "crv", "n", "e", "x", "y")
"""The members of a JWK that make a public key."""

SUPPORTED = frozenset(name for names in ALGORITHMS.values() for name in names)
"""Every algorithm that a token of an existing system can have."""


class KeySetError(Exception):
    """What was fetched is no key set; the message says why, and quotes nothing of it."""


class Skipped(NamedTuple):
    """A key of a set that is not used, and why."""

    key: str
    """The `kid`, or the place in the set, fit for a log."""
    reason: str


class KeySet:
    """The keys of a set that can be used."""

    def __init__(self, keys: Sequence[VerificationKey], skipped: Sequence[Skipped]) -> None:
        self.keys = keys
        self.skipped = skipped
        self.names = frozenset(key.name for key in keys)
        self._by_id = {key.id: key for key in keys if key.id is not None}

    def has(self, key_id: str | None) -> bool:
        """Whether there is a key of this id."""
        return key_id is not None and key_id in self._by_id

    def fitting(self, key_id: str | None, algorithm: object) -> Sequence[VerificationKey]:
        """The keys for a token whose head has this `kid` and `alg`, at most `MAX_TRIED`.

        The one of that id; or, if there is none, those that have no id; or all, if the token names none.
        """
        if key_id is not None and key_id in self._by_id:
            return (self._by_id[key_id],)
        candidates = [key for key in self.keys if key.algorithm == algorithm and (key_id is None or key.id is None)]
        return candidates[:MAX_TRIED]


def parse_key_set(content: bytes) -> KeySet:
    """Parses a key set; keys that cannot be used are skipped.

    Raises:
        KeySetError: it is not JSON, not a key set, or has no key that can be used.
    """
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        raise KeySetError("that is not JSON") from None
    published = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(published, list):
        raise KeySetError("that is not a JWK Set, an object with a list `keys`")
    keys: list[VerificationKey] = []
    skipped: list[Skipped] = []
    ids: set[str] = set()
    for place, jwk in enumerate(published[:MAX_KEYS], 1):
        try:
            key = _usable(jwk)
            if key.id is not None and key.id in ids:
                raise KeySetError("another key has the same kid")
        except KeySetError as error:
            skipped.append(Skipped(_shown(jwk, place), str(error)))
            continue
        if key.id is not None:
            ids.add(key.id)
        keys.append(key)
    if len(published) > MAX_KEYS:
        skipped.append(Skipped(f"all from number {MAX_KEYS + 1} on", f"a set may have {MAX_KEYS} keys"))
    if not keys:
        reasons = "; ".join(dict.fromkeys(each.reason for each in skipped[:3]))
        raise KeySetError(f"it has no key that can be used{f': {reasons}' if reasons else ''}")
    return KeySet(keys, skipped)


def _usable(jwk: Any) -> VerificationKey:
    """The key, if tokens can be verified with it.

    Raises:
        KeySetError: why it cannot be used.
    """
    if not isinstance(jwk, dict):
        raise KeySetError("it is not an object")
    key_id = jwk.get("kid")
    if key_id is not None and not (isinstance(key_id, str) and len(key_id) <= MAX_ID):
        raise KeySetError(f"its kid is not a text of at most {MAX_ID} characters")
    if jwk.get("use", "sig") != "sig":
        raise KeySetError("it is not for signatures (use)")
    algorithm = _algorithm(jwk)
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise KeySetError("it is not for verifying (key_ops)")
    if "d" in jwk:
        raise KeySetError("its private part is published with it: anybody can sign with it")
    try:
        key = jwt.PyJWK({name: jwk[name] for name in PARTS if name in jwk}, algorithm).key
        encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except Exception:  # what strangers wrote can raise errors that are not PyJWT's
        raise KeySetError("it cannot be read") from None
    if isinstance(key, RSAPublicKey):
        if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            raise KeySetError(f"it has {key.key_size} bits; an RSA key must have {MIN_RSA_BITS} to {MAX_RSA_BITS}")
        if key.public_numbers().e > MAX_RSA_EXPONENT:
            raise KeySetError("its exponent is too large")
    return VerificationKey(key, algorithm, key_id, hashlib.sha256(encoded).hexdigest()[:32])


def _algorithm(jwk: Mapping[str, Any]) -> str:
    kind, curve = jwk.get("kty"), jwk.get("crv")
    if kind == "oct":
        raise KeySetError("it is symmetric: whoever can read the set can sign with it")
    known = next((names for of, names in ALGORITHMS.items() if of == (kind, None if kind == "RSA" else curve)), None)
    if known is None:
        raise KeySetError("it is of an unsupported kind (kty, crv)")
    named = jwk.get("alg")
    if named is None:
        return known[0]
    if named not in known:
        raise KeySetError("its alg is not one for signatures of its kind")
    return str(named)


def _shown(jwk: Any, place: int) -> str:
    key_id = jwk.get("kid") if isinstance(jwk, dict) else None
    return one_line(repr(key_id[:40])) if isinstance(key_id, str) else f"number {place}"
