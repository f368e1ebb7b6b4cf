"""Origins: CORS and cross-site writes."""

import json

import pytest

from e2e.api import HOST, Person, problem
from e2e.exchanges import exchange, request_bytes, status
from serving import Server


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
        # A minted token has no session to end.
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


def test_a_page_of_an_allowed_origin_may_ask_for_a_server_in_a_private_network(alice: Person) -> None:
    asked = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Private-Network": "true",
    }
    answer = alice.http.options("/v1/events", headers=asked)
    assert (answer.status_code, answer.headers["access-control-allow-private-network"]) == (200, "true")
    refused = alice.http.options("/v1/events", headers={**asked, "Origin": "https://evil.example"})
    assert refused.status_code == 400
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/events"), ("POST", "/v1/messages")])
@pytest.mark.parametrize(
    "names", ["authorization,cache-control", "cache-control,last-event-id,x-requested-with", "x-b3"]
)
def test_a_page_of_an_allowed_origin_may_send_whatever_headers_its_libraries_add(
    alice: Person, method: str, path: str, names: str
) -> None:
    asked = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": names,
    }
    answer = alice.http.options(path, headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-headers"] == names
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert int(answer.headers["access-control-max-age"]) >= 600
    refused = alice.http.options(path, headers={**asked, "Origin": "https://evil.example"})
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


@pytest.mark.parametrize(
    "second",
    ["Authorization: Bearer x", "Origin: https://evil.example", "Content-Type: text/plain", "Idempotency-Key: b"],
)
def test_over_the_wire_a_header_that_decides_is_there_once_or_refused(
    server: Server, alice: Person, second: str
) -> None:
    body = json.dumps({"to": alice.user, "text": "hi"}).encode()
    good = [
        f"Authorization: Bearer {alice.token}",
        "Origin: http://chat.example",
        "Content-Type: application/json",
        f"Idempotency-Key: {alice.user}",
    ]
    for headers in ([*good, second], [second, *good]):
        answer = exchange(server, request_bytes("POST", "/v1/messages", *headers, body=body))
        assert status(answer) == 400, answer
        assert b"repeated_header" in answer
    assert status(exchange(server, request_bytes("POST", "/v1/messages", *good, body=body))) == 201
