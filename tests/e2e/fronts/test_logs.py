"""The access logs of the proxies contain no secrets."""

import contextlib
import socket
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from bench.fronting import KINDS, NAME, Front
from e2e.fronts.recorder import Recorder, Request
from serving import until

SECRET = "s3cr3t"
"""In all that a client may send where a credential can be."""

ASKED = [
    (method, path)
    for method in ("GET", "POST")
    for path in ("/v1/events", "/v1/messages", "/v1/session", "/v1/nowhere", "/metrics")
]


def ask(front: Front, *, http2: bool = True) -> None:
    """Sends secrets wherever they can be."""
    headers = {
        "Authorization": f"Bearer {SECRET}-bearer",
        "Cookie": f"ssechat_session={SECRET}-cookie",
        "Referer": f"{front.url}/?ticket={SECRET}-referer",
        "Idempotency-Key": f"{SECRET}-key",
        "X-Forwarded-For": f"{SECRET}-address",
        "User-Agent": f"{SECRET}-agent",
    }
    with httpx.Client(base_url=front.url, http2=http2, verify=front.trust(), trust_env=False, timeout=15) as http:

        def request(method: str, path: str) -> None:
            body = {"text": f"{SECRET}-text", "password": f"{SECRET}-password"}
            try:
                http.request(method, f"{path}?ticket={SECRET}-ticket", headers=headers, json=body)
            except httpx.TransportError:
                pass
            except KeyError as error:
                # What httpcore has instead where a connection of HTTP/2 is closed under several threads.
                if "httpcore" not in Path(traceback.extract_tb(error.__traceback__)[-1].filename).parts:
                    raise

        with ThreadPoolExecutor(len(ASKED)) as threads:
            list(threads.map(request, *zip(*ASKED, strict=True)))


def ask_badly(front: Front) -> None:
    """Sends what is no request, on connections of their own."""
    line = f"GET /v1/events?ticket={SECRET}-bad HTTP/1.1\r\nHost: {NAME}:{front.port}\r\n"
    for request in (
        f"GET /v1/events?ticket={SECRET}-version HTTP/9.9\r\nHost: x\r\n\r\n",
        f"GET /v1/events?ticket={SECRET}-space x HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET /%zz?ticket={SECRET}-escape HTTP/1.1\r\nHost: {NAME}\r\n\r\n",
        f"{line}Cookie: {SECRET}-cookie\x00\r\n\r\n",
        f"{line}Bad Header: {SECRET}-header\r\n\r\n",
        f"{line}X: {'x' * 2_000_000}\r\n\r\n",
        f"{line}Content-Length: {SECRET}-length\r\n\r\n",
        f"POST /v1/messages?ticket={SECRET}-large HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 99999999\r\n\r\n",
        f"{line}Transfer-Encoding: {SECRET}-coding\r\n\r\n",
        line,
    ):
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", front.port), 5) as plain,
            front.trust().wrap_socket(plain, server_hostname=NAME) as connection,
        ):
            connection.sendall(request.encode("latin-1"))
            connection.settimeout(0.2)
            connection.recv(4096)
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", front.port), 5) as plain:
        plain.sendall(f"GET /?ticket={SECRET}-without-tls HTTP/1.1\r\n\r\n".encode())
        plain.settimeout(0.2)
        plain.recv(4096)


def written(front: Front) -> str:
    """All that it has in its log and in its folder, but for the configuration and the key."""
    files = [path for path in front.folder.rglob("*") if path.is_file() and path.suffix not in (".pem", ".conf")]
    return "".join(path.read_text(errors="replace") for path in files)


def check(front: Front, *seen: str) -> None:
    """There is no secret, and what should be there is."""
    until(lambda: all(text in front.log.read_text() for text in seen))
    told = [line for line in written(front).splitlines() if SECRET in line]
    assert told == []


def nothing(request: Request) -> bytes | None:
    return None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answer", [lambda request: b"", nothing], ids=["an app", "one that does not answer"])
def test_no_secret_is_in_a_log_with(kind: str, answer: Callable[[Request], bytes | None], tmp_path: Path) -> None:
    with Recorder() as recorder, Front(kind, tmp_path / kind, [recorder.address]) as front:
        recorder.on_request = answer
        for http2 in (True, False):
            ask(front, http2=http2)
        assert any(SECRET in request.target for request in recorder.asked), "it reaches the app"
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"http://{NAME}:{front.plain_port}/v1/events?ticket={SECRET}-plain", trust_env=False)
        ask_badly(front)
        check(front, "/v1/events", "/v1/messages", "404")


@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_is_in_a_log_when_there_is_no_app(kind: str, tmp_path: Path) -> None:
    with Recorder() as recorder:
        address = recorder.address
    with Front(kind, tmp_path / kind, [address]) as front:
        ask(front)
        ask_badly(front)
        front.reload()
        # That it failed is in the log all the same.
        check(front, "/v1/messages", {"nginx": "502", "haproxy": " 503 ", "caddy": '"status":503'}[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_is_in_a_log_when_an_app_goes_in_the_middle_of_an_answer(kind: str, tmp_path: Path) -> None:
    halfway = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(halfway)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        with Front(kind, tmp_path / kind, [address]) as front:
            ask(front)
            check(front, "/v1/events")
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)
