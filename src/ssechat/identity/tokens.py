"""Bearer tokens: JSON Web Tokens (RFC 7519), this server's own or those of an existing system."""

import contextlib
import hashlib
import math
import os
import re
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, Self

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ssechat.errors import SettingsError, Unauthorized
from ssechat.ids import UserId, user_id
from ssechat.settings import Settings

LEEWAY = 5
"""Seconds by which the clock of the system that signed a token may differ from this server's."""

MIN_RSA_BITS = 2048
"""RFC 7518 §3.3."""

MAX_EXPIRY = 2.0**53
"""The latest expiry, in seconds since the epoch: later ones are cut to it, so that JSON carries them exactly."""

CREATES_USER_CLAIM = "create"
"""The claim that is false in a token which must not create its user."""

_SESSION = re.compile(r"[0-9A-Za-z_-]{1,64}")

COOKIE = "ssechat_session"
"""The name of the session cookie where an existing system signs the tokens."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The user that a credential stands for, and until when."""

    user: UserId
    expires_at: float
    """Seconds since the epoch."""
    session: str | None = None
    """The id of the session; an identity without one only expires."""


class VerifiedToken(NamedTuple):
    """The content of a valid token."""

    identity: Identity
    creates_user: bool
    """Whether the token creates its user; otherwise the user must exist."""


def _fault(error: Exception) -> str:
    """What is wrong with a token, without PyJWT's own message: that can quote the token."""
    if isinstance(error, jwt.InvalidSignatureError):
        return "it is signed with another key"
    if isinstance(error, jwt.DecodeError | UnicodeError):
        return "it cannot be read"
    return type(error).__name__.removesuffix("Error")


class Tokens:
    """Mints and verifies tokens. The key decides the algorithm; the token's own `alg` does not."""

    def __init__(
        self,
        verify_with: Any,
        algorithm: str,
        *,
        sign_with: str | None = None,
        audience: str | None = None,
        issuer: str | None = None,
        ours: bool = False,
    ) -> None:
        """`ours` says that no other system signs with this key."""
        self._ours = ours
        self._verify_with = verify_with
        self._algorithm = algorithm
        self._sign_with = sign_with
        self._audience = audience
        self._issuer = issuer

    @property
    def cookie(self) -> str:
        """The session cookie's name. Cookies ignore ports (RFC 6265 §8.5): two servers on one host need two names."""
        if not self._ours or self._sign_with is None:
            return COOKIE
        return f"{COOKIE}_{fingerprint(self._sign_with)[:12]}"

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Creates the verifier that these settings describe.

        Raises:
            SettingsError: a key is missing, unreadable or of an unsupported kind.
        """
        if settings.jwt_public_key is not None:
            if settings.jwt_secret is not None:
                raise SettingsError("give either SSECHAT_JWT_SECRET or SSECHAT_JWT_PUBLIC_KEY, not both")
            key, algorithm = _public_key(settings.jwt_public_key)
            return cls(key, algorithm, audience=settings.jwt_audience, issuer=settings.jwt_issuer)
        if settings.jwt_secret is not None:
            secret = settings.jwt_secret
            return cls(secret, "HS256", sign_with=secret, audience=settings.jwt_audience, issuer=settings.jwt_issuer)
        secret = read_key_file(key_path(settings))
        return cls(secret, "HS256", sign_with=secret, ours=True)

    def mint(self, user: str, lifetime: timedelta, session: str | None = None, *, creates_user: bool = True) -> str:
        """Returns a token for this user. `creates_user` has the token create the user; otherwise the user must exist.

        Raises:
            SettingsError: the key can only verify, or `user` is not a user id.
        """
        if self._sign_with is None:
            raise SettingsError(
                "a public key can verify tokens but not sign them; mint tokens on the system that has the private key"
            )
        named = user_id(user)
        if named is None:
            raise SettingsError(f"{user!r} is not a user id: 1-128 of A-Z a-z 0-9 _ . @ | + ~ -")
        now = time.time()
        claims: dict[str, Any] = {"sub": named, "iat": int(now), "exp": int(now + lifetime.total_seconds())}
        if not creates_user:
            claims[CREATES_USER_CLAIM] = False
        if session is not None:
            claims["sid"] = session
        if self._audience is not None:
            claims["aud"] = self._audience
        if self._issuer is not None:
            claims["iss"] = self._issuer
        return jwt.encode(claims, self._sign_with, algorithm=self._algorithm)

    def verify(self, token: str) -> VerifiedToken:
        """Checks a token and returns its content. `iat` is ignored: a clock that is set back must refuse nobody.

        Raises:
            Unauthorized: `token_expired`, or `invalid_token` with the reason.
        """
        try:
            claims = jwt.decode(
                token,
                self._verify_with,
                algorithms=[self._algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": ["sub", "exp"], "verify_aud": self._audience is not None, "verify_iat": False},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorized("token_expired", "The token has expired; get a new one.") from None
        except Exception as error:
            # Any exception: the content of a token comes from strangers, and can make a decoder raise errors that are
            # not PyJWT's.
            raise Unauthorized("invalid_token", f"The token is not valid here: {_fault(error)}.") from None
        named, expires_at = claims["sub"], claims["exp"]
        user = user_id(named) if isinstance(named, str) else None
        if user is None:
            raise Unauthorized("invalid_token", "The token's sub is not a user id.")
        if type(expires_at) not in (int, float) or not math.isfinite(
            min(expires_at, MAX_EXPIRY)
        ):  # RFC 7519 §2, NumericDate
            raise Unauthorized("invalid_token", "The token's exp is not a number of seconds.")
        # The `sid` of another system is a session of that system: this server cannot check it.
        session = claims.get("sid") if self._ours else None
        if session is not None and not (isinstance(session, str) and _SESSION.fullmatch(session)):
            raise Unauthorized("invalid_token", "The token's sid is not the id of a session of this server.")
        creates_user = not self._ours or claims.get(CREATES_USER_CLAIM) is not False
        return VerifiedToken(Identity(user, float(min(expires_at, MAX_EXPIRY)), session), creates_user)


def key_path(settings: Settings) -> Path:
    """The path of the key that signs this server's own tokens."""
    return settings.key_file or settings.data / "jwt.key"


def create_key_file(path: Path) -> None:
    """Creates a key file (mode 0600) unless it exists.

    Raises:
        SettingsError: the file cannot be written.
    """
    # A random name: in containers that share the folder, every server may have the same process id.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        if path.exists():  # the folder of an existing key may be read-only: a mounted secret
            return
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(descriptor)
        # A hard link, unlike a rename, never replaces an existing key; and no reader sees half a key.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(temporary)
        temporary.unlink()
    except OSError as error:
        raise SettingsError(f"cannot write the key file {path}: {error.strerror}") from error


def read_key_file(path: Path) -> str:
    """Reads the key.

    Raises:
        SettingsError: the file is missing or cannot be read, or the key is too short.
    """
    try:
        key = path.read_text("ascii").strip()
    except FileNotFoundError:
        raise SettingsError(
            f"there is no key file {path}: start the server once (ssechat serve), or name its data folder with --data"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the key file {path}: {error}") from error
    if len(key) < 32:
        raise SettingsError(f"the key in {path} is too short: a key has at least 32 characters")
    return key


def fingerprint(key: str) -> str:
    """A digest that identifies a key without revealing it."""
    return hashlib.sha256(b"ssechat key fingerprint " + key.encode()).hexdigest()


def _public_key(pem: str) -> tuple[Any, str]:
    try:
        key = load_pem_public_key(pem.replace("\\n", "\n").encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"SSECHAT_JWT_PUBLIC_KEY is not a PEM public key: {error}") from error
    if isinstance(key, RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            raise SettingsError(
                f"SSECHAT_JWT_PUBLIC_KEY: an RSA key must have at least {MIN_RSA_BITS} bits (RFC 7518 §3.3)"
            )
        return key, "RS256"
    if isinstance(key, Ed25519PublicKey):
        return key, "EdDSA"
    if isinstance(key, EllipticCurvePublicKey) and key.curve.name == "secp256r1":
        return key, "ES256"
    raise SettingsError("SSECHAT_JWT_PUBLIC_KEY is of an unsupported kind: use RSA, P-256 or Ed25519")
