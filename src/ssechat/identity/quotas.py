"""How often somebody may try: sign-ups and failed sign-ins, by address and account, counted by all servers together.

An attempt is counted before its password is looked at, and given back when it turns out to be an honest one: so many
attempts at once do not get past the count. Who guesses cannot lock anybody out of a place from where they have come in
before: there, only what fails at that place counts.
"""

import ipaddress
import logging
import time
import unicodedata
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from hashlib import blake2b
from typing import NamedTuple

from ssechat.errors import QuotaExceeded, RedisUnavailable, TooMany
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.redis.batching import load_script
from ssechat.redis.link import Argument, Redis
from ssechat.settings import Settings

logger = logging.getLogger(__name__)

HOUR = 3600

MOST_PLACES = 32
REMEMBERED = 30 * 24 * HOUR
"""Places of an account, and seconds: where it came in from is forgotten for newer ones, or after that time."""

PRICE = 0.1
"""Of a sign-in where the account is known, in failures: each begins a session, which is kept for long."""

LOG_SECONDS = 60.0
"""A flood is a line a minute in the log."""


class Quota(NamedTuple):
    """So many within so many seconds; 0: as many as anybody likes."""

    name: str
    limit: int
    seconds: int
    per: str
    """By what it is counted."""
    refusal: str
    """What those are told who are over it."""


class Bucket(NamedTuple):
    """What somebody has left of a quota."""

    quota: Quota
    key: str


class Quotas:
    """What may be done how often."""

    def __init__(self, redis: Redis, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._script = load_script(__name__, "quotas.lua")
        self._now = now
        self._told_at = float("-inf")
        self._untold = 0
        failures, guessed = settings.failed_sign_ins_per_account, "Too many wrong passwords for this name"
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
        self._by_account = Quota("sign-in-account", failures, HOUR, "account", guessed)
        self._by_place = Quota("sign-in-known", failures, HOUR, "account and address that it is known at", guessed)
        self._tickets = Quota("ticket", 120, 60, "user", "Too many tickets")

    @property
    def all(self) -> Sequence[Quota]:
        """Every quota that there is."""
        each = (self._sign_ups, self._by_address, self._by_account, self._by_place, self._tickets)
        return [quota for quota in each if quota.limit]

    @asynccontextmanager
    async def sign_up(self, address: str, name: str) -> AsyncIterator[str]:
        """Around a sign-up; gives the name of the line to wait in (hashing.py). One that is refused counts, too.

        Raises:
            QuotaExceeded: there were too many from this address.
        """
        network, account = network_of(address), _account(name)
        taken = [Bucket(self._sign_ups, keys.quota("sign-up", network))]
        await self._take("take", [bucket.key for bucket in taken], (), taken, network)
        async with self._counted(taken):
            yield network
        await self._redis.call(*self._remember(account, network))

    @asynccontextmanager
    async def sign_in(self, address: str, name: str) -> AsyncIterator[str]:
        """Around a sign-in, in whatever spelling of the name; gives the name of the line to wait in (hashing.py).

        Names that nobody has count as others do, or the count would tell which those are. No key is made for them by
        an address that is over its own quota, so their number is bounded by that.

        Raises:
            QuotaExceeded: too many have failed, for this account or from this address.
        """
        network, account = network_of(address), _account(name)
        place = _place(account, network)
        buckets = [
            Bucket(self._by_address, keys.quota("sign-in", network)),
            Bucket(self._by_account, keys.quota("sign-in", account)),
            Bucket(self._by_place, keys.quota("sign-in", f"{account}:{place}")),
        ]
        names = [*(bucket.key for bucket in buckets), keys.places(account)]
        known = await self._take("enter", names, (place, REMEMBERED), buckets, network)
        taken = buckets[2:] if known else buckets[:2]
        async with self._counted(taken):
            yield f"{network} {account}" if known else network
        price = PRICE if known else 0
        await self._redis.pipeline([self._give(taken, 1 - price), self._remember(account, network)])

    async def ticket(self, user: UserId) -> None:
        """Counts a ticket for a stream.

        Raises:
            QuotaExceeded: this user takes too many.
        """
        bucket = Bucket(self._tickets, keys.quota("ticket", user))
        await self._take("take", [bucket.key], (), [bucket], user)

    @asynccontextmanager
    async def _counted(self, taken: Sequence[Bucket]) -> AsyncIterator[None]:
        """Gives back what was taken when it is the server that cannot go on."""
        try:
            yield
        except (TooMany, RedisUnavailable):
            with suppress(RedisUnavailable):
                await self._redis.call(*self._give(taken, 1))
            raise

    async def _take(
        self, what: str, names: Sequence[str], own: Sequence[Argument], buckets: Sequence[Bucket], whose: str
    ) -> bool:
        """Takes one from the buckets that count; whether the account is known at this place."""
        known, refused, wait = await self._redis.call(*self._command(what, names, own, buckets))
        if refused:
            self._tell(buckets[refused - 1].quota, whose)
            counted = [buckets[refused - 1]] if known else buckets[:2]
            policies = [(quota.name, quota.limit, quota.seconds) for quota, _ in counted if quota.limit]
            quota = buckets[refused - 1].quota
            raise QuotaExceeded(quota.name, policies, quota.refusal, max(1, -(-wait // 1000)))
        return bool(known)

    def _give(self, buckets: Sequence[Bucket], share: float) -> Sequence[Argument]:
        return self._command("give", [bucket.key for bucket in buckets], (f"{share:g}",), buckets)

    def _remember(self, account: str, network: str) -> Sequence[Argument]:
        own = (_place(account, network), REMEMBERED, MOST_PLACES)
        return self._command("remember", [keys.places(account)], own, ())

    def _command(
        self, what: str, names: Sequence[str], own: Sequence[Argument], buckets: Sequence[Bucket]
    ) -> Sequence[Argument]:
        padded = (*own, *("",) * (3 - len(own)))
        limits = [number for quota, _ in buckets for number in (quota.limit, quota.seconds)]
        return ("EVAL", self._script, len(names), *names, what, *padded, *limits)

    def _tell(self, quota: Quota, whose: str) -> None:
        """Says in the log that somebody is refused. Never the name: it may be a password in the wrong field."""
        self._untold += 1
        if self._now() - self._told_at >= LOG_SECONDS:
            logger.warning(
                "over a quota (%s, %d in %d s): %s; refused since this was last said: %d",
                quota.name, quota.limit, quota.seconds, whose, self._untold,
            )  # fmt: skip
            self._told_at, self._untold = self._now(), 0


def network_of(address: str) -> str:
    """What one customer of a provider has: an IPv4 address, or an IPv6 network of 64 bits (RFC 6177 §2)."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(parsed) if parsed.version == 4 else str(ipaddress.ip_network((int(parsed), 64), strict=False))


def _account(name: str) -> str:
    """The same for every spelling that could be anybody's name, and as long for a long one as for a short one."""
    spelled = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()
    return blake2b(spelled.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _place(account: str, network: str) -> str:
    """A digest, for Redis need not know for a month where people were."""
    return blake2b(network.encode(), key=account.encode(), digest_size=12).hexdigest()
