"""The app, asked byte for byte over ASGI, with streams that stay open."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Scope

from contract.answer import Answer as Seen
from contract.watch import Frames, watch
from parts import SECRET, settings
from ssechat.app import create_app

ADMIN_TOKEN = "the-token-of-the-admin"
PATIENCE = 10.0
"""Seconds after which what should come has not come."""


class Answer(NamedTuple):
    """A response, as it was written."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem; empty for anything else."""
        problem = self.headers.get("content-type") == "application/problem+json"
        return str(self.json()["code"]) if problem else ""


class Reader:
    """A stream that is open, and all bytes that came on it."""

    def __init__(self) -> None:
        self.status = 0
        self.raw = bytearray()
        self._frames = Frames(watch().event)
        self._closing = asyncio.Event()
        self._began = False
        self._news = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def receive(self) -> Message:
        if not self._began:
            self._began = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._closing.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.raw += message.get("body", b"")
            self._frames.feed(message.get("body", b""))
        self._news.set()

    async def shows(self, *wanted: bytes) -> bool:
        """Waits until all of this has come; False if it does not come."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not all(each in self.raw for each in wanted):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    @property
    def last_id(self) -> str:
        """The id of the newest event."""
        return bytes(self.raw).rpartition(b"\nid: ")[2].partition(b"\n")[0].decode()

    async def close(self) -> bytes:
        """Hangs up; all that came."""
        self._closing.set()
        if self.task is not None:
            await self.task
        return bytes(self.raw)


class Door:
    """Asks an app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def ask(
        self, method: str, target: str, token: str = "", body: object = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """One request. `target`: path and query, encoded; `body`: is sent as JSON, unless it is None."""
        whole = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        given = {**(headers or {}), "content-length": str(len(whole))}
        if body is not None:
            given["content-type"] = "application/json"
        answer: dict[str, Any] = {}
        received = bytearray()

        async def receive() -> Message:
            return {"type": "http.request", "body": whole, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.update(message)
            else:
                received.extend(message.get("body", b""))

        await self._app(_scope(method, target, token, given), receive, send)
        lines = {name.decode(): value.decode() for name, value in answer["headers"]}
        watch().answer(Seen.of(method, target, answer["status"], lines.items(), bytes(received)))
        return Answer(answer["status"], lines, bytes(received))

    def open(self, token: str, cursor: str | None = None) -> Reader:
        """Opens a stream of events."""
        reader = Reader()
        headers = {} if cursor is None else {"last-event-id": cursor}
        scope = _scope("GET", "/v1/events", token, headers)
        reader.task = asyncio.create_task(self._run(scope, reader))
        return reader

    async def _run(self, scope: Scope, reader: Reader) -> None:
        await self._app(scope, reader.receive, reader.send)

    async def replay(self, token: str, cursor: str) -> bytes:
        """All bytes of a stream after a cursor, until it is level.

        Raises:
            AssertionError: it does not come to that.
        """
        reader = self.open(token, cursor)
        assert await reader.shows(b"event: hello"), bytes(reader.raw)
        hello = bytes(reader.raw).partition(b"event: hello\ndata: ")[2].partition(b"\n")[0]
        if json.loads(hello)["missed"]:
            assert await reader.shows(b"event: caught_up"), bytes(reader.raw)
        raw = await reader.close()
        assert b"event: reset" not in raw, raw
        return raw


@asynccontextmanager
async def door_of(redis_url: str, folder: Path) -> AsyncIterator[Door]:
    """An app of its own, whose data folder is `folder`."""
    (folder / "jwt.key").write_text(SECRET)
    (folder / "admin").write_text(ADMIN_TOKEN)
    more = {"redis_timeout": 5, "sign_ups_per_address": 0, "admin_token_file": folder / "admin"}
    app = create_app(settings(redis_url, data=folder, **more))
    async with app.router.lifespan_context(app):
        yield Door(app)


def _scope(method: str, target: str, token: str, headers: dict[str, str]) -> Scope:
    path, _, query = target.partition("?")
    lines = [(b"host", b"chat"), *((name.encode(), value.encode()) for name, value in headers.items())]
    if token:
        lines.append((b"authorization", f"Bearer {token}".encode()))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": lines,
        "client": ("127.0.0.1", 1234),
        "server": ("chat", 80),
    }
