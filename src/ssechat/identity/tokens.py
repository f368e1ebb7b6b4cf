"""Bearer tokens: JSON Web Tokens (RFC 7519), this server's own or those of an existing system."""

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import jwt

from ssechat.errors import SettingsError, Unauthorized
from ssechat.identity.display_names import display_name
from ssechat.identity.key_file import SigningKeys, key_path, read_key_file
from ssechat.identity.verification_keys import FixedKeys, Keys, VerificationKey, key_from_pem, key_from_secret
from ssechat.ids import UserId, user_id
from ssechat.settings import Settings
from ssechat.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from ssechat.identity.issuer import IssuerKeys

LEEWAY = 5
"""Seconds by which the clock of the system that signed a token may differ from this server's."""

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
    key: str | None = None
    """The name of the key that signed the token, if the key can be withdrawn."""


class VerifiedToken(NamedTuple):
    """The content of a valid token."""

    identity: Identity
    creates_user: bool
    """Whether the token creates its user; otherwise the user must exist."""
    display_name: str | None = None
    """What the user is called, by the token's claim `name`."""


class _NoKeyFits(Unauthorized):
    """None of the known keys has signed a token."""


def _fault(error: Exception | None) -> str:
    """What is wrong with a token, without PyJWT's own message: that can quote the token."""
    if error is None:
        return "there is no key for it"
    if isinstance(error, jwt.InvalidSignatureError):
        return "it is signed with another key"
    if isinstance(error, jwt.DecodeError | UnicodeError):
        return "it cannot be read"
    return type(error).__name__.removesuffix("Error")


class Tokens:
    """Mints and verifies tokens. The key decides the algorithm; the token's own `alg` does not."""

    def __init__(
        self,
        keys: Keys,
        *,
        sign_with: str | None = None,
        audience: str | None = None,
        issuer: str | None = None,
        user_claim: str = "sub",
        cookies: Sequence[str] = (COOKIE,),
        ours: bool = False,
    ) -> None:
        """`sign_with` is the secret that tokens are minted with (HS256); `ours` says that no other system has it."""
        self.keys = keys
        self.cookies = cookies
        """The names that the session cookie may have. The first is the one that is set. Cookies ignore ports (RFC 6265
        §8.5): two servers on one host need two names, so they follow from the keys."""
        self.issuer_keys: IssuerKeys | None = None
        """The keys, where they are fetched."""
        self._ours = ours
        self._sign_with = sign_with
        self._audience = audience
        self._issuer = issuer
        self._user_claim = user_claim

    @classmethod
    def with_secret(cls, secret: str, **more: Any) -> Self:
        """Tokens that an existing system signs and verifies with one secret; `more` is as for the class."""
        return cls(FixedKeys(key_from_secret(secret)), sign_with=secret, **more)

    @classmethod
    def of_our_own(cls, keys: SigningKeys) -> Self:
        """Tokens of this server, signed with the first of its keys and verified with all of them."""
        counting = [key for key in keys.all if key.until > time.time()]
        return cls(
            FixedKeys(*(key_from_secret(key.secret, key.until) for key in counting)),
            sign_with=keys.signing.secret,
            cookies=[f"{COOKIE}_{key.short}" for key in counting],
            ours=True,
        )

    @classmethod
    def from_settings(cls, settings: Settings, metrics: Metrics | None = None) -> Self:
        """Creates the verifier that these settings describe.

        Raises:
            SettingsError: a key is missing, unreadable or of an unsupported kind, or two settings name one.
        """
        given = {
            "SSECHAT_JWT_SECRET": settings.jwt_secret,
            "SSECHAT_JWT_PUBLIC_KEY": settings.jwt_public_key,
            "SSECHAT_JWKS_URL": settings.jwks_url,
        }
        names = [name for name, value in given.items() if value is not None]
        if len(names) > 1:
            raise SettingsError(f"give either {' or '.join(names)}: each says by itself whose tokens count")
        claims: dict[str, Any] = {
            "audience": settings.jwt_audience,
            "issuer": settings.jwt_issuer,
            "user_claim": settings.jwt_user_claim,
        }
        if settings.jwt_public_key is not None:
            return cls(FixedKeys(key_from_pem(settings.jwt_public_key)), **claims)
        if settings.jwt_secret is not None:
            return cls.with_secret(settings.jwt_secret, **claims)
        if settings.jwks_url is not None:
            from ssechat.identity.issuer import IssuerKeys  # imported late: httpx is slow to import

            keys = IssuerKeys(settings.jwks_url, metrics or Metrics())
            tokens = cls(keys, **claims)
            tokens.issuer_keys = keys
            return tokens
        return cls.of_our_own(read_key_file(key_path(settings)))

    def mint(self, user: str, lifetime: timedelta, session: str | None = None, *, creates_user: bool = True) -> str:
        """Returns a token for this user. `creates_user` has the token create the user; otherwise the user must exist.

        Raises:
            SettingsError: the key can only verify, or `user` is not a user id.
        """
        if self._sign_with is None:
            raise SettingsError(
                "a public key can verify tokens but not sign them; mint tokens on the system that has the private key "
                "(SSECHAT_JWT_PUBLIC_KEY or SSECHAT_JWKS_URL is set: get one there)"
            )
        named = user_id(user)
        if named is None:
            raise SettingsError(f"{user!r} is not a user id: 1-128 of A-Z a-z 0-9 _ . @ | + ~ -")
        now = time.time()
        claims: dict[str, Any] = {"sub": named, "iat": int(now), "exp": int(now + lifetime.total_seconds())}
        claims[self._user_claim] = named
        if not creates_user:
            claims[CREATES_USER_CLAIM] = False
        if session is not None:
            claims["sid"] = session
        if self._audience is not None:
            claims["aud"] = self._audience
        if self._issuer is not None:
            claims["iss"] = self._issuer
        return jwt.encode(claims, self._sign_with, algorithm="HS256")

    async def check(self, token: str) -> VerifiedToken:
        """As `verify`, but where the issuer's keys are not known, or none of them signed the token, they are fetched.

        Raises:
            Unauthorized: as `verify`.
            IssuerUnavailable: they cannot be fetched, so nobody can say whether the token is valid.
        """
        try:
            return self.verify(token)
        except _NoKeyFits:
            if not await self.keys.renew(token):
                raise
        return self.verify(token)

    def verify(self, token: str) -> VerifiedToken:
        """Checks a token and returns its content. `iat` is ignored: a clock that is set back must refuse nobody.

        Raises:
            Unauthorized: `token_expired`, or `invalid_token` with the reason.
        """
        key, claims = self._decoded(token)
        named, expires_at = claims[self._user_claim], claims["exp"]
        user = user_id(named) if isinstance(named, str) else None
        if user is None:
            raise Unauthorized("invalid_token", f"The token's {self._user_claim} is not a user id.")
        if self._user_claim == "email" and claims.get("email_verified", True) not in (True, "true"):
            raise Unauthorized("invalid_token", "Nobody has verified the token's email (email_verified).")
        if type(expires_at) not in (int, float) or not math.isfinite(
            min(expires_at, MAX_EXPIRY)
        ):  # RFC 7519 §2, NumericDate
            raise Unauthorized("invalid_token", "The token's exp is not a number of seconds.")
        # The `sid` of another system is a session of that system: this server cannot check it.
        session = claims.get("sid") if self._ours else None
        if session is not None and not (isinstance(session, str) and _SESSION.fullmatch(session)):
            raise Unauthorized("invalid_token", "The token's sid is not the id of a session of this server.")
        creates_user = not self._ours or claims.get(CREATES_USER_CLAIM) is not False
        identity = Identity(user, float(min(expires_at, key.until, MAX_EXPIRY)), session, key.name)
        return VerifiedToken(identity, creates_user, display_name(claims.get("name")))

    def _decoded(self, token: str) -> tuple[VerificationKey, Mapping[str, Any]]:
        """The key that signed a token, and the token's claims."""
        other: Exception | None = None
        try:
            for key in self.keys.fitting(token):
                try:
                    return key, self._decode(token, key)
                except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError) as error:
                    other = error
        except jwt.ExpiredSignatureError:
            raise Unauthorized("token_expired", "The token has expired; get a new one.") from None
        except Exception as error:
            # Any exception: the content of a token comes from strangers, and can make a decoder raise errors that are
            # not PyJWT's.
            raise Unauthorized("invalid_token", f"The token is not valid here: {_fault(error)}.") from None
        raise _NoKeyFits("invalid_token", f"The token is not valid here: {_fault(other)}.")

    def _decode(self, token: str, key: VerificationKey) -> Mapping[str, Any]:
        return jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm],
            audience=self._audience,
            issuer=self._issuer,
            leeway=LEEWAY,
            options={
                "require": [self._user_claim, "exp"],
                "verify_aud": self._audience is not None,
                "verify_iat": False,
            },
        )
