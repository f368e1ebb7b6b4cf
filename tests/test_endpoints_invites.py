"""Invitations over HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app_client import client_of, code
from people import people
from redises import RedisProcess
from ssechat.logs.invites import MAX_INVITES

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]


@pytest.fixture
async def client(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(redis.url, tmp_path) as client:
        yield client


async def test_an_invitation_lets_people_in_until_it_is_used_up(client: httpx.AsyncClient) -> None:
    alice, bob, carol, dave = await people(client, "alice", "bob", "carol", "dave")
    where = await alice.make()
    invite = await alice.done("POST", f"{where}/invites", {"max_uses": 2})
    secret = invite.pop("secret")
    assert secret.startswith(where.removeprefix("/conversations/") + ".")
    assert invite == {"id": invite["id"], "expires_at": invite["expires_at"], "uses": 0, "by": "alice", "max_uses": 2}
    assert await alice.done("GET", f"{where}/invites") == {"invites": [invite]}
    joined = await bob.done("POST", "/invites/join", {"secret": secret})
    assert joined == await bob.done("GET", where)
    assert (joined["role"], joined["member_count"]) == ("member", 2)
    assert await bob.done("POST", "/invites/join", {"secret": secret}) == joined, "a repeat uses nothing up"
    assert (await alice.done("GET", f"{where}/invites"))["invites"][0]["uses"] == 1
    assert (await carol.ask("POST", "/invites/join", {"secret": secret})).status_code == 200
    assert code(await dave.ask("POST", "/invites/join", {"secret": secret})) == (403, "invite_used_up")
    assert (await bob.ask("POST", "/invites/join", {"secret": secret})).status_code == 200
    assert await alice.done("GET", f"{where}/invites") == {"invites": []}


async def test_of_many_who_join_at_once_as_many_come_in_as_may(client: httpx.AsyncClient) -> None:
    alice, *others = await people(client, *(f"user{number}" for number in range(13)))
    where = await alice.make()
    secret = (await alice.done("POST", f"{where}/invites", {"max_uses": 7}))["secret"]
    answers = await asyncio.gather(*[one.ask("POST", "/invites/join", {"secret": secret}) for one in others])
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [403] * 5
    assert (await alice.done("GET", where))["member_count"] == 8


async def test_a_revoked_or_unknown_invitation_is_worth_nothing(client: httpx.AsyncClient) -> None:
    alice, bob = await people(client, "alice", "bob")
    where = await alice.make()
    group = where.removeprefix("/conversations/")
    invite = await alice.done("POST", f"{where}/invites", {})
    other = await alice.done("POST", f"{where}/invites")
    for _ in range(2):
        assert (await alice.ask("DELETE", f"{where}/invites/{invite['id']}")).status_code == 204
    unknown = (404, "unknown_invite")
    for secret in (invite["secret"], other["secret"] + "x", other["secret"][:-1], f"{group}.", group, "x", "dm:a:b.x",
                   f"g:{'a' * 26}.x", "ü.ü", other["secret"].partition(".")[2]):  # fmt: skip
        assert code(await bob.ask("POST", "/invites/join", {"secret": secret})) == unknown, secret
    assert code(await bob.ask("POST", "/invites/join", {"secret": ""})) == (422, "invalid_request")
    assert (await bob.ask("POST", "/invites/join", {"secret": other["secret"]})).status_code == 200


async def test_an_expired_invitation_says_so(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = await people(client, "alice", "bob")
    where = await alice.make()
    secret = (await alice.done("POST", f"{where}/invites", {"expires_in": 60}))["secret"]
    for module in ("invites", "joins"):
        monkeypatch.setattr(f"ssechat.chat.{module}.now", lambda: 2**45)
    assert code(await bob.ask("POST", "/invites/join", {"secret": secret})) == (403, "invite_expired")
    assert await alice.done("GET", f"{where}/invites") == {"invites": []}


async def test_one_who_was_removed_comes_back_by_an_admin_only(client: httpx.AsyncClient) -> None:
    alice, bob, carol = await people(client, "alice", "bob", "carol")
    where = await alice.make(bob, carol)
    secret = (await alice.done("POST", f"{where}/invites", {}))["secret"]
    await alice.done("DELETE", f"{where}/members/bob")
    await carol.done("DELETE", f"{where}/members/carol")
    assert code(await bob.ask("POST", "/invites/join", {"secret": secret})) == (403, "removed")
    assert (await carol.ask("POST", "/invites/join", {"secret": secret})).status_code == 200, "left by herself"
    await alice.done("PUT", f"{where}/members/bob", {})
    await bob.done("DELETE", f"{where}/members/bob")
    assert (await bob.ask("POST", "/invites/join", {"secret": secret})).status_code == 200


async def test_a_group_has_50_invitations_that_can_be_used_at_most(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    [alice] = await people(client, "alice")
    where = await alice.make()
    first = await alice.done("POST", f"{where}/invites", {"expires_in": 1})
    for _ in range(MAX_INVITES - 1):
        await alice.done("POST", f"{where}/invites", {})
    assert len((await alice.done("GET", f"{where}/invites"))["invites"]) in (MAX_INVITES, MAX_INVITES - 1)
    later = time.time_ns() // 1_000_000 + 60_000
    monkeypatch.setattr("ssechat.chat.invites.now", lambda: later)
    assert (await alice.ask("POST", f"{where}/invites", {})).status_code == 201, "the first has expired"
    full = await alice.ask("POST", f"{where}/invites", {})
    assert code(full) == (409, "too_many_invites")
    listed = (await alice.done("GET", f"{where}/invites"))["invites"]
    assert len(listed) == MAX_INVITES
    assert first["id"] not in {one["id"] for one in listed}
    await alice.done("DELETE", f"{where}/invites/{listed[0]['id']}")
    assert (await alice.ask("POST", f"{where}/invites", {})).status_code == 201


async def test_only_owners_and_admins_make_see_and_revoke_invitations(client: httpx.AsyncClient) -> None:
    alice, bob = await people(client, "alice", "bob")
    where = await alice.make(bob)
    invite = await alice.done("POST", f"{where}/invites", {})
    for method, path, body in (
        ("POST", f"{where}/invites", {}),
        ("GET", f"{where}/invites", None),
        ("DELETE", f"{where}/invites/{invite['id']}", None),
    ):
        assert code(await bob.ask(method, path, body)) == (403, "not_allowed")
    await alice.done("PUT", f"{where}/members/bob", {"role": "admin"})
    assert len((await bob.done("GET", f"{where}/invites"))["invites"]) == 1


@pytest.mark.parametrize(
    "body", [{"expires_in": 0}, {"expires_in": 2592001}, {"max_uses": 0}, {"max_uses": 1001}, {"role": "admin"}]
)
async def test_an_invitation_that_cannot_be_names_the_field(client: httpx.AsyncClient, body: dict[str, object]) -> None:
    [alice] = await people(client, "alice")
    where = await alice.make()
    answer = await alice.ask("POST", f"{where}/invites", body)
    assert code(answer) == (422, "invalid_request")
    assert [one["field"] for one in answer.json()["fields"]] == list(body)


async def test_redis_has_no_secret_of_an_invitation(client: httpx.AsyncClient, redis: RedisProcess) -> None:
    [alice] = await people(client, "alice")
    where = await alice.make()
    secret = (await alice.done("POST", f"{where}/invites", {}))["secret"].partition(".")[2]
    with redis.client() as admin:
        stored = b"".join(admin.dump(key) for key in admin.keys("*"))
    assert secret.encode() not in stored
