"""The keys of an issuer: fetched over real HTTP from one that rotates, lies, hangs, is slow, is huge, and goes away."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import jwt
import pytest

from issuers import Issuer, IssuerKey, key_set
from parts import SECRET, FakeClock
from ssechat.errors import IssuerUnavailable, SettingsError, Unauthorized
from ssechat.identity import issuer as issuer_module
from ssechat.identity import key_set_requests
from ssechat.identity.issuer import (
    JITTER,
    LONGEST_PAUSE,
    STALE_SECONDS,
    UNKNOWN_PAUSE,
    IssuerKeys,
)
from ssechat.identity.key_set_requests import LONGEST_REFRESH, REFRESH_SECONDS, SHORTEST_REFRESH
from ssechat.identity.tokens import Tokens
from ssechat.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio

OLD, NEW = IssuerKey("old"), IssuerKey("new", "EdDSA")


class Known:
    """The keys of an issuer as a worker has them, with a clock that the test moves."""

    def __init__(self, issuer: Issuer) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.keys = IssuerKeys(issuer.url, self.metrics, self.clock)
        self.tokens = Tokens(self.keys)
        self.withdrawals = 0
        self.keys.on_withdrawn = self._note

    def _note(self) -> None:
        self.withdrawals += 1

    async def after(self, seconds: float) -> None:
        """Moves the clock, and does what is then due."""
        self.clock.time += seconds
        await self.keys.tick()

    async def user(self, token: str) -> str:
        """Whom a token stands for."""
        return (await self.tokens.check(token)).identity.user


@asynccontextmanager
async def known_from(issuer: Issuer) -> AsyncIterator[Known]:
    known = Known(issuer)
    try:
        yield known
    finally:
        await known.keys.close()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer(OLD) as one:
        yield one


@pytest.fixture
async def known(issuer: Issuer) -> AsyncIterator[Known]:
    async with known_from(issuer) as one:
        await one.keys.tick()
        yield one


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests give up soon."""
    monkeypatch.setattr(key_set_requests, "FETCH_SECONDS", 0.3)


async def refused(known: Known, token: str) -> str:
    with pytest.raises(Unauthorized) as caught:
        await known.tokens.check(token)
    assert caught.value.code == "invalid_token"
    return caught.value.detail


async def unavailable(known: Known, token: str) -> IssuerUnavailable:
    with pytest.raises(IssuerUnavailable) as caught:
        await known.tokens.check(token)
    assert (caught.value.status, caught.value.code) == (503, "issuer_unavailable")
    assert caught.value.retry_after is not None
    assert 1 <= caught.value.retry_after <= LONGEST_PAUSE + 1
    return caught.value


async def test_a_token_counts_that_a_published_key_has_signed(issuer: Issuer, known: Known) -> None:
    for name in ("ann", "bob"):
        assert await known.user(OLD.sign(name)) == name
    assert issuer.requests == 1
    assert "accept-encoding" in issuer.heads[0]
    assert issuer.heads[0]["user-agent"].startswith("ssechat/")


@pytest.mark.parametrize(
    "token",
    [
        IssuerKey("old").sign(),  # another key under the same id
        IssuerKey("old", "ES384").sign(),
        jwt.encode({"sub": "ann", "exp": 4e9}, SECRET, "HS256", headers={"kid": "old"}),
        jwt.encode({"sub": "ann", "exp": 4e9}, "", "none", headers={"kid": "old"}),
        jwt.encode({"sub": "ann", "exp": 4e9}, SECRET, "HS256", headers={"kid": "unknown"}),
        "garbage",
        "",
        "e30.e30.AA",
    ],
)
async def test_no_request_is_made_for_what_no_key_of_an_issuer_can_have_signed(
    issuer: Issuer, known: Known, token: str
) -> None:
    known.clock.time += UNKNOWN_PAUSE
    await refused(known, token)
    assert issuer.requests == 1


async def test_a_symmetric_key_in_a_set_verifies_nothing(issuer: Issuer) -> None:
    secret = {"kty": "oct", "kid": "s", "k": jwt.utils.base64url_encode(SECRET.encode()).decode()}
    issuer.publish(OLD, secret)
    async with known_from(issuer) as known:
        await known.keys.tick()
        forged = jwt.encode({"sub": "ann", "exp": 4e9}, SECRET, "HS256", headers={"kid": "s"})
        assert "InvalidAlgorithm" in await refused(known, forged)


async def test_a_key_that_the_issuer_has_just_begun_to_use_counts_at_its_first_token(
    issuer: Issuer, known: Known
) -> None:
    issuer.publish(OLD, NEW)
    assert await known.user(NEW.sign()) == "ann"
    assert await known.user(OLD.sign()) == "ann"
    assert issuer.requests == 2


async def test_a_flood_of_made_up_ids_makes_one_request_a_minute(issuer: Issuer, known: Known) -> None:
    strangers = [NEW.sign(head={"kid": f"made up {number}"}) for number in range(50)]
    outcomes = await asyncio.gather(*map(known.tokens.check, strangers), return_exceptions=True)
    assert {type(outcome).__mro__[1] for outcome in outcomes} == {Unauthorized}
    assert issuer.requests == 2
    known.clock.time += UNKNOWN_PAUSE - 1
    for token in strangers:
        await refused(known, token)
    assert issuer.requests == 2
    known.clock.time += 1
    await refused(known, strangers[0])
    assert issuer.requests == 3


async def test_known_keys_go_on_counting_at_once_while_a_request_for_a_strangers_id_hangs(
    issuer: Issuer, known: Known
) -> None:
    issuer.hangs = True
    stranger = asyncio.create_task(known.tokens.check(NEW.sign()))
    while issuer.requests < 2:
        await asyncio.sleep(0.01)
    assert await known.user(OLD.sign()) == "ann"
    assert not stranger.done()
    stranger.cancel()
    await asyncio.wait([stranger])


async def test_who_waits_and_leaves_takes_the_request_away_from_nobody(issuer: Issuer) -> None:
    async with known_from(issuer) as known:
        waiting = [asyncio.create_task(known.user(OLD.sign(name))) for name in ("ann", "bob")]
        await asyncio.sleep(0)
        waiting[0].cancel()
        assert await waiting[1] == "bob"
        assert issuer.requests == 1


async def test_a_token_that_names_no_key_is_tried_with_those_there_are_and_asked_for_once_a_minute(
    issuer: Issuer, known: Known
) -> None:
    nameless = IssuerKey(None)
    assert await known.user(OLD.renamed(None).sign()) == "ann"
    assert issuer.requests == 1
    assert "another key" in await refused(known, nameless.sign())
    assert "another key" in await refused(known, nameless.sign())
    assert issuer.requests == 2
    issuer.publish(nameless)
    known.clock.time += UNKNOWN_PAUSE
    assert await known.user(nameless.sign()) == "ann"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, REFRESH_SECONDS),
        ("no-cache", REFRESH_SECONDS),
        ("public, max-age=400, must-revalidate", 400),
        ("max-age=1", SHORTEST_REFRESH),
        ("max-age=0", SHORTEST_REFRESH),
        ('private,MAX-AGE="90000"', LONGEST_REFRESH),
        ("s-maxage=90000", REFRESH_SECONDS),
        ("max-age=soon", REFRESH_SECONDS),
    ],
)
async def test_keys_are_fetched_again_as_often_as_the_issuer_says_within_bounds(
    issuer: Issuer, header: str | None, seconds: float
) -> None:
    if header is not None:
        issuer.headers["Cache-Control"] = header
    async with known_from(issuer) as known:
        await known.keys.tick()
        await known.after(seconds * (1 - JITTER) - 1)
        assert issuer.requests == 1
        await known.after(seconds * JITTER + 2)
        assert issuer.requests == 2


async def test_a_key_that_is_withdrawn_counts_no_more_at_the_next_refresh(issuer: Issuer, known: Known) -> None:
    identity = (await known.tokens.check(OLD.sign())).identity
    assert identity.key is not None
    assert known.keys.counts(identity.key)
    issuer.publish(NEW)
    await known.after(LONGEST_REFRESH)
    assert not known.keys.counts(identity.key)
    assert known.withdrawals == 1
    await refused(known, OLD.sign())
    await known.after(LONGEST_REFRESH)
    assert known.withdrawals == 1


async def test_while_the_issuer_is_away_its_keys_go_on_counting_for_a_day_and_no_longer(
    issuer: Issuer, known: Known, caplog: pytest.LogCaptureFixture
) -> None:
    token = OLD.sign()
    issuer.stop()
    await known.after(STALE_SECONDS - 1)
    assert await known.user(token) == "ann"
    assert (known.metrics.issuer_away, known.metrics.without_keys) == (1, 0)
    assert known.keys.has_keys()
    await known.after(2)
    await unavailable(known, token)
    assert known.metrics.without_keys == 1
    assert not known.keys.has_keys()
    issuer.start()
    await known.after(LONGEST_PAUSE)
    assert await known.user(token) == "ann"
    assert (known.metrics.issuer_away, known.metrics.without_keys) == (0, 0)
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR", "WARNING"]
    assert "Connection refused" in caplog.text
    assert "count for 24 h" in caplog.text
    assert "can be fetched again" in caplog.text


async def test_whether_a_token_of_an_unknown_key_is_valid_is_not_known_while_the_issuer_is_away(
    issuer: Issuer, known: Known
) -> None:
    issuer.stop()
    await known.after(LONGEST_REFRESH)
    await unavailable(known, NEW.sign())
    assert "signed with another key" in await refused(known, IssuerKey("old").sign())


async def test_an_issuer_that_is_away_at_the_start_is_asked_ever_less_often_until_it_is_back(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.status = 500
    async with known_from(issuer) as known:
        await known.keys.wait_known()
        await unavailable(known, OLD.sign())
        assert issuer.requests == 1  # a request of ours is not one of theirs
        for _ in range(100):
            await known.after(1)
        assert 5 <= issuer.requests <= 12
        assert len(caplog.records) == 1
        assert "it answers 500" in caplog.text
        assert known.metrics.key_fetches["failed"] == issuer.requests
        issuer.status = 200
        await known.after(LONGEST_PAUSE)
        assert await known.user(OLD.sign()) == "ann"
        assert known.metrics.key_fetches["ok"] == 1


async def test_an_answer_is_awaited_for_so_long_and_no_longer(
    issuer: Issuer, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.hangs = True
    async with known_from(issuer) as known:
        async with asyncio.timeout(5):
            await unavailable(known, OLD.sign())
        issuer.hangs, issuer.drips = False, True
        async with asyncio.timeout(5):
            await known.after(LONGEST_PAUSE)
        assert issuer.requests == 2
    assert "did not answer within 0.3 s" in caplog.text


@pytest.mark.parametrize(
    ("body", "status", "headers", "reason"),
    [
        (b'{"keys":[' + b" " * 300_000 + b"]}", 200, {}, "larger than 256 KiB"),
        (key_set(OLD), 404, {}, "it answers 404"),
        (key_set(OLD), 206, {}, "it answers 206"),
        (b"", 204, {}, "it answers 204"),
        (key_set(OLD), 302, {"Location": "http://127.0.0.1:9/"}, "redirects are not followed"),
        (key_set(OLD), 308, {"Location": "/other"}, "redirects are not followed"),
        (b"\x1f\x8b\x08", 200, {"Content-Encoding": "gzip"}, "compressed"),
        (b"<html>", 200, {}, "not JSON"),
        (b'{"keys":[]}', 200, {}, "no key that can be used"),
        (key_set(OLD), 200, {"X": "x" * 200_000}, "broke off"),
    ],
)
async def test_an_answer_that_is_no_key_set_takes_no_key_away_and_says_what_is_wrong(
    issuer: Issuer,
    known: Known,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    status: int,
    headers: dict[str, str],
    reason: str,
) -> None:
    issuer.body, issuer.status = body, status
    issuer.headers |= headers
    await known.after(LONGEST_REFRESH)
    assert issuer.requests == 2
    assert await known.user(OLD.sign()) == "ann"
    assert reason in caplog.text
    assert known.metrics.issuer_away == 1


async def test_the_log_says_once_which_keys_count_and_which_are_not_used(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ssechat")
    issuer.publish(OLD, {"kty": "oct", "kid": "a\nb", "k": "AAAA"})
    async with known_from(issuer) as known:
        await known.keys.tick()
        await known.after(LONGEST_REFRESH)
        lines = [record.getMessage() for record in caplog.records]
        assert len(lines) == 2
        assert "1 keys" in lines[0]
        assert "'old' (ES256)" in lines[0]
        assert "symmetric" in lines[1]
        assert not any("\n" in line for line in lines)
        issuer.publish(OLD, NEW)
        await known.after(LONGEST_REFRESH)
        assert "'new' (EdDSA)" in caplog.records[-1].getMessage()


async def test_a_check_says_why_the_keys_cannot_be_fetched(issuer: Issuer) -> None:
    issuer.status = 404
    async with known_from(issuer) as known:
        with pytest.raises(SettingsError, match=r"SSECHAT_JWKS_URL.*it answers 404"):
            await known.keys.check()


async def test_the_loop_keeps_the_keys_fresh_by_itself(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuer_module, "TICK_SECONDS", 0.01)
    async with known_from(issuer) as known:
        known.keys.start()
        await known.keys.wait_known()
        issuer.publish(NEW)
        known.clock.time += LONGEST_REFRESH
        async with asyncio.timeout(5):
            while not known.withdrawals:
                await asyncio.sleep(0.01)
        assert await known.user(NEW.sign()) == "ann"
