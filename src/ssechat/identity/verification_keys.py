"""The keys that tokens are verified with. The kind of a key decides the algorithm; the token's own `alg` does not."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import HMACAlgorithm

from ssechat.errors import SettingsError

MIN_RSA_BITS = 2048
"""RFC 7518 §3.3."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key and the one algorithm that it is used with."""

    key: Any
    algorithm: str
    id: str | None = None
    """The `kid` under which the key's owner published it."""
    name: str | None = None
    """A digest of the key, of those that can be withdrawn."""
    until: float = math.inf
    """Seconds since the epoch: from then on the key does not count, nor does anything that it has signed."""


class Keys(Protocol):
    """The keys of whoever signs the tokens."""

    can_be_withdrawn: bool
    """Whether a key that counts may count no more later."""

    def fitting(self, token: str) -> Sequence[VerificationKey]:
        """The keys that may have signed a token, the likeliest first.

        Raises:
            jwt.PyJWTError: the token has no head that can be read.
        """

    async def renew(self, token: str) -> bool:
        """Fetches the keys of whoever signs the tokens anew, if that may bring a key for this token.

        Returns whether they are newer than those that `fitting` knew.

        Raises:
            IssuerUnavailable: they cannot be fetched.
        """

    def counts(self, name: str) -> bool:
        """Whether the key of this name has not been withdrawn, as far as is known."""


class FixedKeys:
    """Keys that are known from the start on."""

    can_be_withdrawn = False

    def __init__(self, *keys: VerificationKey) -> None:
        self._keys = keys

    def fitting(self, token: str) -> Sequence[VerificationKey]:
        """All keys that count now."""
        now = time.time()
        return [key for key in self._keys if key.until > now]

    async def renew(self, token: str) -> bool:
        """There are no others."""
        return False

    def counts(self, name: str) -> bool:
        """None is ever withdrawn."""
        return True


class _ExaminedSecret(HMACAlgorithm):
    """HS256 with a secret that was examined when it was given: PyJWT does it for each token, a third of its time."""

    def prepare_key(self, key: str | bytes) -> bytes:
        assert isinstance(key, bytes)
        return key


def key_from_secret(secret: str, until: float = math.inf) -> VerificationKey:
    """A secret that tokens are signed and verified with (HS256).

    Raises:
        SettingsError: it is no secret: whoever has a public key could sign with it.
    """
    try:
        examined = HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
    except jwt.InvalidKeyError:
        raise SettingsError(
            "the secret for tokens (SSECHAT_JWT_SECRET, or a line of the key file) is a public key, a certificate or a "
            "JWK: give a public key as SSECHAT_JWT_PUBLIC_KEY, or make a secret with `openssl rand -hex 32`"
        ) from None
    key = jwt.PyJWK(HMACAlgorithm.to_jwk(examined, as_dict=True), "HS256")
    key.Algorithm = _ExaminedSecret(HMACAlgorithm.SHA256)
    return VerificationKey(key, "HS256", until=until)


def key_from_pem(pem: str) -> VerificationKey:
    """The key in SSECHAT_JWT_PUBLIC_KEY.

    Raises:
        SettingsError: it is no public key, or one of an unsupported kind.
    """
    try:
        key = load_pem_public_key(pem.replace("\\n", "\n").encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"SSECHAT_JWT_PUBLIC_KEY is not a PEM public key: {error}") from error
    if isinstance(key, RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            raise SettingsError(
                f"SSECHAT_JWT_PUBLIC_KEY: an RSA key must have at least {MIN_RSA_BITS} bits (RFC 7518 §3.3)"
            )
        return VerificationKey(key, "RS256")
    if isinstance(key, Ed25519PublicKey):
        return VerificationKey(key, "EdDSA")
    if isinstance(key, EllipticCurvePublicKey) and key.curve.name == "secp256r1":
        return VerificationKey(key, "ES256")
    raise SettingsError("SSECHAT_JWT_PUBLIC_KEY is of an unsupported kind: use RSA, P-256 or Ed25519")
