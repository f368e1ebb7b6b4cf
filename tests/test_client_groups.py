"""What the client asks a server for groups and changes of messages, and when it asks again."""

import json
from typing import Any

import httpx
import pytest

from scripted import Script, problem
from ssechat.client import Client, ClientError
from ssechat.client.transport import path
from ssechat.errors import SettingsError

GROUP = "g:" + "a" * 26
AT = f"/v1/conversations/{GROUP}"
SECRET = f"{GROUP}.0123456789abcdef"


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
        (lambda c: c.conversation(GROUP, timeout=1), f"GET {AT}", None),
    ],
)
def test_each_call_is_one_request_of_the_contract(call: Any, request_line: str, body: Any) -> None:
    script = Script(httpx.Response(200, json={"id": GROUP}))
    call(script.client())
    method, _, where = request_line.partition(" ")
    assert asked(script) == [(method, where, body)]


def test_idempotency_a_group_is_made_with_one_client_msg_id_until_it_is_confirmed() -> None:
    script = Script(
        httpx.ReadError("reset"), problem(503, "unavailable", "away"), httpx.Response(201, json={"id": "x"})
    )
    made = script.client().groups.make("Lunch", ["bob"], topic="food", history="from_join")
    assert made == {"id": "x"}
    first, second, third = (body for _, _, body in asked(script))
    assert first == second == third
    assert {**first, "client_msg_id": "x"} == {
        "name": "Lunch",
        "members": ["bob"],
        "topic": "food",
        "history": "from_join",
        "client_msg_id": "x",
    }


def test_a_group_that_is_not_confirmed_says_how_to_repeat_it_safely() -> None:
    script = Script(httpx.ConnectError("Connection refused"))
    with pytest.raises(ClientError, match=r"may have been made: .*--client-msg-id mine"):
        script.client().groups.make("Lunch", client_msg_id="mine")
    assert asked(script)[0][2] == {"name": "Lunch", "members": [], "client_msg_id": "mine"}


def test_a_change_that_is_not_confirmed_says_that_it_can_be_repeated() -> None:
    with pytest.raises(ClientError, match="the same command again does no harm"):
        Script(problem(503, "unavailable", "away")).client().groups.remove(GROUP, "bob")
    with pytest.raises(ClientError, match="the same command again does no harm"):
        Script(problem(503, "unavailable", "away")).client().edit(GROUP, 1, "x")


@pytest.mark.parametrize(
    "unmet", [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), problem(429, "slow_down", "too fast")]
)
def test_an_invitation_is_asked_for_again_where_none_can_have_been_made(unmet: Any) -> None:
    script = Script(unmet, httpx.Response(201, json={"id": "i", "secret": SECRET}))
    assert script.client().groups.invite(GROUP)["secret"] == SECRET
    assert len(script.requests) == 2


@pytest.mark.parametrize(
    "unknown", [httpx.ReadError("reset"), httpx.ReadTimeout("slow"), problem(503, "unavailable", "away")]
)
def test_an_invitation_that_may_have_been_made_is_not_asked_for_again(unknown: Any) -> None:
    script = Script(unknown)
    with pytest.raises(ClientError, match=r"The invitation may have been made: `ssechat group invites`"):
        script.client().groups.invite(GROUP)
    assert len(script.requests) == 1


def test_a_message_has_what_it_answers_and_whom_it_mentions() -> None:
    script = Script(httpx.Response(201, json={}))
    script.client().send(GROUP, "hi", client_msg_id="m", reply_to=7, mentions=("bob",))
    body = {"conversation_id": GROUP, "text": "hi", "client_msg_id": "m", "reply_to": 7, "mentions": ["bob"]}
    assert asked(script) == [("POST", "/v1/messages", body)]


def test_lists_are_read_page_by_page_to_their_end() -> None:
    script = Script(
        httpx.Response(200, json={"members": [{"user": "a"}, {"user": "b"}], "next": "b"}),
        httpx.Response(200, json={"members": [{"user": "c"}, "nonsense"], "next": None}),
    )
    assert [each["user"] for each in script.client().groups.members(GROUP)] == ["a", "b", "c"]
    assert [where for _, where, _ in asked(script)] == [
        f"{AT}/members?limit=200",
        f"{AT}/members?limit=200&after=b",
    ]


def test_a_list_that_leads_to_the_same_page_again_ends() -> None:
    script = Script(httpx.Response(200, json={"conversations": [{"id": "x"}], "next": "7"}))
    assert list(script.client().conversations()) == [{"id": "x"}, {"id": "x"}]


@pytest.mark.parametrize("answer", [{}, {"invites": {"a": 1}}, []])
def test_a_list_that_is_none_is_told(answer: Any) -> None:
    with pytest.raises(ClientError, match="is this the address of an ssechat server"):
        Script(httpx.Response(200, json=answer)).client().groups.invites(GROUP)


def test_who_the_credential_names_is_asked_of_the_server() -> None:
    script = Script(httpx.Response(200, json={"user": "Alice"}))
    assert script.client().user() == "alice"
    with pytest.raises(ClientError, match="another form"):
        Script(httpx.Response(200, json={})).client().user()


def test_what_is_asked_once_is_not_retried() -> None:
    for failing in (httpx.ConnectError("refused"), problem(503, "unavailable", "away")):
        script = Script(failing)
        with pytest.raises(ClientError):
            script.client().conversation(GROUP, timeout=1)
        assert len(script.requests) == 1
        assert script.pauses == []


def test_an_error_has_the_code_of_the_problem() -> None:
    for answer, code in ((problem(404, "unknown_user", "who?"), "unknown_user"), (httpx.Response(404, json=[]), "")):
        with pytest.raises(ClientError) as caught:
            Script(answer).client().send("b", "hi")
        assert caught.value.code == code


def test_without_patience_of_its_own_a_send_has_the_clients() -> None:
    script = Script(httpx.ConnectError("refused"))
    client = Client("http://c.test", lambda: "t", patience=2, transport=httpx.MockTransport(script), sleep=script.sleep,
                    clock=lambda: script.now)  # fmt: skip
    with pytest.raises(ClientError, match="not confirmed within 2 s"):
        client.send("b", "hi")


@pytest.mark.parametrize("segment", ["", ".", "..", "...", "x" * 1025])
def test_what_would_be_another_resource_is_no_segment_of_a_path(segment: str) -> None:
    with pytest.raises(SettingsError, match="cannot be the name or the id of anything"):
        path("v1", segment)


def test_a_segment_stays_one_segment() -> None:
    script = Script(httpx.Response(204))
    script.client().groups.remove(GROUP, "../a/b?c#d%2e é")
    assert script.requests[0].url.raw_path.decode() == f"{AT}/members/..%2Fa%2Fb%3Fc%23d%252e%20%C3%A9"
