"""The keys of an issuer: fetched from the URL at which it publishes them, kept fresh, and used while it is away.

One request at a time, which all who wait for it share. Nothing that strangers send makes more than one a minute.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import jwt

from ssechat.backoff import Backoff
from ssechat.errors import IssuerUnavailable, SettingsError
from ssechat.identity.key_set_requests import fetch, reason
from ssechat.identity.key_sets import SUPPORTED, KeySet, parse_key_set
from ssechat.identity.verification_keys import VerificationKey
from ssechat.outward import certificates
from ssechat.tasks import end_task
from ssechat.telemetry.metrics import Metrics
from ssechat.texts.printable import one_line

logger = logging.getLogger(__name__)

JITTER = 0.1
"""The part of an interval that is left out at random: workers do not ask all at once."""

UNKNOWN_PAUSE = 60.0
"""Seconds between two requests that are made because no known key fits a token."""

STALE_SECONDS = 86_400.0
"""Seconds for which keys are used while newer ones cannot be fetched."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
"""Seconds between two requests that fail."""

TICK_SECONDS = 1.0

MAX_NAMED = 10
"""Keys that a line of the log names."""


class IssuerKeys:
    """The key set at a URL, as it was when last fetched."""

    can_be_withdrawn = True

    def __init__(
        self,
        url: str,
        metrics: Metrics,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Raises:
            SettingsError: the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read.
        """
        self.known: KeySet | None = None
        self.on_withdrawn: Callable[[], None] | None = None
        """Called when a key that counted does not count any more."""
        self._url = url
        parts = urlsplit(url)
        self._shown = f"{parts.scheme}://{parts.netloc}{parts.path}"  # a query may hold a secret
        self._metrics = metrics
        self._now = now
        self._verify = certificates() if parts.scheme == "https" else False
        self._backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE, jitter=0.2)
        self._fetching: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._renewed_at = self._fetched_at = float("-inf")
        self._due = float("-inf")
        self._trouble: str | None = None
        """Why the last request failed."""
        metrics.without_keys = 1

    # Used for tokens.

    def fitting(self, token: str) -> Sequence[VerificationKey]:
        """The keys that may have signed a token; see `KeySet.fitting`."""
        key_id, algorithm = _head(token)
        return self.known.fitting(key_id, algorithm) if self.known is not None else ()

    async def renew(self, token: str) -> bool:
        """Waits for newer keys, if there can be one for this token: the keys are not known, or none of them is named in
        the token's head, and no token has made a request within `UNKNOWN_PAUSE`.

        Raises:
            IssuerUnavailable: they cannot be fetched.
        """
        before = self.known
        if before is not None and before.has(_head(token)[0]):
            return False
        may_ask = self._trouble is None and self._now() - self._renewed_at >= UNKNOWN_PAUSE
        if may_ask and not self._is_fetching:
            self._renewed_at = self._now()
        if may_ask or self._is_fetching:
            await asyncio.wait([self._begin_fetch()])
        if self.known is not None and self.known is not before:
            return True
        if self._trouble is not None or self.known is None:
            raise IssuerUnavailable(self._due - self._now())
        return False

    def has_keys(self) -> bool:
        """Whether there are keys to verify tokens with."""
        return self.known is not None

    def counts(self, name: str) -> bool:
        """Whether the issuer still publishes the key of this name, as far as is known."""
        return self.known is None or name in self.known.names

    # Kept up to date.

    def start(self) -> None:
        """Begins to fetch. Needs a running loop."""
        self._keeping = asyncio.create_task(self._keep_fresh(), name="issuer-keys")

    async def close(self) -> None:
        """Ends the requests."""
        for task in (self._keeping, self._fetching):
            if task is not None:
                await end_task(task)

    async def wait_known(self) -> None:
        """Waits until the first request has ended, well or not."""
        if self.known is None:
            await asyncio.wait([self._begin_fetch()])

    async def tick(self) -> None:
        """Fetches the keys if it is time to, and lets go of those that are too old."""
        if self._now() >= self._due:
            await asyncio.wait([self._begin_fetch()])
        if self.known is not None and self._now() - self._fetched_at > STALE_SECONDS:
            self.known, self._metrics.without_keys = None, 1
            logger.error(
                "the keys from %s are %d s old and count no more: tokens are answered 503 until there are newer ones",
                self._shown,
                STALE_SECONDS,
            )

    async def check(self) -> None:
        """Fetches the keys once.

        Raises:
            SettingsError: they cannot be fetched.
        """
        await asyncio.wait([self._begin_fetch()])
        if self._trouble is not None:
            raise SettingsError(f"the keys at {self._shown} (SSECHAT_JWKS_URL) cannot be fetched: {self._trouble}")

    async def _keep_fresh(self) -> None:
        while True:
            await self.tick()
            await asyncio.sleep(TICK_SECONDS)

    @property
    def _is_fetching(self) -> bool:
        return self._fetching is not None and not self._fetching.done()

    def _begin_fetch(self) -> "asyncio.Task[None]":
        """The request that is under way, or a new one."""
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch(), name="issuer-fetch")
        return self._fetching

    async def _fetch(self) -> None:
        try:
            answer = await fetch(self._url, self._verify)
            # In a thread: a set of 100 keys takes a while to parse.
            keys = await asyncio.to_thread(parse_key_set, answer.content)
        except Exception as error:  # whatever it is, the keys that are known go on counting
            self._fail(reason(error))
        else:
            self._take(keys, answer.fresh_seconds)

    def _take(self, keys: KeySet, fresh_seconds: float) -> None:
        before, self.known = self.known, keys
        self._metrics.key_fetches["ok"] += 1
        self._metrics.issuer_away = self._metrics.without_keys = 0
        self._fetched_at = self._now()
        self._due = self._fetched_at + fresh_seconds * (1 - random.uniform(0, JITTER))
        self._backoff.reset()
        if self._trouble is not None:
            logger.warning("the keys at %s can be fetched again", self._shown)
            self._trouble = None
        if before is None or (before.names, before.skipped) != (keys.names, keys.skipped):
            self._log_keys(keys)
        if before is not None and before.names - keys.names and self.on_withdrawn is not None:
            self.on_withdrawn()

    def _fail(self, why: str) -> None:
        self._metrics.key_fetches["failed"] += 1
        self._metrics.issuer_away = 1
        self._due = self._now() + self._backoff.pause()
        if why != self._trouble:
            outcome = "tokens are answered 503 until they can"
            if self.known is not None:
                outcome = f"those that are known count for {STALE_SECONDS / 3600:g} h"
            logger.error("the keys at %s cannot be fetched (%s); %s", self._shown, why, outcome)
        self._trouble = why

    def _log_keys(self, keys: KeySet) -> None:
        named = ", ".join(f"{_shortened(key.id)} ({key.algorithm})" for key in keys.keys[:MAX_NAMED])
        logger.info("tokens are verified with %d keys from %s: %s", len(keys.keys), self._shown, named)
        for each in keys.skipped[:MAX_NAMED]:
            logger.info("a key from %s is not used: %s: %s", self._shown, each.key, each.reason)


def _head(token: str) -> tuple[str | None, str]:
    """The `kid` and the `alg` in the head of a token.

    Raises:
        jwt.PyJWTError: it has no head that can be read, or an algorithm that no issuer's key has.
    """
    head = jwt.get_unverified_header(token)
    algorithm = head.get("alg")
    if not isinstance(algorithm, str) or algorithm not in SUPPORTED:
        raise jwt.InvalidAlgorithmError
    return head.get("kid"), algorithm


def _shortened(key_id: str | None) -> str:
    return "no kid" if key_id is None else one_line(repr(key_id if len(key_id) <= 48 else key_id[:47] + "…"))
