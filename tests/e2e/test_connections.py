"""HTTP connections under hostile input: request framing and limits."""

import contextlib
import json
import re
import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from e2e.api import HOST, PATIENCE, Person, Reader, fresh, mint
from e2e.frames import Frames
from serving import Server, until

MIB = 1024 * 1024


def connect(server: Server) -> socket.socket:
    return socket.create_connection((HOST, server.port), timeout=PATIENCE)


def all_of(connection: socket.socket) -> bytes:
    """Receives bytes until the server closes the connection."""
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(65536):
            got += data
    return got


def statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


def post(token: str, body: bytes, *lines: str) -> bytes:
    head = ["POST /v1/messages HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", "Content-Type: application/json"]
    return "\r\n".join([*head, *lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def message(to: str, text: str) -> bytes:
    return json.dumps({"to": to, "text": text}).encode()


def resident(server: Server) -> int:
    """The resident memory of the workers, in bytes."""
    return sum(worker.memory_info().rss for worker in server.workers())


@pytest.fixture(autouse=True)
def _nothing_broke(server: Server) -> Iterator[None]:
    """Checks that no request has led to an error in the server's log."""
    before = len(server.errors)
    yield
    said = server.errors[before:]
    assert "Traceback" not in said
    assert "ERROR" not in said


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "x"])
def test_a_body_behind_an_offer_to_upgrade_is_no_request(
    server: Server, alice: Person, bob: Person, protocol: str
) -> None:
    foreign = b"GET /v1/session HTTP/1.1\r\nHost: x\r\n\r\n"
    body = message(bob.user, "hi")
    head = post(alice.token, body, "Connection: Upgrade", f"Upgrade: {protocol}")[: -len(body)]
    with connect(server) as connection:
        connection.sendall(head + body[:10])
        time.sleep(0.05)
        connection.sendall(body[10:] + foreign + b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert statuses(all_of(connection)) == [201, 401, 404]
    with connect(server) as connection:
        connection.sendall(head)
        time.sleep(0.05)
        # If it were not the body, the server would respond to it as to a request.
        connection.sendall(foreign.ljust(len(body), b"\n")[: len(body)])
        connection.shutdown(socket.SHUT_WR)
        assert statuses(all_of(connection)) == [422]


def test_curl_that_offers_http_2_can_send(server: Server, alice: Person, bob: Person) -> None:
    command = ["curl", "-sS", "--http2", f"{server.url}/v1/messages", "-H", f"Authorization: Bearer {alice.token}"]
    given = ["-H", "Content-Type: application/json", "-d", message(bob.user, "hi").decode(), "-w", "%{http_code}"]
    done = subprocess.run([*command, *given], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout.endswith("201")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/metrics%0a", 404),
        ("/metrics%0A", 404),
        ("/metrics%00", 404),
        ("/metrics%7f", 404),
        ("/metrics%e2%80%a8", 404),
        ("/v1/server%0a", 404),
        ("/v1%2fserver", 404),
        ("/v1%5cserver", 404),
        ("/web%2findex.html", 404),
        ("/v1/server", 200),
        ("http://elsewhere.example/v1/server", 200),
        ("http://elsewhere.example", 200),
        ("http://elsewhere.example?x", 200),
        ("/v1/server#x", 400),
        ("v1/server", 400),
        ("*", 400),
        ("/web" + "/a" * 3000, 414),
    ],
)
def test_an_ambiguous_path_is_404(server: Server, target: str, status: int) -> None:
    with connect(server) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = all_of(connection)
    assert statuses(answer) == [status]
    assert b"ssechat_streams_open" not in answer


@pytest.mark.parametrize("version", ["x", "1.x", "1.0.0rc1", "9" * 4400, "²"])
def test_a_scraper_that_asks_for_a_version_that_is_none_gets_the_plain_one(server: Server, version: str) -> None:
    with connect(server) as connection:
        head = f"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text;version={version}\r\n"
        connection.sendall(head.encode("latin-1") + b"Connection: close\r\n\r\n")
        answer = all_of(connection)
    assert statuses(answer) == [200]
    assert b"ssechat_streams_open" in answer


def test_an_error_repeats_a_bounded_part_of_what_was_sent(server: Server, alice: Person) -> None:
    fields = {f"p{number}": 1 for number in range(5000)}
    answers = [
        alice.http.post("/v1/users", json=fields),
        alice.http.post("/v1/messages", json={"to": "x" * 10_000, "text": "hi"}),
        alice.http.post("/v1/messages", json={"y" * 30_000: "x"}),
        alice.http.get("/v1/conversations", params=dict.fromkeys(list(fields)[:1000], "1")),
        alice.http.get(f"/v1/users/{'z' * 3000}"),
        alice.http.get(f"/v1/conversations/{'z' * 3000}/messages"),
    ]
    assert [answer.status_code for answer in answers] == [422, 422, 422, 422, 404, 404]
    assert max(len(answer.content) for answer in answers) < 5000


def test_pipelining_bad_bytes_behind_a_request_do_not_cost_its_response(
    server: Server, alice: Person, bob: Person
) -> None:
    for garbage in (b"\x00\x01\x02", b"B@D\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        with connect(server) as connection:
            connection.sendall(post(alice.token, message(bob.user, "hi")) + garbage)
            assert statuses(all_of(connection)) == [201, 400]


def test_pipelining_a_request_behind_a_stream_is_not_answered_into_it(server: Server, alice: Person) -> None:
    stream = f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n\r\n".encode()
    for behind in (
        b"GET /v1/server HTTP/1.0\r\n\r\n",
        b"GET /v1/server HTTP/1.1\r\nHost: x\r\n\r\n" * 3,
        b"B@D\r\n\r\n",
    ):
        with connect(server) as connection:
            connection.sendall(stream + behind)
            got = b""
            while b"event: ping" not in got:
                got += connection.recv(65536)
        head, _, body = got.partition(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head
        assert b"HTTP/1.1" not in body
        assert re.match(rb"[0-9a-f]+\r\n", body)


def test_a_half_closed_client_is_answered(server: Server, alice: Person, bob: Person) -> None:
    with connect(server) as connection:
        connection.sendall(post(alice.token, message(bob.user, "hi")) * 2)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(all_of(connection)) == [201, 201]
    with connect(server) as connection:
        connection.sendall(post(alice.token, message(bob.user, "hi"))[:-1])
        connection.shutdown(socket.SHUT_WR)
        assert statuses(all_of(connection)) == []


def test_a_stream_of_a_half_closed_client_goes_on(server: Server, alice: Person, bob: Person) -> None:
    with connect(server) as connection:
        head = f"GET /v1/events HTTP/1.0\r\nAuthorization: Bearer {alice.token}\r\n\r\n"
        connection.sendall(head.encode())
        connection.shutdown(socket.SHUT_WR)
        frames, names = Frames(), []
        stream = connection.makefile("rb")
        while stream.readline().strip():
            pass
        while "hello" not in names:
            names += [event.name for event in frames.feed(stream.readline())]
        time.sleep(1.5)  # longer than the detection of a disconnect takes
        bob.say("still there?", alice.user)
        while "message" not in names:
            names += [event.name for event in frames.feed(stream.readline())]


def test_a_stream_ends_soon_after_its_reader_disconnects(server: Server) -> None:
    with Person(server, fresh("carol")) as carol:
        before = sum(len(worker.net_connections("tcp")) for worker in server.workers())
        for _ in range(5):
            carol.listen().close()
        until(lambda: sum(len(worker.net_connections("tcp")) for worker in server.workers()) <= before, 5)


def test_a_head_that_is_too_large_is_431(server: Server) -> None:
    for head in (b"GET /" + b"a" * 70_000, b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 12_000):
        with connect(server) as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(head + b"\r\n\r\n")
            assert statuses(all_of(connection)) == [431]


def flood(server: Server, start: bytes, more: bytes, seconds: float = 3.0) -> bytes:
    """Sends until the server closes the connection; returns the response."""
    with connect(server) as connection:
        connection.settimeout(0.5)
        connection.sendall(start)
        deadline = time.monotonic() + seconds
        with contextlib.suppress(OSError):
            while time.monotonic() < deadline:
                connection.send(more)
        connection.settimeout(PATIENCE)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        got = b""
        with contextlib.suppress(OSError):
            while len(got) < 100_000 and (data := connection.recv(65536)):
                got += data
        return got


@pytest.mark.alone("it floods a server for seconds, and measures how long another waits meanwhile")
@pytest.mark.parametrize(
    ("start", "more", "status"),
    [
        (
            b"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n1\r\n \r\n0\r\n",
            b"trailer: without end\r\n" * 1000,
            400,
        ),
        (
            b"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n1;",
            b"x" * 20_000,
            400,
        ),
        (b"", b"GET /v1/server HTTP/1.1\r\nHost: x\r\n\r\n" * 500, 200),
        (b"", b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}" * 500, 401),
        (b"", b"\r\n" * 10_000, 431),
    ],
    ids=["trailers", "chunk extension", "pipelined", "pipelined sends", "empty lines"],
)
def test_endless_requests_are_bounded_in_memory_and_time(
    server: Server, alice: Person, bob: Person, start: bytes, more: bytes, status: int
) -> None:
    alice.say("warm", bob.user)
    before = resident(server)
    with Person(server, bob.user) as honest:
        longest = 0.0
        import threading

        answers: list[bytes] = []
        flooding = threading.Thread(target=lambda: answers.append(flood(server, start, more)))
        flooding.start()
        while flooding.is_alive():
            began = time.monotonic()
            honest.say("meanwhile", alice.user)
            longest = max(longest, time.monotonic() - began)
            time.sleep(0.02)
        flooding.join()
    assert statuses(answers[0])[:1] == [status]
    assert resident(server) - before < 24 * MIB
    assert longest < 2.0


def few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (160, 160))


@pytest.mark.parametrize("descriptors", [64, 160])
def test_when_descriptors_run_out_those_who_said_who_they_are_stay_and_get_in(tmp_path: Path, descriptors: int) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    with (
        Server(tmp_path / "data", "--workers", "1", before_start=limit) as server,
        contextlib.ExitStack() as open_,
    ):
        there = open_.enter_context(Reader(server, mint(server, "alice"))).live()
        alice = open_.enter_context(Person(server, "alice"))
        alice.say("before", "alice")
        for _ in range(300):
            with contextlib.suppress(OSError):
                crowd = open_.enter_context(connect(server))
                crowd.sendall(b"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        alice.say("meanwhile", "alice")
        with Person(server, "bob") as bob:
            bob.say("hello", "alice")
        assert there.messages(3)
        assert server.errors.count("closing those without a user") == 1
        [worker] = server.workers()
        assert psutil.Process(worker.pid).num_fds() < descriptors
        assert "ERROR" not in server.errors


def test_a_server_that_is_full_of_people_says_so_to_newcomers_and_streams_are_told_to_come_back(tmp_path: Path) -> None:
    with (
        Server(tmp_path / "data", "--workers", "1", before_start=few_descriptors) as server,
        contextlib.ExitStack() as open_,
    ):
        late = ""
        for number in range(40):  # four streams each: more than the limit
            token = mint(server, f"user{number}")
            for _ in range(4):
                reader = Reader(server, token, expect=200)
                open_.callback(reader.close)
                bye = reader.until(lambda it: it.named("hello") or it.named("bye")).named("bye")
                late = bye[0].data["reason"] if bye else late
            if late:
                break
        assert late == "too_many"
        with connect(server) as connection:
            connection.sendall(b"GET /v1/server HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = all_of(connection)
        assert statuses(answer) == [503]
        assert b"retry-after: 5" in answer
        assert server.errors.count("connections is reached") == 1
        assert "unmatched 503" not in server.errors
        assert "ERROR" not in server.errors
