"""Sessions and passwords: where one is signed in, and how that ends, on all workers."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app_client import client_of, code, sign_up
from parts import ALICE, SECRET, FakeSink, Worker
from people import people
from polling import until
from redises import RedisProcess
from ssechat.errors import Conflict, Forbidden, NotFound, RedisUnavailable, Unauthorized
from ssechat.identity.key_file import SigningKey, SigningKeys
from ssechat.identity.sessions import MAX_AGENT, SEEN_SECONDS, Session
from ssechat.identity.tokens import Identity, Tokens
from ssechat.identity.users import Users
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.streams.stream import Stream

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]

OLD, NEW = "correct horse", "battery staple"


@pytest.fixture
async def client(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(redis.url, tmp_path) as client:
        yield client


async def sign_in(client: httpx.AsyncClient, name: str, password: str = OLD, agent: str = "") -> dict[str, str]:
    body = {"name": name, "password": password}
    answer = await client.post("/v1/session", json=body, headers={"user-agent": agent})
    assert answer.status_code == 200, answer.text
    client.cookies.clear()
    return {"authorization": f"Bearer {answer.json()['token']}"}


async def sessions(client: httpx.AsyncClient, headers: dict[str, str]) -> list[dict[str, Any]]:
    answer = await client.get("/v1/me/sessions", headers=headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["sessions"]
    return found


async def status(client: httpx.AsyncClient, headers: dict[str, str]) -> int:
    return (await client.get("/v1/session", headers=headers)).status_code


async def test_ones_sessions_are_listed_and_one_of_them_can_be_ended(client: httpx.AsyncClient) -> None:
    desk = await sign_up(client, "alice")
    phone = await sign_in(client, "Alice", agent="Phone/1.0 \x1b[31m" + "x" * 500)
    [bob] = await people(client, "bob")
    first, second = await sessions(client, desk)
    assert first["user_agent"].startswith("Phone/1.0 [31mxxx")
    assert len(first["user_agent"]) == MAX_AGENT
    assert [each.get("current") for each in (first, second)] == [None, True]
    assert {*first} == {"id", "created_at", "last_seen_at", "expires_at", "user_agent"}
    assert code(await bob.ask("DELETE", f"/me/sessions/{first['id']}")) == (404, "unknown_session")
    assert await status(client, phone) == 200
    ended = await client.delete(f"/v1/me/sessions/{first['id']}", headers=desk)
    assert (ended.status_code, ended.content) == (204, b"")
    assert (await status(client, desk), await status(client, phone)) == (200, 401)
    assert code(await client.delete(f"/v1/me/sessions/{first['id']}", headers=desk)) == (404, "unknown_session")
    assert [each["id"] for each in await sessions(client, desk)] == [second["id"]]
    assert (await client.delete(f"/v1/me/sessions/{second['id']}", headers=desk)).status_code == 204
    assert await status(client, desk) == 401, "one's own is as good as any"


async def test_another_password_ends_the_other_sessions_and_is_the_one_that_counts(client: httpx.AsyncClient) -> None:
    desk = await sign_up(client, "alice")
    phone = await sign_in(client, "alice")
    ticket = (await client.post("/v1/tickets", json={}, headers=phone)).json()["ticket"]
    body = {"old": OLD, "new": NEW}
    wrong = await client.put("/v1/me/password", json={"old": "wrong horse", "new": NEW}, headers=desk)
    assert code(wrong) == (403, "wrong_password")
    assert await status(client, phone) == 200
    changed = await client.put("/v1/me/password", json=body, headers=desk)
    assert (changed.status_code, changed.content) == (204, b"")
    assert (await status(client, desk), await status(client, phone)) == (200, 401)
    stream = await client.get(f"/v1/events?ticket={ticket}")
    assert '"signed_out"' in stream.text, "a ticket is of its session"
    assert len(await sessions(client, desk)) == 1
    assert code(await client.post("/v1/session", json={"name": "alice", "password": OLD})) == (401, "wrong_credentials")
    await sign_in(client, "alice", NEW)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"old": OLD}, "new"),
        ({"new": NEW}, "old"),
        ({"old": OLD, "new": "short"}, "new"),
        ({"old": "", "new": NEW}, "old"),
        ({"old": OLD, "new": "x" * 1025}, "new"),
        ({"old": OLD, "new": NEW, "user": "bob"}, "user"),
    ],
    ids=str,
)
async def test_a_change_that_is_not_one_is_refused_by_its_field(
    client: httpx.AsyncClient, body: dict[str, str], field: str
) -> None:
    [alice] = await people(client, "alice")
    refused = await alice.ask("PUT", "/me/password", body)
    assert code(refused) == (422, "invalid_request")
    assert [each["field"] for each in refused.json()["fields"]] == [field]


async def test_a_password_cannot_be_guessed_with_a_session_that_was_left_open(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ssechat.http.responses.REFUSAL_DELAY", 0)
    async with client_of(redis.url, tmp_path, failed_sign_ins_per_account=2) as client:
        [alice] = await people(client, "alice")
        for guess in ("wrong horse 1", "wrong horse 2"):
            refused = await alice.ask("PUT", "/me/password", {"old": guess, "new": NEW})
            assert code(refused) == (403, "wrong_password")
        assert code(await alice.ask("PUT", "/me/password", {"old": OLD, "new": NEW})) == (429, "quota_exceeded")
        assert code(await client.post("/v1/session", json={"name": "alice", "password": OLD})) == (
            *(429, "quota_exceeded"),
        )
    assert "wrong password from" in caplog.text
    assert "horse" not in caplog.text


async def test_there_is_no_password_to_change_where_another_system_signs_in(
    redis: RedisProcess, tmp_path: Path
) -> None:
    import jwt

    token = jwt.encode({"sub": "alice", "exp": time.time() + 60}, SECRET, "HS256")
    headers = {"authorization": f"Bearer {token}"}
    async with client_of(redis.url, tmp_path, jwt_secret=SECRET) as client:
        refused = await client.put("/v1/me/password", json={"old": OLD, "new": NEW}, headers=headers)
        assert code(refused) == (403, "sign_in_closed")
        assert await sessions(client, headers) == []


async def test_a_minted_token_is_no_session_and_its_user_may_have_no_password(client: httpx.AsyncClient) -> None:
    token = Tokens.of_our_own(SigningKeys(SigningKey(SECRET))).mint("carol", timedelta(hours=1))
    headers = {"authorization": f"Bearer {token}"}
    refused = await client.put("/v1/me/password", json={"old": OLD, "new": NEW}, headers=headers)
    assert code(refused) == (403, "no_password")
    assert await sessions(client, headers) == []


async def test_a_minted_token_goes_on_when_the_password_is_changed(client: httpx.AsyncClient) -> None:
    desk = await sign_up(client, "alice")
    token = Tokens.of_our_own(SigningKeys(SigningKey(SECRET))).mint("alice", timedelta(hours=1))
    headers = {"authorization": f"Bearer {token}"}
    assert [each.get("current") for each in await sessions(client, headers)] == [None]
    changed = await client.put("/v1/me/password", json={"old": OLD, "new": NEW}, headers=headers)
    assert changed.status_code == 204
    assert (await status(client, desk), await status(client, headers)) == (401, 200)


async def test_who_changes_a_password_in_the_same_moment_is_told_that_another_change_counts(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    [alice] = await people(client, "alice")
    hash_of, turns = Users._hash, iter("12")

    async def overtaken(self: Users, password: str, group: str) -> str:
        if next(turns, "") == "1":
            await alice.done("PUT", "/me/password", {"old": OLD, "new": NEW})
        return await hash_of(self, password, group)

    monkeypatch.setattr(Users, "_hash", overtaken)
    refused = await alice.ask("PUT", "/me/password", {"old": OLD, "new": "a third one"})
    assert code(refused) == (409, "password_changed")
    await sign_in(client, "alice", NEW)


async def test_a_change_waits_for_the_hashes_of_others_and_not_for_ever(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.http.responses.REFUSAL_DELAY", 0)
    monkeypatch.setattr("ssechat.identity.hashing.MAX_WAITING_PER_GROUP", 0)
    [alice] = await people(client, "alice")
    change = [alice.ask("PUT", "/me/password", {"old": OLD, "new": NEW}) for _ in range(4)]
    answers = await asyncio.gather(*change)
    assert (503, "busy") in [code(answer) for answer in answers if answer.status_code >= 400]


async def test_of_two_changes_at_once_one_counts_and_the_other_is_told(worker: Worker, other_worker: Worker) -> None:
    await worker.users.sign_up(ALICE, OLD)
    outcomes = await asyncio.gather(
        worker.users.change_password(ALICE, OLD, "the first one"),
        other_worker.users.change_password(ALICE, OLD, "the second one"),
        return_exceptions=True,
    )
    [lost] = [each for each in outcomes if isinstance(each, Exception)]
    assert isinstance(lost, Conflict | Forbidden)
    counted = "the second one" if isinstance(outcomes[0], Exception) else "the first one"
    await worker.users.check_password(ALICE, counted)


async def test_a_change_that_another_one_overtook_is_not_made(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    await worker.users.sign_up(ALICE, OLD)
    hash_of = worker.users._hash

    async def overtaken(password: str, group: str) -> str:
        monkeypatch.undo()
        await worker.users.change_password(ALICE, OLD, NEW)
        return await hash_of(password, group)

    monkeypatch.setattr(worker.users, "_hash", overtaken)
    with pytest.raises(Conflict) as caught:
        await worker.users.change_password(ALICE, OLD, "a third one")
    assert caught.value.code == "password_changed"
    await worker.users.check_password(ALICE, NEW)


async def test_the_old_password_begins_no_session_once_it_was_changed(worker: Worker) -> None:
    await worker.users.sign_up(ALICE, OLD)
    checked = await worker.users.check_password(ALICE, OLD)
    await worker.users.change_password(ALICE, OLD, NEW)
    with pytest.raises(Unauthorized) as caught:
        await worker.auth.sign_in(ALICE, checked=checked)
    assert caught.value.code == "wrong_credentials"
    assert await worker.auth._sessions.of(ALICE) == []
    await worker.auth.sign_in(ALICE, checked=await worker.users.check_password(ALICE, NEW))


async def test_a_sign_in_that_a_change_overtakes_begins_no_session(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    [alice] = await people(client, "alice")
    check = Users.check_password

    async def overtaken(self: Users, user: UserId, password: str, group: str = "") -> str:
        checked = await check(self, user, password, group)
        await alice.done("PUT", "/me/password", {"old": OLD, "new": NEW})
        return checked

    monkeypatch.setattr(Users, "check_password", overtaken)
    refused = await client.post("/v1/session", json={"name": "alice", "password": OLD})
    assert code(refused) == (401, "wrong_credentials")
    assert len(await sessions(client, alice.headers)) == 1


def byes(sink: FakeSink) -> list[str]:
    return [event["data"] for event in sink.events() if event.get("event") == "bye"]


async def test_the_streams_of_ended_sessions_end_on_all_workers_and_the_one_that_asked_goes_on(
    worker: Worker, other_worker: Worker
) -> None:
    await worker.users.sign_up(ALICE, OLD)
    identities = [await worker.auth.identify(await worker.auth.sign_in(ALICE)) for _ in range(3)]
    await other_worker.hub.subscriptions.add(keys.CONTROL.encode())
    opened = [other_worker.open_stream(ALICE, session=each.session) for each in identities]
    minted, unasked = other_worker.open_stream(ALICE)
    await until(lambda: all(stream.live for stream, _ in [*opened, (minted, unasked)]))
    ended = await worker.users.change_password(ALICE, OLD, NEW, keep=identities[1].session)
    assert {*ended} == {identities[0].session, identities[2].session}
    await worker.auth.announce_ended(ended)
    await until(lambda: opened[0][1].ended and opened[2][1].ended)
    assert byes(opened[0][1]) == byes(opened[2][1]) == ['{"reason":"signed_out"}']
    assert not opened[1][1].ended
    assert not unasked.ended


async def test_an_audit_ends_the_streams_whose_sessions_ended_in_silence(worker: Worker) -> None:
    identity = await worker.auth.identify(await worker.auth.sign_in(ALICE))
    other = await worker.auth.identify(await worker.auth.sign_in(ALICE))
    _, sink = worker.open_stream(ALICE, session=identity.session)
    _, kept = worker.open_stream(ALICE, session=other.session)
    await until(lambda: len(worker.hub) == 2)
    await worker.redis.call("HDEL", keys.sessions(ALICE), identity.session or "")
    await worker.hub._audit_sessions()
    assert byes(sink) == ['{"reason":"signed_out"}']
    assert not kept.ended


async def test_an_audit_that_finds_nothing_costs_what_its_streams_do_and_not_their_square(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.streams.hub.AT_ONCE", 1)
    for _ in range(10):
        identity = await worker.auth.identify(await worker.auth.sign_in(ALICE))
        worker.open_stream(ALICE, session=identity.session)
    walked, walk = 0, worker.hub._all

    def counted() -> Iterator[Stream]:
        nonlocal walked
        walked += 1
        return walk()

    monkeypatch.setattr(worker.hub, "_all", counted)
    await worker.hub._audit_sessions()
    assert walked == 1


async def test_sessions_have_ended_though_redis_can_tell_nobody(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await worker.auth.identify(await worker.auth.sign_in(ALICE))
    assert first.session is not None
    call = worker.redis.call

    async def deaf(command: str, *arguments: Any) -> Any:
        if command == "PUBLISH":
            raise RedisUnavailable("away")
        return await call(command, *arguments)

    monkeypatch.setattr(worker.redis, "call", deaf)
    await worker.auth.end_session(ALICE, first.session)
    assert await worker.auth.ended_sessions([first]) == {first.session}


async def test_a_session_is_seen_when_it_is_used_or_has_a_stream_and_noted_once_an_hour(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await worker.auth.sign_in(ALICE)
    [begun] = await worker.auth._sessions.of(ALICE)
    now = time.time()
    later = {"by": 0.0}
    monkeypatch.setattr("ssechat.identity.sessions.time.time", lambda: now + later["by"])

    async def seen() -> int:
        [found] = await worker.auth._sessions.of(ALICE)
        assert found == begun._replace(seen=found.seen)
        return found.seen

    later["by"] = SEEN_SECONDS - 60
    identity = await worker.auth.identify(token, remember=False)
    assert await seen() == begun.seen
    later["by"] = SEEN_SECONDS + 60
    await worker.auth.identify(token, remember=False)
    assert await seen() == int((now + later["by"]) * 1000)
    later["by"] = 3 * SEEN_SECONDS
    assert await worker.auth.ended_sessions([identity, Identity(UserId("bob"), 0)]) == set()
    assert await seen() == int((now + later["by"]) * 1000)
    await worker.auth.sign_out(identity)
    assert await worker.auth._sessions.of(ALICE) == []


async def test_a_session_that_ends_while_it_is_noted_stays_ended(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await worker.auth.sign_in(ALICE)
    identity = await worker.auth.identify(token, remember=False)
    now, call = time.time(), worker.redis.call
    monkeypatch.setattr("ssechat.identity.sessions.time.time", lambda: now + 2 * SEEN_SECONDS)

    async def ended_after(*words: Any) -> Any:
        answer = await call(*words)
        if words[0] == "HGET":
            await call("HDEL", keys.sessions(ALICE), identity.session or "")
        return answer

    monkeypatch.setattr(worker.redis, "call", ended_after)
    await worker.auth.check_session(identity)
    monkeypatch.undo()
    with pytest.raises(Unauthorized):
        await worker.auth.check_session(identity)


async def test_a_user_has_a_bounded_number_of_sessions_and_the_ones_unseen_for_longest_end(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.identity.sessions.MAX_SESSIONS", 3)
    now, turn = time.time(), {"n": 0}
    monkeypatch.setattr("ssechat.identity.sessions.time.time", lambda: now + turn["n"])
    tokens = []
    for number in range(3):
        turn["n"] = number
        tokens.append(await worker.auth.sign_in(ALICE, f"agent {number}"))
    turn["n"] = 2 * SEEN_SECONDS
    await worker.auth.identify(tokens[0])
    tokens.append(await worker.auth.sign_in(ALICE, "agent 3"))
    assert {each.agent for each in await worker.auth._sessions.of(ALICE)} == {"agent 0", "agent 2", "agent 3"}
    with pytest.raises(Unauthorized):
        await worker.auth.identify(tokens[1])


async def test_sessions_that_have_expired_are_not_listed_and_not_kept(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await worker.auth.sign_in(ALICE)
    key, lifetime = keys.sessions(ALICE), int(worker.auth._sessions.lifetime.total_seconds())
    assert lifetime - 5 <= await worker.redis.call("EVAL", "return redis.call('TTL', KEYS[1])", 1, key) <= lifetime
    now = time.time()
    monkeypatch.setattr("ssechat.identity.sessions.time.time", lambda: now + lifetime + 1)
    assert await worker.auth._sessions.of(ALICE) == []
    await worker.auth.sign_in(ALICE, "later")
    assert await worker.redis.call("HLEN", key) == 1
    assert [each.agent for each in await worker.auth._sessions.of(ALICE)] == ["later"]


async def test_nobody_ends_what_is_not_there(worker: Worker) -> None:
    for session in ("", "x" * 3000, "\ud800"):
        with pytest.raises(NotFound):
            await worker.auth.end_session(ALICE, session)


def test_a_session_is_read_as_it_is_written() -> None:
    for agent in ("", "a b  c", "ä"):
        session = Session("s", 1, 2, 3, agent)
        assert Session.parse("s", session.value.encode()) == session
