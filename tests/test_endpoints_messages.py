"""Messages over HTTP: what they carry, how they are read, edited and deleted."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app_client import client_of, code
from people import Person, direct, people, reaction
from redises import RedisProcess

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]


@pytest.fixture
async def client(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setattr("ssechat.chat.reactions.PAUSE", 0)
    async with client_of(redis.url, tmp_path) as client:
        yield client


@pytest.fixture(params=["group", "direct"])
async def where(request: pytest.FixtureRequest, client: httpx.AsyncClient) -> tuple[Person, Person, str]:
    """Two people, and the path of a conversation of theirs."""
    alice, bob = await people(client, "alice", "bob")
    return alice, bob, direct(alice, bob) if request.param == "direct" else await alice.make(bob)


async def test_a_message_carries_a_reply_mentions_and_data(where: tuple[Person, Person, str]) -> None:
    alice, bob, path = where
    first = await alice.say(path, "lunch?")
    data = {"map": [1.5, {"ü": None}], "big": 12345678901234567890}
    more = {"reply_to": 1, "mentions": ["ALICE", "alice"], "data": data, "client_msg_id": "b1"}
    sent = await bob.say(path, "yes", **more)
    assert sent == {
        **first,
        **{key: sent[key] for key in ("seq", "version", "created_at")},
        "sender": "bob",
        "text": "yes",
        "client_msg_id": "b1",
        "reply_to": 1,
        "mentions": ["alice"],
        "data": data,
    }
    assert sent["seq"] == 2
    assert (await alice.done("GET", f"{path}/messages"))["messages"] == [first, sent]
    assert await alice.done("GET", f"{path}/messages/2") == sent


async def test_a_repeat_is_answered_whatever_has_changed_since(where: tuple[Person, Person, str]) -> None:
    alice, bob, path = where
    await alice.say(path, "lunch?")
    body = {"conversation_id": path.removeprefix("/conversations/"), "text": "yes", "reply_to": 1,
            "mentions": ["alice"], "client_msg_id": "b1"}  # fmt: skip
    sent = await bob.done("POST", "/messages", body)
    await alice.done("DELETE", f"{path}/messages/1")
    if "dm:" not in path:
        await alice.done("DELETE", f"{path}/members/bob")
    again = await bob.ask("POST", "/messages", body)
    assert (again.status_code, again.json()) == (200, sent)
    other = await bob.ask("POST", "/messages", {**body, "mentions": ["bob"]})
    assert code(other) == (422, "idempotency_conflict")
    assert await alice.texts(path) == [None, "yes"]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"text": " \u200b"}, "text"),
        ({"text": None}, "text"),
        ({"reply_to": 7}, "reply_to"),
        ({"reply_to": 0}, "reply_to"),
        ({"reply_to": 2}, "reply_to"),  # it was deleted
        ({"reply_to": "1"}, "reply_to"),
        ({"mentions": ["carol"]}, "mentions"),
        ({"mentions": ["no name"]}, "mentions"),
        ({"mentions": ["alice"] * 51}, "mentions"),
        ({"mentions": "alice"}, "mentions"),
        ({"data": []}, "data"),
        ({"data": {"x": "y" * 16384}}, "data"),
        ({"data": {"x": float("inf")}}, "data"),
        ({"more": 1}, "more"),
    ],
)
async def test_a_message_that_cannot_be_names_the_field(
    where: tuple[Person, Person, str], more: dict[str, object], field: str
) -> None:
    alice, bob, path = where
    await people(alice.client, "carol")
    await alice.say(path, "one")
    await alice.say(path, "two")
    await alice.done("DELETE", f"{path}/messages/2")
    id = path.removeprefix("/conversations/")
    body = {"conversation_id": id, "text": "hi", **more}
    if field == "data" and more["data"] == {"x": float("inf")}:
        content = b'{"conversation_id":"%b","text":"hi","data":{"x":1e999}}' % id.encode()
        headers = {**bob.headers, "content-type": "application/json"}
        answer = await bob.client.post("/v1/messages", content=content, headers=headers)
    else:
        answer = await bob.ask("POST", "/messages", body)
    assert code(answer) == (422, "invalid_request")
    assert [one["field"] for one in answer.json()["fields"]] == [field]
    assert "pydantic" not in answer.text
    assert await alice.texts(path) == ["one", None]


async def test_one_edits_ones_own_message(where: tuple[Person, Person, str]) -> None:
    alice, bob, path = where
    sent = await alice.say(path, "lunch?", mentions=["bob"], data={"a": 1})
    edited = await alice.done("PATCH", f"{path}/messages/1", {"text": "dinner?"})
    expected = {**sent, "text": "dinner?", "version": edited["version"], "edited_at": edited["edited_at"]}
    assert edited == expected
    assert edited["version"] > sent["version"]
    assert await bob.done("GET", f"{path}/messages/1") == edited
    plain = await alice.done("PATCH", f"{path}/messages/1", {"mentions": [], "data": None})
    assert not plain.keys() & {"mentions", "data"}
    full = await alice.done("PATCH", f"{path}/messages/1", {"mentions": ["bob"], "data": {"b": [2]}})
    assert (full["text"], full["mentions"], full["data"]) == ("dinner?", ["bob"], {"b": [2]})
    assert code(await bob.ask("PATCH", f"{path}/messages/1", {"text": "no"})) == (403, "not_allowed")
    assert code(await alice.ask("PATCH", f"{path}/messages/2", {"text": "no"})) == (404, "unknown_message")
    for body in ({}, {"text": None}, {"text": ""}, {"text": "x", "reply_to": 1}, {"mentions": ["carol"]}):
        answer = await alice.ask("PATCH", f"{path}/messages/1", body)
        assert code(answer) == (422, "invalid_request"), body
    assert await alice.done("GET", f"{path}/messages/1") == full


async def test_an_edit_that_changes_nothing_makes_no_event(where: tuple[Person, Person, str]) -> None:
    alice, _, path = where
    await alice.say(path, "one", data={"a": True})
    edited = await alice.done("PATCH", f"{path}/messages/1", {"text": "two"})
    assert await alice.done("PATCH", f"{path}/messages/1", {"text": "two", "data": {"a": True}}) == edited
    other = await alice.done("PATCH", f"{path}/messages/1", {"data": {"a": 1}})
    assert other["version"] > edited["version"], "1 is not true"


async def test_an_etag_guards_against_the_changes_of_others(where: tuple[Person, Person, str]) -> None:
    alice, bob, path = where
    one = f"{path}/messages/1"
    await alice.say(path, "one")
    first = (await bob.ask("GET", one)).headers["etag"]
    assert first.startswith('"')
    changed = await alice.ask("PATCH", one, {"text": "two"}, if_match=f'W/"x", "y" , {first}')
    assert changed.status_code == 200
    second = changed.headers["etag"]
    assert second == (await bob.ask("GET", one)).headers["etag"] != first
    for wrong in (first, f"W/{second}", "nonsense", '"x"', ""):
        assert code(await alice.ask("PATCH", one, {"text": "three"}, if_match=wrong)) == (412, "changed")
        assert code(await alice.ask("DELETE", one, if_match=wrong)) == (412, "changed")
    assert (await alice.ask("PATCH", one, {"text": "two"}, if_match=first)).status_code == 200, "it is so already"
    assert (await alice.ask("PATCH", one, {"text": "three"}, if_match="*")).status_code == 200
    third = (await alice.ask("GET", one)).headers["etag"]
    assert (await alice.ask("DELETE", one, if_match=third)).status_code == 200
    assert (await alice.ask("DELETE", one, if_match=first)).status_code == 200, "it is deleted already"


async def test_edits_at_the_same_time_are_made_one_after_another(where: tuple[Person, Person, str]) -> None:
    alice, _, path = where
    await alice.say(path, "one")
    texts = [f"text {number}" for number in range(8)]
    bodies = [*({"text": text} for text in texts), {"data": {"a": 1}}]
    answers = await asyncio.gather(*[alice.done("PATCH", f"{path}/messages/1", body) for body in bodies])
    assert len({answer["version"] for answer in answers}) == len(answers)
    last = await alice.done("GET", f"{path}/messages/1")
    assert last["data"] == {"a": 1}
    assert last == max(answers, key=lambda answer: answer["version"])


async def test_of_two_who_change_the_version_that_both_have_seen_one_is_told(
    where: tuple[Person, Person, str],
) -> None:
    alice, _, path = where
    await alice.say(path, "one")
    etag = (await alice.ask("GET", f"{path}/messages/1")).headers["etag"]
    edits = [alice.ask("PATCH", f"{path}/messages/1", {"text": f"{n}"}, if_match=etag) for n in range(4)]
    assert sorted(answer.status_code for answer in await asyncio.gather(*edits)) == [200, 412, 412, 412]


async def test_a_deleted_message_leaves_a_tombstone(where: tuple[Person, Person, str]) -> None:
    alice, bob, path = where
    sent = await alice.say(path, "secret", mentions=["bob"], data={"a": 1})
    await bob.done("PUT", reaction(path, 1, "👍"))
    deleted = await alice.done("DELETE", f"{path}/messages/1")
    assert deleted == {
        "conversation_id": sent["conversation_id"],
        "seq": 1,
        "version": deleted["version"],
        "sender": "alice",
        "created_at": sent["created_at"],
        "deleted": True,
    }
    assert await alice.done("DELETE", f"{path}/messages/1") == deleted
    assert await bob.done("GET", f"{path}/messages/1") == deleted
    assert (await bob.done("GET", path))["last_message"] == deleted
    assert (await bob.done("GET", f"{path}/messages/1/reactions"))["reactions"] == []
    gone = (409, "deleted")
    assert code(await alice.ask("PATCH", f"{path}/messages/1", {"text": "no"})) == gone
    assert code(await bob.ask("PUT", reaction(path, 1, "👍"))) == gone
    assert code(await alice.ask("DELETE", f"{path}/messages/2")) == (404, "unknown_message")
    assert code(await bob.ask("DELETE", f"{path}/messages/1")) == (403, "not_allowed")


async def test_owners_and_admins_delete_messages_of_members(client: httpx.AsyncClient) -> None:
    alice, bob, carol, dave = await people(client, "alice", "bob", "carol", "dave")
    where = await alice.make(bob, carol, dave)
    for name in ("bob", "carol"):
        await alice.done("PUT", f"{where}/members/{name}", {"role": "admin"})
    for person in (alice, bob, carol, dave, dave, dave):
        await person.say(where, f"of {person.name}")
    not_allowed = (403, "not_allowed")
    assert code(await dave.ask("DELETE", f"{where}/messages/1")) == not_allowed
    assert code(await bob.ask("DELETE", f"{where}/messages/1")) == not_allowed
    assert code(await bob.ask("DELETE", f"{where}/messages/3")) == not_allowed
    assert (await bob.done("DELETE", f"{where}/messages/4"))["sender"] == "dave"
    assert (await alice.done("DELETE", f"{where}/messages/3"))["sender"] == "carol"
    await dave.done("DELETE", f"{where}/members/dave")
    assert (await bob.done("DELETE", f"{where}/messages/5"))["sender"] == "dave"
    assert code(await dave.ask("DELETE", f"{where}/messages/6")) == (403, "not_a_member")
    assert code(await bob.ask("PATCH", f"{where}/messages/6", {"text": "no"})) == not_allowed


async def test_history_around_a_message_says_what_there_is_on_both_sides(where: tuple[Person, Person, str]) -> None:
    alice, _, path = where
    for number in range(1, 10):
        await alice.say(path, f"m{number}")

    async def around(seq: int, limit: int) -> tuple[list[int], bool, bool]:
        page = await alice.done("GET", f"{path}/messages?around={seq}&limit={limit}")
        assert page["has_more"] == (page["has_more_before"] or page["has_more_after"])
        return [one["seq"] for one in page["messages"]], page["has_more_before"], page["has_more_after"]

    assert await around(5, 3) == ([4, 5, 6], True, True)
    assert await around(5, 4) == ([3, 4, 5, 6], True, True)
    assert await around(1, 4) == ([1, 2, 3, 4], False, True)
    assert await around(9, 4) == ([6, 7, 8, 9], True, False)
    assert await around(100, 2) == ([8, 9], True, False)
    assert await around(5, 50) == (list(range(1, 10)), False, False)
    assert await around(5, 1) == ([5], True, True)
    assert "has_more_before" not in await alice.done("GET", f"{path}/messages?before=3")
    for query in ("before=1&after=2", "around=1&before=2", "around=0", "around=x"):
        assert code(await alice.ask("GET", f"{path}/messages?{query}")) == (422, "invalid_request")


async def test_a_page_around_a_message_is_whole_though_it_does_not_fit(client: httpx.AsyncClient) -> None:
    alice, bob = await people(client, "alice", "bob")
    path = direct(alice, bob)
    for _ in range(20):
        await alice.say(path, "x" * 50_000)
    page = await alice.done("GET", f"{path}/messages?around=10&limit=20")
    seqs = [one["seq"] for one in page["messages"]]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert 10 in seqs
    assert (page["has_more_before"], page["has_more_after"]) == (True, True)


@pytest.mark.parametrize("seq", ["0", "-1", "01", "1.0", "one", "%EF%BC%91", "99999999999999999999", "1%0A"])
async def test_what_is_no_number_of_a_message_is_unknown(where: tuple[Person, Person, str], seq: str) -> None:
    alice, _, path = where
    await alice.say(path, "one")
    for method, body in (("GET", None), ("PATCH", {"text": "x"}), ("DELETE", None)):
        answer = await alice.ask(method, f"{path}/messages/{seq}", body)
        assert code(answer)[0] == 404


async def test_head_and_options_of_a_message_are_as_of_other_paths(where: tuple[Person, Person, str]) -> None:
    alice, _, path = where
    await alice.say(path, "one")
    head = await alice.ask("HEAD", f"{path}/messages/1")
    assert (head.status_code, head.headers["etag"]) == (
        200,
        (await alice.ask("GET", f"{path}/messages/1")).headers["etag"],
    )
    other = await alice.ask("PUT", f"{path}/messages/1", {})
    assert code(other) == (405, "method_not_allowed")
    assert set(other.headers["allow"].split(", ")) == {"GET", "HEAD", "PATCH", "DELETE"}
