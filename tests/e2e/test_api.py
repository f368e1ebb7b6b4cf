"""Who one is, and sending: the HTTP contract over real connections."""

import base64
import contextlib
import hmac
import json
import random
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import redis
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from e2e.api import (
    HOST,
    PATIENCE,
    SERIES,
    Event,
    Frames,
    Person,
    Reader,
    direct,
    exchange,
    fresh,
    key,
    mint,
    problem,
    pull,
    request_bytes,
    serve,
    status,
)
from serving import Server, environment, until

PASSWORD = "correct horse battery"
JSON_BODY = "Content-Type: application/json"
SECRET = "a secret of the existing system, 32 bytes or more"


@pytest.fixture(scope="module", params=SERIES[:1])
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("api")
    options = ("--ping-seconds", "1", "--drain-seconds", "0", "--allowed-origins", "https://app.example")
    with serve(folder, *options, series=request.param) as running:
        yield running


@pytest.fixture
def alice(server: Server) -> Iterator[Person]:
    with Person(server, fresh("alice")) as person:
        yield person


@pytest.fixture
def bob(server: Server) -> Iterator[Person]:
    """Somebody who exists."""
    with Person(server, fresh("bob")) as person:
        assert person.http.get("/v1/session").status_code == 200
        yield person


@pytest.fixture
def browser(server: Server) -> Iterator[httpx.Client]:
    """Somebody without a credential, who keeps cookies."""
    with httpx.Client(base_url=server.url, timeout=20, trust_env=False) as client:
        yield client


def sign_up(client: httpx.Client, name: str) -> httpx.Response:
    return client.post("/v1/users", json={"name": name, "password": PASSWORD})


# Who one is.


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_who_signs_up_is_signed_in_with_a_token_and_a_cookie_that_scripts_cannot_read(
    browser: httpx.Client,
) -> None:
    name = fresh("ann@example.com")
    answer = sign_up(browser, name)
    assert answer.status_code == 201
    assert answer.json()["user"] == name
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie
    assert "path=/;" in cookie
    assert browser.get("/v1/session").json() == {"user": name}
    bearer = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert httpx.get(f"{browser.base_url}/v1/session", headers=bearer, trust_env=False).json() == {"user": name}


def test_behind_a_proxy_that_speaks_https_the_cookie_is_secure(browser: httpx.Client) -> None:
    body = {"name": fresh("ann"), "password": PASSWORD}
    answer = browser.post("/v1/users", json=body, headers={"X-Forwarded-Proto": "https"})
    assert answer.status_code == 201
    assert "; secure" in answer.headers["set-cookie"].lower()


def test_a_name_is_taken_in_every_spelling_of_its_letters_case(browser: httpx.Client) -> None:
    name = fresh("Carol")
    assert sign_up(browser, name).status_code == 201
    problem(sign_up(browser, name), 409, "name_taken")
    problem(sign_up(browser, name.upper()), 409, "name_taken")
    problem(sign_up(browser, name.lower()), 409, "name_taken")


def test_a_name_that_exists_through_a_minted_token_cannot_be_signed_up(browser: httpx.Client, bob: Person) -> None:
    problem(sign_up(browser, bob.user), 409, "name_taken")
    problem(sign_up(browser, bob.user.title()), 409, "name_taken")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "", "password": PASSWORD}, "name"),
        ({"name": "-dash", "password": PASSWORD}, "name"),
        ({"name": "a:b", "password": PASSWORD}, "name"),
        ({"name": "ann\n", "password": PASSWORD}, "name"),
        ({"name": "änn", "password": PASSWORD}, "name"),
        ({"name": "a" * 129, "password": PASSWORD}, "name"),
        ({"name": 7, "password": PASSWORD}, "name"),
        ({"name": "ann", "password": "short"}, "password"),
        ({"name": "ann", "password": "x" * 1025}, "password"),
        ({"name": "ann", "password": None}, "password"),
        ({"name": "ann"}, "password"),
        ({"name": "ann", "password": PASSWORD, "admin": True}, "admin"),
    ],
)
def test_a_bad_name_or_password_is_refused_with_the_field_at_fault(
    browser: httpx.Client, body: dict[str, Any], field: str
) -> None:
    content = problem(browser.post("/v1/users", json=body), 422, "invalid_request")
    assert [one["field"] for one in content["fields"]] == [field]
    assert content["fields"][0]["message"]
    assert PASSWORD not in json.dumps(content)


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(browser: httpx.Client) -> None:
    name = fresh("dora")
    sign_up(browser, name)
    wrong = browser.post("/v1/session", json={"name": name, "password": "not the password"})
    unknown = browser.post("/v1/session", json={"name": fresh("nobody"), "password": "not the password"})
    problem(wrong, 401, "wrong_credentials")
    assert wrong.json() == unknown.json()
    assert wrong.status_code == unknown.status_code


def test_one_signs_in_with_the_name_in_any_case(browser: httpx.Client) -> None:
    name = fresh("Emma")
    sign_up(browser, name)
    answer = browser.post("/v1/session", json={"name": name.upper(), "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.json()["user"] == name
    assert browser.get("/v1/session").json() == {"user": name}


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_signing_out_ends_the_token_and_that_sessions_streams_on_every_worker(
    server: Server, browser: httpx.Client
) -> None:
    name = fresh("fred")
    first = sign_up(browser, name).json()["token"]
    second = browser.post("/v1/session", json={"name": name, "password": PASSWORD}).json()["token"]
    one, other = server.workers()
    with Person(server, name, first) as person, Person(server, name, second) as elsewhere:
        streams = [person.listen_on(one), person.listen_on(other)]
        stays = elsewhere.listen_on(one)
        for stream in [*streams, stays]:
            stream.live()
        answer = person.on(other).http.delete("/v1/session")
        assert answer.status_code == 204
        assert "ssechat_session=" in answer.headers["set-cookie"]
        for stream in streams:
            assert stream.first("bye").data == {"reason": "signed_out"}
            assert stream.wait_end() == "clean"
            stream.close()
        for worker in (one, other):
            problem(person.on(worker).http.get("/v1/session"), 401, "signed_out")
        elsewhere.say("still here", name)
        stays.messages(1)
        stays.close()


def test_a_ticket_of_a_session_that_has_ended_does_not_count(server: Server, browser: httpx.Client) -> None:
    token = sign_up(browser, fresh("gina")).json()["token"]
    ticket = browser.post("/v1/tickets", json={}).json()["ticket"]
    assert browser.delete("/v1/session", headers={"Authorization": f"Bearer {token}"}).status_code == 204
    answer = httpx.Client(base_url=server.url, trust_env=False)
    with answer, answer.stream("GET", "/v1/events", params={"ticket": ticket}) as stream:
        assert stream.status_code == 401


def test_an_expired_token_ends_its_stream_and_is_refused(server: Server) -> None:
    with Person(server, fresh("hans")) as person:
        # The server allows for clocks that differ by 5 s, except where it ends a stream.
        with Reader(server, mint(server, person.user, seconds=1.5)) as stream:
            stream.live()
            assert stream.first("bye").data == {"reason": "token_expired"}
            assert stream.wait_end() == "clean"
        expired = {"Authorization": f"Bearer {mint(server, person.user, seconds=-6)}"}
        problem(person.http.get("/v1/session", headers=expired), 401, "token_expired")
        problem(person.http.get("/v1/events", headers=expired), 401, "token_expired")


def test_a_token_from_the_command_line_counts(server: Server) -> None:
    name = fresh("auth0|5f7c+x")
    command = [sys.executable, "-m", "ssechat", "token", name, "--data", str(server.data)]
    token = subprocess.run(command, check=True, capture_output=True, text=True, env=environment()).stdout.strip()
    with Person(server, name, token) as person, person.listen() as stream:
        assert stream.first("hello").data["user"] == name
        person.say("a note", name)
        assert stream.messages(1)[0]["conversation_id"] == direct(name, name)


def unsigned(header: object, claims: object) -> str:
    parts = [
        base64.urlsafe_b64encode(part if isinstance(part, bytes) else json.dumps(part).encode()).rstrip(b"=").decode()
        for part in (header, claims, b"")
    ]
    return ".".join(parts)


def bad_tokens(server: Server) -> dict[str, str]:
    claims = {"sub": "eve", "exp": time.time() + 3600}
    good = jwt.encode(claims, key(server), algorithm="HS256")
    return {
        "signed by somebody else": jwt.encode(claims, "x" * 64, algorithm="HS256"),
        "alg none": unsigned({"alg": "none", "typ": "JWT"}, claims),
        "alg NONE": unsigned({"alg": "NONE", "typ": "JWT"}, claims),
        "another algorithm of the same key": jwt.encode(claims, key(server), algorithm="HS512"),
        "without exp": jwt.encode({"sub": "eve"}, key(server), algorithm="HS256"),
        "without sub": jwt.encode({"exp": time.time() + 3600}, key(server), algorithm="HS256"),
        "sub is no user id": jwt.encode({**claims, "sub": "a b"}, key(server), algorithm="HS256"),
        "sub is empty": jwt.encode({**claims, "sub": ""}, key(server), algorithm="HS256"),
        "sub has a colon": jwt.encode({**claims, "sub": "a:b"}, key(server), algorithm="HS256"),
        "a session that never was": jwt.encode({**claims, "sid": "0" * 32}, key(server), algorithm="HS256"),
        "not yet valid": jwt.encode({**claims, "nbf": time.time() + 600}, key(server), algorithm="HS256"),
        "signature cut": good[:-2],
        "claims changed": ".".join([good.split(".")[0], unsigned({}, claims).split(".")[1], good.split(".")[2]]),
        "garbage": "garbage",
        "dots": "...",
        "deep header": base64.urlsafe_b64encode(b"[" * 30000).decode() + ".e30.AA",
        "header is no object": unsigned([1], claims),
        "kid is a number": unsigned({"alg": "HS256", "kid": 7}, claims),
        "exp is huge": unsigned({"alg": "HS256"}, {"sub": "eve", "exp": 1e300}),
    }


def test_a_token_that_is_not_ours_is_refused(server: Server, browser: httpx.Client) -> None:
    problem(browser.get("/v1/session"), 401, "unauthorized")
    problem(browser.get("/v1/events"), 401, "unauthorized")
    for kind, token in bad_tokens(server).items():
        answer = browser.get("/v1/session", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401, (kind, answer.text)
        problem(answer, 401, "signed_out" if kind == "a session that never was" else "invalid_token")
        cookie = browser.get("/v1/session", headers={"Cookie": f"ssechat_session={token}"})
        assert cookie.status_code == 401, (kind, cookie.text)


def test_a_token_whose_header_has_a_lone_surrogate_is_refused_and_not_a_bug(browser: httpx.Client) -> None:
    token = unsigned(b'{"alg":"HS256","crit":["\\ud800"],"\\ud800":1}', {})
    problem(browser.get("/v1/session", headers={"Authorization": f"Bearer {token}"}), 401, "invalid_token")


def test_a_ticket_opens_one_stream_and_then_no_more(server: Server, alice: Person) -> None:
    answer = alice.http.post("/v1/tickets", json={})
    assert answer.status_code == 201
    assert answer.json()["expires_in"] == 30
    ticket = answer.json()["ticket"]
    assert alice.token not in ticket
    with Reader(server, None, query=f"?ticket={ticket}") as stream:
        assert stream.first("hello").data["user"] == alice.user
        with Person(server, "nobody", "") as nobody:
            nobody.http.headers.pop("Authorization")
            problem(nobody.http.get("/v1/events", params={"ticket": ticket}), 401, "invalid_ticket")
            problem(nobody.http.get("/v1/events", params={"ticket": "made up"}), 401, "invalid_ticket")
            problem(nobody.http.get("/v1/session", params={"ticket": ticket}), 401, "unauthorized")


def redis_cli(server: Server, *command: str) -> Any:
    """The private Redis's answer."""
    with redis.Redis(unix_socket_path=str(server.data / "redis" / "redis.sock"), decode_responses=True) as client:
        return client.execute_command(*command)


def test_a_ticket_expires_and_no_secret_is_stored_in_the_clear(server: Server, alice: Person) -> None:
    ticket = alice.http.post("/v1/tickets", json={}).json()["ticket"]
    assert ticket not in redis_cli(server, "KEYS", "*")
    [stored] = [name for name in redis_cli(server, "KEYS", "{t:*") if alice.user in redis_cli(server, "GET", name)]
    assert 0 < redis_cli(server, "TTL", stored) <= 30


def test_the_key_file_is_for_its_owner_only(server: Server) -> None:
    assert stat.S_IMODE((server.data / "jwt.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700


def test_with_sign_up_closed_nobody_new_comes_in_but_tokens_count(tmp_path: Path) -> None:
    with serve(tmp_path, "--signup", "closed", "--workers", "1") as server, Person(server, "ann") as ann:
        problem(sign_up(ann.http, "newcomer"), 403, "sign_up_closed")
        assert ann.http.get("/v1/server").json()["sign_up"] is False
        problem(ann.post("hi", "newcomer"), 404, "unknown_user")
        ann.say("hi", "ann")


def test_with_an_existing_systems_secret_only_its_tokens_count_and_everybody_can_be_written_to(
    tmp_path: Path,
) -> None:
    options = {"SSECHAT_JWT_SECRET": SECRET, "SSECHAT_JWT_AUDIENCE": "chat", "SSECHAT_JWT_ISSUER": "https://id.example"}
    claims = {"sub": "auth0|ann", "exp": time.time() + 60, "aud": "chat", "iss": "https://id.example"}

    def signed(secret: str = SECRET, **other: object) -> str:
        merged = {name: value for name, value in {**claims, **other}.items() if value is not None}
        return jwt.encode(merged, secret, algorithm="HS256")

    with serve(tmp_path, "--workers", "1", **options) as server:
        assert not (server.data / "jwt.key").exists()
        # A `sid` of that system is no session of ours.
        with Person(server, "auth0|ann", signed(sid="theirs")) as ann:
            problem(sign_up(ann.http, "newcomer"), 403, "sign_up_closed")
            body = {"name": "ann", "password": PASSWORD}
            problem(ann.http.post("/v1/session", json=body), 403, "sign_in_closed")
            about = ann.http.get("/v1/server").json()
            assert (about["sign_up"], about["sign_in"]) == (False, False)
            ann.say("you were never here", "bob@example.com")
            problem(ann.post("hi", "not:well-formed"), 404, "unknown_user")
            for token in (signed("y" * 40), signed(aud="other"), signed(aud=None), signed(iss="https://evil.example")):
                problem(ann.http.get("/v1/session", headers={"Authorization": f"Bearer {token}"}), 401, "invalid_token")
        with Reader(server, signed(sub="bob@example.com"), cursor="0-0") as stream:
            assert stream.messages(1)[0]["text"] == "you were never here"
        command = [sys.executable, "-m", "ssechat", "token", "cli", "--data", str(server.data)]
        minted = subprocess.run(command, check=True, capture_output=True, text=True, env=environment(options))
        with Person(server, "cli", minted.stdout.strip()) as cli:
            assert cli.http.get("/v1/session").json() == {"user": "cli"}


def test_with_an_existing_systems_public_key_only_what_its_private_key_signed_counts(tmp_path: Path) -> None:
    secret = ec.generate_private_key(ec.SECP256R1())
    pem = secret.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    claims = {"sub": "ann", "exp": time.time() + 60}
    token = jwt.encode(claims, secret, algorithm="ES256")
    other = jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256")
    # The classical attack: the public key as the secret of an HMAC.
    header = base64.urlsafe_b64encode(b'{"alg":"HS256"}').rstrip(b"=")
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
    signature = base64.urlsafe_b64encode(hmac.digest(pem, header + b"." + payload, "sha256")).rstrip(b"=")
    confused = b".".join((header, payload, signature)).decode()
    environment_ = {"SSECHAT_JWT_PUBLIC_KEY": pem.decode()}
    with serve(tmp_path, "--workers", "1", **environment_) as server, Person(server, "ann", token) as ann:
        ann.say("hi", "anybody")
        for bad in (other, confused, unsigned({"alg": "none"}, claims)):
            problem(ann.http.get("/v1/session", headers={"Authorization": f"Bearer {bad}"}), 401, "invalid_token")
        command = [sys.executable, "-m", "ssechat", "token", "ann", "--data", str(server.data)]
        minted = subprocess.run(command, capture_output=True, text=True, env=environment(environment_))
        assert minted.returncode == 2
        assert "public key" in minted.stderr


# Other sites' pages.


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "{self}"}, True),
        ({"Origin": "{self}", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "https://app.example.evil.example"}, False),
        ({"Origin": "http://app.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": ""}, False),
        ({"Origin": f"http://{HOST}:1"}, False),
        ({"Origin": f"http://{HOST}"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
    ],
)
def test_a_write_is_taken_from_pages_of_this_and_of_allowed_origins_only(
    server: Server, alice: Person, headers: dict[str, str], allowed: bool
) -> None:
    sent = {name: value.format(self=server.url) for name, value in headers.items()}
    body = {"to": alice.user, "text": "hi"}
    answer = alice.http.post("/v1/messages", json=body, headers=sent)
    ticket = alice.http.post("/v1/tickets", json={}, headers=sent)
    signed_out = alice.http.delete("/v1/session", headers=sent)
    if allowed:
        # A minted token has no session that could be ended.
        assert (answer.status_code, ticket.status_code) == (201, 201)
        assert signed_out.status_code != 403
    else:
        for refused in (answer, ticket, signed_out):
            problem(refused, 403, "forbidden_origin")


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://]", "http://[v1.x", "https://a]b["])
def test_an_origin_that_is_no_address_is_refused_and_not_a_bug(alice: Person, origin: str) -> None:
    body = {"to": alice.user, "text": "hi"}
    problem(alice.http.post("/v1/messages", json=body, headers={"Origin": origin}), 403, "forbidden_origin")


def test_a_page_of_an_allowed_origin_may_ask_first(alice: Person) -> None:
    asked = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }
    answer = alice.http.options("/v1/messages", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    refused = alice.http.options("/v1/messages", headers={**asked, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"]
)
def test_a_write_that_a_form_could_send_is_refused(alice: Person, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    body = json.dumps({"to": alice.user, "text": "hi"}).encode()
    problem(alice.http.post("/v1/messages", content=body, headers=headers), 415, "unsupported_media_type")
    problem(alice.http.post("/v1/users", content=body, headers=headers), 415, "unsupported_media_type")


def test_the_type_of_json_may_have_parameters_and_capitals(alice: Person) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    body = json.dumps({"to": alice.user, "text": "hi"}).encode()
    assert alice.http.post("/v1/messages", content=body, headers=headers).status_code == 201


# Sending.


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_a_message_is_created_once_and_a_repeat_gets_it_as_it_stands(alice: Person, bob: Person) -> None:
    first = alice.post("hi", bob.user, "one")
    assert first.status_code == 201
    message = first.json()
    assert message == {
        "conversation_id": direct(alice.user, bob.user),
        "seq": 1,
        "version": 1,
        "sender": alice.user,
        "text": "hi",
        "client_msg_id": "one",
        "created_at": message["created_at"],
    }
    assert message["created_at"].endswith("Z")
    again = alice.post("hi", bob.user, "one")
    assert (again.status_code, again.json()) == (200, message)
    body = {"conversation_id": message["conversation_id"], "text": "hi", "client_msg_id": "one"}
    the_same = alice.http.post("/v1/messages", json=body)
    assert (the_same.status_code, the_same.json()) == (200, message)
    problem(alice.post("something else", bob.user, "one"), 409, "idempotency_conflict")
    # It is the sender's own, and the conversation's.
    assert bob.post("hi", alice.user, "one").status_code == 201
    assert alice.post("hi", alice.user, "one").status_code == 201
    assert [each["seq"] for each in alice.history(bob.user)] == [1, 2]


def test_the_idempotency_key_header_is_the_client_msg_id(alice: Person, bob: Person) -> None:
    body = {"to": bob.user, "text": "hi"}
    first = alice.http.post("/v1/messages", json=body, headers={"Idempotency-Key": "k 1"})
    assert first.status_code == 201
    assert first.json()["client_msg_id"] == "k 1"
    assert alice.post("hi", bob.user, "k 1").status_code == 200
    both = alice.http.post("/v1/messages", json={**body, "client_msg_id": "k 1"}, headers={"Idempotency-Key": "k 1"})
    assert both.status_code == 200
    for header in (b"", b"x" * 129, b"k\t1", b"k\xe91"):
        answer = alice.http.post("/v1/messages", json=body, headers={b"Idempotency-Key": header})
        problem(answer, 422, "invalid_request")
    differing = {**body, "client_msg_id": "k 2"}
    answer = alice.http.post("/v1/messages", json=differing, headers={"Idempotency-Key": "k 1"})
    problem(answer, 422, "invalid_request")


def test_without_a_client_msg_id_the_server_makes_one_and_each_send_is_a_message(alice: Person, bob: Person) -> None:
    one, other = alice.say("hi", bob.user), alice.say("hi", bob.user)
    assert one["client_msg_id"] != other["client_msg_id"]
    assert (one["seq"], other["seq"]) == (1, 2)
    assert alice.post("hi", bob.user, one["client_msg_id"]).json() == one


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", ""),
        (b"{", ""),
        (b"nonsense", ""),
        (b"null", ""),
        (b"[]", ""),
        (b'"text"', ""),
        (b"7", ""),
        (b"{} {}", ""),
        (b'{"to":"%b","text":"hi",}', ""),
        (b'{"to":"%b","text":NaN}', None),
        (b"\xef\xbb\xbf{}", ""),
        (b'{"to":"%b","text":"\xff"}', None),
        (b'{"to":"%b","text":"\xed\xa0\x80"}', None),
        (b'{"to":"%b","text":"\\ud800"}', None),
        (b'{"to":"%b","text":"\\udc00\\ud800"}', None),
        (b'{"to":"%b","\\ud800":"x","text":"hi"}', None),
        (b'{"to":"%b","text":"a\nb"}', None),
        (b'{"to":"%b"}', "text"),
        (b'{"to":"%b","text":""}', "text"),
        (b'{"to":"%b","text":null}', "text"),
        (b'{"to":"%b","text":5}', "text"),
        (b'{"to":"%b","text":1e999}', "text"),
        (b'{"to":"%b","text":' + b"9" * 5000 + b"}", None),
        (b'{"to":"%b","text":true}', "text"),
        (b'{"to":"%b","text":["hi"]}', "text"),
        (b'{"to":"%b","text":' + b"[" * 20000 + b"]" * 20000 + b"}", None),
        (b'{"to":"%b","text":' + b'{"a":' * 9000 + b"1" + b"}" * 9000 + b"}", None),
        (b'{"to":"%b","text":"hi","extra":1}', "extra"),
        (b'{"to":"%b","text":"hi","":1}', ""),
        (b'{"to":"%b","text":"hi","a\\u0000\\nb":1}', None),
        (b'{"text":"hi"}', ""),
        (b'{"to":"%b","conversation_id":"dm:a:b","text":"hi"}', ""),
        (b'{"to":7,"text":"hi"}', "to"),
        (b'{"to":"","text":"hi"}', "to"),
        (b'{"to":"' + b"x" * 129 + b'","text":"hi"}', "to"),
        (b'{"conversation_id":"' + b"x" * 401 + b'","text":"hi"}', "conversation_id"),
        (b'{"conversation_id":"","text":"hi"}', "conversation_id"),
        (b'{"conversation_id":{},"text":"hi"}', "conversation_id"),
        (b'{"to":"%b","text":"hi","client_msg_id":""}', "client_msg_id"),
        (b'{"to":"%b","text":"hi","client_msg_id":"a\\u0000b"}', "client_msg_id"),
        (b'{"to":"%b","text":"hi","client_msg_id":"a\\n"}', "client_msg_id"),
        (b'{"to":"%b","text":"hi","client_msg_id":"\\u007f"}', "client_msg_id"),
        (b'{"to":"%b","text":"hi","client_msg_id":"\xc3\xa9"}', "client_msg_id"),
        (b'{"to":"%b","text":"hi","client_msg_id":"' + b"x" * 129 + b'"}', "client_msg_id"),
        (b'{"to":"%b","text":"hi","client_msg_id":7}', "client_msg_id"),
    ],
)
def test_a_wrong_body_is_refused_with_the_field_at_fault(
    alice: Person, bob: Person, body: bytes, field: str | None
) -> None:
    sent = body.replace(b"%b", bob.user.encode())
    answer = alice.http.post("/v1/messages", content=sent, headers={"Content-Type": "application/json"})
    content = problem(answer, 422, "invalid_request")
    if field is not None:
        assert field in [one["field"] for one in content["fields"]]
    assert all(one["message"] for one in content["fields"])
    assert alice.history(bob.user) == []


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_a_message_to_nobody_or_into_others_conversations_is_refused(alice: Person, bob: Person) -> None:
    def into(conversation: str) -> httpx.Response:
        return alice.http.post("/v1/messages", json={"conversation_id": conversation, "text": "hi"})

    problem(alice.post("hi", fresh("nobody")), 404, "unknown_user")
    problem(alice.post("hi", "not a user id"), 404, "unknown_user")
    problem(alice.post("hi", "{u:bob}"), 404, "unknown_user")
    problem(into(direct(bob.user, "zoe")), 403, "not_a_member")
    first, second = sorted((alice.user, bob.user))
    problem(into(f"dm:{second}:{first}"), 404, "unknown_conversation")
    for unknown in (
        "dm",
        "dm:",
        "dm::",
        f"dm:{alice.user}",
        f"dm:{first}:{second}:x",
        "g:unknown",
        "x:y",
        "}{",
        "\x00",
    ):
        problem(into(unknown), 404, "unknown_conversation")
    problem(into(direct(alice.user, fresh("nobody"))), 404, "unknown_conversation")
    for reader, conversation, expected in (
        (alice, direct(bob.user, "zoe"), (403, "not_a_member")),
        (alice, f"dm:{second}:{first}", (404, "unknown_conversation")),
    ):
        problem(reader.http.get(f"/v1/conversations/{conversation}/messages"), *expected)
    assert into(direct(alice.user, bob.user)).status_code == 201
    assert into(direct(alice.user, alice.user)).status_code == 201


def test_a_body_over_the_limit_is_refused_however_its_length_is_told(alice: Person, bob: Person) -> None:
    headers = {"Content-Type": "application/json"}
    frame = len(json.dumps({"to": bob.user, "text": ""}))
    fits = json.dumps({"to": bob.user, "text": "x" * (65536 - frame)}).encode()
    assert len(fits) == 65536
    too_large = fits[:-2] + b'x"}'
    assert alice.http.post("/v1/messages", content=fits, headers=headers).status_code == 201
    problem(alice.http.post("/v1/messages", content=too_large, headers=headers), 413, "too_large")

    def in_pieces(body: bytes) -> Iterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    assert alice.http.post("/v1/messages", content=in_pieces(fits), headers=headers).status_code == 201
    problem(alice.http.post("/v1/messages", content=in_pieces(too_large), headers=headers), 413, "too_large")
    assert len(alice.history(bob.user)) == 2


def test_a_body_that_is_announced_as_too_large_is_refused_before_it_is_sent(server: Server, alice: Person) -> None:
    head = request_bytes(
        "POST", "/v1/messages", JSON_BODY, f"Authorization: Bearer {alice.token}", "Content-Length: 70000"
    )
    answer = exchange(server, head)
    assert status(answer) == 413
    assert b'"code":"too_large"' in answer


TEXTS = {
    "newline": "one\ntwo",
    "carriage return": "one\rtwo",
    "both": "one\r\ntwo\r\n\r\n",
    "line separators": "one\u2028two\u2029three\u0085four\x0b\x0c\x1c",
    "nul": "a\x00b",
    "controls": "".join(map(chr, range(32))) + "\x7f",
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 \U0010ffff",
    "right to left": "\u202eשלום مرحبا\u202c",
    "a frame": "x\n\nevent: bye\nid: 9-9\ndata: {}\n\n",
    "a chunk": "0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "json": '"},{"seq":9,"version":7}\\"\\u0000',
    "not characters": "\ufffe\uffff\ufffd\ufeff",
    "html": "</script><script>alert(1)</script>",
    "space": "   ",
    "lua": "%s %d %% \\0 ]] KEYS[1]",
    "60 KB": "0123456789abcde\n" * 3500,
    "60 KB of emoji": "😀" * 15000,
    "4 KB": "x" * 4096,
}


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_every_text_survives_unharmed_live_in_history_and_on_replay(alice: Person, bob: Person) -> None:
    texts = list(TEXTS.values())
    with bob.listen() as live:
        start = live.first("hello").id
        for number, text in enumerate(texts):
            assert alice.say(text, bob.user, f"t{number}")["text"] == text
            assert alice.post(text, bob.user, f"t{number}").json()["text"] == text
        live.messages(len(texts))
        assert live.texts == texts
        ids = [event.id for event in live.named("message")]
    assert [message["text"] for message in bob.history(alice.user)] == texts
    with bob.listen(start) as replay:
        replay.messages(len(texts))
        assert replay.texts == texts
        assert [event.id for event in replay.named("message")] == ids
        assert replay.first("caught_up").data == {"id": ids[-1]}


# Reading.


def test_history_is_read_in_pages_in_both_directions(alice: Person, bob: Person) -> None:
    for number in range(1, 8):
        alice.say(str(number), bob.user)
    path = f"/v1/conversations/{direct(alice.user, bob.user)}/messages"

    def page(**query: int) -> tuple[list[int], bool]:
        answer = bob.http.get(path, params=query).json()
        return [message["seq"] for message in answer["messages"]], answer["has_more"]

    assert page() == ([1, 2, 3, 4, 5, 6, 7], False)
    assert page(limit=3) == ([5, 6, 7], True)
    assert page(before=5, limit=3) == ([2, 3, 4], True)
    assert page(before=2, limit=3) == ([1], False)
    assert page(before=1) == ([], False)
    assert page(after=0, limit=3) == ([1, 2, 3], True)
    assert page(after=5) == ([6, 7], False)
    assert page(after=7) == ([], False)
    assert page(after=2**53 - 1) == ([], False)
    assert page(before=2**53 - 1, limit=1) == ([7], True)
    for query in (
        "before=0",
        "after=-1",
        "limit=0",
        "limit=201",
        "before=x",
        "before=1&after=1",
        "page=1",
        "before=1e9",
    ):
        problem(bob.http.get(f"{path}?{query}"), 422, "invalid_request")
    problem(bob.http.get(f"{path}?before={'9' * 5000}"), 422, "invalid_request")


def test_the_list_of_conversations_shows_the_one_with_the_newest_event_first(alice: Person, bob: Person) -> None:
    bob.say("to myself", bob.user)
    alice.say("hi", bob.user)
    newest = bob.say("later", bob.user)
    first = bob.http.get("/v1/conversations", params={"limit": 1}).json()
    assert [each["id"] for each in first["conversations"]] == [direct(bob.user, bob.user)]
    assert first["conversations"][0]["last_message"] == newest
    assert first["conversations"][0]["members"] == [bob.user]
    second = bob.http.get("/v1/conversations", params={"limit": 1, "before": first["next"]}).json()
    assert [each["id"] for each in second["conversations"]] == [direct(alice.user, bob.user)]
    assert second["next"] is None


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
def test_a_wrong_path_or_method_gets_a_problem(alice: Person, method: str) -> None:
    problem(alice.http.request(method, "/v1/nothing"), 404, "not_found")
    answer = alice.http.request(method, "/v1/events")
    problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


# The storm: whatever comes, the server has a reason for its answer.


def storm(server: Server, token: str, user: str) -> Iterator[bytes]:
    """Odd requests, the same ones each time."""
    chance = random.Random(20)
    authorization = f"Authorization: Bearer {token}"
    message = json.dumps({"to": user, "text": "storm"}).encode()
    paths = (
        "/", "/v1", "/v1/", "/v1/messages", "/v1/messages/", "/v1/events", "/v1/users", "/v1/users/", "/v1/session",
        "/v1/tickets", "/v1/conversations", "/v1/conversations/", "/v1/server", "/healthz/live", "/healthz/ready",
        f"/v1/users/{user}", "/v1/users/%00", "/v1/users/%ff%fe", "/v1/users/%ed%a0%80", "/v1/users/..%2f..%2fetc",
        "/v1/conversations/%00/messages", "/v1/conversations/dm:%ff:b/messages", "/v1/conversations/./messages",
        f"/v1/conversations/dm:{user}:{user}/messages", f"/v1/conversations/dm:{user}:{user}/messages/",
        "/v1/conversations/" + "x" * 5000 + "/messages", "/v1/conversations/%F0%9F%98%80/messages",
        "/web", "/web/", "/web/%00", "/web/../pyproject.toml", "/web/%2e%2e/%2e%2e/app.py", "/web/" + "x" * 5000,
        "//", "//evil.example/", "///v1/events", "/v1//events", "/%2e%2e/", "/\\", "*", "http://evil.example/v1/events",
        "/v1/events#x", "/v1/événement", "/v1/\xff", "/metrics", "/openapi.json", "/docs", "/favicon.ico",
    )  # fmt: skip
    queries = (
        "", "?", "?limit=-1", "?limit=9999999999999999999999", "?limit=1e3", "?before=%00", "?before=&after=",
        "?last_event_id=%ff", "?last_event_id=0-0&last_event_id=x", "?ticket=", "?ticket=%00", "?ticket=" + "x" * 9000,
        "?" + "&".join(f"a{n}=b" for n in range(2000)), "?%", "?=&=&", "?limit=1&limit=2", "?a[b]=c", "?limit=\xff",
        "?limit=%F0%9F%98%80", "?" + "x" * 20000,
    )  # fmt: skip
    headers: tuple[str, ...] = (
        "", "Host: ", "Host: [", "Host: a b", "Host: chat.example:99999999", "Origin: null", "Origin: \xff",
        "Origin: //", "Origin: http://a:b:c", "Last-Event-ID: ", "Last-Event-ID: \xff\xfe",
        "Last-Event-ID: " + "9" * 9000,
        "Last-Event-ID: 999999999999999999-9999999999999999999", "Last-Event-ID: -", "Last-Event-ID: 1-1\tx",
        "Cookie: ssechat_session=", "Cookie: ssechat_session=\"\\377\"", "Cookie: ;;;==;", "Cookie: " + "a=b;" * 3000,
        "Authorization: Bearer", "Authorization: bearer  ", "Authorization: Basic YTpi", "Authorization: \xff",
        "Content-Type: application/json; charset=\xff", "Content-Type: application/json; charset=utf-7",
        "Content-Encoding: gzip", "Accept: application/xml", "Accept-Encoding: \xff", "Range: bytes=0-0, -1, x",
        "If-None-Match: *", "If-Modified-Since: yesterday", "Idempotency-Key: \xff", "Sec-Fetch-Site: \xff",
        "X-Forwarded-For: \xff, , x", "X-Forwarded-For: " + "1.2.3.4, " * 2000, "X-Forwarded-Proto: javascript",
        "X-Forwarded-Host: [", "Upgrade: websocket", "Upgrade: h2c", "Expect: 100-continue", "Expect: \xff",
        "Transfer-Encoding: gzip, chunked", "TE: trailers", "X: " + "y" * 60000,
    )  # fmt: skip
    bodies = (
        None, b"", message, b"\x00", b"\xff" * 100, b"[" * 60000, b'{"to":' * 5000, b"{" + b'"a":1,' * 9000 + b"}",
        b'{"to":"a","to":"b","text":"x"}', json.dumps({"to": user, "text": "\ud83d\ude00" * 10}).encode(), b"x" * 65537,
        b'{"name":"\\u0000","password":"\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000"}',
        b'{"name":"x","password":{}}', message.replace(b"storm", b"\\u0000" * 9000),
    )  # fmt: skip
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "HEAD", "get", "BREW", "PROPFIND")

    def one(method: str, target: str, header: str, body: bytes | None, version: str = "1.1") -> bytes:
        lines = [header] if header else []
        if not header.startswith("Authorization"):
            lines.append(authorization)
        if not header.startswith("Content-Type"):
            lines.append(JSON_BODY)
        # A cursor that makes the stream say something at once, and a stream ends when we go.
        return request_bytes(method, target, *lines, body=body, version=version)

    for path in paths:
        yield one("GET", path, "", None)
        yield one("POST", path, "", message)
    for query in queries:
        for path in ("/v1/conversations", f"/v1/conversations/dm:{user}:{user}/messages", "/v1/users"):
            yield one("GET", path + query, "", None)
    for header in headers:
        yield one("GET", "/v1/session", header, None)
        yield one("POST", "/v1/messages", header, message)
        yield one("POST", "/v1/tickets", header, b"{}")
    for body in bodies:
        for path in ("/v1/messages", "/v1/users", "/v1/session", "/v1/tickets"):
            yield one("POST", path, "", body)
    for _ in range(300):
        path = chance.choice(paths)
        yield one(
            chance.choice(methods),
            path if "?" in path else path + chance.choice(queries),
            chance.choice(headers),
            chance.choice(bodies),
            chance.choice(("1.1", "1.1", "1.0")),
        )
    good = one("POST", "/v1/messages", "", message)
    for _ in range(100):  # a few bytes wrong somewhere
        spoilt = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        yield bytes(spoilt)
    yield b"\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield good.replace(b"HTTP/1.1", b"HTTP/9.9")
    yield good.replace(b"Content-Length: ", b"Content-Length: 1\r\nContent-Length: ")
    yield good.replace(b"Content-Length: ", b"Content-Length: -")
    yield good.replace(b"Content-Length: ", b"Content-Length: " + b"9" * 5000)
    yield request_bytes("POST", "/v1/messages", authorization, JSON_BODY, "Transfer-Encoding: chunked") + b"zz\r\n"
    yield request_bytes("POST", "/v1/messages", authorization, JSON_BODY, "Transfer-Encoding: chunked") + (
        b"%x\r\n%b\r\n0\r\nTrailer: x\r\n\r\n" % (len(message), message)
    )


def is_stream(request: bytes) -> bool:
    return b"/v1/events" in request.partition(b"\r\n")[0]


def test_no_request_however_odd_is_answered_with_a_500(server: Server, alice: Person) -> None:
    assert alice.http.get("/v1/session").status_code == 200
    requests = list(storm(server, alice.token, alice.user))

    def answer(request: bytes) -> bytes:
        # A stream goes on until we leave, and half a request waits for the rest.
        return exchange(server, request, 0.3 if is_stream(request) else 1)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(answer, requests))
    wrong = [(r[:200], a[:200]) for r, a in zip(requests, answers, strict=True) if status(a) >= 500]
    assert not wrong, wrong[:5]
    assert sum(status(a) == 201 for a in answers) > 20
    assert sum(400 <= status(a) < 500 for a in answers) > 200
    for request, got in zip(requests, answers, strict=True):
        head, _, body = got.partition(b"\r\n\r\n")
        # A refusal of a body that is still being sent can lose its own to the reset that follows.
        if status(got) >= 400 and b"json" in head and body:
            assert b"application/problem+json" in head, (request[:200], got)
            content = json.loads(body)
            assert {"type", "title", "status", "code", "detail"} <= content.keys()
            assert content["status"] == status(got)


@pytest.mark.parametrize("target", ["/v1/users/?\xff", "/web?\xff", "/v1/session/?q=\xfe\xff"])
def test_a_query_that_is_not_utf_8_is_not_a_bug(server: Server, target: str) -> None:
    answer = exchange(server, request_bytes("GET", target))
    assert 300 <= status(answer) < 500, answer


def test_a_header_without_end_is_refused_before_it_fills_the_memory(server: Server) -> None:
    with socket.create_connection((HOST, server.port), timeout=PATIENCE) as connection:
        connection.sendall(b"GET /healthz/live HTTP/1.1\r\nHost: x\r\nX: ")
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 8_000_000:
                sent += connection.send(b"y" * 65536)
        assert sent < 8_000_000


def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_error_of_the_server(
    server: Server, alice: Person
) -> None:
    head = request_bytes(
        "POST", "/v1/messages", JSON_BODY, f"Authorization: Bearer {alice.token}", "Content-Length: 1000"
    )
    before = len(server.errors)
    for _ in range(4):
        with socket.create_connection((HOST, server.port), timeout=PATIENCE) as connection:
            connection.sendall(head + b'{"to":')
    with Person(server, alice.user) as other:
        for worker in server.workers():  # each has had its turn since
            other.on(worker).http.get("/v1/session")
    with pytest.raises(TimeoutError):
        until(lambda: "Traceback" in server.errors[before:], 0.5)


# The real curl.


def curl(*arguments: str) -> str:
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_plain_curl_signs_up_sends_and_listens(server: Server, tmp_path: Path) -> None:
    ann, ben = fresh("ann"), fresh("ben")
    json_header = ("-H", "Content-Type: application/json")
    jars = {name: str(tmp_path / name) for name in (ann, ben)}
    for name, jar in jars.items():
        signed_up = curl("-c", jar, *json_header, "-d", json.dumps({"name": name, "password": PASSWORD}),
                         f"{server.url}/v1/users")  # fmt: skip
        assert json.loads(signed_up)["user"] == name
    command = ["curl", "-sN", "--noproxy", "*", "--max-time", "20", "-b", jars[ben], f"{server.url}/v1/events"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as listening:
        try:
            assert listening.stdout is not None
            frames = Frames()
            events: list[Event] = []
            pull(listening.stdout, frames, events, lambda: any(event.name == "hello" for event in events))
            message = json.loads(
                curl(
                    "-b",
                    jars[ann],
                    *json_header,
                    "-d",
                    json.dumps({"to": ben, "text": "from curl\n"}),
                    f"{server.url}/v1/messages",
                )
            )
            pull(listening.stdout, frames, events, lambda: events[-1].name == "message")
            assert events[-1].data == message
        finally:
            listening.kill()
    refused = curl("-b", jars[ann], "-d", "to=ben&text=hi", "-w", "%{http_code}", f"{server.url}/v1/messages")
    assert refused.endswith("415")
    assert curl("-b", jars[ann], "-X", "DELETE", "-w", "%{http_code}", f"{server.url}/v1/session") == "204"
    assert curl("-b", jars[ann], "-w", "%{http_code}", f"{server.url}/v1/session").endswith("401")
