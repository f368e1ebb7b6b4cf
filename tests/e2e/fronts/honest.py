"""Honest clients on keep-alive connections that check that each response is their own."""

import asyncio
import itertools
import json
import ssl
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import httpx

from bench.fronting import HOST, NAME, Front

ANSWER_SECONDS = 20.0


class Honest:
    """Users, each with a connection over HTTP/1.1 and one over HTTP/2. As a context manager they start and stop.

    Each request has an id of its own, which the server has in its answer.
    """

    def __init__(self, front: Front, tokens: dict[str, str]) -> None:
        """`tokens` has a token for each user."""
        self.answers = 0
        self.misplaced: list[str] = []
        """The wrong responses: of another user, or with an unexpected cookie."""
        self.failed: Counter[str] = Counter()
        """The outcomes of requests without a response of the app: the proxy's status, or the error of the
        connection."""
        self._front = front
        self._tokens = tokens
        self._context = front.trust()
        self._numbers = itertools.count(1)
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join(2 * ANSWER_SECONDS)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for user, token in self._tokens.items():
                group.create_task(self._over_1(user, token))
                group.create_task(self._over_2(user, token))

    def _next(self, user: str) -> tuple[str, str, str, bytes]:
        number = next(self._numbers)
        name = f"honest-{user}-{number}"
        if number % 3:
            return name, "GET", "/v1/session", b""
        body = {"to": user, "text": name, "client_msg_id": name}
        return name, "POST", "/v1/messages", json.dumps(body).encode()

    def _check(self, user: str, name: str, status: int, headers: dict[str, str], body: bytes) -> None:
        """Checks that the response belongs to the request."""
        if status in (502, 503, 504) and "x-request-id" not in headers:
            self.failed[f"status {status}"] += 1
            return
        self.answers += 1
        whose = _whose(body)
        if headers.get("x-request-id") != name or "set-cookie" in headers:
            self.misplaced.append(f"{name}: {status} {headers} {body[:200]!r}")
        elif status not in (200, 201, 429) or (status != 429 and whose != user):
            self.misplaced.append(f"{name}: {status} {body[:200]!r}")

    async def _over_1(self, user: str, token: str) -> None:
        while not self._over.is_set():
            try:
                async with _connected(self._front.port, self._context) as (reader, writer):
                    while not self._over.is_set():
                        name, method, path, body = self._next(user)
                        head = (
                            f"{method} {path} HTTP/1.1\r\nHost: {NAME}:{self._front.port}\r\nX-Request-ID: {name}\r\n"
                            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n"
                        )
                        writer.write(head.encode() + body)
                        async with asyncio.timeout(ANSWER_SECONDS):
                            self._check(user, name, *await _answer(reader))
            except (OSError, EOFError, TimeoutError) as error:
                self.failed[type(error).__name__] += 1

    async def _over_2(self, user: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        while not self._over.is_set():
            async with httpx.AsyncClient(
                base_url=self._front.url, http2=True, verify=self._context, trust_env=False, timeout=ANSWER_SECONDS
            ) as client:
                try:
                    while not self._over.is_set():
                        await asyncio.gather(*(self._ask(client, user, headers) for _ in range(2)))
                except httpx.TransportError as error:
                    self.failed[type(error).__name__] += 1

    async def _ask(self, client: httpx.AsyncClient, user: str, headers: dict[str, str]) -> None:
        name, method, path, body = self._next(user)
        answer = await client.request(method, path, content=body or None, headers={**headers, "X-Request-ID": name})
        client.cookies.clear()
        self._check(user, name, answer.status_code, dict(answer.headers), answer.content)


def _whose(body: bytes) -> str | None:
    """The user whom a response concerns."""
    try:
        said = json.loads(body)
    except ValueError:
        return None  # the text of an error
    return said.get("user", said.get("sender")) if isinstance(said, dict) else None


@asynccontextmanager
async def _connected(
    port: int, context: ssl.SSLContext
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(HOST, port, ssl=context, server_hostname=NAME)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
    if "content-length" not in headers:
        raise EOFError("an answer without a length")
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))
