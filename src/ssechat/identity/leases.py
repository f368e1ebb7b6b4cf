"""What each user may do: deliveries a minute on all servers of one Redis, and requests at a time in this worker.

What is limited are deliveries: an action counts as many as it reaches inboxes, and two at least. They are counted in
Redis, yet an accepted request makes no call for it: a worker leases deliveries in advance, a block at a time, and asks
for more before a block is used up. The first block of a user is not leased: so the first request does not wait either,
and who sends little costs Redis nothing. A worker never holds more than a block for a user, and all workers of a server
together an eighth of the limit. So in t seconds a user gets through no more than

    limit * (1 + t / 60) + limit / 8 for each server + AT_ONCE * 1,024 for each worker,

the last because only afterwards it is known how many a group's message has reached. That debt is paid from the next
lease. What a worker holds does not expire: it is no more than a new worker would grant, and to return it would cost a
call.

Requests at a time: a user's further ones wait for their turn, so that nobody fills a worker's queues, or the batch that
goes to Redis next, in front of all others (`python -m tests.bench flood`).
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from ssechat.errors import QuotaExceeded, TooManyWaiting
from ssechat.identity.quotas import Quota
from ssechat.identity.refusal_log import RefusalLog
from ssechat.ids import UserId
from ssechat.recent import Recent
from ssechat.redis import keys
from ssechat.redis.client import Redis
from ssechat.redis.connection import Reply
from ssechat.redis.lua import load_script
from ssechat.settings import Settings

AT_LEAST = 2
"""Deliveries that a change counts for at least: as many as a direct message, so that nothing need be counted for that
when it is delivered."""

MINUTE = 60
"""The window of the quota, in seconds."""

SHARE = 8
"""The part of a limit that the workers of a server hold at most: one of so many."""

AT_ONCE = 8
"""Requests of one user that a worker works on at a time."""

MAX_WAITING = 256
"""Requests of one user that wait for their turn; more are refused."""

MAX_USERS = 10_000
"""Users whose allowance a worker remembers at least: 200 bytes each. One who is forgotten gets a first block again."""


class Allowance:
    """What one user may still do in this worker."""

    __slots__ = ("balance", "lease", "refused_until", "running", "user", "waiting")

    def __init__(self, user: UserId, balance: float) -> None:
        self.user = user
        self.balance = balance
        """Deliveries that are left; below 0: that were made beyond those leased."""
        self.running = 0
        """Requests under way."""
        self.waiting: deque[asyncio.Future[None]] | None = None
        """Requests that wait for their turn."""
        self.lease: asyncio.Future[Reply] | None = None
        """A call for more deliveries."""
        self.refused_until = -math.inf
        """When there are deliveries again (seconds of the monotonic clock), if Redis had none."""

    def done(self) -> None:
        """A request is answered: the next one that waits has its turn."""
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():  # it is, if the client is gone
                turn.set_result(None)
                return
        self.running -= 1


class Leases:
    """Lets requests in, counts what they reach, and leases deliveries from Redis."""

    def __init__(self, redis: Redis, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._now = now
        self._script = load_script(__name__, "leases.lua")
        self.quota = Quota("deliveries", settings.deliveries_per_user, MINUTE, "user", "You have sent too much")
        limit = self.quota.limit
        self.block: float = max(1, limit // (SHARE * settings.workers)) if limit else math.inf
        """Deliveries that this worker holds for a user at most; all of them, if there is no limit."""
        self._low = self.block / 2 if limit else -math.inf
        self._fewest = max(1, self.block // SHARE) if limit else 0
        self._log = RefusalLog(now)
        self._allowances: Recent[UserId, Allowance] = Recent(MAX_USERS, lambda user: Allowance(user, self.block))

    def begin(self, user: UserId, deliveries: int) -> Allowance | None:
        """Begins a request that makes so many deliveries at least; `Allowance.done` ends it. None: it must `wait`.

        `deliveries`: 0 of a request that changes nothing, which is never refused.
        """
        # With `done` 3,000 instructions, a hundredth of a send: 300 for each attribute that is counted up or down.
        allowance = self._allowances[user]
        if allowance.running >= AT_ONCE or (deliveries and allowance.balance <= 0):
            return None
        allowance.running += 1
        if deliveries:
            balance = allowance.balance = allowance.balance - deliveries
            if balance < self._low:
                self._top_up(allowance)
        return allowance

    async def wait(self, user: UserId, deliveries: int) -> Allowance:
        """Begins a request as `begin` does, when it has its turn, and Redis has deliveries for it.

        Raises:
            QuotaExceeded: the user has none left.
            TooManyWaiting: too many of the user's requests wait.
            RedisUnavailable: it cannot be asked.
        """
        allowance = self._allowances[user]
        if allowance.running < AT_ONCE:
            allowance.running += 1
        else:
            await self._turn(allowance)
        try:
            while deliveries and allowance.balance <= 0:
                if self._now() < allowance.refused_until:
                    raise self._refusal(allowance.user, allowance.refused_until - self._now())
                lease = allowance.lease or self._ask(allowance)
                await asyncio.wait([lease])  # not `await lease`: all wait for it, and one may be cancelled
                lease.result()
        except BaseException:
            allowance.done()
            raise
        allowance.balance -= deliveries
        return allowance

    def charge(self, users: Sequence[UserId], reached: int) -> None:
        """Counts an action that has reached so many inboxes, but for `AT_LEAST`, which its request began with. Those
        who did it together share it."""
        if reached > AT_LEAST and users:
            share = max(0, -(-reached // len(users)) - AT_LEAST)
            for user in users:
                allowance = self._allowances[user]
                allowance.balance -= share
                if allowance.balance < self._low:
                    self._top_up(allowance)  # a debt is known to the other workers at once

    async def _turn(self, allowance: Allowance) -> None:
        if allowance.waiting is None:
            allowance.waiting = deque()
        if len(allowance.waiting) >= MAX_WAITING:
            self._log.note("requests", f"{AT_ONCE} under way and {MAX_WAITING} waiting", allowance.user)
            raise TooManyWaiting
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        allowance.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                allowance.done()  # it had its turn already
            raise

    def _top_up(self, allowance: Allowance) -> None:
        """Asks for more, before what is left is used up; or says what is owed."""
        if allowance.lease is None and (allowance.balance < 0 or self._now() >= allowance.refused_until):
            self._ask(allowance)

    def _ask(self, allowance: Allowance) -> "asyncio.Future[Reply]":
        # A call whose answer is lost may have been made: then a block and the debt are counted once too often.
        owed = max(0, -allowance.balance)
        wanted = self.block - max(0, allowance.balance)
        numbers = (self.quota.limit, self.quota.seconds, owed, wanted, min(self._fewest, wanted))
        key = keys.quota(self.quota.name, allowance.user)
        allowance.lease = lease = self._redis.send(
            "EVAL", self._script, 1, key, *(f"{number:.0f}" for number in numbers)
        )
        lease.add_done_callback(partial(self._asked, allowance, owed))
        return lease

    def _asked(self, allowance: Allowance, owed: float, lease: "asyncio.Future[Reply]") -> None:
        allowance.lease = None
        if lease.cancelled() or lease.exception() is not None:
            return  # the next request asks again, or waits for nothing: it has Redis's own error
        leased, wait = lease.result()
        allowance.balance += owed + leased
        if not leased:
            allowance.refused_until = self._now() + wait / 1000

    def _refusal(self, user: UserId, seconds: float) -> QuotaExceeded:
        quota = self.quota
        self._log.note(quota.name, f"{quota.limit} in {quota.seconds} s", user)
        self._redis.metrics.over_quota[quota.name] += 1
        policies = [(quota.name, quota.limit, quota.seconds)]
        return QuotaExceeded(quota.name, policies, quota.refusal, max(1, math.ceil(seconds)))
