"""A reader: a stream that reconnects with Last-Event-ID for ever; some disconnect at random times."""

import asyncio
import json
import random
from collections.abc import Callable
from contextlib import aclosing

from . import history
from .history import Event
from .http import Connection, Lost, Place

SILENCE = 12.0
"""Seconds without a byte after which a device reconnects; the server pings more often."""

BACK = (0.05, 1.0)
STAYS = (0.3, 6.0)


class Reader:
    """One device: its history, and the task that reads."""

    def __init__(
        self,
        server: Place,
        now: Callable[[], float],
        user: str,
        number: int,
        *,
        from_start: bool,
        restless: bool,
        path: str = "/v1/events",
    ) -> None:
        self._server = server
        self._now = now
        self._restless = restless
        self._path = path
        self.device = history.Device(user, f"{user}/{number}", from_start)
        self._random = random.Random(f"{server.seed} {self.device.name}")
        self._cursor = "0-0" if from_start else None
        self._reads = asyncio.Event()
        self._reads.set()
        self._task: asyncio.Task[None] | None = None
        self.greeted = asyncio.Event()
        self.got: set[str] = set()
        """The client_msg_ids of the received messages; `joined` or `left`, conversation and user; conversation, seq and
        version of changes."""

    def start(self) -> None:
        """Starts reading."""
        self._task = asyncio.create_task(self._read())

    async def stop(self) -> None:
        """Stops for good."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def calm_down(self) -> None:
        """Stays connected from now on."""
        self._restless = False

    async def stop_reading(self, seconds: float) -> None:
        """Stops reading for a while, with the connection open."""
        self._note(history.STUCK)
        self._reads.clear()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._reads.set()
            self._note(history.READS_AGAIN)

    async def _read(self) -> None:
        while True:
            stays = self._random.uniform(*STAYS) if self._restless else None
            why = "left"
            self._note(history.CONNECT)
            try:
                async with asyncio.timeout(stays):
                    why = await self._connected()
            except TimeoutError:
                pass
            self._note(history.LOST, why=why)
            await asyncio.sleep(self._random.uniform(*BACK))

    async def _connected(self) -> str:
        """Reads until the stream ends; returns the reason."""
        try:
            connection = await Connection.open(self._server, small=True)
        except Lost as error:
            return str(error)
        try:
            events = connection.stream(self._server.token(self.device.user), self._cursor, self._path)
            async with aclosing(events):
                while True:
                    async with asyncio.timeout(SILENCE):
                        fields = await anext(events)
                    self._take(fields)
                    await self._reads.wait()
        except StopAsyncIteration:
            return "ended"
        except TimeoutError:
            return "silent"
        except Lost as error:
            return f"lost: {error}"
        finally:
            connection.close()

    def _take(self, fields: dict[str, str]) -> None:
        if fields["event"] == "retry":
            return
        data = json.loads(fields["data"])
        if fields["event"] != "mark":
            data.pop("mark", None)  # what the reader has read is not the message's
        event = Event(self._now(), fields["event"], fields.get("id"), data)
        self._cursor = event.id or self._cursor
        self.device.events.append(event)
        if event.name == "hello":
            self.greeted.set()
        elif event.name == "message":
            self.got.add(event.data.get("client_msg_id", ""))
        elif event.name == "member":
            how = "left" if event.data.get("left") else "joined"
            self.got.update(f"{how} {event.conversation} {each['user']}" for each in event.data["users"])
        elif event.durable:
            self.got.add(f"{event.conversation} {event.data.get('seq', 0)} {event.data.get('version', 0)}")

    def _note(self, name: str, **data: str) -> None:
        self.device.events.append(Event(self._now(), name, None, dict(data)))
