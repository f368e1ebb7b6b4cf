"""The health check of Redis: tries all that the server needs of it, after a refusal and when readiness is asked for.

Nothing is tried on the path of a send. A refusal is logged in one line when it begins, with Redis's own code and
advice, and in one line when it is over.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from ssechat.errors import RedisUnavailable
from ssechat.redis.client import Redis
from ssechat.redis.refusals import Refusal, parse_refusal
from ssechat.redis.rights import CHANNELS, NAMED, missing, right, try_all
from ssechat.redis.url import user_of
from ssechat.tasks import end_task

logger = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between two trials while Redis refuses something."""

FRESH = 5.0
"""Seconds for which the outcome of a trial counts when all was well."""

PATIENCE = 1.0
"""Seconds that `/healthz/ready` waits for a trial; then the last one's outcome counts."""

CALM = 10.0
"""Seconds without a refusal after which it has ended."""

RECONNECT_PAUSE = 5.0
"""Seconds between two new connections while Redis is a replica."""


ALL_CHANNELS = [f"&{pattern}" for pattern in CHANNELS]


class Troubles:
    """The present refusals of Redis; each is logged once when it begins and once when it ends."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._seen: dict[str, tuple[str, float]] = {}

    def seen(self, code: str, sentence: str) -> None:
        """Redis refuses this, or still does."""
        if sentence not in self._seen:
            logger.error("Redis refuses what the server asks of it (%s): %s", code, sentence)
        self._seen[sentence] = code, self._now()

    def forget_old(self) -> None:
        """To be called while Redis is connected: a refusal that was not seen for `CALM` seconds is over."""
        for sentence, (code, at) in list(self._seen.items()):
            if self._now() - at > CALM:
                del self._seen[sentence]
                logger.warning("Redis no longer refuses what the server asks of it (%s)", code)


class RedisHealth:
    """Tries what the server needs of Redis, and reconnects where Redis has become a replica."""

    def __init__(self, redis: Redis, now: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._metrics = redis.metrics
        self._now = now
        self._user = user_of(redis.url)
        self._troubles = Troubles(now)
        self._noted: dict[Refusal, None] = {}
        self._wake = asyncio.Event()
        self._trial: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._tried_at = 0.0
        self._reconnected_at = 0.0
        self._tried_connection: object = None
        self.well = False
        """Whether Redis allowed all that is needed in the last trial."""
        self.codes: tuple[str, ...] = ()
        """Redis's codes for what it refused then."""
        self.reconnect: list[Callable[[], None]] = [redis.reconnect]
        """Called when Redis has become a replica: the URL may lead to another one by now."""
        redis.on_refused = self.note

    def note(self, text: str) -> None:
        """Redis answered with this error."""
        refusal = parse_refusal(text, NAMED)
        if refusal.code == "NOSCRIPT" or self._trying:
            return
        self._metrics.refused(refusal.code)
        if len(self._noted) < len(NAMED):
            self._noted[refusal] = None
        self._wake.set()

    def note_subscription(self, text: str) -> None:
        """Redis refused a subscription. No trial follows: its replies would mix with the others."""
        refusal = parse_refusal(text, NAMED)
        self._metrics.refused(refusal.code)
        self._say(refusal, ALL_CHANNELS if refusal.what == "channel" else right(refusal))

    def start(self) -> None:
        """Begins to check."""
        self._task = asyncio.create_task(self._keep_checking(), name="redis-health")

    async def close(self) -> None:
        """Ends the checks."""
        for task in (self._task, self._trial):
            if task is not None:
                await end_task(task)

    async def check(self) -> bool:
        """Whether Redis does all that is asked of it, as tried within the last seconds."""
        if not self._redis.connected:
            return False
        if not self._is_fresh():
            await asyncio.wait([self._begin_trial()], timeout=PATIENCE)
        return self.well

    def _is_fresh(self) -> bool:
        age = self._now() - self._tried_at
        return self._redis.connection is self._tried_connection and age < (FRESH if self.well else PAUSE)

    @property
    def _trying(self) -> bool:
        return self._trial is not None and not self._trial.done()

    def _begin_trial(self) -> "asyncio.Task[None]":
        """The trial that is under way, or a new one."""
        if self._trial is None or self._trial.done():
            self._trial = asyncio.create_task(self._try_all(), name="redis-trial")
        return self._trial

    async def _try_all(self) -> None:
        noted, self._noted = self._noted, {}
        connection = self._redis.connection
        try:
            findings = await try_all(self._redis.send, self._user)
        except RedisUnavailable:  # which the connection itself logs
            self._noted = noted
            self.well, self.codes = False, ()
            return
        self._tried_connection, self._tried_at = connection, self._now()
        self.well, self.codes = not findings, tuple(finding.code for finding in findings)
        self._metrics.redis_refuses = int(not self.well)
        for finding in findings:
            self._troubles.seen(finding.code, finding.sentence)
        for refusal in noted:
            if refusal.code not in self.codes:
                self._say(refusal, right(refusal))
        if "READONLY" in self.codes and self._now() - self._reconnected_at > RECONNECT_PAUSE:
            self._reconnected_at = self._now()
            for reconnect in self.reconnect:
                reconnect()

    def _say(self, refusal: Refusal, words: Sequence[str]) -> None:
        """`words` are those of ACL SETUSER that grant it, if they are known."""
        wanted = words if refusal.code == "NOPERM" else ()
        self._troubles.seen(refusal.code, missing(wanted, self._user) if wanted else refusal.advice)

    async def _keep_checking(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE):
                    await self._wake.wait()
            self._wake.clear()
            if not self._redis.connected:
                continue
            if not self.well or self._noted or self._redis.connection is not self._tried_connection:
                await asyncio.wait([self._begin_trial()])
                await asyncio.sleep(PAUSE)
            if self.well:
                self._troubles.forget_old()
