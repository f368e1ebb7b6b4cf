"""A stream as a response: its headers, its chunks, HTTP/1.0, readers that pause, and readers that have gone."""

import re
import socket
import subprocess
from collections.abc import Iterator

import pytest

from e2e.api import HOST, PATIENCE, SERIES, Person, serve
from e2e.exchanges import exchange, request_bytes
from e2e.frames import Event, Frames, numbers, pull
from serving import Server, until

STREAMS = 8


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = {"--ping-seconds": 0.5, "--drain-seconds": 0, "--stream-buffer": 4096, "--streams-per-user": STREAMS}
    arguments = [str(word) for option in options.items() for word in option]
    with serve(tmp_path_factory.mktemp("streams"), *arguments, series=SERIES[0]) as running:
        yield running


def head_of(server: Server, *headers: str, version: str = "1.1", method: str = "GET") -> tuple[str, dict[str, str]]:
    """Returns the status line and the headers of a stream's response."""
    with socket.create_connection((HOST, server.port), timeout=PATIENCE) as connection:
        lines = [f"{method} /v1/events HTTP/{version}", "Host: chat.example", *headers]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        got = b""
        while b"\r\n\r\n" not in got:
            got += connection.recv(65536)
    first, *rest = got.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    fields = [line.split(": ", 1) for line in rest]
    assert len({name for name, _ in fields}) == len(fields)
    return first, {name.lower(): value for name, value in fields}


def test_a_stream_has_exactly_the_headers_that_it_needs(server: Server, alice: Person) -> None:
    first, headers = head_of(server, f"Authorization: Bearer {alice.token}")
    assert first == "HTTP/1.1 200 OK"
    assert headers.pop("date")
    assert headers.pop("x-request-id")
    assert headers == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store, no-transform",
        "x-accel-buffering": "no",
        "transfer-encoding": "chunked",
    }


def test_head_asks_for_the_headers_and_holds_no_stream(server: Server, alice: Person) -> None:
    for _ in range(3 * STREAMS):
        answer = alice.http.head("/v1/events")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store, no-transform"
        assert answer.content == b""
    unknown = request_bytes("HEAD", "/v1/events")
    assert exchange(server, unknown).startswith(b"HTTP/1.1 401 ")


def test_backpressure_a_reader_who_pauses_gets_every_event_once_in_order(alice: Person, bob: Person) -> None:
    text = "x" * 60_000
    count = 90
    with socket.socket() as connection:
        connection.settimeout(PATIENCE)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.connect((HOST, bob.server.port))
        request = f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bob.token}\r\n\r\n"
        connection.sendall(request.encode())
        with bob.listen() as quick:
            quick.live()
            for number in range(count):
                alice.say(f"{number} {text}", bob.user)
            quick.messages(count)  # a slow reader does not delay the others
        got = bytearray()
        while f'"text":"{count - 1} '.encode() not in got[-100_000:] or not got.endswith(b"\n\n\r\n"):
            data = connection.recv(1 << 20)
            assert data
            got += data
    frames = Frames()
    events = [event for chunk in chunks(bytes(got)) for event in frames.feed(chunk)]
    said = [event.data["text"] for event in events if event.name == "message"]
    assert [each.partition(" ")[0] for each in said] == [str(number) for number in range(count)]
    assert all(each.endswith(text) for each in said)
    assert numbers(events) == list(range(1, count + 1))


def chunks(answer: bytes) -> Iterator[bytes]:
    """The chunks of a response that has not ended (RFC 9112 §7.1)."""
    rest = answer.partition(b"\r\n\r\n")[2]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if len(rest) < length + 2:
            return
        assert rest[length : length + 2] == b"\r\n"
        yield rest[:length]
        rest = rest[length + 2 :]


def test_a_reader_with_http_1_0_gets_the_same(server: Server, alice: Person, bob: Person) -> None:
    with bob.listen() as stream:
        start = stream.first("hello").id
        alice.say("missed", bob.user)
        stream.messages(1)
    command = [
        *("curl", "-0", "-sN", "-i", "--noproxy", "*", "--max-time", "20"),
        *("-H", f"Authorization: Bearer {bob.token}", "-H", f"Last-Event-ID: {start}", f"{server.url}/v1/events"),
    ]
    events: list[Event] = []
    frames = Frames()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as listening:
        assert listening.stdout is not None
        try:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += listening.stdout.readline()
            pull(listening.stdout, frames, events, lambda: events and events[-1].name == "caught_up")
            text = "live \r\n\u2028 \x00" + "x" * 50_000
            alice.say(text, bob.user)
            pull(listening.stdout, frames, events, lambda: numbers(events) == [1, 2])
            pull(listening.stdout, frames, events, lambda: events[-1].name == "ping")
        finally:
            listening.kill()
    names = [event.name for event in events if event.name != "ping"]
    assert names == ["hello", "message", "caught_up", "message"]
    assert [event.data["text"] for event in events if event.name == "message"] == ["missed", text]
    assert numbers(events) == [1, 2]
    assert frames.retry is not None
    headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in head.decode().splitlines()}
    assert re.match(r"text/event-stream\b", headers["content-type"])
    assert headers["cache-control"] == "no-store, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert "keep-alive" not in headers.get("connection", "")


def test_an_answer_to_http_1_0_is_not_chunked(server: Server, alice: Person) -> None:
    # HTTP/1.0 has no chunked coding (RFC 9112 §6.1).
    _, headers = head_of(server, f"Authorization: Bearer {alice.token}", version="1.0")
    assert "transfer-encoding" not in headers


def test_streams_of_readers_that_have_gone_are_forgotten(server: Server, bob: Person) -> None:
    def held() -> int:
        count = 0
        for worker in server.workers():
            count += int(bob.on(worker).http.get("/healthz/ready").json()["streams"])
        return count

    until(lambda: held() == 0)
    for _ in range(3):
        with bob.listen() as stream:
            stream.live()
        request = f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bob.token}\r\n\r\n"
        connection = socket.create_connection((HOST, server.port), timeout=PATIENCE)
        # Reset at once, perhaps before the stream has begun.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        connection.sendall(request.encode())
        connection.close()
    until(lambda: held() == 0)
