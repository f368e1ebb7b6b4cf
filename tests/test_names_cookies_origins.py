"""User names, cookies, origins and repeated headers, at every endpoint."""

import asyncio
import unicodedata
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from app_client import client_of, code, sign_up
from parts import SECRET
from redises import RedisProcess
from ssechat.http.guard import Guard
from ssechat.identity.key_file import SigningKey, SigningKeys
from ssechat.identity.tokens import Tokens

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse"
FRONT = {"x-forwarded-proto": "https"}


@pytest.fixture
async def client(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(redis.url, tmp_path) as client:
        yield client


def minted(user: str, **more: Any) -> dict[str, str]:
    token = Tokens.of_our_own(SigningKeys(SigningKey(SECRET))).mint(user, timedelta(hours=1), **more)
    return {"authorization": f"Bearer {token}"}


SPELLINGS = ["bob", "Bob", "BOB", "ｂｏｂ", "ＢＯＢ"]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_user_names_are_normalised_at_every_endpoint(client: httpx.AsyncClient, spelling: str) -> None:
    bob, alice = await sign_up(client, "bOb"), await sign_up(client, "alice")
    again = await client.post("/v1/users", json={"name": spelling, "password": PASSWORD})
    assert code(again) == (409, "name_taken")
    signed_in = await client.post("/v1/session", json={"name": spelling, "password": PASSWORD})
    assert (signed_in.status_code, signed_in.json()["user"]) == (200, "bob")
    client.cookies.clear()
    assert (await client.get("/v1/session", headers=minted(spelling))).json() == {"user": "bob"}
    assert (await client.get(f"/v1/users/{spelling}", headers=alice)).json() == {"id": "bob", "online": False}
    first = await client.post("/v1/messages", json={"to": spelling, "text": "hi"}, headers=alice)
    body = {"conversation_id": f"dm:Alice:{spelling}", "text": "hi", "client_msg_id": first.json()["client_msg_id"]}
    repeat = await client.post("/v1/messages", json=body, headers=minted("ALICE"))
    assert (first.status_code, repeat.status_code) == (201, 200)
    assert repeat.json() == first.json()
    assert (repeat.json()["sender"], repeat.json()["conversation_id"]) == ("alice", "dm:alice:bob")
    history = await client.get(f"/v1/conversations/dm:ALICE:{spelling}/messages", headers=bob)
    assert history.json()["messages"] == [first.json()]
    listed = (await client.get("/v1/conversations", headers=minted(spelling))).json()["conversations"]
    assert [(one["id"], one["members"]) for one in listed] == [("dm:alice:bob", ["alice", "bob"])]


async def test_a_token_of_our_key_in_another_spelling_makes_no_second_person(client: httpx.AsyncClient) -> None:
    await sign_up(client, "bob")
    body = {"to": "Bob", "text": "a note to myself"}
    sent = await client.post("/v1/messages", json=body, headers=minted("BOB"))
    assert sent.json()["conversation_id"] == "dm:bob:bob"


async def test_the_names_in_a_conversations_id_are_sorted_as_they_are_spelled_here(client: httpx.AsyncClient) -> None:
    alice, _ = await sign_up(client, "alice"), await sign_up(client, "bob")
    for given, status in (("dm:alice:Bob", 200), ("dm:Bob:alice", 404), ("dm:bob:ALICE", 404), ("DM:alice:bob", 404)):
        assert (await client.get(f"/v1/conversations/{given}/messages", headers=alice)).status_code == status


@pytest.mark.parametrize("name", ["bоb", "böb", "b\u200db", "bob ", "b:b", "straße", "x" * 129, "\ufdfa"])
async def test_invalid_user_names_are_refused_at_every_endpoint(client: httpx.AsyncClient, name: str) -> None:
    alice = await sign_up(client, "alice")
    assert code(await client.post("/v1/users", json={"name": name, "password": PASSWORD})) == (422, "invalid_request")
    signing_in = await client.post("/v1/session", json={"name": name, "password": PASSWORD})
    assert signing_in.status_code == (422 if len(name) > 128 else 401)
    sent = await client.post("/v1/messages", json={"to": name, "text": "hi"}, headers=alice)
    assert sent.status_code == (422 if len(name) > 128 else 404)
    assert code(await client.get(f"/v1/users/{name}", headers=alice)) == (404, "unknown_user")
    history = await client.get(f"/v1/conversations/dm:alice:{name}/messages", headers=alice)
    assert code(history) == (404, "unknown_conversation")


@pytest.mark.parametrize(
    ("typed", "typed_later"),
    [
        (unicodedata.normalize("NFC", "Füße größer"), unicodedata.normalize("NFD", "Füße größer")),
        (unicodedata.normalize("NFD", "Füße größer"), unicodedata.normalize("NFC", "Füße größer")),
        ("a\u00a0password of wide\u3000spaces", "a password of wide spaces"),
        ("𝟙𝟚𝟛 pass ünd word", "𝟙𝟚𝟛 pass u\u0308nd word"),
    ],
)
async def test_a_password_is_the_same_however_its_letters_are_composed(
    client: httpx.AsyncClient, typed: str, typed_later: str
) -> None:
    assert typed != typed_later
    assert (await client.post("/v1/users", json={"name": "alice", "password": typed})).status_code == 201
    for password in (typed, typed_later):
        signed_in = await client.post("/v1/session", json={"name": "alice", "password": password})
        assert signed_in.status_code == 200
    for other in (typed.upper(), typed.casefold() + "x", unicodedata.normalize("NFKD", typed) + "\0"):
        refused = await client.post("/v1/session", json={"name": "alice", "password": other})
        assert code(refused) == (401, "wrong_credentials")


async def test_a_passwords_letters_are_counted_as_composed(client: httpx.AsyncClient) -> None:
    short = {"name": "alice", "password": "e\u0301" * 7}  # 14 code points as sent
    answer = await client.post("/v1/users", json=short)
    assert code(answer) == (422, "invalid_request")
    assert answer.json()["fields"][0]["field"] == "password"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
async def test_a_password_at_its_limit_is_the_same_in_both_forms(
    client: httpx.AsyncClient, form: Literal["NFC", "NFD"]
) -> None:
    longest = "\u1f82" * 1024  # of one code point composed, of four decomposed
    decomposed = unicodedata.normalize("NFD", longest)
    given = {"name": "alice", "password": unicodedata.normalize(form, longest)}
    assert (await client.post("/v1/users", json=given)).status_code == 201
    for password in (longest, decomposed):
        assert (await client.post("/v1/session", json={"name": "alice", "password": password})).status_code == 200
    for path in ("/v1/users", "/v1/session"):
        answer = await client.post(path, json={"name": "bob", "password": decomposed + "x"})
        assert code(answer) == (422, "invalid_request")


async def test_a_password_that_is_no_text_is_refused_and_not_a_bug(client: httpx.AsyncClient) -> None:
    for path in ("/v1/users", "/v1/session"):
        body = b'{"name":"alice","password":"\\ud800\\ud800\\ud800 \\u0000 horse"}'
        answer = await client.post(path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (401, 422)


# Cookies.


async def cookie_of(client: httpx.AsyncClient, name: str, headers: dict[str, str]) -> tuple[str, str]:
    answer = await client.post("/v1/users", json={"name": name, "password": PASSWORD}, headers=headers)
    client.cookies.clear()
    cookie, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
    return cookie, value


async def who(client: httpx.AsyncClient, cookie: str, **headers: str) -> str | int:
    answer = await client.get("/v1/session", headers={"cookie": cookie, **headers})
    client.cookies.clear()
    return str(answer.json()["user"]) if answer.status_code == 200 else answer.status_code


async def test_two_servers_on_one_host_name_have_cookies_of_different_names(
    client: httpx.AsyncClient, redis: RedisProcess, tmp_path: Path
) -> None:
    async def name_with(key: str) -> str:
        folder = tmp_path / key
        folder.mkdir()
        (folder / "its.key").write_text(key)
        async with client_of(redis.url, folder, key_file=folder / "its.key") as other:
            return (await cookie_of(other, f"user-{key[0]}", {}))[0]

    (tmp_path / "again").mkdir()
    one, other = await name_with("b" * 64), await name_with("c" * 64)
    assert one != other
    async with client_of(redis.url, tmp_path / "again", key_file=tmp_path / ("b" * 64) / "its.key") as same_key:
        assert (await cookie_of(same_key, "carol", {}))[0] == one
    assert "b" * 8 not in one


async def test_over_https_the_cookie_is_one_that_only_this_host_can_set(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/users", json={"name": "alice", "password": PASSWORD}, headers=FRONT)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-")
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"secure", "httponly", "path=/", "samesite=lax"} <= attributes
    assert not any(attribute.startswith("domain") for attribute in attributes)  # RFC 6265bis §4.1.3.2


async def test_over_https_a_cookie_that_somebody_else_can_set_counts_for_nothing(client: httpx.AsyncClient) -> None:
    guarded, mine = await cookie_of(client, "alice", FRONT)
    plain, planted = await cookie_of(client, "mallory", {})
    assert guarded == f"__Host-{plain}"
    for line in (
        f"{plain}={planted}; {guarded}={mine}",
        f"{guarded}={mine}; {plain}={planted}",
        f"{plain}=x; {guarded}={mine}; {plain}={planted}",
    ):
        assert await who(client, line, **FRONT) == "alice"
    assert await who(client, f"{plain}={planted}", **FRONT) == 401
    assert await who(client, f"{plain}={mine}", **FRONT) == 401
    # A proxy that does not send X-Forwarded-Proto.
    assert await who(client, f"{plain}={planted}; {guarded}={mine}") == "alice"


async def test_a_planted_session_cookie_locks_nobody_out(client: httpx.AsyncClient) -> None:
    plain, mine = await cookie_of(client, "alice", {})
    for line in (
        f"{plain}=x; {plain}={mine}",
        f"{plain}={mine}; {plain}=x",
        f"a=b; {plain}=; {plain}=x.y.z;{plain}={mine};;=",
    ):
        assert await who(client, line) == "alice"
    guarded, secured = await cookie_of(client, "bob", FRONT)
    assert await who(client, f"{guarded}=x; {guarded}={secured}", **FRONT) == "bob"
    assert await who(client, f"{guarded}=old; {plain}={mine}") == "alice"
    assert await who(client, "; ".join([f"{plain}=x{i}" for i in range(1000)])) == 401


async def test_signing_out_removes_the_cookie_that_was_set(client: httpx.AsyncClient) -> None:
    for name, headers in (("alice", {}), ("bob", FRONT)):
        cookie, value = await cookie_of(client, name, headers)
        answer = await client.delete("/v1/session", headers={"cookie": f"{cookie}={value}", **headers})
        assert answer.status_code == 204
        removed = [line for line in answer.headers.get_list("set-cookie") if line.startswith(f'{cookie}=""')]
        assert len(removed) == 1
        assert "Max-Age=0" in removed[0]
        assert "Path=/" in removed[0]
        # Without it a browser would reject a change of such a cookie.
        assert ("Secure" in removed[0]) is cookie.startswith("__Host-")
        assert await who(client, f"{cookie}={value}", **headers) == 401


async def test_where_the_tokens_are_another_systems_its_pages_know_the_cookies_name(
    redis: RedisProcess, tmp_path: Path
) -> None:
    async with client_of(redis.url, tmp_path, jwt_secret=SECRET) as client:
        token = minted("alice")["authorization"].partition(" ")[2]
        assert await who(client, f"ssechat_session={token}") == "alice"
        assert await who(client, f"__Host-ssechat_session={token}", **FRONT) == "alice"


async def test_cookies_on_lines_of_their_own_are_all_read(client: httpx.AsyncClient) -> None:
    plain, mine = await cookie_of(client, "alice", {})
    lines = [("cookie", "a=b"), ("cookie", f"{plain}={mine}"), ("cookie", "c=d")]
    assert (await client.get("/v1/session", headers=lines)).json() == {"user": "alice"}


# Origins.


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "HTTP://CHAT"}, 201),
        ({"origin": "http://chat:80"}, 201),
        ({"origin": "http://chat", "host": "Chat:80"}, 201),
        ({"origin": "https://chat:443", "host": "chat", **FRONT}, 201),
        ({"origin": "https://chat", "host": "chat:443", **FRONT}, 201),
        ({"origin": "http://[::1]:8000", "host": "[0:0:0::1]:8000"}, 201),
        # A proxy that has replaced Host.
        ({"origin": "https://chat.example", "host": "app:8000", "x-forwarded-host": "chat.example", **FRONT}, 201),
        ({"origin": "https://chat.example", "host": "app:8000", "x-forwarded-host": "a, chat.example", **FRONT}, 201),
        ({"origin": "https://chat.example", "host": "app:8000", "sec-fetch-site": "same-origin", **FRONT}, 201),
        ({"origin": "https://chat.example", "host": "app:8000", **FRONT}, 403),
        ({"origin": "https://evil.example", "host": "app:8000", "x-forwarded-host": "chat.example", **FRONT}, 403),
        ({"origin": "http://chat.example", "host": "app:8000", "x-forwarded-host": "chat.example", **FRONT}, 403),
        ({"origin": "https://chat.example", "host": "app:8000", "x-forwarded-host": "chat.example, a", **FRONT}, 403),
        # A browser's header for a page of another site, whatever the other headers are.
        ({"origin": "http://chat", "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://chat", "sec-fetch-site": "same-site"}, 403),
        ({"origin": "https://evil.example", "sec-fetch-site": "none"}, 403),
        ({"origin": "http://chat", "sec-fetch-site": "none"}, 201),
        ({"origin": "http://chat:81"}, 403),
        ({"origin": "http://chat.evil"}, 403),
        ({"origin": ""}, 403),
    ],
)
async def test_a_page_of_this_server_may_write_however_its_origin_is_spelled(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    answer = await client.post("/v1/users", json={"name": "alice", "password": PASSWORD}, headers=headers)
    assert answer.status_code == status


async def test_x_forwarded_host_of_an_untrusted_peer_is_ignored(redis: RedisProcess, tmp_path: Path) -> None:
    async with client_of(redis.url, tmp_path, trusted_proxies=("10.0.0.1",)) as client:
        headers = {"origin": "http://chat.example", "host": "app:8000", "x-forwarded-host": "chat.example"}
        answer = await client.post("/v1/users", json={"name": "alice", "password": PASSWORD}, headers=headers)
        assert code(answer) == (403, "forbidden_origin")


@pytest.mark.parametrize("given", ["https://app.example", "HTTPS://App.Example:443"])
async def test_an_allowed_origin_counts_as_browsers_write_it(redis: RedisProcess, tmp_path: Path, given: str) -> None:
    async with client_of(redis.url, tmp_path, allowed_origins=(given,)) as client:
        for site in ("cross-site", "same-site"):
            headers = {"origin": "https://app.example", "sec-fetch-site": site}
            answer = await client.post("/v1/tickets", json={}, headers={**headers, **minted("alice")})
            assert answer.status_code == 201
            assert answer.headers["access-control-allow-origin"] == "https://app.example"
        for other in ("http://app.example", "https://app.example:8443", "https://app.example.evil", "null", "*"):
            answer = await client.post("/v1/tickets", json={}, headers={"origin": other, **minted("alice")})
            assert code(answer) == (403, "forbidden_origin")
            assert "access-control-allow-origin" not in answer.headers


# Repeated headers.


@pytest.mark.parametrize("name", ["authorization", "content-type", "origin", "sec-fetch-site", "idempotency-key"])
async def test_a_repeated_singleton_header_is_refused(client: httpx.AsyncClient, name: str) -> None:
    alice = await sign_up(client, "alice")
    good = {
        **alice,
        "content-type": "application/json",
        "origin": "http://chat",
        "sec-fetch-site": "same-origin",
        "idempotency-key": "one",
    }
    body = b'{"to":"alice","text":"hi"}'
    for other in ("another", good[name]):
        for lines in ([*good.items(), (name, other)], [(name, other), *good.items()]):
            answer = await client.post("/v1/messages", content=body, headers=lines)
            assert code(answer) == (400, "repeated_header")
            assert name in answer.json()["detail"]
    assert (await client.post("/v1/messages", content=body, headers=good)).status_code == 201


@pytest.mark.parametrize("other", ["0-0", "1-1", ""])
async def test_two_last_event_id_headers_are_refused(client: httpx.AsyncClient, other: str) -> None:
    lines = [*minted("alice").items(), ("last-event-id", "0-0"), ("last-event-id", other)]
    async with asyncio.timeout(5):  # a stream would not end
        assert code(await client.get("/v1/events", headers=lines)) == (400, "repeated_header")


async def test_other_headers_may_be_repeated(client: httpx.AsyncClient) -> None:
    lines = [*minted("alice").items(), ("x-request-id", "a"), ("x-request-id", "b"), ("accept", "a"), ("accept", "b")]
    answer = await client.get("/v1/session", headers=lines)
    assert (answer.status_code, answer.headers["x-request-id"]) == (200, "a")


# Streams.


async def test_a_stream_that_is_asked_for_while_its_session_is_signed_out_ends(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await sign_up(client, "alice")
    authenticate = Guard.authenticate

    async def and_then_sign_out(guard: Guard, *arguments: Any, **options: Any) -> Any:
        identity = await authenticate(guard, *arguments, **options)
        monkeypatch.setattr(Guard, "authenticate", authenticate)
        assert (await client.delete("/v1/session", headers=alice)).status_code == 204
        return identity

    monkeypatch.setattr(Guard, "authenticate", and_then_sign_out)
    answer = await client.get("/v1/events", headers=alice)
    assert answer.status_code == 200
    assert '{"reason":"signed_out"}' in answer.text
    assert "event: hello" not in answer.text
