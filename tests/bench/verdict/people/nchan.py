"""People of nchan: a stream of their own channel, which others publish to; and of Pushpin, which has one channel."""

import asyncio
from dataclasses import replace

from ...pushpin import publication
from .http1 import Connection, Stream
from .person import CONNECT_SECONDS, Person, Refused, Spec


class NchanPerson(Person):
    """Receives by EventSource, and comes back with the id of its last event."""

    def __init__(self, spec: Spec, number: int, source: str, scene: str) -> None:
        super().__init__(spec, number, source, scene)
        self.cursor = ""
        self._reading: Connection | None = None
        self._writing: Connection | None = None
        self._turn = asyncio.Lock()

    depth = 1
    keeps = True
    """Whether the server keeps a connection on which something was published."""
    path = "/subscribe?id={name}"
    greeting = b": hi"

    async def connect(self) -> None:
        stream = Stream(self, self.greeting)
        self._reading = await Connection.open(self.spec, self.source, stream)
        cursor = f"Last-Event-ID: {self.cursor}\r\n" if self.cursor else ""
        path = self.path.format(name=self.name)
        self._reading.write(
            f"GET {path} HTTP/1.1\r\nHost: {self.spec.host}\r\nAccept: text/event-stream\r\n{cursor}\r\n".encode()
        )
        await stream.wait(CONNECT_SECONDS)

    async def send(self, to: str, text: str) -> None:
        await self.publish(self.spec, f"/publish?id={to}", text.encode())

    async def publish(self, spec: Spec, path: str, body: bytes) -> None:
        """Publishes over a connection that is kept."""
        head = f"POST {path} HTTP/1.1\r\nHost: {spec.host}\r\nContent-Length: {len(body)}\r\n\r\n"
        async with self._turn:
            if self._writing is None or self._writing.closed or not self.keeps:
                if self._writing is not None:
                    self._writing.abort()
                self._writing = await Connection.open(spec, self.source)
            status, answer = await self._writing.ask(head.encode() + body)
        if status not in (200, 201, 202):
            raise Refused(f"a message was answered {status}: {answer[:200]!r}")

    def drop(self) -> None:
        for connection in (self._reading, self._writing):
            if connection is not None:
                connection.abort()


class PushpinPerson(NchanPerson):
    """All subscribe to the channel of Pushpin's test resource; it keeps nothing."""

    keeps = False
    path = "/stream"
    greeting = b"[stream opened]"

    async def send(self, to: str, text: str) -> None:
        spec = replace(self.spec, address=(self.spec.address[0], int(self.spec.room)))
        await self.publish(spec, "/publish/", publication(text))
