"""Bearer tokens: JSON Web Tokens (RFC 7519), our own or those of an existing system."""

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
"""Seconds by which another system's clock may differ from ours."""

LEAST_RSA_BITS = 2048
"""RFC 7518 §3.3."""

FAR = 2.0**53
"""An expiry as good as never: a number of seconds that no clock of ours reaches, and that JSON can carry."""

MAKES_USER = "create"
"""The claim that is false in a token of our own that makes no user."""

_SESSION = re.compile(r"[0-9A-Za-z_-]{1,64}")

COOKIE = "ssechat_session"
"""The session's cookie, where the tokens are another system's."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, and until when that holds."""

    user: UserId
    expires_at: float
    """Seconds since the epoch."""
    session: str | None = None
    """The sign-in that this belongs to; without one, it can only expire."""


class Verified(NamedTuple):
    """What a token says that counts."""

    identity: Identity
    makes_user: bool
    """Whether its user comes to exist with it, rather than having to exist already."""


class Tokens:
    """Mints and verifies tokens. The algorithm follows from the kind of key, never from the token."""

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
        """`ours`: the key is this server's own, and no other system signs with it."""
        self._ours = ours
        self._verify_with = verify_with
        self._algorithm = algorithm
        self._sign_with = sign_with
        self._audience = audience
        self._issuer = issuer

    @property
    def cookie(self) -> str:
        """The name of the session's cookie. Cookies know no ports (RFC 6265 §8.5): two servers on one host need two."""
        if not self._ours or self._sign_with is None:
            return COOKIE
        return f"{COOKIE}_{fingerprint(self._sign_with)[:12]}"

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The tokens that these settings accept.

        Raises:
            SettingsError: a key is missing, unreadable or of a kind that is not known.
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

    def mint(self, user: str, lifetime: timedelta, session: str | None = None, *, makes_user: bool = True) -> str:
        """A token for this user, who comes to exist with it; unless `makes_user`, it counts if there is one already.

        Raises:
            SettingsError: the key can only verify, or this is no user id.
        """
        if self._sign_with is None:
            raise SettingsError("a public key can verify tokens but not make them; mint them where they are signed")
        named = user_id(user)
        if named is None:
            raise SettingsError(f"{user!r} is not a user id: 1-128 of A-Z a-z 0-9 _ . @ | + ~ -")
        now = time.time()
        claims: dict[str, Any] = {"sub": named, "iat": int(now), "exp": int(now + lifetime.total_seconds())}
        if not makes_user:
            claims[MAKES_USER] = False
        if session is not None:
            claims["sid"] = session
        if self._audience is not None:
            claims["aud"] = self._audience
        if self._issuer is not None:
            claims["iss"] = self._issuer
        return jwt.encode(claims, self._sign_with, algorithm=self._algorithm)

    def verify(self, token: str) -> Verified:
        """Who a token stands for. When it was issued (`iat`) matters to nobody: clocks are set back.

        Raises:
            Unauthorized: `token_expired`, or `invalid_token` with what is wrong with it.
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
            # Not in PyJWT's words: they can quote the token. Nor only its own errors: what is in a token is a
            # stranger's, and whatever cannot be made of it is no token.
            reason = type(error).__name__.removesuffix("Error")
            raise Unauthorized("invalid_token", f"The token does not count here ({reason}).") from None
        named, expires_at = claims["sub"], claims["exp"]
        user = user_id(named) if isinstance(named, str) else None
        if user is None:
            raise Unauthorized("invalid_token", "The token's sub is not a user id.")
        if type(expires_at) not in (int, float) or not math.isfinite(min(expires_at, FAR)):  # RFC 7519 §2, NumericDate
            raise Unauthorized("invalid_token", "The token's exp is not a number of seconds.")
        # Another system's `sid` is a session of that system, which we cannot ask about.
        session = claims.get("sid") if self._ours else None
        if session is not None and not (isinstance(session, str) and _SESSION.fullmatch(session)):
            raise Unauthorized("invalid_token", "The token's sid is not a session of this server.")
        makes_user = not self._ours or claims.get(MAKES_USER) is not False
        return Verified(Identity(user, float(min(expires_at, FAR)), session), makes_user)


def key_path(settings: Settings) -> Path:
    """Where the key is that signs our own tokens."""
    return settings.key_file or settings.data / "jwt.key"


def create_key_file(path: Path) -> None:
    """Makes a key (mode 0600) unless the file exists.

    Raises:
        SettingsError: the file cannot be written.
    """
    # In containers that share the folder, every server may have the same process id.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        if path.exists():  # and where it is, nothing need be writable: it may be a mounted secret
            return
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(descriptor)
        # A link, not a rename: it never replaces a key that is there, and never shows half of one.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(temporary)
        temporary.unlink()
    except OSError as error:
        raise SettingsError(f"cannot write the key file {path}: {error.strerror}") from error


def read_key_file(path: Path) -> str:
    """The key in the file.

    Raises:
        SettingsError: there is none, it cannot be read, or it is too short.
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
        raise SettingsError(f"the key in {path} is too short: 32 characters or more are needed")
    return key


def fingerprint(key: str) -> str:
    """Tells two keys apart without giving them away."""
    return hashlib.sha256(b"ssechat key fingerprint " + key.encode()).hexdigest()


def _public_key(pem: str) -> tuple[Any, str]:
    try:
        key = load_pem_public_key(pem.replace("\\n", "\n").encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"SSECHAT_JWT_PUBLIC_KEY is not a PEM public key: {error}") from error
    if isinstance(key, RSAPublicKey):
        if key.key_size < LEAST_RSA_BITS:
            raise SettingsError(
                f"SSECHAT_JWT_PUBLIC_KEY: an RSA key has {LEAST_RSA_BITS} bits at least (RFC 7518 §3.3)"
            )
        return key, "RS256"
    if isinstance(key, Ed25519PublicKey):
        return key, "EdDSA"
    if isinstance(key, EllipticCurvePublicKey) and key.curve.name == "secp256r1":
        return key, "ES256"
    raise SettingsError("SSECHAT_JWT_PUBLIC_KEY is of a kind that is not known: use RSA, P-256 or Ed25519")
