"""People who poll (chats.py): fairly, over connections that are kept, with one question always open."""

import asyncio
import json
import time

from .http1 import Connection
from .person import CONNECT_SECONDS, Person, Refused, Spec


class PollingPerson(Person):
    """One connection has the open poll, others are kept for what is sent."""

    def __init__(self, spec: Spec, number: int, source: str, scene: str) -> None:
        super().__init__(spec, number, source, scene)
        self._polling: Connection | None = None
        self._sending: list[Connection] = []
        self._all: list[Connection] = []
        self._task: asyncio.Task[None] | None = None
        self._after = -1

    async def connect(self) -> None:
        self._polling = await Connection.open(self.spec, self.source)
        async with asyncio.timeout(CONNECT_SECONDS):
            await self._poll(self._polling)
        self._task = asyncio.get_running_loop().create_task(self._go_on(self._polling))

    async def _go_on(self, connection: Connection) -> None:
        while True:
            try:
                await self._poll(connection)
            except ConnectionError:
                return

    async def _poll(self, connection: Connection) -> None:
        status, answer = await connection.ask(self._head("GET", f"/poll?user={self.name}&after={self._after}"))
        now = time.monotonic_ns()
        if status != 200:
            raise Refused(f"a poll was answered {status}")
        found = json.loads(answer)
        self._after = found["after"]
        for text in found["texts"]:
            self.got.take(text, now)

    async def send(self, to: str, text: str) -> None:
        body = json.dumps({"to": to, "text": text}, separators=(",", ":")).encode()
        if self._sending:
            connection = self._sending.pop()
        else:
            connection = await Connection.open(self.spec, self.source)
            self._all.append(connection)
        status, _ = await connection.ask(self._head("POST", f"/send?user={self.name}", len(body)) + body)
        self._sending.append(connection)
        if status != 200:
            raise Refused(f"a message was answered {status}")

    def _head(self, method: str, path: str, length: int = 0) -> bytes:
        content = f"Content-Type: application/json\r\nContent-Length: {length}\r\n" if length else ""
        host = f"{self.spec.address[0]}:{self.spec.address[1]}"
        return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{content}\r\n".encode()

    def drop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        for connection in (self._polling, *self._all):
            if connection is not None:
                connection.abort()
        self._sending.clear()
        self._all.clear()
