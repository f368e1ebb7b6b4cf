"""Quotas on sign-ups, failed sign-ins, tickets and searches, by network, account and user, of all servers of a Redis.

A sign-in is counted before its password is checked, and refunded if it succeeds: parallel attempts cannot get past the
limit. An attacker cannot lock a user out of a network that the user has signed in from before: on a known network only
the failures from that network count.
"""

import ipaddress
import time
import unicodedata
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from hashlib import blake2b
from typing import NamedTuple

from ssechat.errors import QuotaExceeded, RedisUnavailable, TooMany
from ssechat.identity.refusal_log import RefusalLog
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.redis.client import Redis
from ssechat.redis.connection import Argument
from ssechat.redis.lua import load_script
from ssechat.settings import Settings

HOUR = 3600

MAX_KNOWN_NETWORKS = 32
KNOWN_SECONDS = 30 * 24 * HOUR
"""Networks that are remembered for an account, the newest ones, and for how many seconds."""

KNOWN_SIGN_IN_COST = 0.1
"""What a successful sign-in from a known network costs, as a part of a failed one: each begins a long session."""


class Quota(NamedTuple):
    """A limit of attempts within a time window. A limit of 0 is no limit."""

    name: str
    limit: int
    seconds: int
    per: str
    """What attempts are counted by, for `/v1/limits`."""
    refusal: str
    """The sentence that a client over the limit gets."""


class Bucket(NamedTuple):
    """The counter of one client, account or user for one quota."""

    quota: Quota
    key: str


class Quotas:
    """Counts attempts against their quotas, in Redis."""

    def __init__(self, redis: Redis, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._script = load_script(__name__, "quotas.lua")
        self._log = RefusalLog(now)
        failures, refusal = settings.failed_sign_ins_per_account, "Too many wrong passwords for this name"
        self._sign_ups = Quota(
            "sign-up", settings.sign_ups_per_address, HOUR, "address", "Too many sign-ups from your network"
        )
        self._by_address = Quota(
            "sign-in-address",
            settings.failed_sign_ins_per_address,
            HOUR,
            "address",
            "Too many failed sign-ins from your network",
        )
        self._by_account = Quota("sign-in-account", failures, HOUR, "account", refusal)
        self._by_known_network = Quota(
            "sign-in-known", failures, HOUR, "account and address that it is known at", refusal
        )
        self._tickets = Quota("ticket", 120, 60, "user", "Too many tickets")
        self._searches = Quota(
            "directory", 60 if settings.directory == "on" else 0, 60, "user", "Too many searches for people"
        )
        self._profiles = Quota("profiles", 120, 60, "user", "Too many lists of people")

    @property
    def all(self) -> Sequence[Quota]:
        """Every quota that has a limit."""
        of_sign_ins = (self._sign_ups, self._by_address, self._by_account, self._by_known_network)
        each = (*of_sign_ins, self._tickets, self._searches, self._profiles)
        return [quota for quota in each if quota.limit]

    @asynccontextmanager
    async def sign_up(self, address: str, name: str) -> AsyncIterator[str]:
        """Counts a sign-up, a failed one too; yields the group to queue its hash in (hashing.py).

        Raises:
            QuotaExceeded: this address has no sign-ups left.
        """
        network, account = network_of(address), _account(name)
        taken = [Bucket(self._sign_ups, keys.quota("sign-up", network))]
        await self._take("take", [bucket.key for bucket in taken], (), taken, network)
        async with self._refunded_on_failure(taken):
            yield network
        await self._redis.call(*self._remember(account, network))

    @asynccontextmanager
    async def sign_in(self, address: str, name: str) -> AsyncIterator[str]:
        """Counts a sign-in unless it succeeds; yields the group to queue its hash in (hashing.py).

        All spellings of a name share one count. Names without an account are counted as well: otherwise the quota
        would tell which names exist. An address that is over its own quota creates no keys for them, which bounds
        their number.

        Raises:
            QuotaExceeded: too many sign-ins have failed, to this account or from this address.
        """
        network, account = network_of(address), _account(name)
        digest = _network_digest(account, network)
        buckets = [
            Bucket(self._by_address, keys.quota("sign-in", network)),
            Bucket(self._by_account, keys.quota("sign-in", account)),
            Bucket(self._by_known_network, keys.quota("sign-in", f"{account}:{digest}")),
        ]
        key_names = [*(bucket.key for bucket in buckets), keys.places(account)]
        known = await self._take("sign_in", key_names, (digest, KNOWN_SECONDS), buckets, network)
        taken = buckets[2:] if known else buckets[:2]
        async with self._refunded_on_failure(taken):
            yield f"{network} {account}" if known else network
        cost = KNOWN_SIGN_IN_COST if known else 0
        await self._redis.pipeline([self._refund(taken, 1 - cost), self._remember(account, network)])

    async def ticket(self, user: UserId) -> None:
        """Counts a ticket for a stream.

        Raises:
            QuotaExceeded: this user has no tickets left.
        """
        await self._take_one(self._tickets, user)

    async def search(self, user: UserId) -> None:
        """Counts a search in the directory; raises as `ticket` does."""
        await self._take_one(self._searches, user)

    async def profiles(self, user: UserId) -> None:
        """Counts a request for the profiles of many; raises as `ticket` does."""
        await self._take_one(self._profiles, user)

    async def _take_one(self, quota: Quota, user: UserId) -> None:
        bucket = Bucket(quota, keys.quota(quota.name, user))
        await self._take("take", [bucket.key], (), [bucket], user)

    @asynccontextmanager
    async def _refunded_on_failure(self, taken: Sequence[Bucket]) -> AsyncIterator[None]:
        """Refunds the attempt if the server fails to process it: Redis is away, or the hashing queue is full."""
        try:
            yield
        except (TooMany, RedisUnavailable):
            with suppress(RedisUnavailable):
                await self._redis.call(*self._refund(taken, 1))
            raise

    async def _take(
        self, action: str, key_names: Sequence[str], options: Sequence[Argument], buckets: Sequence[Bucket], who: str
    ) -> bool:
        """Counts one attempt in the buckets that apply; returns whether the account is known on this network."""
        known, refused, wait = await self._redis.call(*self._command(action, key_names, options, buckets))
        if refused:
            quota = buckets[refused - 1].quota
            self._log.note(quota.name, f"{quota.limit} in {quota.seconds} s", who)
            self._redis.metrics.over_quota[quota.name] += 1
            counted = [buckets[refused - 1]] if known else buckets[:2]
            policies = [(quota.name, quota.limit, quota.seconds) for quota, _ in counted if quota.limit]
            raise QuotaExceeded(quota.name, policies, quota.refusal, max(1, -(-wait // 1000)))
        return bool(known)

    def _refund(self, buckets: Sequence[Bucket], share: float) -> Sequence[Argument]:
        return self._command("refund", [bucket.key for bucket in buckets], (f"{share:g}",), buckets)

    def _remember(self, account: str, network: str) -> Sequence[Argument]:
        options = (_network_digest(account, network), KNOWN_SECONDS, MAX_KNOWN_NETWORKS)
        return self._command("remember", [keys.places(account)], options, ())

    def _command(
        self, action: str, key_names: Sequence[str], options: Sequence[Argument], buckets: Sequence[Bucket]
    ) -> Sequence[Argument]:
        padded = (*options, *("",) * (3 - len(options)))
        limits = [number for quota, _ in buckets for number in (quota.limit, quota.seconds)]
        return ("EVAL", self._script, len(key_names), *key_names, action, *padded, *limits)


def network_of(address: str) -> str:
    """The network of one customer of a provider: an IPv4 address, or an IPv6 /64 (RFC 6177 §2)."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(parsed) if parsed.version == 4 else str(ipaddress.ip_network((int(parsed), 64), strict=False))


def _account(name: str) -> str:
    """A digest of a name: the same for all its spellings, and of one length."""
    spelled = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()
    return blake2b(spelled.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _network_digest(account: str, network: str) -> str:
    """A digest of a network, keyed by the account: Redis does not store where users were for a month."""
    return blake2b(network.encode(), key=account.encode(), digest_size=12).hexdigest()
