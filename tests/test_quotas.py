"""Quotas, counted in a real Redis. The tests advance time by changing the stored times."""

import asyncio
import logging

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from parts import Worker, settings
from redises import RedisProcess
from ssechat.errors import Conflict, QuotaExceeded, RedisUnavailable, TooMany, Unauthorized
from ssechat.identity import quotas as quotas_module
from ssechat.identity.quotas import KNOWN_SECONDS, MAX_KNOWN_NETWORKS, Quotas, network_of
from ssechat.identity.refusal_log import LOG_SECONDS
from ssechat.ids import UserId
from ssechat.redis import keys

pytestmark = pytest.mark.anyio

HOME, OFFICE, ELSEWHERE = "192.0.2.1", "198.51.100.7", "2001:db8:1:2::3"


def make(worker: Worker, **limits: int) -> Quotas:
    return Quotas(worker.redis, settings(None, **limits), worker.clock)


@pytest.fixture
def quotas(worker: Worker) -> Quotas:
    return make(worker, failed_sign_ins_per_account=3, failed_sign_ins_per_address=8, sign_ups_per_address=4)


def later(redis: RedisProcess, seconds: float) -> None:
    """Advances time in Redis."""
    with redis.client() as client:
        now = client.time()
        for key in client.keys("{q:*"):
            at = int(client.get(key)) - int(seconds * 1e6)
            left = at / 1e6 - now[0] - now[1] / 1e6
            if left > 0:
                client.set(key, at, px=int(left * 1000) + 1)
            else:
                client.delete(key)
        for key in client.keys("{p:*"):
            for place, score in client.zrange(key, 0, -1, withscores=True):
                client.zadd(key, {place: score - seconds})


async def guess(quotas: Quotas, address: str, name: str, error: Exception | None = None) -> str:
    """Fails a sign-in (or ends it with `error`); returns `wrong`, or the name of the quota that refused it."""
    try:
        async with quotas.sign_in(address, name):
            raise error or Unauthorized("wrong_credentials", "")
    except QuotaExceeded as refused:
        return refused.quota
    except Unauthorized:
        return "wrong"


async def come_in(quotas: Quotas, address: str, name: str) -> None:
    async with quotas.sign_in(address, name):
        pass


async def test_quota_failed_sign_ins_are_limited_per_account(quotas: Quotas) -> None:
    found = [await guess(quotas, f"203.0.113.{i}", "alice") for i in range(6)]
    assert found == ["wrong"] * 3 + ["sign-in-account"] * 3
    assert await guess(quotas, "203.0.113.99", "bob") == "wrong"


async def test_quota_failed_sign_ins_are_limited_per_address(quotas: Quotas) -> None:
    found = [await guess(quotas, HOME, f"user{i}") for i in range(10)]
    assert found == ["wrong"] * 8 + ["sign-in-address"] * 2
    assert await guess(quotas, OFFICE, "user9") == "wrong"


async def test_quota_a_known_network_is_not_locked_out_by_others_guesses(quotas: Quotas) -> None:
    await come_in(quotas, HOME, "alice")
    for i in range(5):
        await guess(quotas, f"203.0.113.{i}", "alice")
    for i in range(10):
        await guess(quotas, HOME, f"user{i}")  # another user behind the same address
    assert await guess(quotas, OFFICE, "alice") == "sign-in-account"
    assert await guess(quotas, HOME, "bob") == "sign-in-address"
    await come_in(quotas, HOME, "alice")
    assert [await guess(quotas, HOME, "alice") for _ in range(4)] == ["wrong"] * 2 + ["sign-in-known"] * 2


async def test_quota_a_sign_up_makes_the_network_known(quotas: Quotas) -> None:
    async with quotas.sign_up(HOME, "alice"):
        pass
    for i in range(5):
        await guess(quotas, f"203.0.113.{i}", "alice")
    await come_in(quotas, HOME, "alice")


async def test_quota_known_networks_are_forgotten_after_a_month(quotas: Quotas, redis: RedisProcess) -> None:
    await come_in(quotas, HOME, "alice")
    later(redis, KNOWN_SECONDS + 1)
    for i in range(3):
        await guess(quotas, f"203.0.113.{i}", "alice")
    assert await guess(quotas, HOME, "alice") == "sign-in-account"


async def test_quota_refills_evenly(quotas: Quotas, redis: RedisProcess) -> None:
    for _ in range(3):
        await guess(quotas, HOME, "alice")
    with pytest.raises(QuotaExceeded) as caught:
        await come_in(quotas, OFFICE, "alice")
    assert 1190 <= (caught.value.retry_after or 0) <= 1200
    assert "20 minutes" in caught.value.detail
    later(redis, 1201)
    assert [await guess(quotas, HOME, "alice") for _ in range(2)] == ["wrong", "sign-in-account"]
    later(redis, 3601)
    assert [await guess(quotas, HOME, "alice") for _ in range(4)] == ["wrong"] * 3 + ["sign-in-account"]


async def test_quota_a_successful_sign_in_is_refunded(quotas: Quotas, worker: Worker) -> None:
    for i in range(50):
        await come_in(quotas, OFFICE, f"user{i}")  # on Monday morning
    assert not await worker.redis.call("EXISTS", keys.quota("sign-in", OFFICE))
    for _ in range(21):  # twenty attempts for two failures; the last one might have been the third failure
        await come_in(quotas, OFFICE, "user1")
    with pytest.raises(QuotaExceeded):
        await come_in(quotas, OFFICE, "user1")


@pytest.mark.parametrize("spelling", ["alice", "ALICE", "Alice ", "ａlice"])
async def test_a_names_spellings_count_for_one_account(quotas: Quotas, spelling: str) -> None:
    for _ in range(3):
        await guess(quotas, HOME, "aLiCe")
    assert await guess(quotas, OFFICE, spelling) == "sign-in-account"


async def test_an_ipv6_network_of_64_bits_is_one_address(quotas: Quotas) -> None:
    for i in range(8):
        await guess(quotas, f"2001:db8:1:2:{i:x}::{i}", f"user{i}")
    assert await guess(quotas, "2001:db8:1:2:ffff::", "user") == "sign-in-address"
    assert await guess(quotas, "2001:db8:1:3::", "user") == "wrong"


def test_an_address_is_taken_for_what_one_customer_has() -> None:
    assert network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2::%eth0") == "2001:db8:1:2::/64"
    assert network_of("unknown") == "unknown"


async def test_quota_concurrent_guesses_do_not_exceed_the_limit(worker: Worker, other_worker: Worker) -> None:
    both = [make(one, failed_sign_ins_per_account=3) for one in (worker, other_worker)]
    inside = 0

    async def slow_guess(quotas: Quotas) -> None:
        nonlocal inside
        async with quotas.sign_in(HOME, "alice"):
            inside += 1
            await asyncio.sleep(0.05)
            raise Unauthorized("wrong_credentials", "")

    await asyncio.gather(*[slow_guess(both[i % 2]) for i in range(30)], return_exceptions=True)
    assert inside == 3


async def test_sign_ups_are_limited_by_address_and_a_taken_name_counts(quotas: Quotas) -> None:
    async def sign_up(address: str, name: str, error: Exception | None = None) -> None:
        async with quotas.sign_up(address, name):
            if error is not None:
                raise error

    for i in range(3):
        await sign_up(HOME, f"user{i}")
    with pytest.raises(Conflict):
        await sign_up(HOME, "user0", Conflict("name_taken", ""))
    with pytest.raises(QuotaExceeded) as caught:
        await sign_up(HOME, "user4")
    assert (caught.value.quota, caught.value.policies) == ("sign-up", [("sign-up", 4, 3600)])
    await sign_up(ELSEWHERE, "user4")


@pytest.mark.parametrize("trouble", [TooMany("busy", "", status=503), RedisUnavailable("away")])
async def test_quota_attempts_that_fail_in_the_server_are_refunded(quotas: Quotas, trouble: Exception) -> None:
    for _ in range(5):
        with pytest.raises(type(trouble)):
            await guess(quotas, HOME, "alice", trouble)
        with pytest.raises(type(trouble)):
            async with quotas.sign_up(HOME, "alice"):
                raise trouble
    assert [await guess(quotas, HOME, "alice") for _ in range(4)] == ["wrong"] * 3 + ["sign-in-account"]


async def test_quota_0_is_no_limit(worker: Worker, redis: RedisProcess) -> None:
    none = {"failed_sign_ins_per_account": 0, "failed_sign_ins_per_address": 0, "sign_ups_per_address": 0}
    quotas = make(worker, **none)
    for _ in range(300):
        assert await guess(quotas, HOME, "alice") == "wrong"
    assert [quota.name for quota in quotas.all] == ["ticket", "profiles"]
    with redis.client() as client:
        assert client.keys("*") == []


async def test_quota_keys_in_redis_are_bounded(quotas: Quotas, redis: RedisProcess) -> None:
    for i in range(100):
        await guess(quotas, HOME, f"{i} ".ljust(128, "x"))
    with redis.client() as client:
        found = client.keys("*")
        assert len(found) == 8 + 1  # a key per accepted name, and that of the address
        assert all(0 < client.ttl(key) <= 3600 for key in found)
        assert max(map(len, found)) < 60


async def test_quota_known_networks_are_bounded_in_number_and_time(quotas: Quotas, redis: RedisProcess) -> None:
    for i in range(MAX_KNOWN_NETWORKS + 5):
        await come_in(quotas, f"198.51.100.{i}", "alice")
        later(redis, 1)
    with redis.client() as client:
        [places] = client.keys("{p:*")
        assert client.zcard(places) == MAX_KNOWN_NETWORKS
        assert 0 < client.ttl(places) <= KNOWN_SECONDS
        assert b"198.51" not in b"".join(client.zrange(places, 0, -1))
    for i in range(3):
        await guess(quotas, f"203.0.113.{i}", "alice")
    assert await guess(quotas, "198.51.100.0", "alice") == "sign-in-account"
    await come_in(quotas, "198.51.100.30", "alice")


async def test_quota_a_redis_clock_set_back_makes_no_wait_longer(quotas: Quotas, redis: RedisProcess) -> None:
    for _ in range(3):
        await guess(quotas, HOME, "alice")
    later(redis, -86400)
    with pytest.raises(QuotaExceeded) as caught:
        await come_in(quotas, OFFICE, "alice")
    assert (caught.value.retry_after or 0) <= 1200


async def test_tickets_are_limited_by_user(quotas: Quotas) -> None:
    for _ in range(120):
        await quotas.ticket(UserId("alice"))
    with pytest.raises(QuotaExceeded, match="Too many tickets; try again in 1 s"):
        await quotas.ticket(UserId("alice"))
    await quotas.ticket(UserId("bob"))


async def test_quota_refusals_are_logged_once_a_minute_without_the_account(
    quotas: Quotas, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, quotas_module.__name__)
    for _ in range(50):
        await guess(quotas, HOME, "a password, in the wrong field")
    [line] = caplog.messages
    assert "sign-in-account" in line
    assert HOME in line
    assert "password, in" not in line
    worker.clock.time += LOG_SECONDS
    await guess(quotas, HOME, "alice")
    await guess(quotas, HOME, "a password, in the wrong field")
    assert caplog.messages[1].endswith("refused since the last such line: 47")


async def test_quota_with_redis_away_no_sign_in_passes_uncounted(quotas: Quotas, worker: Worker) -> None:
    await worker.redis.close()
    with pytest.raises(RedisUnavailable):
        await guess(quotas, HOME, "alice")


@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(pauses=st.lists(st.integers(0, 2500), max_size=25))
async def test_quota_never_allows_more_than_its_limit_and_its_refill(
    worker: Worker, redis: RedisProcess, pauses: list[int]
) -> None:
    quotas = make(worker, failed_sign_ins_per_account=4)
    await worker.redis.call("FLUSHALL")
    left = 4.0
    for seconds in pauses:
        later(redis, seconds)
        left = min(4.0, left + seconds / 900)
        if abs(left - round(left)) < 0.02:
            continue  # the duration of the test itself would decide
        outcome = await guess(quotas, f"203.0.113.{seconds % 256}", "alice")
        assert outcome == ("wrong" if left >= 1 else "sign-in-account")
        left -= outcome == "wrong"
