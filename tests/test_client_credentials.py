"""Who the client says it is: tokens, functions that give tokens, names with passwords."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import jwt
import pytest

from scripted import Script, problem
from ssechat.client import Client, ClientError, NotConfirmed, Refused, SettingsError
from ssechat.client.credentials import Password, Token
from ssechat.client.transport import Transport

pytestmark = pytest.mark.anyio

MESSAGE = {"conversation_id": "dm:a:b", "seq": 1}
SSE = {"content-type": "text/event-stream"}
EVENT = "event: hello\ndata: {}\nid: 1-x\n\n"


Handler = Callable[[httpx.Request], httpx.Response] | Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


def client(script: Handler, token: Token | None = None, **more: Any) -> Client:
    transport = httpx.MockTransport(script)
    return Client("http://chat.test", token, transport=transport, pauses=Script().times(), **more)


def tokens(script: Script) -> list[str | None]:
    return [request.headers.get("authorization") for request in script.requests]


async def test_each_request_and_each_reconnect_uses_a_fresh_token() -> None:
    fresh = iter(["one", "two", "three"])
    script = Script(
        httpx.Response(200, text="", headers=SSE),
        httpx.Response(200, text=EVENT, headers=SSE),
        httpx.Response(201, json=MESSAGE),
    )
    chat = client(script, lambda: next(fresh))
    await anext(chat.events())
    await chat.send("b", "hi")
    assert tokens(script) == ["Bearer one", "Bearer two", "Bearer three"]


async def test_a_token_can_come_from_an_asynchronous_function() -> None:
    async def fetch() -> str:
        await asyncio.sleep(0)
        return "fetched"

    script = Script(httpx.Response(201, json=MESSAGE))
    await client(script, fetch).send("b", "hi")
    assert tokens(script) == ["Bearer fetched"]


@pytest.mark.parametrize("failure", [ConnectionRefusedError("refused"), TimeoutError(), httpx.ConnectError("no way")])
async def test_a_function_that_cannot_get_a_token_just_now_is_called_again(failure: Exception) -> None:
    failures = iter([failure, failure])

    async def fetch() -> str:
        for each in failures:
            raise each
        return "fetched"

    script = Script(httpx.Response(201, json=MESSAGE), httpx.Response(200, text=EVENT, headers=SSE))
    await client(script, fetch).send("b", "hi")
    failures = iter([failure, failure])
    await anext(client(script, fetch).events())
    assert tokens(script) == ["Bearer fetched", "Bearer fetched"]


async def test_a_function_that_gives_the_token_of_another_user_ends_what_is_repeated_for_the_first_one() -> None:
    def token(user: str, **more: int) -> str:
        return jwt.encode({"sub": user, **more}, "k" * 32)

    given = iter([token("alice", iat=1), token("alice", iat=2), token("bob"), "opaque", token("bob")])
    script = Script(httpx.ReadError("cut"))
    chat = client(script, lambda: next(given))
    with pytest.raises(ClientError, match="gave one of another user"):
        await chat.send("carol", "of alice's")
    assert len(script.requests) == 2
    script.answers = [httpx.Response(201, json=MESSAGE)]
    await chat.send("carol", "a token that says nothing of its user")
    with pytest.raises(ClientError, match="gave one of another user"):
        await anext(chat.events())


@pytest.mark.parametrize("odd", ["a.b.c", "a.e30.c", "a.W10.c", "a.eyJzdWIiOjF9.c", f"a.{'W' * 4000}.c"])
async def test_a_token_of_any_form_is_sent(odd: str) -> None:
    script = Script(httpx.Response(201, json=MESSAGE))
    await client(script, lambda: odd).send("b", "hi")
    assert tokens(script) == [f"Bearer {odd}"]


async def test_another_error_of_the_function_is_the_callers() -> None:
    def fail() -> str:
        raise LookupError("no token here")

    chat = client(Script(httpx.Response(200)), fail)
    for call in (chat.send("b", "hi"), anext(chat.events())):
        with pytest.raises(LookupError, match="no token here"):
            await call


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "ü", "bad\x00", ""])
async def test_what_cannot_be_a_token_is_refused_before_it_is_sent(token: str) -> None:
    script = Script(httpx.Response(200))
    for given in (token, lambda: token):
        with pytest.raises(SettingsError, match="not a token"):
            await client(script, given).send("b", "hi")

    def untyped() -> Any:
        return None  # as a program without types may

    with pytest.raises(SettingsError, match="returned NoneType"):
        await client(script, untyped).send("b", "hi")
    assert script.requests == []


@pytest.mark.parametrize(
    "given",
    [{}, {"name": "a"}, {"password": "p"}, {"token": "t", "name": "a"}, {"token": "t", "name": "a", "password": "p"}],
)
async def test_who_signs_in_must_be_clear(given: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="give a token, or a name and a password"):
        Client("http://chat.test", **given)


class Door:
    """A server with accounts: `ended` sessions do not count any more, and answers can get lost."""

    def __init__(self, **accounts: str) -> None:
        self.accounts = accounts
        self.sessions = 0
        self.ended = 0
        self.lost: set[str] = set()
        self.closed = False
        self.asked: list[str] = []
        self.cookies: list[str | None] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        line = f"{request.method} {request.url.path}"
        self.asked.append(line)
        self.cookies.append(request.headers.get("cookie"))
        await asyncio.sleep(0)
        answer = self._answer(line, request)
        await asyncio.sleep(0)
        if line in self.lost:
            self.lost.remove(line)
            raise httpx.ReadError("cut")
        return answer

    def _answer(self, line: str, request: httpx.Request) -> httpx.Response:
        if line == "POST /v1/users" and self.closed:
            return problem(403, "sign_up_closed", "closed")
        if line == "POST /v1/users":
            body = json.loads(request.content)
            if body["name"] in self.accounts:
                return problem(409, "name_taken", "taken")
            self.accounts[body["name"]] = body["password"]
            return self._session(201)
        if line == "POST /v1/session":
            body = json.loads(request.content)
            if self.accounts.get(body["name"]) != body["password"]:
                return problem(401, "wrong_credentials", "The name or the password is wrong.")
            return self._session(200)
        if request.headers.get("authorization") != f"Bearer t{self.sessions}" or self.sessions <= self.ended:
            return problem(401, "signed_out", "This session has ended")
        if line == "GET /v1/events":
            return httpx.Response(200, text=EVENT, headers=SSE)
        if line == "PUT /v1/me/password":
            self.accounts["a"] = json.loads(request.content)["new"]
            return httpx.Response(204)
        return httpx.Response(201, json=MESSAGE)

    def _session(self, status: int) -> httpx.Response:
        self.sessions += 1
        cookie = {"set-cookie": f"session=t{self.sessions}; Path=/"}
        return httpx.Response(status, json={"token": f"t{self.sessions}", "user": "a"}, headers=cookie)


async def test_a_name_and_a_password_sign_in_once_for_all_requests() -> None:
    door = Door(a="secret")
    chat = client(door, name="a", password="secret")
    await asyncio.gather(*(chat.send("b", "hi") for _ in range(5)), anext(chat.events()))
    assert door.asked.count("POST /v1/session") == 1
    assert set(door.cookies) == {None}


async def test_a_session_that_has_ended_is_begun_anew() -> None:
    door = Door(a="secret")
    chat = client(door, name="a", password="secret")
    events = chat.events()
    await anext(events)
    door.ended = door.sessions
    await chat.send("b", "hi")
    for _ in range(3):
        door.ended = door.sessions
        await anext(events)
    assert door.sessions == 5


async def test_many_requests_that_meet_the_end_of_a_session_begin_one_new_one() -> None:
    door = Door(a="secret")
    chat = client(door, name="a", password="secret")
    await chat.send("b", "hi")
    door.ended = door.sessions
    await asyncio.gather(*(chat.send("b", "hi") for _ in range(5)))
    assert door.sessions == 2


async def test_a_session_that_is_never_taken_is_not_begun_again_and_again() -> None:
    door = Door(a="secret")
    door.ended = 1_000
    chat = client(door, name="a", password="secret")
    for call in (chat.send("b", "hi"), anext(chat.events())):
        with pytest.raises(Refused, match="This session has ended"):
            await call
    assert door.sessions <= 4


async def test_the_end_of_an_older_session_does_not_end_the_newer_one() -> None:
    transport = Transport("http://chat.test", httpx.MockTransport(Door(a="secret")))
    password = Password(transport, "a", "secret")
    older = await password.token()
    assert password.renew(older)
    newer = await password.token()
    assert password.renew(older)
    assert await password.token() == newer


async def test_a_password_that_the_client_has_changed_begins_its_next_session() -> None:
    door = Door(a="secret")
    chat = client(door, name="a", password="secret")
    await chat.change_password("secret", "another")
    door.ended = door.sessions
    await chat.send("b", "hi")
    assert door.asked.count("POST /v1/session") == 2


@pytest.mark.parametrize("changed", [True, False])
async def test_a_password_that_may_have_changed_is_tried_if_the_one_before_does_not_count(*, changed: bool) -> None:
    door = Door(a="secret")
    chat = client(door, name="a", password="secret")
    await chat.send("b", "hi")
    door.lost = {"PUT /v1/me/password"}
    with pytest.raises(NotConfirmed):
        await chat.change_password("secret", "another")
    if not changed:
        door.accounts["a"] = "secret"
    for _ in range(2):
        door.ended = door.sessions
        await chat.send("b", "hi")
    door.accounts["a"] = "a third one"
    door.ended = door.sessions
    with pytest.raises(Refused, match="The name or the password is wrong"):
        await chat.send("b", "hi")


async def test_a_sign_up_that_is_closed_is_told() -> None:
    door = Door()
    door.closed = True
    with pytest.raises(Refused) as caught:
        await signed_up(door)
    assert caught.value.code == "sign_up_closed"


async def test_a_wrong_password_is_told_and_not_tried_again() -> None:
    door = Door(a="secret")
    chat = client(door, name="a", password="wrong")
    for call in (chat.send("b", "hi"), anext(chat.events())):
        with pytest.raises(Refused, match="The name or the password is wrong") as caught:
            await call
        assert caught.value.code == "wrong_credentials"
    assert door.asked == 2 * ["POST /v1/session"]


async def test_a_sign_in_that_fails_for_now_is_tried_again_and_leaves_the_request_unmet() -> None:
    door = Door(a="secret")
    door.lost = {"POST /v1/session"}
    chat = client(door, name="a", password="secret")
    with pytest.raises(ClientError):
        await chat.groups.invite("g:x")  # what it answers is no invitation
    assert door.asked == ["POST /v1/session", "POST /v1/session", "POST /v1/conversations/g:x/invites"]


async def signed_up(door: Door, password: str = "secret", **more: Any) -> Client:
    transport = httpx.MockTransport(door)
    return await Client.sign_up("http://chat.test", "a", password, transport=transport, pauses=Script().times(), **more)


@pytest.mark.parametrize(
    "lost", [set[str](), {"POST /v1/users"}, {"POST /v1/session"}, {"POST /v1/users", "POST /v1/session"}]
)
async def test_a_sign_up_makes_the_account_once_whatever_answer_is_lost(lost: set[str]) -> None:
    door = Door()
    door.lost = set(lost)
    async with await signed_up(door) as chat:
        await chat.send("b", "hi")
    assert door.accounts == {"a": "secret"}
    async with await signed_up(door) as chat:
        await chat.send("b", "hi")
    assert door.accounts == {"a": "secret"}


async def test_a_name_that_somebody_else_has_is_not_signed_up() -> None:
    with pytest.raises(Refused, match="name or the password is wrong"):
        await signed_up(Door(a="other"))


async def test_a_sign_up_that_is_refused_or_not_confirmed_closes_what_it_opened() -> None:
    class Closing(httpx.AsyncBaseTransport):
        closed = False

        def __init__(self, answer: Callable[[], httpx.Response]) -> None:
            self.answer = answer

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return self.answer()

        async def aclose(self) -> None:
            self.closed = True

    for answer, error in (
        (lambda: problem(403, "sign_in_closed", "closed"), Refused),
        (lambda: problem(503, "unavailable", "away"), NotConfirmed),
        (lambda: httpx.Response(200, json={"token": 7}), ClientError),
    ):
        transport = Closing(answer)
        with pytest.raises(error):
            await Client.sign_up("http://chat.test", "a", "secret", transport=transport, pauses=Script().times())
        assert transport.closed
