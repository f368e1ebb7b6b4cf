"""Headers that a proxy passes on, and which of them the app trusts."""

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.fronting import KINDS, NAME, Front
from e2e.api import Person, fresh, mint
from e2e.fronts.conftest import Apps
from e2e.fronts.recorder import Recorder, Request
from e2e.fronts.stack_front import EVERY, make_front

LIES = {
    "X-Forwarded-For": "203.0.113.66, 127.0.0.1",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "203.0.113.66",
    "X-Forwarded-Port": "66",
    "X-Forwarded-Prefix": "/203.0.113.66",
    "X-Forwarded-Server": "203.0.113.66",
    "X-Real-IP": "203.0.113.66",
    "Forwarded": "for=203.0.113.66;proto=http",
}
PASSWORD = "correct horse"


def session(front: Front, *, http2: bool = True) -> httpx.Client:
    """A browser: HTTP/2, cookies, one connection."""
    return httpx.Client(base_url=front.url, http2=http2, verify=front.trust(), trust_env=False, timeout=15)


@pytest.fixture(scope="module", params=EVERY)
def recorded(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[Front, Recorder]]:
    """A front before an app that notes what it gets."""
    folder = tmp_path_factory.mktemp("recorded") / request.param
    with Recorder() as recorder, make_front(request.param, folder, [recorder.address]) as front:
        yield front, recorder


def passed(recorded: tuple[Front, Recorder], method: str, target: str, **options: Any) -> Request:
    """How a request arrives."""
    front, recorder = recorded
    with session(front) as http:
        before = len(recorder.asked)
        assert http.request(method, target, **options).status_code == 200
    [request] = recorder.asked[before:]
    return request


def test_x_forwarded_headers_of_a_client_are_overwritten(recorded: tuple[Front, Recorder]) -> None:
    request = passed(recorded, "GET", "/v1/server", headers=LIES)
    assert request.values("x-forwarded-for") == ["127.0.0.1"]
    assert request.values("x-forwarded-proto") == ["https"]
    assert request.values("x-forwarded-host") == request.values("host")
    assert "".join(request.values("forwarded")) == ""
    assert not [value for _, value in request.headers if "203.0.113.66" in value]


def test_the_app_gets_what_was_asked_for(recorded: tuple[Front, Recorder]) -> None:
    front, _ = recorded
    path = "/v1/conversations/dm:a%7Cb:c@d/messages?limit=2&before=%20"
    sent = {"Last-Event-ID": "7-123", "Cookie": "ssechat_session=abc", "Authorization": "Bearer def"}
    request = passed(recorded, "GET", path, headers=sent)
    assert request.line == f"GET {path} HTTP/1.1"
    assert request.values("host") == [f"{NAME}:{front.port}"]
    for name, value in sent.items():
        assert request.values(name.lower()) == [value]


def test_keep_alive_of_the_proxys_connections_to_the_app(recorded: tuple[Front, Recorder]) -> None:
    front, recorder = recorded
    with session(front) as http:
        before = len(recorder.asked)
        for _ in range(20):
            assert http.post("/v1/messages", json={"to": "bob"}).status_code == 200
    # A front of several processes or threads may have one in each.
    assert len({request.connection for request in recorder.asked[before:]}) <= 4


def test_health_is_for_outside(front: Front) -> None:
    with session(front) as http:
        for path in ("/healthz/live", "/healthz/ready"):
            assert http.get(path).status_code == 200


def test_http_is_redirected_to_https_and_never_reaches_the_app(recorded: tuple[Front, Recorder]) -> None:
    front, recorder = recorded
    before = len(recorder.asked)
    answer = httpx.get(f"http://{NAME}:{front.plain_port}/v1/server", trust_env=False)
    assert answer.status_code in (301, 308)
    assert re.match(rf"https://{NAME}(:\d+)?/v1/server$", answer.headers["location"])
    assert recorder.asked[before:] == []


def test_a_proxy_does_not_retry_a_post(recorded: tuple[Front, Recorder]) -> None:
    front, recorder = recorded
    recorder.on_request = lambda request: None
    before = len(recorder.asked)
    try:
        with session(front, http2=False) as http:
            assert http.post("/v1/messages", json={"to": "bob", "text": "hi"}).status_code == 502
        with session(front) as http:
            # error_code 7 is REFUSED_STREAM (RFC 9113 §7), as HAProxy does it on purpose: see its configuration.
            refused = pytest.raises(httpx.RemoteProtocolError, match="error_code:7")
            with refused if front.kind == "haproxy" else contextlib.nullcontext():
                assert http.post("/v1/messages", json={"to": "bob", "text": "hi"}).status_code == 502
        assert len(recorder.asked[before:]) == 2
    finally:
        recorder.on_request = lambda request: b""


@pytest.mark.parametrize("kind", ["haproxy"])
def test_haproxy_retries_a_post_with_an_idempotency_key(kind: str, tmp_path: Path) -> None:
    with Recorder() as recorder, Front(kind, tmp_path / kind, [recorder.address]) as front:
        recorder.on_request = lambda request: b"" if len(recorder.asked) > 1 else None
        with session(front) as http:
            answer = http.post("/v1/messages", json={"to": "bob"}, headers={"Idempotency-Key": "one"})
        assert answer.status_code == 200
        assert [request.values("idempotency-key") for request in recorder.asked] == [["one"], ["one"]]


def test_the_cookie_is_secure_and_pages_of_this_origin_may_write(front: Front) -> None:
    with session(front) as http:
        mine = {"Origin": front.url}
        signed_up = http.post("/v1/users", json={"name": fresh("alice"), "password": PASSWORD}, headers=mine)
        assert signed_up.status_code == 201
        assert "secure" in signed_up.headers["set-cookie"].lower()
        assert signed_up.headers["set-cookie"].startswith("__Host-")
        assert http.post("/v1/tickets", json={}, headers=mine).status_code == 201
        for other in (f"http://{NAME}:{front.port}", "https://evil.example", f"https://{NAME}"):
            assert http.post("/v1/tickets", json={}, headers={"Origin": other}).status_code == 403


def test_the_client_that_the_app_sees_is_the_fronts_and_never_one_that_was_claimed(front: Front, apps: Apps) -> None:
    before = apps.refused()
    name = fresh("alice")
    # Our own address is 127.0.0.1 too, so what tells is that the chain has nothing else.
    with session(front) as http:
        http.post("/v1/users", json={"name": name, "password": PASSWORD})
        refused = http.post("/v1/session", json={"name": name, "password": "wrong"}, headers=LIES)
    assert refused.status_code == 401
    assert apps.refused() - before == {"127.0.0.1": 1}


def test_another_address_than_the_fronts_is_passed_on(apps: Apps, tmp_path: Path) -> None:
    """A client on 127.0.0.9, whom the app does not trust, is who the app says it was."""
    for kind in KINDS:
        with Front(kind, tmp_path / kind, apps.addresses) as front:
            before = apps.refused()
            with (
                socket.create_connection(("127.0.0.1", front.port), 10, source_address=("127.0.0.9", 0)) as plain,
                front.trust().wrap_socket(plain, server_hostname=NAME) as connection,
            ):
                body = b'{"name":"nobody","password":"wrong"}'
                connection.sendall(
                    b"POST /v1/session HTTP/1.1\r\nHost: %b:%d\r\nContent-Type: application/json\r\n"
                    b"X-Forwarded-For: 203.0.113.66\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
                    % (NAME.encode(), front.port, len(body), body)
                )
                answer = b""
                while part := connection.recv(65536):
                    answer += part
            assert b" 401 " in answer.split(b"\r\n")[0]
            assert apps.refused() - before == {"127.0.0.9": 1}, kind


def test_x_forwarded_headers_past_the_proxy_are_ignored(apps: Apps) -> None:
    host, port = apps.addresses[0].split(":")
    before = apps.refused()
    body = b'{"name":"nobody","password":"wrong"}'
    with socket.create_connection((host, int(port)), 10, source_address=("127.0.0.9", 0)) as connection:
        connection.sendall(
            b"POST /v1/session HTTP/1.1\r\nHost: chat\r\nContent-Type: application/json\r\n"
            b"X-Forwarded-For: 203.0.113.66\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        assert b" 401 " in connection.recv(65536)
    assert apps.refused() - before == {"127.0.0.9": 1}


def test_two_in_one_message_by_a_front_and_past_it_are_one_person(front: Front, apps: Apps) -> None:
    token = mint(apps.first, fresh("alice"))
    body = {"to": fresh("bob"), "text": "hi", "client_msg_id": "one"}
    with Person(apps.first, body["to"]) as bob, session(front) as http:
        assert bob.http.get("/v1/session").status_code == 200
        headers = {"Authorization": f"Bearer {token}"}
        assert http.post("/v1/messages", json=body, headers=headers).status_code == 201
        assert httpx.post(f"{apps.first.url}/v1/messages", json=body, headers=headers).status_code == 200
