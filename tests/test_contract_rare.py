"""What servers answer in a crowd or a disaster is as their contract says: `busy`, `quota_exceeded`, locked metrics."""

import asyncio
import fcntl
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from argon2 import PasswordHasher

from app_client import client_of, code
from contract.document import operations
from people import Person, people, reaction
from redises import RedisProcess
from ssechat.http.contract import problems
from ssechat.redis import keys

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]


@pytest.fixture
async def client(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setattr("ssechat.http.responses.REFUSAL_DELAY", 0)
    monkeypatch.setattr("ssechat.chat.reactions.PAUSE", 0)
    async with client_of(redis.url, tmp_path) as client:
        yield client


OF_A_CROWD = {
    "add_members": ("POST", "{path}/members", {"users": ["zoe"]}),
    "change_group": ("PATCH", "{path}", {"name": "Dinner"}),
    "delete_message": ("DELETE", "{path}/messages/1", None),
    "edit_message": ("PATCH", "{path}/messages/1", {"text": "hello"}),
    "end_group": ("DELETE", "{path}", None),
    "join_group": ("POST", "/invites/join", {"secret": "{secret}"}),
    "make_invite": ("POST", "{path}/invites", {}),
    "put_member": ("PUT", "{path}/members/zoe", None),
    "react": ("PUT", reaction("{path}", 1, "👍"), None),
    "remove_member": ("DELETE", "{path}/members/mia", None),
    "revoke_invite": ("DELETE", "{path}/invites/1", None),
    "take_reaction_back": ("DELETE", reaction("{path}", 1, "👍"), None),
}
"""What somebody else may be quicker at each time, by operation."""


async def test_who_is_slower_than_others_each_time_is_told_to_try_again(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashing = {"sign_up", "sign_in", "change_password"}
    assert {each.id for each in operations() if problems.BUSY in each.problems} == OF_A_CROWD.keys() | hashing
    [olga, mia, zoe] = await people(client, "olga", "mia", "zoe")
    path = await olga.make(mia)
    await olga.say(path, "hi")
    secret = (await olga.done("POST", f"{path}/invites"))["secret"]
    for module in ("decisions", "edits", "invites", "reactions"):
        monkeypatch.setattr(f"ssechat.chat.{module}.TRIES", 0)
    for operation, (method, template, body) in OF_A_CROWD.items():
        who = zoe if operation == "join_group" else olga
        given: Any = {"secret": secret} if operation == "join_group" else body
        answer = await who.ask(method, template.format(path=path), given)
        assert code(answer) == (503, "busy"), operation
        assert answer.headers["retry-after"] == "1"


async def test_who_signs_up_or_in_in_a_crowd_is_told_to_try_again(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on, works = threading.Event(), threading.Event()

    class Slow(PasswordHasher):
        def hash(self, *given: Any, **named: Any) -> str:
            works.set()
            assert may_go_on.wait(30)
            return super().hash(*given, **named)

    monkeypatch.setattr("ssechat.http.responses.REFUSAL_DELAY", 0)
    monkeypatch.setattr("ssechat.identity.users.PasswordHasher", lambda: Slow(1, 8, 1))
    monkeypatch.setattr("ssechat.identity.hashing.MAX_THREADS", 1)
    monkeypatch.setattr("ssechat.identity.hashing.MAX_WAITING_PER_GROUP", 0)
    async with client_of(redis.url, tmp_path) as client:
        first = asyncio.create_task(client.post("/v1/users", json={"name": "alice", "password": "correct horse"}))
        assert await asyncio.to_thread(works.wait, 30)
        for path in ("/v1/users", "/v1/session"):
            answer = await client.post(path, json={"name": "bob", "password": "correct horse"})
            assert code(answer) == (503, "busy")
            assert answer.headers["retry-after"] == "2"
        may_go_on.set()
        assert (await first).status_code == 201


async def test_tickets_have_a_quota(client: httpx.AsyncClient) -> None:
    [alice] = await people(client, "alice")
    answer = await alice.ask("POST", "/tickets", {})
    for _ in range(600):  # the quota fills again meanwhile
        if answer.status_code != 201:
            break
        answer = await alice.ask("POST", "/tickets", {})
    assert code(answer) == (429, "quota_exceeded")
    assert answer.headers["ratelimit-policy"] == '"ticket";q=120;w=60'


async def test_who_has_no_deliveries_left_changes_nothing_and_reads_signs_out_and_listens_as_before(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.http.responses.REFUSAL_DELAY", 0)
    async with client_of(redis.url, tmp_path, deliveries_per_user=3) as client:
        [alice, bob] = await people(client, "alice", "bob")
        while (answer := await alice.ask("POST", "/messages", {"to": "bob", "text": "hi"})).is_success:
            pass
        assert code(answer) == (429, "quota_exceeded")
        assert answer.headers["ratelimit-policy"] == '"deliveries";q=3;w=60'
        assert answer.headers["ratelimit"] == f'"deliveries";r=0;t={answer.headers["retry-after"]}'
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert answer.json()["violated-policies"] == ["deliveries"]
        for operation in operations():
            if operation.is_counted:
                path = operation.path.format(**{one.name: quote(one.example) for one in operation.parameters})
                answer = await alice.ask(operation.method, path.removeprefix("/v1"))
                assert code(answer) == (429, "quota_exceeded"), operation.id
        for path in ("/conversations", "/conversations/dm:alice:bob/messages", "/me", "/session"):
            await alice.done("GET", path)
        await alice.done("POST", "/tickets", {})
        # Who sends with a session that was stolen cannot keep its owner from ending it.
        await alice.done("PUT", "/me/password", {"old": "correct horse", "new": "battery staple"})
        [own] = (await alice.done("GET", "/me/sessions"))["sessions"]
        assert code(await alice.ask("DELETE", f"/me/sessions/{own['id'][::-1]}")) == (404, "unknown_session")
        assert (await bob.ask("POST", "/messages", {"to": "alice", "text": "and you?"})).status_code == 201
        await alice.done("DELETE", "/session")


async def test_a_device_says_what_it_has(client: httpx.AsyncClient, redis: RedisProcess) -> None:
    alice, bob = await people(client, "alice", "bob")
    await alice.done("POST", "/messages", {"to": "bob", "text": "hi"})
    with redis.client() as storage:
        head = storage.hget(keys.user("bob"), "head").decode()
    assert (await bob.ask("POST", "/ack", {"id": head})).status_code == 204
    [receipt] = (await alice.done("GET", "/conversations/dm:alice:bob"))["receipts"]
    assert receipt == {"user": "bob", "read_up_to": 0, "delivered_up_to": 1}


async def test_nobody_joins_a_full_group(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    olga, mia, zoe = await people(client, "olga", "mia", "zoe")
    path = await olga.make(mia)
    secret = (await olga.done("POST", f"{path}/invites"))["secret"]
    monkeypatch.setattr("ssechat.chat.groups.MAX_MEMBERS", 2)
    assert code(await zoe.ask("POST", "/invites/join", {"secret": secret})) == (403, "group_full")


async def test_metrics_whose_lock_another_worker_holds_are_scraped_again(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.http.responses.REFUSAL_DELAY", 0)
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    async with client_of(redis.url, tmp_path, metrics_folder=metrics) as client:
        folder = os.open(metrics, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)
        locked = await client.get("/metrics")
        os.close(folder)
        assert code(locked) == (503, "metrics_locked")
        assert locked.headers["retry-after"] == "1"
        assert (await client.get("/metrics")).status_code == 200


@pytest.mark.parametrize(
    "page",
    [
        "/",
        "/examples",
        "/examples/prices",
        "/docs",
        "/docs/errors",
        "/docs/events/bye",
        "/openapi.json",
        "/openapi-3.2.json",
    ],
)
async def test_a_page_that_the_browser_has_is_not_sent_again_and_is_never_sent_in_parts(
    client: httpx.AsyncClient, page: str
) -> None:
    whole = await client.get(page, headers={"range": "bytes=0-9"})
    assert whole.status_code == 200
    assert "accept-ranges" not in whole.headers
    again = await client.get(page, headers={"if-none-match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_reaction_is_taken_back_only_from_a_message_that_one_may_react_to(client: httpx.AsyncClient) -> None:
    olga, mia, zoe = await people(client, "olga", "mia", "zoe")
    path = await olga.make(mia)
    for text in ("first", "second"):
        await olga.say(path, text)
    await olga.done("DELETE", f"{path}/messages/2")

    async def take_back(who: Person, where: str, seq: int) -> tuple[int, str]:
        return code(await who.ask("DELETE", reaction(where, seq, "👍")))

    assert await take_back(olga, path, 2) == (409, "deleted")
    assert await take_back(olga, path, 3) == (404, "unknown_message")
    assert await take_back(zoe, path, 1) == (403, "not_a_member")
    assert await take_back(olga, f"/conversations/g:{'a' * 26}", 1) == (404, "unknown_conversation")
    await olga.done("DELETE", path)
    assert await take_back(olga, path, 1) == (403, "ended")


async def test_a_direct_conversation_has_no_invitation_to_revoke(client: httpx.AsyncClient) -> None:
    alice, _ = await people(client, "alice", "bob")
    assert code(await alice.ask("DELETE", "/conversations/dm:alice:bob/invites/1")) == (403, "not_a_group")


async def test_marks_and_typing_are_refused_where_they_cannot_be(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga, mia = await people(client, "olga", "mia")
    path, nothing = await olga.make(mia), f"/conversations/g:{'a' * 26}"
    for where, body, method in (
        ("mute", {"muted": True}, "PUT"),
        ("read", {"up_to": 1}, "PUT"),
        ("typing", {}, "POST"),
    ):
        assert code(await olga.ask(method, f"{nothing}/{where}", body)) == (404, "unknown_conversation")
    monkeypatch.setattr("ssechat.chat.typing.MAX_MEMBERS", 1)
    assert code(await olga.ask("POST", f"{path}/typing", {})) == (403, "too_many_members")
