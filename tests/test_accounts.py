import asyncio
import hashlib
import time
from datetime import timedelta

import jwt
import pytest
from argon2 import PasswordHasher

from parts import FOR_EVER, SECRET, Worker
from redises import RedisProcess
from ssechat.errors import Conflict, NotFound, Unauthorized
from ssechat.identity import users as users_module
from ssechat.identity.auth import MAX_KEY_LENGTH, REMEMBERED_SECONDS, TRUSTED_SECONDS, Auth
from ssechat.identity.sessions import Sessions
from ssechat.identity.tokens import LEEWAY, Identity, Tokens
from ssechat.identity.users import Users
from ssechat.ids import UserId
from ssechat.redis import keys

pytestmark = pytest.mark.anyio

ALICE = UserId("alice")


@pytest.fixture(autouse=True)
def _only_accounts_count(worker: Worker) -> None:
    worker.users._anyone_exists = False


async def test_someone_who_signed_up_exists_and_has_that_password(worker: Worker) -> None:
    assert not await worker.users.exists(ALICE)
    await worker.users.sign_up(ALICE, "correct horse")
    assert await worker.users.exists(ALICE)
    await worker.users.check_password(ALICE, "correct horse")
    stored = await worker.redis.call("HGET", keys.user(ALICE), "password")
    assert stored.startswith(b"$argon2id$")


async def test_a_hash_costs_what_its_library_recommends(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users_module, "PasswordHasher", PasswordHasher)
    hasher = Users(
        worker.redis,
        all_users_exist=False,
        pool=worker.users._pool,
        change_profile=worker.inbox.accounts.change_profile,
    )._hasher
    assert (hasher.time_cost, hasher.memory_cost) == (3, 65536)  # RFC 9106, the second recommended option


async def test_a_wrong_password_and_an_unknown_name_give_the_same_error(worker: Worker) -> None:
    await worker.users.sign_up(ALICE, "correct horse")
    for user, password in ((ALICE, "wrong horse"), (UserId("nobody"), "correct horse")):
        with pytest.raises(Unauthorized) as caught:
            await worker.users.check_password(user, password)
        assert (caught.value.code, caught.value.detail) == (
            "wrong_credentials",
            "The name or the password is wrong.",
        )


async def test_a_name_is_taken_however_its_user_came_to_exist(worker: Worker) -> None:
    await worker.users.sign_up(ALICE, "correct horse")
    await worker.users.create_if_missing(UserId("bob"))
    for user in (ALICE, UserId("bob")):
        with pytest.raises(Conflict) as caught:
            await worker.users.sign_up(user, "another horse")
        assert caught.value.code == "name_taken"
    await worker.users.check_password(ALICE, "correct horse")
    with pytest.raises(Unauthorized):
        await worker.users.check_password(UserId("bob"), "another horse")


async def test_of_two_who_sign_up_at_once_one_gets_the_name(worker: Worker, other_worker: Worker) -> None:
    outcomes = await asyncio.gather(
        worker.users.sign_up(ALICE, "mine, mine"), other_worker.users.sign_up(ALICE, "no, mine"), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "NoneType"]


async def test_the_cache_of_users_is_bounded(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users_module, "MAX_CACHED_USERS", 3)
    for i in range(10):
        await worker.users.create_if_missing(UserId(f"u{i}"))
        assert len(worker.users._cached) <= 3
    assert await worker.users.exists(UserId("u0"))


async def test_a_broken_hash_is_no_password(worker: Worker) -> None:
    await worker.redis.call("HSET", keys.user(ALICE), "password", "broken")
    with pytest.raises(Unauthorized):
        await worker.users.check_password(ALICE, "broken")


async def test_a_session_counts_on_all_workers_until_it_is_ended_on_one(worker: Worker, other_worker: Worker) -> None:
    token = await worker.auth.sign_in(ALICE)
    identity = await other_worker.auth.identify(token)
    assert identity.user == "alice"
    await other_worker.hub.subscriptions.add(keys.CONTROL.encode())  # acknowledged
    await worker.auth.sign_out(identity)
    async with asyncio.timeout(5):
        while other_worker.auth._cache:
            await asyncio.sleep(0.01)
    for one in (worker, other_worker):
        with pytest.raises(Unauthorized) as caught:
            await one.auth.identify(token)
        assert caught.value.code == "signed_out"


async def test_a_worker_that_missed_a_sign_out_caches_the_session_for_seconds_only(worker: Worker) -> None:
    token = await worker.auth.sign_in(ALICE)
    identity = await worker.auth.identify(token)
    await worker.redis.call("HDEL", keys.sessions(ALICE), identity.session or "")
    worker.clock.time += TRUSTED_SECONDS - 0.1
    assert await worker.auth.identify(token) == identity
    worker.clock.time += 0.2
    with pytest.raises(Unauthorized):
        await worker.auth.identify(token)


async def test_a_clock_that_is_set_back_makes_no_worker_believe_longer_and_refuses_nobody(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await worker.auth.identify(await worker.auth.sign_in(ALICE))
    now = time.time()
    monkeypatch.setattr("ssechat.identity.auth.time.time", lambda: now - 3600)
    token = await worker.auth.sign_in(ALICE)
    monkeypatch.setattr("ssechat.identity.auth.time.time", lambda: now - 7200)
    identity = await worker.auth.identify(token)
    assert identity.user == before.user
    await worker.redis.call("HDEL", keys.sessions(ALICE), identity.session or "")
    worker.clock.time += TRUSTED_SECONDS + 0.1
    with pytest.raises(Unauthorized):
        await worker.auth.identify(token)


async def test_a_minted_token_makes_its_user_and_belongs_to_no_session(worker: Worker) -> None:
    token = worker.auth._tokens.mint("carol", worker.auth._sessions.lifetime)
    identity = await worker.auth.identify(token)
    assert await worker.users.exists(UserId("carol"))
    with pytest.raises(NotFound) as caught:
        await worker.auth.sign_out(identity)
    assert caught.value.code == "no_session"


async def test_a_token_is_verified_once_a_minute_until_it_expires(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = worker.auth._tokens.mint("carol", worker.auth._sessions.lifetime)
    first = await worker.auth.identify(token)
    assert await worker.auth.identify(token) is first
    worker.clock.time += REMEMBERED_SECONDS
    second = await worker.auth.identify(token)
    assert second == first
    assert second is not first  # looked up again
    expiry = first.expires_at
    monkeypatch.setattr("ssechat.identity.auth.time.time", lambda: expiry + LEEWAY + 1)
    worker.clock.time += REMEMBERED_SECONDS
    assert worker.auth.cached_identity(token) is None


async def test_a_token_is_cached_no_longer_than_it_is_valid(worker: Worker) -> None:
    token = worker.auth._tokens.mint("carol", timedelta(seconds=20))
    await worker.auth.identify(token)
    worker.clock.time += 21
    assert worker.auth.cached_identity(token) is None


async def test_the_key_under_which_a_long_token_is_remembered_is_no_token(worker: Worker) -> None:
    claims = {"sub": "carol", "exp": time.time() + 60, "filler": "x" * MAX_KEY_LENGTH}
    token = jwt.encode(claims, SECRET, "HS256")
    await worker.auth.identify(token)
    [remembered] = worker.auth._cache
    shown = remembered if isinstance(remembered, str) else remembered.hex()
    digests = [hashlib.blake2b(token.encode(), digest_size=size).hexdigest() for size in (16, 32, 64)]
    for stolen in (shown, *digests, str(remembered)):
        assert worker.auth.cached_identity(stolen) is None
        with pytest.raises(Unauthorized):
            await worker.auth.identify(stolen)


async def test_a_token_that_makes_nobody_counts_once_its_user_exists(worker: Worker) -> None:
    token = worker.auth._tokens.mint("carol", timedelta(hours=1), creates_user=False)
    for _ in "12":
        with pytest.raises(Unauthorized) as caught:
            await worker.auth.identify(token)
        assert caught.value.code == "unknown_user"
    assert not await worker.users.exists(UserId("carol"))
    await worker.users.sign_up(UserId("carol"), "correct horse")
    assert (await worker.auth.identify(token)).user == "carol"


async def test_with_another_systems_key_every_token_makes_its_user(worker: Worker) -> None:
    theirs = Tokens.with_secret(SECRET)
    auth = Auth(worker.redis, theirs, worker.users, Sessions(worker.redis, timedelta(days=1)))
    token = jwt.encode({"sub": "Auth0|5F7C", "exp": time.time() + 60, "create": False}, SECRET, "HS256")
    assert (await auth.identify(token)).user == "auth0|5f7c"
    assert await worker.users.exists(UserId("auth0|5f7c"))


async def test_the_cache_of_tokens_is_bounded(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssechat.identity.auth.MAX_CACHED_TOKENS", 3)
    for i in range(10):
        await worker.auth.identify(worker.auth._tokens.mint(f"u{i}", worker.auth._sessions.lifetime))
        assert len(worker.auth._cache) <= 3


async def test_a_ticket_is_valid_once_and_on_any_worker(worker: Worker, other_worker: Worker) -> None:
    identity = await worker.auth.identify(await worker.auth.sign_in(ALICE))
    ticket = await worker.auth.issue_ticket(identity)
    assert await other_worker.auth.redeem_ticket(ticket) == identity
    for again in (ticket, "never was", ""):
        with pytest.raises(Unauthorized) as caught:
            await worker.auth.redeem_ticket(again)
        assert caught.value.code == "invalid_ticket"


async def test_a_ticket_of_a_session_that_has_ended_counts_no_more(worker: Worker) -> None:
    identity = await worker.auth.identify(await worker.auth.sign_in(ALICE))
    ticket = await worker.auth.issue_ticket(identity)
    await worker.auth.sign_out(identity)
    with pytest.raises(Unauthorized):
        await worker.auth.redeem_ticket(ticket)


async def test_a_ticket_is_short_lived_and_stored_as_its_digest(worker: Worker, redis: RedisProcess) -> None:
    ticket = await worker.auth.issue_ticket(Identity(ALICE, FOR_EVER))
    with redis.client() as client:
        [key] = client.keys("{t:*")
        assert ticket.encode() not in key
        assert 25 < client.ttl(key) <= 30
