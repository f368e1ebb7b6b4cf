"""An app whose tokens an issuer signs: what requests, streams and readiness say while its keys come and go."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app_client import client_of, code, ready_is
from issuers import Issuer, IssuerKey
from parts import FakeSink, Worker, settings
from redises import RedisProcess
from ssechat.errors import SettingsError, Unauthorized
from ssechat.identity import issuer as issuer_module
from ssechat.identity import key_set_requests
from ssechat.identity.auth import REMEMBERED_SECONDS
from ssechat.identity.issuer import IssuerKeys
from ssechat.identity.key_set_requests import LONGEST_REFRESH
from ssechat.identity.tokens import Identity, Tokens
from ssechat.server.worker import _check_surroundings
from ssechat.settings import Settings
from ssechat.streams.stream import Stream
from ssechat.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio

OLD, NEW = IssuerKey("old"), IssuerKey("new")


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer(OLD) as one:
        yield one


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_a_user_of_the_issuer_is_who_the_token_says_and_is_called_what_it_says(
    redis: RedisProcess, tmp_path: Path, issuer: Issuer
) -> None:
    claims: dict[str, Any] = {"preferred_username": "ann", "aud": ["chat", "account"], "iss": "https://id.example"}
    options = {
        "jwt_user_claim": "preferred_username",
        "jwt_audience": "chat",
        "jwt_issuer": "https://id.example",
    }
    async with client_of(redis.url, tmp_path, jwks_url=issuer.url, **options) as client:
        named = bearer(OLD.sign("0-1-2", name="Ann Lee", **claims))
        assert (await client.get("/v1/session", headers=named)).json() == {"user": "ann", "display_name": "Ann Lee"}
        bob = bearer(OLD.sign("0-1-3", **{**claims, "preferred_username": "bob"}))
        assert (await client.get("/v1/session", headers=bob)).json() == {"user": "bob"}
        assert (await client.get("/v1/users/ANN", headers=bob)).json() == {
            "id": "ann",
            "online": False,
            "display_name": "Ann Lee",
        }
        assert (await client.get("/v1/users/carol", headers=bob)).json() == {"id": "carol", "online": False}
        for wrong in ({"aud": "account"}, {"aud": None}, {"iss": "https://evil.example"}, {"preferred_username": None}):
            answer = await client.get("/v1/session", headers=bearer(OLD.sign("0-1-4", **{**claims, **wrong})))
            assert code(answer) == (401, "invalid_token")
        about = (await client.get("/v1/server")).json()
        assert (about["sign_up"], about["sign_in"]) == (False, False)


async def test_without_the_issuer_the_app_starts_answers_503_and_is_not_ready_until_it_is_there(
    redis: RedisProcess, tmp_path: Path, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.http.responses.REFUSAL_DELAY", 0)
    monkeypatch.setattr(issuer_module, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(issuer_module, "TICK_SECONDS", 0.01)
    issuer.stop()
    async with client_of(redis.url, tmp_path, jwks_url=issuer.url) as client:
        token = bearer(OLD.sign())
        for answer in (
            await client.get("/v1/session", headers=token),
            await client.get("/v1/session", headers={"cookie": f"ssechat_session={OLD.sign()}"}),
            await client.post("/v1/messages", json={"to": "bob", "text": "hi"}, headers=token),
        ):
            assert code(answer) == (503, "issuer_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
        assert code(await client.get("/v1/session", headers=bearer("garbage"))) == (401, "invalid_token")
        stream = await client.get("/v1/events", headers=token)
        assert stream.status_code == 200
        assert 'data: {"reason":"unavailable"}' in stream.text
        checks = (await ready_is(client, 503))["checks"]
        assert checks == {"redis": True, "writes": True, "subscriptions": True, "keys": False}
        text = (await client.get("/metrics")).text
        assert "ssechat_key_set_missing_workers 1.0" in text
        issuer.start()
        await ready_is(client, 200)
        assert (await client.get("/v1/session", headers=token)).status_code == 200
        text = (await client.get("/metrics")).text
        assert 'ssechat_key_set_fetches_total{outcome="ok"} 1.0' in text
        assert "ssechat_key_set_missing_workers 0.0" in text


async def test_a_cookie_that_cannot_be_checked_just_now_hides_none_that_can(
    redis: RedisProcess, tmp_path: Path, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.http.responses.REFUSAL_DELAY", 0)
    async with client_of(redis.url, tmp_path, jwks_url=issuer.url) as client:
        issuer.stop()
        unknown = f"ssechat_session={NEW.sign('eve')}"
        answer = await client.get("/v1/session", headers={"cookie": f"{unknown}; ssechat_session={OLD.sign()}"})
        assert answer.json() == {"user": "ann"}
        assert code(await client.get("/v1/session", headers={"cookie": unknown})) == (503, "issuer_unavailable")


async def test_a_start_does_not_wait_for_an_issuer_that_hangs(
    redis: RedisProcess, tmp_path: Path, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_set_requests, "FETCH_SECONDS", 0.2)
    issuer.hangs = True
    async with asyncio.timeout(8), client_of(redis.url, tmp_path, jwks_url=issuer.url) as client:
        assert (await client.get("/healthz/live")).status_code == 200
        await ready_is(client, 503)


async def test_the_session_is_known_though_redis_cannot_say_what_its_user_is_called(
    redis: RedisProcess, tmp_path: Path, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client_of(redis.url, tmp_path, jwks_url=issuer.url) as client:
        token = bearer(OLD.sign(name="Ann"))
        assert (await client.get("/v1/session", headers=token)).json() == {"user": "ann", "display_name": "Ann"}
        with redis.client() as other:
            other.execute_command("CLIENT", "PAUSE", "800", "ALL")
            try:
                assert (await client.get("/v1/session", headers=token)).json() == {"user": "ann"}
            finally:
                other.execute_command("CLIENT", "UNPAUSE")


class Published:
    """A worker that verifies with the keys of an issuer, and has its clock."""

    def __init__(self, worker: Worker, issuer: Issuer) -> None:
        self.keys = IssuerKeys(issuer.url, Metrics(), worker.clock)
        self.keys.on_withdrawn = worker.auth.forget_withdrawn
        worker.auth._tokens = Tokens(self.keys)
        self._worker = worker

    async def refresh(self) -> None:
        self._worker.clock.time += LONGEST_REFRESH
        await self.keys.tick()


@pytest.fixture
async def published(worker: Worker, issuer: Issuer) -> AsyncIterator[Published]:
    one = Published(worker, issuer)
    await one.keys.tick()
    yield one
    await one.keys.close()


def opened(worker: Worker, identity: Identity) -> FakeSink:
    stream, sink = Stream(worker.hub, identity, worker.inbox.source(identity.user)), FakeSink()
    stream.opened(sink, None)
    worker.hub.attach(stream, None, worker.auth.sign_outs)
    return sink


async def test_a_withdrawn_key_leaves_nothing_in_the_cache_and_ends_its_streams_and_no_others(
    worker: Worker, issuer: Issuer, published: Published
) -> None:
    issuer.publish(OLD, NEW)
    await published.refresh()
    gone, stays = OLD.sign("gone"), NEW.sign("stays")
    worker.clock.time -= REMEMBERED_SECONDS  # so that the refresh is within the time for which tokens are cached
    sinks = [opened(worker, await worker.auth.identify(token)) for token in (gone, stays)]
    ticket, other_ticket = [await worker.auth.issue_ticket(await worker.auth.identify(each)) for each in (gone, stays)]
    issuer.publish(NEW)
    await published.keys.check()
    assert worker.auth.cached_identity(gone) is None
    assert worker.auth.cached_identity(stays) is not None
    with pytest.raises(Unauthorized):
        await worker.auth.identify(gone)
    with pytest.raises(Unauthorized) as caught:
        await worker.auth.redeem_ticket(ticket)
    assert caught.value.code == "invalid_ticket"
    assert (await worker.auth.redeem_ticket(other_ticket)).user == "stays"
    worker.clock.time += settings(None).audit_seconds
    await worker.hub.sweep()
    assert sinks[0].ended
    assert [event.get("data") for event in sinks[0].events() if event.get("event") == "bye"] == [
        '{"reason":"token_expired"}'
    ]
    assert not sinks[1].ended


async def test_an_identity_whose_key_is_withdrawn_while_it_is_looked_up_is_not_cached(
    worker: Worker, issuer: Issuer, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = worker.redis.call

    async def slow(*words: Any) -> Any:
        issuer.publish(NEW)
        await published.keys.check()
        return await call(*words)

    monkeypatch.setattr(worker.redis, "call", slow)
    token = OLD.sign()
    await worker.auth.identify(token)
    assert worker.auth.cached_identity(token) is None


async def test_a_ticket_of_a_token_of_our_own_is_stored_as_it_always_was(worker: Worker) -> None:
    identity = await worker.auth.identify(await worker.auth.sign_in((await worker.auth.identify(mint(worker))).user))
    ticket = await worker.auth.issue_ticket(identity)
    [stored] = [await worker.redis.call("GET", name) for name in await tickets(worker)]
    assert stored.count(b",") == 2
    assert await worker.auth.redeem_ticket(ticket) == identity


def mint(worker: Worker) -> str:
    return worker.auth._tokens.mint("ann", timedelta(hours=1))


async def tickets(worker: Worker) -> list[bytes]:
    return list(await worker.redis.call("KEYS", "{t:*"))


async def test_a_worker_that_replaces_another_must_have_the_keys(
    redis: RedisProcess, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings(redis.url, jwks_url=issuer.url)
    await _check_surroundings(chosen)
    issuer.status = 500
    with pytest.raises(SettingsError, match="it answers 500"):
        await _check_surroundings(chosen)


@pytest.mark.parametrize(
    "given",
    [
        {"jwt_secret": "s" * 32, "jwks_url": "https://id.example/certs"},
        {"jwt_public_key": "x", "jwks_url": "https://id.example/certs"},
        {"jwt_public_key": "x", "jwt_secret": "s" * 32},
    ],
)
async def test_two_settings_that_say_whose_tokens_count_contradict_each_other(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"give either SSECHAT_JW\w+ or SSECHAT_JW\w+"):
        Tokens.from_settings(Settings(**given))


async def test_where_an_issuer_signs_the_tokens_this_server_makes_none() -> None:
    with pytest.raises(SettingsError, match="SSECHAT_JWKS_URL"):
        Tokens.from_settings(Settings(jwks_url="https://id.example/certs")).mint("ann", timedelta(hours=1))
