"""The format of log lines, and that they contain no secrets."""

import asyncio
import io
import itertools
import json
import logging
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from app_client import client_of
from redises import RedisProcess
from ssechat.telemetry.logging import JSONFormatter, TextFormatter, configure_logging
from ssechat.texts.printable import printable

pytestmark = pytest.mark.anyio

PLANTED = "hunter2-planted"
"""A secret that must not be in any log line."""


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All log lines, down to "debug", in both formats."""
    text = io.StringIO()
    handlers: list[logging.Handler] = []
    for formatter in (JSONFormatter(), TextFormatter()):
        handler = logging.StreamHandler(text)
        handler.setFormatter(formatter)
        handlers.append(handler)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = handlers
    root.setLevel(logging.DEBUG)
    clients = [logging.getLogger(name) for name in ("httpx", "httpcore")]  # the tests' own
    for client in clients:
        client.setLevel(logging.WARNING)
    yield text
    root.handlers[:] = before
    root.setLevel(level)
    for client in clients:
        client.setLevel(logging.NOTSET)


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    """The JSON lines of the loggers of ssechat and the servers."""
    return [json.loads(line) for line in log.getvalue().splitlines() if line.startswith("{")]


def requests(log: io.StringIO) -> list[dict[str, Any]]:
    return [line for line in lines(log) if line["logger"] == "ssechat.access"]


def record(message: str, *arguments: object, name: str = "ssechat.x", **more: Any) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, "file.py", 1, message, arguments, None)
    made.__dict__.update(more)
    return made


def raised(error: BaseException) -> Any:
    try:
        raise error
    except BaseException:
        return sys.exc_info()


def test_a_line_is_one_object_with_the_time_in_utc_to_the_millisecond() -> None:
    text = JSONFormatter().format(record("two\nlines, %s and an é", "an argument", created=1767225600.0625))
    assert "\n" not in text
    assert text.isascii()
    line = json.loads(text)
    assert line.pop("pid")
    assert line == {
        "time": "2026-01-01T00:00:00.062Z",
        "level": "warning",
        "logger": "ssechat.x",
        "message": "two\nlines, an argument and an é",
    }


def test_no_line_for_a_person_drives_a_terminal_or_looks_like_two() -> None:
    forged = "from 1.2.3.4\r\n2026-01-01 00:00:00 ssechat[1] ERROR: all is lost\x1b[2J\x85\u2028\u202e\x9b31m\ud800"
    bug = raised(AttributeError(f"'Hub' object has no attribute {forged}"))
    text = TextFormatter().format(record("wrong name or password %s", forged, exc_info=bug))
    assert printable(text) == text
    dated = [line for line in text.splitlines() if line.startswith("20")]
    assert len(dated) == 1
    assert text.encode()


def test_a_line_about_a_request_has_its_fields() -> None:
    fields: dict[str, Any] = {"request_id": "r-1", "method": "GET", "route": "/", "status": 200, "duration_ms": 0.5}
    line = json.loads(JSONFormatter().format(record("x", **fields, somebody="else")))
    assert {name: line[name] for name in fields} == fields
    assert "somebody" not in line


@pytest.mark.parametrize("formatter", [JSONFormatter(), TextFormatter()])
def test_an_exception_is_shown_by_its_place_and_type_and_not_by_its_text(formatter: logging.Formatter) -> None:
    def fails() -> None:
        try:
            int(PLANTED)
        except ValueError as error:
            raise LookupError(f"cannot read {PLANTED!r}") from error

    try:
        fails()
    except LookupError:
        text = formatter.format(record("it failed", exc_info=sys.exc_info()))
    assert PLANTED not in text
    for part in ("it failed", "builtins.ValueError", "builtins.LookupError", "in fails", "test_logs.py"):
        assert part in text


def test_the_text_of_an_exception_about_the_code_is_shown() -> None:
    text = JSONFormatter().format(record("x", exc_info=raised(AttributeError("'Hub' object has no attribute 'x'"))))
    assert "builtins.AttributeError: 'Hub' object has no attribute 'x'" in json.loads(text)["trace"]


def test_a_circle_of_exceptions_has_an_end() -> None:
    one, other = ValueError(), KeyError()
    one.__context__, other.__context__ = other, one
    trace = json.loads(JSONFormatter().format(record("x", exc_info=(ValueError, one, None))))["trace"]
    assert trace[-1] == "builtins.ValueError"
    assert len(trace) <= 5


def test_what_the_event_loop_quotes_is_left_out() -> None:
    loop = asyncio.new_event_loop()
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(TextFormatter())
    logging.getLogger("asyncio").addHandler(handler)

    def callback(argument: str) -> None:
        raise ValueError(argument)

    try:
        loop.call_soon(callback, PLANTED)
        loop.call_soon(loop.stop)
        loop.run_forever()
    finally:
        logging.getLogger("asyncio").removeHandler(handler)
        loop.close()
    assert "Exception in callback" in text.getvalue()
    assert "in callback\n" in text.getvalue()
    assert PLANTED not in text.getvalue()


def test_an_exception_that_ends_a_thread_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    text, root = io.StringIO(), logging.getLogger()
    before, level = root.handlers[:], root.level
    hooks = sys.excepthook, threading.excepthook
    monkeypatch.setattr(sys, "stderr", text)
    try:
        configure_logging("info", "json")

        def dies() -> None:
            raise ValueError(PLANTED)

        thread = threading.Thread(target=dies)
        thread.start()
        thread.join()
        logging.getLogger("uvicorn.error").info("Started server process")
    finally:
        sys.excepthook, threading.excepthook = hooks
        root.handlers[:] = before
        root.setLevel(level)
    [line] = text.getvalue().splitlines()
    assert (json.loads(line)["level"], json.loads(line)["error"]) == ("critical", "ValueError")
    assert PLANTED not in line


async def test_every_request_has_an_x_request_id_or_gets_one(redis: RedisProcess, tmp_path: Path) -> None:
    async with client_of(redis.url, tmp_path) as client:
        mine = await client.get("/v1/session", headers={"x-request-id": "Mine_1.2:3-4"})
        assert mine.headers["x-request-id"] == mine.json()["request_id"] == "Mine_1.2:3-4"
        made = [(await client.get("/healthz/live")).headers["x-request-id"] for _ in range(3)]
        assert len(set(made)) == 3
        for wrong in ("", "a b", "a\tb", "x" * 129, "<script>", "a,b"):
            answer = await client.get("/v1/nothing", headers={"x-request-id": wrong})
            assert re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]+", answer.headers["x-request-id"])


async def test_access_log_on_logs_every_request(redis: RedisProcess, tmp_path: Path, log: io.StringIO) -> None:
    async with client_of(redis.url, tmp_path, access_log="on") as client:
        answer = await client.get(f"/v1/users/{PLANTED}?x={PLANTED}")
        await client.request(PLANTED, "/v1/nothing")
    first, second = requests(log)
    assert first["duration_ms"] >= 0
    assert (first["level"], first["method"], first["route"], first["status"]) == (
        "info", "GET", "/v1/users/{id}", 401,
    )  # fmt: skip
    assert first["request_id"] == answer.headers["x-request-id"]
    assert (second["method"], second["route"], second["status"]) == ("other", "unmatched", 404)
    assert PLANTED not in log.getvalue()


async def test_no_request_can_inject_a_log_line(redis: RedisProcess, tmp_path: Path, log: io.StringIO) -> None:
    evil = "%0\x1b[2J\x85ERROR: all is lost"
    headers: dict[bytes, bytes] = {
        b"x-forwarded-for": f"fe80::1{evil}".encode("latin-1"), b"x-request-id": f"a{evil}".encode("latin-1"),
        b"user-agent": evil.encode("latin-1"), b"x-forwarded-proto": evil.encode("latin-1"),
    }  # fmt: skip
    async with client_of(redis.url, tmp_path, access_log="on") as client:
        for name in ("alice", evil, "\n\nERROR: all is lost"):
            answer = await client.post("/v1/session", json={"name": name, "password": evil}, headers=headers)
            assert answer.status_code == 401
        await client.request("GET", "/v1/users/x%0aERROR: all is lost", headers=headers)
    assert "from 127.0.0.1" in log.getvalue()
    assert "all is lost" not in log.getvalue()
    assert printable(log.getvalue()) == log.getvalue()


async def test_access_log_off_logs_only_server_errors(
    redis: RedisProcess, tmp_path: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError(PLANTED)

    async with client_of(redis.url, tmp_path) as client:
        await client.get("/")
        await client.get("/v1/nothing")
        assert requests(log) == []
        monkeypatch.setattr("ssechat.identity.auth.Auth.identify", broken)
        answer = await client.get("/v1/session", headers={"authorization": f"Bearer {PLANTED}"})
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        [line] = requests(log)
        assert (line["level"], line["status"], line["route"], line["error"]) == (
            "error", 500, "/v1/session", "RuntimeError",
        )  # fmt: skip
        assert line["request_id"] == answer.headers["x-request-id"]
        assert "in broken" in "".join(line["trace"])
        redis.kill()
        try:
            async with asyncio.timeout(5):
                while (await client.get("/healthz/ready")).status_code == 200:
                    await asyncio.sleep(0.02)
        finally:
            redis.start()
        last = requests(log)[-1]
        assert (last["level"], last["status"], last["route"]) == ("warning", 503, "/healthz/ready")
    assert PLANTED not in log.getvalue()


ROUTES = (
    ("GET", "/v1/users/{}"), ("GET", "/v1/events?ticket={}"), ("GET", "/v1/events?last_event_id={}"),
    ("GET", "/v1/conversations/dm:a:{}/messages"), ("GET", "/v1/conversations/{}/messages?before={}"),
    ("GET", "/v1/conversations?limit={}"), ("POST", "/v1/messages"), ("POST", "/v1/users"), ("POST", "/v1/session"),
    ("POST", "/v1/tickets"), ("DELETE", "/v1/session"), ("GET", "/web/{}"), ("GET", "/{}"), ("GET", "/metrics?{}"),
)  # fmt: skip
"""All that takes something; {} is where a secret goes."""

BODIES = (
    '{"to":"alice","text":"%s"}', '{"to":"%s","text":"x"}', '{"text":"%s"}', '{"%s":1}', '["%s"', "%s",
    '{"name":"%s","password":"%s"}', '{"name":"alice","password":"%s"}',
    '{"to":"alice","text":"x","client_msg_id":"%s"}', '{"conversation_id":"dm:alice:%s","text":"%s"}',
)  # fmt: skip


WRAPPINGS = ("%s", "%s\x00", "é%s", "\n%s\r", "{u:%s}", "<%s>", "%s" + "x" * 200)


async def test_no_log_of_any_route_has_a_path_a_query_a_token_or_a_text(
    redis: RedisProcess, tmp_path: Path, log: io.StringIO
) -> None:
    async with client_of(redis.url, tmp_path, access_log="on", log_level="debug") as client:
        signed_up = await client.post("/v1/users", json={"name": "alice", "password": "correct horse"})
        token = signed_up.json()["token"]
        client.cookies.clear()
        statuses = set()
        sent = 1
        for (method, target), wrapping, credential in itertools.product(ROUTES, WRAPPINGS, (token, PLANTED)):
            if target == "/v1/events?last_event_id={}" and credential == token:
                continue  # a stream, which never ends
            secret = wrapping % PLANTED
            headers = {
                "authorization": f"Bearer {credential}", "cookie": f"x={PLANTED}", "last-event-id": PLANTED,
                "idempotency-key": PLANTED, "referer": f"http://chat/{PLANTED}", "user-agent": PLANTED,
            }  # fmt: skip
            for body in BODIES if method == "POST" else ("",):
                content = body.replace("%s", json.dumps(secret)[1:-1])
                url = target.replace("{}", quote(secret))
                types = ("application/json", PLANTED) if wrapping == "%s" else ("application/json",)
                for content_type in types:
                    answer = await client.request(
                        method, url, headers={**headers, "content-type": content_type}, content=content
                    )
                    statuses.add(answer.status_code)
                    sent += 1
        assert {200, 201, 401, 404, 415, 422} <= statuses
        assert len(requests(log)) == sent
    for never in (PLANTED, token, "correct horse"):
        assert never not in log.getvalue()
