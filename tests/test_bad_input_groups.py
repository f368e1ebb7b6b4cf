"""A bad request in a group gets a status, a code and a sentence that says what to do, and makes no event."""

import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from app_client import client_of, code
from people import Person, people
from redises import RedisProcess

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]


@pytest.fixture
async def client(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setattr("ssechat.chat.reactions.PAUSE", 0)
    async with client_of(redis.url, tmp_path) as client:
        yield client


MESSAGES = "{path}/messages"
REACTIONS = f"{MESSAGES}/1/reactions"


REFUSED: Sequence[tuple[str, str, str, dict[str, object] | None, tuple[int, str], str]] = [
    ("olga", "POST", "{path}/members", {"users": ["nobody"]}, (404, "unknown_user"), "'nobody'"),
    ("olga", "PUT", "{path}/members/nobody", {}, (404, "unknown_user"), "'nobody'"),
    ("olga", "PUT", "{path}/members/mia", {"role": "king"}, (422, "invalid_request"), "'admin'"),
    ("olga", "PUT", "{path}/members/olga", {"role": "member"}, (409, "last_owner"), "another member an owner"),
    ("olga", "DELETE", "{path}/members/olga", None, (409, "last_owner"), "end the group"),
    ("adam", "DELETE", "{path}/members/olga", None, (403, "not_allowed"), "neither owners"),
    ("adam", "DELETE", "{path}/members/anna", None, (403, "not_allowed"), "nor each other"),
    ("adam", "PUT", "{path}/members/mia", {"role": "admin"}, (403, "not_allowed"), "Only owners"),
    ("adam", "PUT", "{path}/members/olga", {"role": "member"}, (403, "not_allowed"), "Only owners"),
    ("adam", "DELETE", f"{MESSAGES}/1", None, (403, "not_allowed"), "unless an owner or admin sent it"),
    ("adam", "DELETE", "{path}", None, (403, "not_allowed"), "Only owners"),
    ("mia", "PATCH", "{path}", {"name": "Mine"}, (403, "not_allowed"), "Only owners and admins"),
    ("mia", "POST", "{path}/members", {"users": ["zoe"]}, (403, "not_allowed"), "Only owners and admins"),
    ("mia", "POST", "{path}/invites", {}, (403, "not_allowed"), "Only owners and admins"),
    ("mia", "PATCH", f"{MESSAGES}/1", {"text": "mine"}, (403, "not_allowed"), "Only who sent"),
    ("mia", "DELETE", f"{MESSAGES}/1", None, (403, "not_allowed"), "Only who sent"),
    ("zoe", "GET", MESSAGES, None, (403, "not_a_member"), "not a member"),
    ("zoe", "POST", "/messages", {"text": "hi"}, (403, "not_a_member"), "not a member"),
    ("zoe", "POST", "/messages", {"text": "hi", "reply_to": 1}, (403, "not_a_member"), "not a member"),
    ("zoe", "POST", "/messages", {"text": "hi", "mentions": ["mia"]}, (403, "not_a_member"), "not a member"),
    ("zoe", "DELETE", "{path}/members/zoe", None, (403, "not_a_member"), "not a member"),
    ("zoe", "POST", "/invites/join", {"secret": "x"}, (404, "unknown_invite"), "another one"),
    ("olga", "PATCH", f"{MESSAGES}/2", {"text": "again"}, (409, "deleted"), "was deleted"),
    ("olga", "PUT", f"{MESSAGES}/2/reactions/" + quote("👍"), None, (409, "deleted"), "was deleted"),
    ("olga", "POST", "/messages", {"text": "hi", "reply_to": 2}, (422, "invalid_request"), "was deleted"),
    ("olga", "POST", "/messages", {"text": "hi", "reply_to": 9}, (422, "invalid_request"), "no message 9"),
    ("olga", "POST", "/messages", {"text": "hi", "mentions": ["zoe"]}, (422, "invalid_request"), "'zoe'"),
    ("olga", "PATCH", f"{MESSAGES}/9", {"text": "hi"}, (404, "unknown_message"), "no message 9"),
    ("olga", "PATCH", f"{MESSAGES}/1", {}, (422, "invalid_request"), "at least one of"),
    ("olga", "PATCH", f"{MESSAGES}/1", {"mentions": ["zoe"]}, (422, "invalid_request"), "'zoe'"),
    ("olga", "PUT", f"{REACTIONS}/x", None, (422, "not_an_emoji"), "one emoji"),
    ("olga", "PUT", f"{REACTIONS}/" + quote("👍👍"), None, (422, "not_an_emoji"), "one emoji"),
    (
        "olga",
        "POST",
        "/messages",
        {"text": "other", "client_msg_id": "k"},
        (422, "idempotency_conflict"),
        "a new one",
    ),
    ("olga", "POST", "/messages", {"text": "hi", "data": {"x": "y" * 16_384}}, (422, "invalid_request"), "16 KiB"),
]
"""Who asks what, and the status, the code and some of the words of the answer."""


async def test_a_bad_request_in_a_group_is_refused_in_words_and_changes_nothing(
    client: httpx.AsyncClient, redis: RedisProcess
) -> None:
    everybody = {one.name: one for one in await people(client, "olga", "adam", "anna", "mia", "zoe")}
    olga = everybody["olga"]
    group = await olga.make(*(everybody[name] for name in ("adam", "anna", "mia")))
    for name in ("adam", "anna"):
        await olga.done("PUT", f"{group}/members/{name}", {"role": "admin"})
    await olga.say(group, "first", client_msg_id="k")
    await olga.say(group, "second")
    await olga.done("DELETE", f"{group}/messages/2")
    before = await _all_of(olga, group, redis)
    for who, method, path, body, expected, says in REFUSED:
        more = {"conversation_id": group.rpartition("/")[2]} if path == "/messages" else {}
        given = None if body is None else {**body, **more}
        answer = await everybody[who].ask(method, path.format(path=group), given)
        assert code(answer) == expected, (who, method, path, body)
        assert says in answer.json()["detail"]
        assert await _all_of(olga, group, redis) == before, (who, method, path, body)


async def _all_of(member: Person, group: str, redis: RedisProcess) -> object:
    """What a member reads of a group, and how many entries each log and inbox has."""
    whole = [await member.done("GET", f"{group}{rest}") for rest in ("", "/members", "/messages", "/invites")]
    with redis.client() as client:
        streams = sorted(key for key in client.scan_iter() if key.endswith((b"/log", b"/inbox")))
        return whole, [(key, client.xlen(key)) for key in streams]


@pytest.mark.parametrize("etag", ['"x"', 'W/"x"', "x", '"unterminated', ","])
async def test_an_if_match_that_matches_nothing_is_refused_for_a_message_that_one_may_change(
    client: httpx.AsyncClient, etag: str
) -> None:
    [olga, mia, zoe] = await people(client, "olga", "mia", "zoe")
    group = await olga.make(mia)
    await olga.say(group, "first")
    message = f"{group}/messages/1"
    for method, body in (("PATCH", {"text": "new"}), ("DELETE", None)):
        assert code(await olga.ask(method, message, body, if_match=etag)) == (412, "changed")
        # Who may not change it is not told whether it was changed.
        assert code(await mia.ask(method, message, body, if_match=etag)) == (403, "not_allowed")
        assert code(await zoe.ask(method, message, body, if_match=etag)) == (403, "not_a_member")
    assert await olga.texts(group) == ["first"]


@pytest.mark.parametrize("part", [" ", '"', '"x" ', 'W/"', '"x"y', "\t,"])
async def test_a_long_if_match_costs_the_worker_nothing(client: httpx.AsyncClient, part: str) -> None:
    [olga] = await people(client, "olga")
    group = await olga.make()
    await olga.say(group, "first")
    etag, began = "x" + part * (60_000 // len(part)) + "x", time.process_time()
    answer = await olga.ask("PATCH", f"{group}/messages/1", {"text": "new"}, if_match=etag)
    assert code(answer) == (412, "changed")
    assert time.process_time() - began < 2, "it was half a minute"


async def test_a_group_that_does_not_exist_is_unknown_whatever_is_asked_of_it(client: httpx.AsyncClient) -> None:
    [olga] = await people(client, "olga")
    group = f"g:{'a' * 26}"
    for field, value in (("client_msg_id", "k"), ("reply_to", 1), ("mentions", ["olga"]), ("data", {})):
        message: dict[str, object] = {"conversation_id": group, "text": "hi", field: value}
        assert code(await olga.ask("POST", "/messages", message)) == (404, "unknown_conversation")
    body: object
    for method, rest, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
        ("GET", "/members", None),
        ("POST", "/members", {"users": ["nobody"]}),
        ("PUT", "/members/nobody", {}),
        ("DELETE", "/members/olga", None),
        ("POST", "/invites", {}),
        ("GET", "/invites", None),
        ("DELETE", "/invites/x", None),
        ("GET", "/messages", None),
        ("GET", "/messages/1", None),
        ("PATCH", "/messages/1", {"text": "x"}),
        ("DELETE", "/messages/1", None),
        ("GET", "/messages/1/reactions", None),
        ("PUT", f"/messages/1/reactions/{quote('👍')}", None),
    ):
        answer = await olga.ask(method, f"/conversations/{group}{rest}", body)
        assert code(answer) == (404, "unknown_conversation"), (method, rest)
