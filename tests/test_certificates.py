"""The client and the certificates of servers, over real TLS."""

import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bench.fronting import NAME, make_certificate
from ssechat.client import Client, ClientError
from ssechat.client.pauses import Pauses

pytestmark = pytest.mark.anyio

MESSAGE = {"conversation_id": "dm:a:b", "seq": 1, "sender": "a", "text": "hi"}


class Chat(BaseHTTPRequestHandler):
    """Accepts any message."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(MESSAGE).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


class Quiet(HTTPServer):
    """Ignores failed handshakes."""

    def handle_error(self, *_: object) -> None:
        """Logs nothing."""


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    return make_certificate(tmp_path)


@pytest.fixture
def url(trusted: Path) -> Iterator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(trusted)
    with Quiet(("127.0.0.1", 0), Chat) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"https://{NAME}:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_the_certificates_that_the_environment_names_count_on_this_machine_too(
    url: str, trusted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with Client(url, "t") as chat:
        assert (await chat.send("b", "hi")).raw == MESSAGE


async def test_a_certificate_that_is_not_trusted_is_told_at_once_and_with_what_to_do(url: str) -> None:
    async def no_pause(seconds: float) -> None:
        raise AssertionError("trying again is useless")

    async with Client(url, "t", pauses=Pauses(sleep=no_pause)) as chat:
        for attempt in (chat.send("b", "hi"), anext(chat.events())):
            with pytest.raises(ClientError, match=r"certificate .* is not trusted .*SSL_CERT_FILE") as caught:
                await attempt
            assert "may have been sent" not in str(caught.value)
