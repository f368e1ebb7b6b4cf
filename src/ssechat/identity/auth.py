"""Authentication: turns a bearer token, session cookie or stream ticket into an `Identity`."""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import NamedTuple

from ssechat.errors import NotFound, RedisUnavailable, Unauthorized
from ssechat.identity.sessions import Sessions
from ssechat.identity.tokens import Identity, Tokens
from ssechat.identity.users import Users
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.redis.client import Redis

TICKET_SECONDS = 30
TRUSTED_SECONDS = 10.0
"""Seconds for which a worker caches a token of a session. A worker that misses the notice of a sign-out accepts the
token for this long."""

REMEMBERED_SECONDS = 60.0
"""Seconds for which a worker caches a token without a session, before it verifies the token again."""

MAX_CACHED_TOKENS = 50_000
MAX_KEY_LENGTH = 512
"""Characters of a token up to which the token itself is its key in the cache. Our own tokens have about 200."""


class _CachedIdentity(NamedTuple):
    identity: Identity
    until: float
    """Seconds of the monotonic clock."""


class Auth:
    """Verifies credentials, caches the identities they stand for, and ends sessions."""

    def __init__(
        self,
        redis: Redis,
        tokens: Tokens,
        users: Users,
        sessions: Sessions,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sign_outs = 0
        """Count of sign-outs that this worker has heard of. A caller that awaits something between its check of a
        session and the use of the result compares the count before and after: the notice of a sign-out comes once,
        and reaches only the streams and cache entries that exist by then."""
        self._now = now
        self._redis = redis
        self._tokens = tokens
        self._users = users
        self._sessions = sessions
        self._cache: dict[str | bytes, _CachedIdentity] = {}

    async def identify(self, token: str, *, remember: bool = True) -> Identity:
        """Returns the identity that a token stands for.

        `remember` keeps the identity in the cache. A request that only opens a stream passes False: its token is not
        used again soon.

        Raises:
            Unauthorized: the token is not valid or has expired, its session has ended, or its user does not exist.
            IssuerUnavailable: the keys of the token's issuer cannot be fetched.
            RedisUnavailable: Redis cannot be asked about the session or the user.
        """
        known = self.cached_identity(token)
        if known is not None:
            return known
        sign_outs, now = self.sign_outs, self._now()
        identity, creates_user, display_name = await self._tokens.check(token)
        lifetime = identity.expires_at - time.time()
        await self.check_session(identity)
        if creates_user:
            await self._users.create_if_missing(identity.user)
        elif not await self._users.exists(identity.user):
            raise Unauthorized("unknown_user", f"There is no user {identity.user!r}: sign up, or use --create.")
        if display_name is not None:
            await self._users.note_claimed_name(identity.user, display_name)
        if remember and sign_outs == self.sign_outs and self.key_counts(identity):
            if len(self._cache) >= MAX_CACHED_TOKENS:
                self._cache.clear()
            cached_for = REMEMBERED_SECONDS if identity.session is None else TRUSTED_SECONDS
            self._cache[_cache_key(token)] = _CachedIdentity(identity, now + min(lifetime, cached_for))
        return identity

    def cached_identity(self, token: str) -> Identity | None:
        """Returns the cached identity of a token; None if the token is not in the cache, or its entry has expired."""
        now = self._now  # called by a local name: see src/README.md
        known = self._cache.get(_cache_key(token))
        return known.identity if known is not None and now() < known.until else None

    async def sign_in(self, user: UserId, agent: str = "", checked: str = "") -> str:
        """Begins a session and returns its token.

        `agent` is what the user's browser or program calls itself, `checked` the hash of the password that was checked.

        Raises:
            Unauthorized: `wrong_credentials`: the password has been changed since it was checked.
        """
        session, ended = await self._sessions.begin(user, agent, checked)
        await self.announce_ended(ended)
        return self._tokens.mint(user, self._sessions.lifetime, session)

    async def sign_out(self, identity: Identity) -> None:
        """Ends the session on all workers: its tokens are no longer accepted, and its streams end.

        Raises:
            NotFound: `no_session`: the token was minted, not obtained by a sign-in.
        """
        if identity.session is None:
            raise NotFound("no_session", "This token belongs to no session; it is valid until it expires.")
        await self._sessions.end(identity.user, identity.session)
        await self.announce_ended([identity.session])

    async def end_session(self, user: UserId, session: str) -> None:
        """Ends a session of this user, as `sign_out` does.

        Raises:
            NotFound: `unknown_session`.
        """
        if not await self._sessions.end(user, session):
            raise NotFound("unknown_session", "You have no such session; it may have ended already.")
        await self.announce_ended([session])

    async def announce_ended(self, sessions: Collection[str]) -> None:
        """Has all workers end the streams of sessions that have ended, and forget their tokens."""
        if sessions:
            self.forget(sessions)
            # They have ended, whether Redis can say so or not: workers find that within TRUSTED_SECONDS.
            with suppress(RedisUnavailable):
                await self._redis.call("PUBLISH", keys.CONTROL, f"signed_out {' '.join(sessions)}")

    def forget(self, sessions: Collection[str]) -> None:
        """Drops ended sessions from the cache."""
        self.sign_outs += 1
        for key in [key for key, known in self._cache.items() if known.identity.session in sessions]:
            del self._cache[key]

    @property
    def keys_can_be_withdrawn(self) -> bool:
        """Whether the keys that sign the tokens are somebody else's, who may withdraw one."""
        return self._tokens.keys.can_be_withdrawn

    def key_counts(self, identity: Identity) -> bool:
        """Whether the key that signed the token has not been withdrawn, as far as is known."""
        return identity.key is None or self._tokens.keys.counts(identity.key)

    def forget_withdrawn(self) -> None:
        """Drops from the cache what withdrawn keys have signed."""
        for key in [key for key, known in self._cache.items() if not self.key_counts(known.identity)]:
            del self._cache[key]

    async def ended_sessions(self, identities: Iterable[Identity]) -> set[str]:
        """Returns the sessions of these identities that have ended."""
        asked = {(each.user, each.session) for each in identities if each.session is not None}
        return await self._sessions.missing(asked)

    async def issue_ticket(self, identity: Identity) -> str:
        """Returns a secret for the URL of one stream: valid once, within `TICKET_SECONDS`."""
        ticket = secrets.token_urlsafe(24)
        key = () if identity.key is None else (identity.key,)
        record = json.dumps([identity.user, identity.expires_at, identity.session, *key])
        await self._redis.call("SET", _ticket_key(ticket), record, "EX", TICKET_SECONDS)
        return ticket

    async def redeem_ticket(self, ticket: str) -> Identity:
        """Returns the identity that a ticket stands for, and uses the ticket up.

        Raises:
            Unauthorized: the ticket was used, has expired or never existed, or its session has ended, or the key of the
                token that it was issued for has been withdrawn.
        """
        record = await self._redis.call("GETDEL", _ticket_key(ticket))
        if record is None:
            raise Unauthorized("invalid_ticket", "The ticket was used or has expired; get a new one.")
        identity = Identity(*json.loads(record))
        await self.check_session(identity)
        if not self.key_counts(identity):
            raise Unauthorized("invalid_ticket", "The token that this ticket was issued for is not valid any more.")
        return identity

    async def check_session(self, identity: Identity) -> None:
        """Returns if the identity's session has not ended, or if it has none.

        Raises:
            Unauthorized: `signed_out`.
            RedisUnavailable: Redis cannot be asked.
        """
        if identity.session is not None and not await self._sessions.stands(identity.user, identity.session):
            raise Unauthorized("signed_out", "This session has ended; sign in again.")


def _cache_key(token: str) -> str | bytes:
    """Returns the token itself, or the digest of a long token: many long tokens would take up much memory.

    The digest is bytes, which equal no string: a client that sends the digest as its token does not hit the entry.
    """
    if len(token) <= MAX_KEY_LENGTH:
        return token
    return hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=32).digest()


def _ticket_key(ticket: str) -> str:
    return keys.ticket(hashlib.sha256(ticket.encode()).hexdigest())
