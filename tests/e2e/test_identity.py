"""Accounts, sessions, tokens and tickets, over real connections."""

import base64
import hmac
import json
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import redis
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from e2e.api import SERIES, Person, Reader, direct, fresh, key, mint, problem, serve
from serving import Server, environment
from ssechat.identity.tokens import Tokens
from ssechat.settings import Settings

PASSWORD = "correct horse battery"
SECRET = "a secret of the existing system, 32 bytes or more"


def sign_up(client: httpx.Client, name: str) -> httpx.Response:
    return client.post("/v1/users", json={"name": name, "password": PASSWORD})


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
    assert answer.headers["set-cookie"].startswith("__Host-")


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
    answers = [{**answer.json(), "request_id": ""} for answer in (wrong, unknown)]
    assert answers[0] == answers[1]
    assert wrong.status_code == unknown.status_code


def test_one_signs_in_with_the_name_in_any_case(browser: httpx.Client) -> None:
    name = fresh("Emma")
    sign_up(browser, name)
    answer = browser.post("/v1/session", json={"name": name.upper(), "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.json()["user"] == name.lower()
    assert browser.get("/v1/session").json() == {"user": name.lower()}


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
        assert answer.headers["set-cookie"].startswith("ssechat_session")
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
    command = [sys.executable, "-m", "ssechat", "token", name, "--create", "--data", str(server.data)]
    token = subprocess.run(command, check=True, capture_output=True, text=True, env=environment()).stdout.strip()
    with Person(server, name, token) as person, person.listen() as stream:
        assert stream.first("hello").data["user"] == name
        person.say("a note", name)
        assert stream.messages(1)[0]["conversation_id"] == direct(name, name)


def cookie_name(server: Server) -> str:
    """The name of the session cookie."""
    return Tokens.from_settings(Settings(data=server.data)).cookies[0]


def test_two_servers_on_one_host_do_not_sign_each_others_users_out(server: Server, tmp_path: Path) -> None:
    name = fresh("ina")
    with serve(tmp_path, "--workers", "1") as second, httpx.Client(trust_env=False, timeout=20) as browser:
        one, other = (httpx.URL(each.url) for each in (server, second))
        assert one.host == other.host
        for url in (one, other):
            body = {"name": name, "password": PASSWORD}
            assert browser.post(url.join("/v1/users"), json=body).status_code == 201
        for url in (one, other):
            assert browser.get(url.join("/v1/session")).json() == {"user": name}
        assert browser.delete(other.join("/v1/session")).status_code == 204
        assert browser.get(one.join("/v1/session")).json() == {"user": name}
        problem(browser.get(other.join("/v1/session")), 401, "unauthorized")


def test_a_person_has_one_name_over_all_workers_whatever_its_letters(server: Server) -> None:
    name = fresh("jo")
    with Person(server, name) as one, Person(server, name.upper()) as other:
        for worker in server.workers():
            sent = one.on(worker).say("hi", name.title())
            assert (sent["sender"], sent["conversation_id"]) == (name, direct(name, name))
            assert [message["text"] for message in other.on(worker).history(name.upper())][-1] == "hi"
        with other.listen() as stream:
            assert stream.first("hello").data["user"] == name
            one.say("live", "".join(chr(ord(letter) + 0xFEE0) for letter in name))
            assert stream.messages(1)[0]["text"] == "live"


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
        "exp is infinite": jwt.encode({"sub": "eve", "exp": float("inf")}, key(server), algorithm="HS256"),
        "exp is text": jwt.encode({"sub": "eve", "exp": "4000000000"}, key(server), algorithm="HS256"),
        "claims are deep": unsigned({"alg": "HS256"}, b"[" * 30000),
        "sid is a number": jwt.encode({**claims, "sid": 7}, key(server), algorithm="HS256"),
    }


def test_a_token_that_is_not_ours_is_refused(server: Server, browser: httpx.Client) -> None:
    problem(browser.get("/v1/session"), 401, "unauthorized")
    problem(browser.get("/v1/events"), 401, "unauthorized")
    for kind, token in bad_tokens(server).items():
        answer = browser.get("/v1/session", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401, (kind, answer.text)
        problem(answer, 401, "signed_out" if kind == "a session that never was" else "invalid_token")
        cookie = browser.get("/v1/session", headers={"Cookie": f"{cookie_name(server)}={token}"})
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
    """Runs a command in the private Redis; returns the reply."""
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
        # A `sid` of the other system is not a session of this server.
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
    # Algorithm confusion: the public key as the secret of an HMAC (RFC 8725 §2.1).
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
