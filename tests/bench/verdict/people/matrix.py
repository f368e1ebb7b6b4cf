"""People of Matrix: they send into a room of two, and read by /sync, a poll that is always open."""

import asyncio
import json
import time
from typing import Any

from .http1 import Connection
from .person import CONNECT_SECONDS, Person, Refused, Spec

POLL_MILLISECONDS = 20_000
PAGE = 500


class MatrixPerson(Person):
    """The spec's room is the rooms and tokens of all, as JSON: `{"rooms": {name: id}, "tokens": {name: token}}`."""

    depth = 1

    def __init__(self, spec: Spec, number: int, source: str, scene: str) -> None:
        super().__init__(spec, number, source, scene)
        self._polling: Connection | None = None
        self._writing: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._since = ""
        given = json.loads(spec.room)
        self._rooms: dict[str, str] = given["rooms"]
        self._token: str = given["tokens"][self.name]

    async def connect(self) -> None:
        self._polling = await Connection.open(self.spec, self.source)
        async with asyncio.timeout(CONNECT_SECONDS):
            await self._sync(self._polling, 0)
        self._task = asyncio.get_running_loop().create_task(self._go_on(self._polling))

    async def _go_on(self, connection: Connection) -> None:
        while True:
            try:
                await self._sync(connection, POLL_MILLISECONDS)
            except ConnectionError:
                return

    async def _sync(self, connection: Connection, wait: int) -> None:
        since = f"&since={self._since}" if self._since else ""
        limit = '{"room":{"timeline":{"limit":100},"ephemeral":{"types":[]}},"presence":{"types":[]}}'
        limit = limit.replace('"', "%22").replace("{", "%7B").replace("}", "%7D")
        path = f"/_matrix/client/v3/sync?timeout={wait}&filter={limit}{since}"
        found = await self._ask(connection, "GET", path)
        now = time.monotonic_ns()
        before, self._since = self._since, found["next_batch"]
        for identity, room in found.get("rooms", {}).get("join", {}).items():
            timeline = room["timeline"]
            self._take(timeline["events"], now)
            if before and timeline.get("limited"):
                await self._read_back(connection, identity, timeline["prev_batch"], before)

    async def _read_back(self, connection: Connection, room: str, start: str, until: str) -> None:
        """Reads what a sync left out, newest first: it has a hundred events at most, whatever is asked for."""
        while start:
            path = f"/_matrix/client/v3/rooms/{room}/messages?dir=b&from={start}&to={until}&limit={PAGE}"
            found = await self._ask(connection, "GET", path)
            self._take(found["chunk"], time.monotonic_ns())
            start = found.get("end", "") if found["chunk"] else ""

    def _take(self, events: list[Any], now: int) -> None:
        for event in events:
            self.got.take(str(event["content"].get("body", "")), now)

    async def send(self, to: str, text: str) -> None:
        path = f"/_matrix/client/v3/rooms/{self._rooms[to]}/send/m.room.message/{text[1:17]}"
        async with self._turn:
            if self._writing is None or self._writing.closed:
                self._writing = await Connection.open(self.spec, self.source)
            await self._ask(self._writing, "PUT", path, {"msgtype": "m.text", "body": text})

    async def _ask(self, connection: Connection, method: str, path: str, body: Any = None) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        status, answer = await connection.ask(head.encode() + content)
        if status != 200:
            raise Refused(f"{method} was answered {status}: {answer[:200]!r}")
        return json.loads(answer)

    def drop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        for connection in (self._polling, self._writing):
            if connection is not None:
                connection.abort()
