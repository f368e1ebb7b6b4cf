import asyncio
import time

import pytest

from parts import FOR_EVER, Worker
from redises import RedisProcess
from ssechat import users as users_module
from ssechat.errors import Conflict, NotFound, Unauthorized
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.tokens import Identity

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


async def test_a_wrong_password_and_an_unknown_name_are_told_apart_by_nobody(worker: Worker) -> None:
    await worker.users.sign_up(ALICE, "correct horse")
    for user, password in ((ALICE, "wrong horse"), (UserId("nobody"), "correct horse")):
        with pytest.raises(Unauthorized) as caught:
            await worker.users.check_password(user, password)
        assert (caught.value.code, caught.value.detail) == (
            "wrong_credentials",
            "There is no such name with this password.",
        )


@pytest.mark.parametrize("taken", ["alice", "Alice", "ALICE"])
async def test_a_name_is_taken_in_every_spelling_of_its_letters_case(worker: Worker, taken: str) -> None:
    await worker.users.sign_up(UserId(taken), "correct horse")
    with pytest.raises(Conflict) as caught:
        await worker.users.sign_up(ALICE, "another horse")
    assert caught.value.code == "name_taken"
    assert await worker.users.owner_of_name("aLiCe") == taken
    await worker.users.check_password(UserId(taken), "correct horse")


async def test_a_name_that_came_with_a_token_is_taken_too(worker: Worker) -> None:
    await worker.users.ensure(UserId("Alice"))
    for name in ("Alice", "alice"):
        with pytest.raises(Conflict):
            await worker.users.sign_up(UserId(name), "correct horse")
    with pytest.raises(Unauthorized):
        await worker.users.check_password(UserId("Alice"), "correct horse")


async def test_of_two_who_sign_up_at_once_one_gets_the_name(worker: Worker, other_worker: Worker) -> None:
    outcomes = await asyncio.gather(
        worker.users.sign_up(ALICE, "mine, mine"), other_worker.users.sign_up(ALICE, "no, mine"), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "NoneType"]


async def test_a_sign_up_that_died_half_way_leaves_the_name_to_be_taken(worker: Worker) -> None:
    await worker.redis.call("SET", keys.name("alice"), "alice")
    await worker.users.sign_up(ALICE, "correct horse")
    await worker.users.check_password(ALICE, "correct horse")


async def test_a_name_that_nobody_has_is_itself(worker: Worker) -> None:
    assert await worker.users.owner_of_name("Nobody") == "Nobody"


async def test_what_a_worker_remembers_of_users_has_an_end(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users_module, "KNOWN_USERS", 3)
    for i in range(10):
        await worker.users.ensure(UserId(f"u{i}"))
        assert len(worker.users._known) <= 3
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


async def test_a_worker_that_missed_a_sign_out_believes_for_some_seconds_only(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await worker.auth.sign_in(ALICE)
    identity = await worker.auth.identify(token)
    await worker.redis.call("DEL", keys.session(identity.session or ""))
    assert await worker.auth.identify(token) == identity
    now = time.time()
    monkeypatch.setattr("ssechat.auth.time.time", lambda: now + 11)
    with pytest.raises(Unauthorized):
        await worker.auth.identify(token)


async def test_a_minted_token_makes_its_user_and_belongs_to_no_session(worker: Worker) -> None:
    token = worker.auth._tokens.mint("carol", worker.auth._session_lifetime)
    identity = await worker.auth.identify(token)
    assert await worker.users.exists(UserId("carol"))
    with pytest.raises(NotFound) as caught:
        await worker.auth.sign_out(identity)
    assert caught.value.code == "no_session"


async def test_a_token_is_verified_once_until_it_expires(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    token = worker.auth._tokens.mint("carol", worker.auth._session_lifetime)
    first = await worker.auth.identify(token)
    assert await worker.auth.identify(token) is first
    now = time.time()
    monkeypatch.setattr("ssechat.auth.time.time", lambda: now + 2 * 24 * 3600)
    assert await worker.auth.identify(token) is not first  # looked at again, by a clock that was not moved


async def test_what_a_worker_remembers_of_tokens_has_an_end(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssechat.auth.CACHED_TOKENS", 3)
    for i in range(10):
        await worker.auth.identify(worker.auth._tokens.mint(f"u{i}", worker.auth._session_lifetime))
        assert len(worker.auth._cache) <= 3


async def test_a_ticket_counts_once_and_on_any_worker(worker: Worker, other_worker: Worker) -> None:
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
