"""The two adapters, ASGI and the protocol, with the server's endpoints: both give the same response to each request."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from connections import Connection
from parts import SECRET, settings
from redises import RedisProcess
from ssechat.app import create_app
from ssechat.http.api import Api
from ssechat.http.cors import EXPOSED, METHODS, Cors
from ssechat.http.exchange import SERVER_FULL, Request, Response
from ssechat.http.routing import Route
from ssechat.identity.key_file import SigningKey, SigningKeys
from ssechat.identity.tokens import Tokens
from ssechat.telemetry.metrics import Metrics
from ssechat.texts.origins import Origins

pytestmark = pytest.mark.anyio

ORIGIN = "https://app.example"
OF_EACH = ("x-request-id", "date", "connection")
"""Headers that differ per request, or that the adapter sets."""


class Both:
    """One app, behind both adapters."""

    def __init__(self, app: Any, client: httpx.AsyncClient) -> None:
        self._app = app
        self._client = client

    def connect(self) -> Connection:
        """Opens a connection to the app's protocol."""
        connection = Connection()
        connection.served = self._app
        connection.connect(("127.0.0.1", 123))
        return connection

    async def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Any:
        """Returns the response (status, headers except `OF_EACH`, body), which must be the same with both adapters."""
        over_asgi = await self._client.request(method, path, headers=headers, content=body)
        lines = {"host": "chat", "content-length": str(len(body)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        connection = self.connect()
        data = await connection.request(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        start, _, content = data.partition(b"\r\n\r\n")
        status, *rest = start.decode().split("\r\n")
        theirs = [tuple(line.split(": ", 1)) for line in rest]
        found = (int(status.split(" ")[1]), _comparable(theirs), _without_id(content))
        ours = over_asgi.headers.multi_items()
        assert found == (over_asgi.status_code, _comparable(ours), _without_id(over_asgi.content)), (method, path)
        return SimpleNamespace(status=found[0], headers=dict(found[1]), all_headers=found[1], body=found[2])


def _comparable(headers: Any) -> list[tuple[str, str]]:
    assert sum(name == "x-request-id" for name, _ in headers) == 1
    return sorted((name, value) for name, value in headers if name not in OF_EACH)


def _without_id(body: bytes) -> bytes:
    head, found, rest = body.partition(b'"request_id":"')
    return head + rest.partition(b'"')[2] if found else body


@pytest.fixture
async def both(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[Both]:
    (tmp_path / "jwt.key").write_text(SECRET)
    app = create_app(settings(redis.url, data=tmp_path, redis_timeout=2, allowed_origins=(ORIGIN,)))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://chat") as client,
    ):
        for name in ("accept", "accept-encoding", "connection", "user-agent"):
            del client.headers[name]
        yield Both(app, client)


def bearer(user: str) -> dict[str, str]:
    token = Tokens.of_our_own(SigningKeys(SigningKey(SECRET))).mint(user, timedelta(hours=1))
    return {"authorization": f"Bearer {token}"}


JSON = {"content-type": "application/json"}


async def test_a_request_has_one_answer_whatever_carries_it(both: Both) -> None:
    alice = bearer("alice")
    message = b'{"to":"alice","text":"hi","client_msg_id":"1"}'
    await both.ask("GET", "/v1/users/alice", alice)
    assert (await both._client.post("/v1/messages", content=message, headers={**alice, **JSON})).status_code == 201
    for method, path, headers, body, status in (
        ("POST", "/v1/messages", {**alice, **JSON}, message, 200),
        ("POST", "/v1/messages", {**alice, **JSON}, b"[", 422),
        ("POST", "/v1/messages", alice, message, 415),
        ("POST", "/v1/messages", JSON, message, 401),
        ("POST", "/v1/messages", {**alice, **JSON, "sec-fetch-site": "cross-site"}, message, 403),
        ("POST", "/v1/messages", {**alice, **JSON}, b" " * 70_000, 413),
        ("PUT", "/v1/messages", alice, b"", 405),
        ("GET", "/v1/conversations?limit=1", alice, b"", 200),
        ("HEAD", "/v1/conversations?limit=1", alice, b"", 200),
        ("GET", "/v1/conversations/dm:alice:alice/messages", alice, b"", 200),
        ("GET", "/v1/conversations/dm:alice:alice/messages?limit=x", alice, b"", 422),
        ("GET", "/v1/conversations/dm:alice%2falice/messages", alice, b"", 404),
        ("GET", "/v1%2fmessages", alice, b"", 404),
        ("GET", "/v1/users/a%0ab", {}, b"", 404),
        ("GET", "/v1/" + "x" * 5000, alice, b"", 414),
        ("GET", "/v1/server", {}, b"", 200),
        ("GET", "/v1/server/", {}, b"", 404),
        ("GET", "/v1/limits", {"origin": ORIGIN}, b"", 200),
        ("OPTIONS", "/v1/limits", {"origin": ORIGIN, "access-control-request-method": "GET"}, b"", 200),
        ("OPTIONS", "/v1/limits", {}, b"", 405),
        ("GET", "/v1/session", {}, b"", 401),
        ("DELETE", "/v1/session", alice, b"", 404),
        ("HEAD", "/v1/events", alice, b"", 200),
        ("GET", "/v1/events?cursor=1", alice, b"", 422),
        ("GET", "/v1/events", {}, b"", 401),
        ("GET", "/healthz/live", {}, b"", 200),
        ("GET", "/", {}, b"", 200),
        ("HEAD", "/docs", {}, b"", 200),
        ("GET", "/web/client.js", {"range": "bytes=0-9"}, b"", 200),
        ("GET", "/web/client.js", {"if-none-match": "*"}, b"", 304),
        ("GET", "/web/nothing.js", {}, b"", 404),
        ("GET", "/web/", {}, b"", 404),
        ("POST", "/web/client.js", {}, b"", 405),
    ):
        assert (await both.ask(method, path, headers, body)).status == status, (method, path)


async def test_the_body_of_a_stranger_is_not_waited_for(both: Both) -> None:
    connection = both.connect()
    head = b"POST /v1/messages HTTP/1.1\r\nHost: chat\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n"
    assert (await connection.request(head)).startswith(b"HTTP/1.1 401 ")
    assert connection.transport.ended


async def test_that_there_is_no_room_is_answered_and_counted_and_not_logged_for_each_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def endpoint(_: Request) -> Response:
        return Response()

    metrics = Metrics()
    api = Api([Route("GET", "/x", endpoint)], Cors(Origins([])), metrics, log_all=True)
    scope: Scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    with caplog.at_level("INFO"):
        full = await api.answer(Request({**scope, SERVER_FULL: True}, _nothing))
        assert caplog.records == []
        assert (await api.answer(Request(scope, _nothing))).status == 200
    assert full.status == 503
    assert (b"retry-after", b"5") in full.headers
    assert len(caplog.records) == 1
    assert metrics.requests == {("GET", "unmatched", 503): 1, ("GET", "/x", 200): 1}


async def _nothing() -> Any:
    raise AssertionError("nobody asks for the body")


async def test_a_path_that_takes_other_methods_names_all_of_them(both: Both) -> None:
    answer = await both.ask("PUT", "/v1/session", {})
    assert answer.headers["allow"] == "GET, POST, DELETE, HEAD"


async def test_a_head_request_has_the_length_of_what_get_brings(both: Both) -> None:
    for path in ("/docs", "/web/client.js", "/v1/limits"):
        asked = await both.ask("HEAD", path, {})
        assert asked.body == b""
        assert asked.headers["content-length"] == str(len((await both.ask("GET", path, {})).body)) != "0"


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
@pytest.mark.parametrize("origin", [ORIGIN, "https://evil.example", "null", None])
@pytest.mark.parametrize("asked", [None, "POST", "BREW"])
@pytest.mark.parametrize("more", [{}, {"access-control-request-headers": "x-a, Authorization"},
                                  {"access-control-request-private-network": "true"}])  # fmt: skip
async def test_pages_of_other_origins_hear_what_starlettes_layer_would_tell_them(
    method: str, origin: str | None, asked: str | None, more: dict[str, str]
) -> None:
    headers = {"origin": origin, "access-control-request-method": asked, **more}
    lines = [(name.encode(), value.encode()) for name, value in headers.items() if value is not None]
    scope: Scope = {"type": "http", "method": method, "path": "/", "headers": lines}
    told: dict[str, Any] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        told.update(message)

    origins = Origins((ORIGIN,))
    layer = CORSMiddleware(
        app, allow_origins=origins, allow_credentials=True, allow_methods=METHODS, allow_headers=["*"],
        allow_private_network=True, expose_headers=EXPOSED.decode().split(", "),
    )  # fmt: skip
    unread: Any = None  # neither reads a body
    await layer(scope, unread, send)
    cors, request = Cors(origins), Request(scope, unread)
    preflight = cors.is_preflight(request)
    if preflight:
        answer = cors.answer(request)
        assert answer.status == told["status"]
        assert answer.body == told.get("body", answer.body)
    else:
        answer = Response()
        cors.mark(request, answer)
    theirs = {(name, value) for name, value in told["headers"] if name != b"content-length"}
    assert set(answer.headers) == theirs
