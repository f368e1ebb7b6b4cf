"""What the client asks a server for groups and changes of messages, and when it asks again."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from scripted import Script, problem
from ssechat.client import Client, ClientError, NotConfirmed, Refused
from ssechat.client.transport import path
from ssechat.errors import SettingsError

GROUP = "g:" + "a" * 26
AT = f"/v1/conversations/{GROUP}"
SECRET = f"{GROUP}.0123456789abcdef"
TICKET = {"ticket": "t", "expires_in": 30, "name": "ssechat"}
MESSAGES = "/v1/conversations/dm:a:b/messages"

pytestmark = pytest.mark.anyio


def asked(script: Script) -> list[tuple[str, str, Any]]:
    """The method, the path as it was sent, and the body of each request."""
    return [
        (each.method, each.url.raw_path.decode(), json.loads(each.content) if each.content else None)
        for each in script.requests
    ]


@pytest.mark.parametrize(
    ("call", "request_line", "body"),
    [
        (lambda c: c.groups.show(GROUP), f"GET {AT}", None),
        (lambda c: c.groups.change(GROUP, name="Dinner"), f"PATCH {AT}", {"name": "Dinner"}),
        (lambda c: c.groups.change(GROUP, topic=""), f"PATCH {AT}", {"topic": ""}),
        (lambda c: c.groups.end(GROUP), f"DELETE {AT}", None),
        (lambda c: c.groups.add(GROUP, ("bob", "Carol")), f"POST {AT}/members", {"users": ["bob", "Carol"]}),
        (lambda c: c.groups.set_role(GROUP, "bob", "admin"), f"PUT {AT}/members/bob", {"role": "admin"}),
        (lambda c: c.groups.remove(GROUP, "auth0|5F/x"), f"DELETE {AT}/members/auth0%7C5F%2Fx", None),
        (lambda c: c.groups.invite(GROUP), f"POST {AT}/invites", {}),
        (
            lambda c: c.groups.invite(GROUP, expires_in=60, max_uses=2),
            f"POST {AT}/invites",
            {"expires_in": 60, "max_uses": 2},
        ),
        (lambda c: c.groups.revoke(GROUP, "i-1"), f"DELETE {AT}/invites/i-1", None),
        (lambda c: c.groups.join(SECRET), "POST /v1/invites/join", {"secret": SECRET}),
        (lambda c: c.edit("dm:a:b", 7, "hi"), "PATCH /v1/conversations/dm:a:b/messages/7", {"text": "hi"}),
        (lambda c: c.delete(GROUP, 7), f"DELETE {AT}/messages/7", None),
        (lambda c: c.react(GROUP, 7, "👍"), f"PUT {AT}/messages/7/reactions/%F0%9F%91%8D", {}),
        (lambda c: c.take_back(GROUP, 7, "👍"), f"DELETE {AT}/messages/7/reactions/%F0%9F%91%8D", None),
        (
            lambda c: c.edit(GROUP, 7, mentions=["bob"], data=None),
            f"PATCH {AT}/messages/7",
            {"mentions": ["bob"], "data": None},
        ),
        (lambda c: c.edit(GROUP, 7, data={"a": 1}), f"PATCH {AT}/messages/7", {"data": {"a": 1}}),
        (lambda c: c.message("dm:a:b", 7), f"GET {MESSAGES}/7", None),
        (lambda c: c.conversation(GROUP), f"GET {AT}", None),
        (lambda c: c.conversation(GROUP, timeout=1), f"GET {AT}", None),
        (lambda c: c.exists("Bob"), "GET /v1/users/Bob", None),
        (lambda c: c.ticket(), "POST /v1/tickets", {}),
        (lambda c: c.server(), "GET /v1/server", None),
        (lambda c: c.limits(), "GET /v1/limits", None),
        (lambda c: c.sign_out(), "DELETE /v1/session", None),
    ],
)
async def test_each_call_is_one_request_of_the_contract(call: Any, request_line: str, body: Any) -> None:
    script = Script(
        httpx.Response(200, json={"id": GROUP, "conversation_id": GROUP, "seq": 7, "user": "bob", **TICKET})
    )
    await call(script.client())
    method, _, where = request_line.partition(" ")
    assert asked(script) == [(method, where, body)]


async def test_idempotency_a_group_is_made_with_one_client_msg_id_until_it_is_confirmed() -> None:
    script = Script(
        httpx.ReadError("reset"), problem(503, "unavailable", "away"), httpx.Response(201, json={"id": "x"})
    )
    made = await script.client().groups.make("Lunch", ["bob"], topic="food", history="from_join")
    assert made.id == "x"
    first, second, third = (body for _, _, body in asked(script))
    assert first == second == third
    assert {**first, "client_msg_id": "x"} == {
        "name": "Lunch",
        "members": ["bob"],
        "topic": "food",
        "history": "from_join",
        "client_msg_id": "x",
    }


async def test_a_group_that_is_not_confirmed_says_how_to_repeat_it_safely() -> None:
    script = Script(httpx.ReadError("Connection reset"))
    with pytest.raises(NotConfirmed, match=r"may have been made: .*client_msg_id='mine'"):
        await script.client().groups.make("Lunch", client_msg_id="mine")
    assert asked(script)[0][2] == {"name": "Lunch", "members": [], "client_msg_id": "mine"}


async def test_a_change_that_is_not_confirmed_is_repeated_and_says_that_it_can_be_repeated() -> None:
    calls: list[Callable[[Client], Awaitable[object]]] = [
        lambda c: c.groups.remove(GROUP, "bob"),
        lambda c: c.edit(GROUP, 1, "x"),
    ]
    for call in calls:
        script = Script(problem(503, "unavailable", "away"))
        with pytest.raises(NotConfirmed, match="the same call again does no harm") as caught:
            await call(script.client())
        assert len(script.requests) > 3
        assert (caught.value.code, caught.value.status, caught.value.client_msg_id) == ("unavailable", 503, "")


@pytest.mark.parametrize(
    "unmet", [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), problem(429, "slow_down", "too fast")]
)
async def test_an_invitation_is_asked_for_again_where_none_can_have_been_made(unmet: Any) -> None:
    script = Script(unmet, httpx.Response(201, json={"id": "i", "secret": SECRET}))
    invite = await script.client().groups.invite(GROUP)
    assert invite.secret == SECRET
    assert SECRET not in repr(invite)
    assert len(script.requests) == 2


@pytest.mark.parametrize(
    "unknown", [httpx.ReadError("reset"), httpx.ReadTimeout("slow"), problem(503, "unavailable", "away")]
)
async def test_an_invitation_that_may_have_been_made_is_not_asked_for_again(unknown: Any) -> None:
    script = Script(unknown)
    with pytest.raises(NotConfirmed, match=r"not confirmed \(.*The invitation may have been made: groups.invites"):
        await script.client().groups.invite(GROUP)
    assert len(script.requests) == 1


async def test_a_message_has_what_it_answers_and_whom_it_mentions() -> None:
    script = Script(httpx.Response(201, json={"conversation_id": GROUP, "seq": 8}))
    await script.client().send(GROUP, "hi", client_msg_id="m", reply_to=7, mentions=("bob",))
    body = {"conversation_id": GROUP, "text": "hi", "client_msg_id": "m", "reply_to": 7, "mentions": ["bob"]}
    assert asked(script) == [("POST", "/v1/messages", body)]


async def test_lists_are_read_page_by_page_to_their_end() -> None:
    script = Script(
        httpx.Response(200, json={"members": [{"user": "a"}, {"user": "b"}], "next": "b"}),
        httpx.Response(200, json={"members": [{"user": "c"}, "nonsense"], "next": None}),
    )
    assert [each.user async for each in script.client().groups.members(GROUP)] == ["a", "b", "c"]
    assert [where for _, where, _ in asked(script)] == [
        f"{AT}/members?limit=200",
        f"{AT}/members?limit=200&after=b",
    ]


async def test_a_list_that_leads_to_the_same_page_again_ends() -> None:
    script = Script(httpx.Response(200, json={"conversations": [{"id": "x"}], "next": "7"}))
    assert [each.id async for each in script.client().conversations()] == ["x", "x"]


@pytest.mark.parametrize("answer", [{}, {"invites": {"a": 1}}, []])
async def test_a_list_that_is_none_is_told(answer: Any) -> None:
    with pytest.raises(ClientError, match="is this the address of an ssechat server"):
        await Script(httpx.Response(200, json=answer)).client().groups.invites(GROUP)


async def test_who_the_credential_names_is_asked_of_the_server_once() -> None:
    script = Script(httpx.Response(200, json={"user": "Alice"}))
    chat = script.client()
    assert repr(chat) == "<Client of a user at http://chat.test>"
    assert [await chat.user() for _ in "12"] == ["alice", "alice"]
    assert repr(chat) == "<Client of alice at http://chat.test>"
    assert len(script.requests) == 1
    with pytest.raises(ClientError, match="another form"):
        await Script(httpx.Response(200, json={})).client().user()


async def test_what_is_asked_once_is_not_retried() -> None:
    for failing in (httpx.ConnectError("refused"), problem(503, "unavailable", "away")):
        script = Script(failing)
        with pytest.raises(ClientError):
            await script.client().conversation(GROUP, timeout=1)
        assert len(script.requests) == 1
        assert script.pauses == []


async def test_an_error_has_the_code_of_the_problem() -> None:
    for answer, code in ((problem(404, "unknown_user", "who?"), "unknown_user"), (httpx.Response(404, json=[]), "")):
        with pytest.raises(ClientError) as caught:
            await Script(answer).client().send("b", "hi")
        assert caught.value.code == code


async def test_without_patience_of_its_own_a_send_has_the_clients() -> None:
    chat = Script(httpx.ConnectError("refused")).client(patience=2)
    with pytest.raises(NotConfirmed, match="not confirmed within 2 s"):
        await chat.send("b", "hi")
    with pytest.raises(NotConfirmed, match="not confirmed within 7 s"):
        await chat.send("b", "hi", patience=7)


async def test_a_message_that_was_asked_for_has_what_guards_its_change() -> None:
    message = {"conversation_id": GROUP, "seq": 7, "text": "hi"}
    script = Script(httpx.Response(200, json=message, headers={"etag": '"abc"'}), problem(412, "changed", "no"))
    chat = script.client()
    read = await chat.message(GROUP, 7)
    assert read.etag == '"abc"'
    with pytest.raises(Refused) as caught:
        await chat.edit(GROUP, 7, "x", if_match=read.etag)
    assert caught.value.status == 412
    with pytest.raises(Refused):
        await chat.delete(GROUP, 7, if_match=read.etag)
    assert [each.headers.get("if-match") for each in script.requests] == [None, '"abc"', '"abc"']


def page(*seqs: int, more: bool) -> httpx.Response:
    return httpx.Response(
        200, json={"messages": [{"conversation_id": GROUP, "seq": seq} for seq in seqs], "has_more": more}
    )


async def test_history_goes_back_from_the_newest_message_or_on_from_an_older_one() -> None:
    script = Script(page(3, 4, more=True), page(1, 2, more=False))
    assert [each.seq async for each in script.client().history(GROUP)] == [4, 3, 2, 1]
    assert [where for _, where, _ in asked(script)] == [
        f"{AT}/messages?limit=200",
        f"{AT}/messages?limit=200&before=3",
    ]
    script = Script(page(1, 2, more=True), page(more=True))
    assert [each.seq async for each in script.client().history(GROUP, after=0)] == [1, 2]
    assert [where for _, where, _ in asked(script)] == [
        f"{AT}/messages?limit=200&after=0",
        f"{AT}/messages?limit=200&after=2",
    ]


async def test_a_page_around_a_message_is_one_request() -> None:
    script = Script(page(6, 7, 8, more=True))
    found = await script.client().page(GROUP, around=7, limit=3)
    assert ([each.seq for each in found.messages], found.has_more) == ([6, 7, 8], True)
    assert asked(script)[0][1] == f"{AT}/messages?limit=3&around=7"


async def test_reactions_are_read_page_by_page_or_of_one_user() -> None:
    script = Script(
        httpx.Response(200, json={"reactions": [{"emoji": "👍", "user": "a"}], "next": "x"}),
        httpx.Response(200, json={"reactions": [{"emoji": "👎", "user": "b"}], "next": None}),
    )
    found = [(each.emoji, each.user) async for each in script.client().reactions(GROUP, 7, user="a")]
    assert found == [("👍", "a"), ("👎", "b")]
    assert asked(script)[1][1] == f"{AT}/messages/7/reactions?limit=200&user=a&after=x"


async def test_a_user_who_is_unknown_does_not_exist() -> None:
    assert not await Script(problem(404, "unknown_user", "who?")).client().exists("bob")
    with pytest.raises(Refused):
        await Script(problem(404, "not_found", "what?")).client().exists("bob")


async def test_a_session_that_has_ended_already_is_signed_out() -> None:
    await Script(httpx.ReadError("cut"), problem(401, "signed_out", "ended")).client().sign_out()
    with pytest.raises(Refused):
        await Script(problem(401, "invalid_token", "no")).client().sign_out()


@pytest.mark.parametrize("segment", ["", ".", "..", "...", "x" * 1025])
async def test_what_would_be_another_resource_is_no_segment_of_a_path(segment: str) -> None:
    with pytest.raises(SettingsError, match="cannot be the name or the id of anything"):
        path("v1", segment)


async def test_a_segment_stays_one_segment() -> None:
    script = Script(httpx.Response(204))
    await script.client().groups.remove(GROUP, "../a/b?c#d%2e é")
    assert script.requests[0].url.raw_path.decode() == f"{AT}/members/..%2Fa%2Fb%3Fc%23d%252e%20%C3%A9"
