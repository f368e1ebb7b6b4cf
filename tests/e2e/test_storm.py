"""Odd requests: no response is a 500."""

import contextlib
import json
import random
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from e2e.api import HOST, PATIENCE, Person
from e2e.exchanges import exchange, request_bytes, status
from serving import Server, until

JSON_BODY = "Content-Type: application/json"


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
        # This cursor makes the stream send an event at once. A stream ends when the client disconnects.
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
        # A stream lasts until the client disconnects, and a half request waits for the rest.
        return exchange(server, request, 0.3 if is_stream(request) else 1)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(answer, requests))
    wrong = [
        (r[:200], a[:200]) for r, a in zip(requests, answers, strict=True) if status(a) >= 500 and status(a) != 501
    ]
    assert not wrong, wrong[:5]
    assert sum(status(a) == 201 for a in answers) > 20
    assert sum(400 <= status(a) < 500 for a in answers) > 200
    for request, got in zip(requests, answers, strict=True):
        head, _, body = got.partition(b"\r\n\r\n")
        # The response to a body that is still being sent can be lost to the reset that follows.
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
        for worker in server.workers():  # each worker has handled requests since
            other.on(worker).http.get("/v1/session")
    with pytest.raises(TimeoutError):
        until(lambda: "Traceback" in server.errors[before:], 0.5)
