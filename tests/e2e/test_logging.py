"""The JSON log of a real server: every line is an object, and none has data of a request."""

import json
import socket
from pathlib import Path
from typing import Any

import httpx

from e2e.api import HOST, Person, serve
from e2e.exchanges import exchange, request_bytes, status
from serving import Server, until

PLANTED = "hunter2-planted"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def a_json_server(folder: Path, *arguments: str) -> Server:
    """A server that logs JSON; its address is in the log, not on standard output."""
    port = free_port()
    server = serve(folder, "--log-format", "json", "--drain-seconds", "0", "--port", str(port), *arguments)
    server.url = f"http://{HOST}:{port}"
    until(lambda: "is ready" in server.errors, 30)
    return server


def lines(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.errors.splitlines()]


BROKEN = (
    f"GET /{PLANTED} NONSENSE\r\n\r\n".encode(),
    f"GET /{PLANTED}\x00 HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    f"{PLANTED}\r\n\r\n".encode(),
    f"GET / HTTP/1.1\r\n{PLANTED}\r\n\r\n".encode(),
    f"GET / HTTP/1.1\r\nHost: x\r\nX: {PLANTED}\x01\r\nAuthorization: Bearer {PLANTED}\r\n\r\n".encode(),
    f"POST /v1/messages?{PLANTED} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{PLANTED}\r\n".encode(),
    f"GET /v1/events?ticket={PLANTED} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    f"Sec-WebSocket-Key: {PLANTED}\r\n\r\n".encode(),
    f"GET /v1/events HTTP/1.1\r\nHost: x\r\nX: {PLANTED * 6000}\r\n\r\n".encode(),
    b"\x16\x03\x01" + PLANTED.encode() + b"\r\n\r\n",
)
"""Invalid and odd requests."""


def test_every_line_of_the_log_is_an_object_and_none_has_what_a_request_had(tmp_path: Path) -> None:
    server = a_json_server(tmp_path, "--access-log", "on", "--log-level", "debug")
    try:
        with Person(server, "alice") as alice:
            alice.say(f"a text with {PLANTED}", "alice", PLANTED)
            sent = alice.post(f"another text with {PLANTED}", "alice", PLANTED)
            assert sent.status_code == 422
            with alice.listen() as stream:
                stream.first("hello")
                assert stream.response.getheader("x-request-id")
            for broken in BROKEN:
                exchange(server, broken, 2)
            headers = (f"Authorization: Bearer {PLANTED}", f"Cookie: ssechat={PLANTED}", f"Referer: /{PLANTED}")
            for method, target in (("GET", f"/v1/users/{PLANTED}"), ("POST", f"/{PLANTED}"), (PLANTED.upper(), "/")):
                exchange(server, request_bytes(method, f"{target}?{PLANTED}", *headers, body=PLANTED.encode()), 5)
            answer = exchange(server, request_bytes("GET", "/v1/session", *headers, "X-Request-ID: from-the-front"), 5)
            assert status(answer) == 401
            assert b"x-request-id: from-the-front" in answer
            until(lambda: any(line.get("request_id") == "from-the-front" for line in lines(server)))
            workers = {worker.pid for worker in server.workers()}
            seen = lines(server)
            refused = {line["message"] for line in seen if line["message"].startswith("a request was refused: ")}
            assert refused == {"a request was refused: 400 malformed", "a request was refused: 431 head_too_large"}
            requests = [line for line in seen if "request_id" in line]
            assert {line["pid"] for line in requests} <= workers
            assert len({line["request_id"] for line in requests}) == len(requests)
            [conflict] = [line for line in requests if line["status"] == 422]
            assert conflict["request_id"] == sent.headers["x-request-id"] == sent.json()["request_id"]
            assert (conflict["method"], conflict["route"]) == ("POST", "/v1/messages")
        assert server.stop() == 0
        everything = server.errors + server.output
        for never in (PLANTED, PLANTED.upper(), alice.token, "a text"):
            assert never not in everything
        for line in lines(server):
            assert {"time", "level", "logger", "message", "pid"} <= set(line)
        assert server.output == ""
    finally:
        if server.process.poll() is None:
            server.stop()
        server.close()


def test_without_an_access_log_only_what_failed_in_the_server_is_logged(tmp_path: Path) -> None:
    server = a_json_server(tmp_path, "--redis-timeout", "0.5")
    try:
        with Person(server, "alice") as alice:
            alice.say("hi", "alice")
            assert httpx.get(f"{server.url}/v1/session", trust_env=False).status_code == 401
            assert [line for line in lines(server) if "request_id" in line] == []
            server.redis().suspend()
            try:
                answer = alice.post("hi", "alice", "m")
            finally:
                server.redis().resume()
            assert answer.status_code == 503
            until(lambda: [line for line in lines(server) if line.get("status") == 503])
            [line] = [line for line in lines(server) if line.get("route") == "/v1/messages"]
            assert (line["level"], line["request_id"]) == ("warning", answer.json()["request_id"])
            assert line["duration_ms"] >= 450
        assert server.stop() == 0
    finally:
        if server.process.poll() is None:
            server.stop()
        server.close()
