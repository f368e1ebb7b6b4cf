"""From what a request carries to who sends it: bearer token, session cookie or stream ticket."""

import hashlib
import json
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

from ssechat.errors import NotFound, Unauthorized
from ssechat.identity.tokens import Identity, Tokens
from ssechat.identity.users import Users
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.redis.link import Redis, RedisRefused

TICKET_SECONDS = 30
TRUSTED_SECONDS = 10.0
"""How long a worker believes that a session has not ended, should it miss the word that it has."""

REMEMBERED_SECONDS = 60.0
"""How long a worker believes a token without a session before it looks at it, and at the clock, again."""

CACHED_TOKENS = 50_000
SHORT_TOKEN = 512
"""Characters: our own have 200."""


class _Known(NamedTuple):
    identity: Identity
    until: float
    """By the clock that nobody sets."""


class Auth:
    """Credentials: verifies them, remembers the outcome, and ends sessions."""

    def __init__(
        self,
        redis: Redis,
        tokens: Tokens,
        users: Users,
        session_lifetime: timedelta,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sign_outs = 0
        """How many sessions this worker has heard the end of. Who asks about a session, waits, and goes on as if it
        still counted, compares: one that has ended in between is told once, and to what was there by then."""
        self._now = now
        self._redis = redis
        self._tokens = tokens
        self._users = users
        self._session_lifetime = session_lifetime
        self._cache: dict[str | bytes, _Known] = {}

    async def identify(self, token: str, *, remember: bool = True) -> Identity:
        """Who a token stands for.

        `remember` is for what will be asked again soon; somebody who only listens need not take up room.

        Raises:
            Unauthorized: it is not valid, has expired, its session has ended, or there is no such user.
            RedisUnavailable: it cannot be told.
        """
        known = self.recognize(token)
        if known is not None:
            return known
        sign_outs, now = self.sign_outs, self._now()
        identity, makes_user = self._tokens.verify(token)
        lasts = identity.expires_at - time.time()
        await self.check_session(identity.session)
        if makes_user:
            await self._users.ensure(identity.user)
        elif not await self._users.exists(identity.user):
            raise Unauthorized("unknown_user", f"There is no user {identity.user!r}: sign up, or use --create.")
        if remember and sign_outs == self.sign_outs:
            if len(self._cache) >= CACHED_TOKENS:
                self._cache.clear()
            trusted = REMEMBERED_SECONDS if identity.session is None else TRUSTED_SECONDS
            self._cache[_cache_key(token)] = _Known(identity, now + min(lasts, trusted))
        return identity

    def recognize(self, token: str) -> Identity | None:
        """Who a token stands for, if this worker has verified it and still believes so."""
        known = self._cache.get(_cache_key(token))
        return known.identity if known is not None and self._now() < known.until else None

    async def sign_in(self, user: UserId) -> str:
        """Begins a session; returns its token."""
        session = secrets.token_hex(16)
        await self._redis.call("SET", keys.session(session), user, "EX", int(self._session_lifetime.total_seconds()))
        return self._tokens.mint(user, self._session_lifetime, session)

    async def sign_out(self, identity: Identity) -> None:
        """Ends the session everywhere: its tokens stop counting and its streams end.

        Raises:
            NotFound: `no_session`, for a token that was minted rather than signed in for.
        """
        if identity.session is None:
            raise NotFound("no_session", "This token belongs to no session; it counts until it expires.")
        await self._redis.call("DEL", keys.session(identity.session))
        self.forget(identity.session)
        with suppress(RedisRefused):  # a hint: the session has ended, and every worker will find that
            await self._redis.call("PUBLISH", keys.CONTROL, f"signed_out {identity.session}")

    def forget(self, session: str) -> None:
        """Stops believing in a session that has ended."""
        self.sign_outs += 1
        for key in [key for key, known in self._cache.items() if known.identity.session == session]:
            del self._cache[key]

    async def ended_sessions(self, sessions: list[str]) -> set[str]:
        """Those of the sessions that are no more."""
        found = await self._redis.pipeline(("EXISTS", keys.session(session)) for session in sessions)
        return {session for session, exists in zip(sessions, found, strict=True) if not exists}

    async def issue_ticket(self, identity: Identity) -> str:
        """A secret for one stream's URL: used once, within `TICKET_SECONDS`."""
        ticket = secrets.token_urlsafe(24)
        record = json.dumps([identity.user, identity.expires_at, identity.session])
        await self._redis.call("SET", _ticket_key(ticket), record, "EX", TICKET_SECONDS)
        return ticket

    async def redeem_ticket(self, ticket: str) -> Identity:
        """Who a ticket stands for; it counts no more after this.

        Raises:
            Unauthorized: it was used, is too old, or never was, or its session has ended.
        """
        record = await self._redis.call("GETDEL", _ticket_key(ticket))
        if record is None:
            raise Unauthorized("invalid_ticket", "The ticket was used or is too old; get a new one.")
        user, expires_at, session = json.loads(record)
        await self.check_session(session)
        return Identity(UserId(user), expires_at, session)

    async def check_session(self, session: str | None) -> None:
        """Asks whether a session has ended; what belongs to none, has none that could.

        Raises:
            Unauthorized: `signed_out`.
            RedisUnavailable: it cannot be told.
        """
        if session is not None and not await self._redis.call("EXISTS", keys.session(session)):
            raise Unauthorized("signed_out", "This session has ended; sign in again.")


def _cache_key(token: str) -> str | bytes:
    """The token itself, as most are; of a long one its digest, for many of those would take up much room.

    Bytes, for no text is equal to them: whoever shows the digest shows a short token, and another one.
    """
    if len(token) <= SHORT_TOKEN:
        return token
    return hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=32).digest()


def _ticket_key(ticket: str) -> str:
    return keys.ticket(hashlib.sha256(ticket.encode()).hexdigest())
