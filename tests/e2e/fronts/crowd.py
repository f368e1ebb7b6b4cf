"""Clients that send and listen through a proxy, retry for ever, and finally compare what they received."""

import asyncio
import contextlib
import itertools
import random
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from bench.fronting import Front
from e2e.api import direct, fresh, mint
from e2e.frames import Event, Frames
from serving import Server

SILENCE = 5.0
"""Seconds without a byte after which a reader reconnects; the servers of these tests ping every second."""

ANSWER = 8.0
AGAIN = (0.05, 0.3)
PAUSE = (0.01, 0.05)
PATIENCE = 30.0


def client(
    front: Front, token: str = "", *, http2: bool = True, context: ssl.SSLContext | None = None
) -> httpx.AsyncClient:
    """The HTTP client of a device; with HTTP/2 all its requests share one connection."""
    return httpx.AsyncClient(
        base_url=front.url,
        http2=http2,
        verify=context or front.trust(),
        trust_env=False,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=ANSWER,
    )


@dataclass
class Device:
    """A stream that reconnects with the last event id for ever."""

    front: Front
    token: str
    http2: bool
    context: ssl.SSLContext
    cursor: str = "0-0"
    events: list[Event] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    losses: list[str] = field(default_factory=list)
    """The reasons why its connections ended."""

    @property
    def messages(self) -> list[Event]:
        """The messages that it received."""
        return [event for event in self.events if event.name == "message"]

    async def read(self) -> None:
        """Reads until cancelled."""
        while True:
            async with client(self.front, self.token, http2=self.http2, context=self.context) as http:
                try:
                    await self._connected(http)
                    self.losses.append("ended")
                except httpx.TransportError as error:
                    self.losses.append(repr(error))
            await asyncio.sleep(random.uniform(*AGAIN))

    async def _connected(self, http: httpx.AsyncClient) -> None:
        frames = Frames()
        timeout = httpx.Timeout(ANSWER, read=SILENCE)
        headers = {"Last-Event-ID": self.cursor}
        async with http.stream("GET", "/v1/events", headers=headers, timeout=timeout) as answer:
            self.statuses[answer.status_code] += 1
            if answer.status_code != 200:
                return
            async for part in answer.aiter_raw():
                for event in frames.feed(part):
                    self.cursor = event.id or self.cursor
                    self.events.append(event)


@dataclass
class Writer:
    """Sends one message after another; retries each until it is acknowledged."""

    front: Front
    user: str
    token: str
    others: list[str]
    context: ssl.SSLContext
    acknowledged: dict[str, Any] = field(default_factory=dict)
    """client_msg_id → the message."""
    attempts: Counter[str] = field(default_factory=Counter)
    """Counts by status, or by kind of failure."""
    slowest: float = 0.0
    """Seconds of the slowest message, with all its attempts."""

    async def write(self, until: asyncio.Event) -> None:
        """Sends until `until` is set, and waits for all acknowledgements."""
        async with client(self.front, self.token, context=self.context) as http:
            for number in itertools.count(1):
                if until.is_set():
                    return
                began = time.monotonic()
                await self._say(http, f"{self.user}-{number}")
                self.slowest = max(self.slowest, time.monotonic() - began)
                await asyncio.sleep(random.uniform(*PAUSE))

    async def _say(self, http: httpx.AsyncClient, name: str) -> None:
        body = {"to": random.choice(self.others), "text": name, "client_msg_id": name}
        while True:
            try:
                answer = await http.post("/v1/messages", json=body)
                self.attempts[str(answer.status_code)] += 1
                if answer.status_code in (200, 201):
                    self.acknowledged[name] = answer.json()
                    return
                assert answer.status_code in (502, 503, 504), answer.text
            except httpx.TransportError as error:
                self.attempts[type(error).__name__] += 1
            await asyncio.sleep(random.uniform(*AGAIN))


class Crowd:
    """Three users who write to each other, each with a device on HTTP/2 and one on HTTP/1.1.

    They talk from the beginning to the end of the `with`, in a thread of their own.
    """

    def __init__(self, front: Front, server: Server, people: int = 3) -> None:
        users = [fresh("crowd") for _ in range(people)]
        context = front.trust()
        tokens = {user: mint(server, user) for user in users}
        self.writers = [
            Writer(front, user, tokens[user], [other for other in users if other != user], context) for user in users
        ]
        self.devices = {
            user: [Device(front, tokens[user], http2, context) for http2 in (True, False)] for user in users
        }
        self._loop = asyncio.new_event_loop()
        self._enough = asyncio.Event()
        self._over = asyncio.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.hears()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._loop.call_soon_threadsafe(self._enough.set)
        else:
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(2 * PATIENCE)
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join(PATIENCE)
            raise AssertionError(f"not done in time: {self.report()}")
        if self._error is not None and kind is None:
            raise self._error

    def hears(self, more: int = 3, seconds: float = PATIENCE) -> None:
        """Waits until each device has received more messages."""
        devices = [device for own in self.devices.values() for device in own]
        wanted = [len(device.messages) + more for device in devices]
        deadline = time.monotonic() + seconds
        while any(len(device.messages) < count for device, count in zip(devices, wanted, strict=True)):
            assert time.monotonic() < deadline, self.report()
            assert self._thread.is_alive(), self._error
            time.sleep(0.05)

    @property
    def acknowledged(self) -> dict[str, Any]:
        """client_msg_id → the message, of all writers."""
        return {name: message for writer in self.writers for name, message in writer.acknowledged.items()}

    def _run(self) -> None:
        try:
            with contextlib.closing(self._loop):
                self._loop.run_until_complete(self._talk())
        except BaseException as error:
            self._error = error

    async def _talk(self) -> None:
        async with asyncio.timeout(4 * PATIENCE):
            devices = [device for own in self.devices.values() for device in own]
            reading = [asyncio.create_task(device.read()) for device in devices]
            while not all(device.events for device in devices):  # a user is made by its first request
                await asyncio.sleep(0.01)
            writing = [asyncio.create_task(writer.write(self._enough)) for writer in self.writers]
            over = asyncio.create_task(self._over.wait())
            try:
                wait_heard = asyncio.create_task(self._wait_all_heard(writing))
                await asyncio.wait([wait_heard, over], return_when=asyncio.FIRST_COMPLETED)
                if not over.done():
                    await wait_heard
            finally:
                for task in (*reading, *writing, over):
                    task.cancel()
                await asyncio.gather(*reading, *writing, over, return_exceptions=True)

    async def _wait_all_heard(self, writing: list[asyncio.Task[None]]) -> None:
        await asyncio.gather(*writing)
        deadline = time.monotonic() + PATIENCE
        while self.missing():
            assert time.monotonic() < deadline, f"lost: {self.missing()}; {self.report()}"
            await asyncio.sleep(0.1)

    def missing(self) -> list[str]:
        """The acknowledged messages that a device lacks."""
        return [
            name
            for user, own in self.devices.items()
            for device in own
            for name in self._of(user).difference(event.data["client_msg_id"] for event in device.messages)
        ]

    def _of(self, user: str) -> set[str]:
        return {name for name, message in self.acknowledged.items() if user in message["conversation_id"].split(":")}

    def check(self) -> None:
        """Checks at the end that no message is lost, doubled or misordered on any device."""
        assert self.missing() == []
        for user, own in self.devices.items():
            for device in own:
                assert not [event for event in device.events if event.name == "reset"]
                numbers = [int(str(event.id).partition("-")[0]) for event in device.messages]
                assert numbers == list(range(1, len(numbers) + 1)), "an inbox's numbers have no hole and no double"
                for other in self.devices:
                    if other != user:
                        self._check_conversation(device, direct(user, other))

    def _check_conversation(self, device: Device, conversation: str) -> None:
        got = [event.data for event in device.messages if event.data["conversation_id"] == conversation]
        assert [message["seq"] for message in got] == list(range(1, len(got) + 1))
        names = [message["client_msg_id"] for message in got]
        assert len(names) == len(set(names))
        for message in got:
            acknowledged = self.acknowledged[message["client_msg_id"]]
            assert (acknowledged["seq"], acknowledged["text"]) == (message["seq"], message["text"])

    def report(self) -> str:
        """A summary of the run."""
        attempts: Counter[str] = sum((writer.attempts for writer in self.writers), Counter())
        devices = [device for own in self.devices.values() for device in own]
        statuses: Counter[int] = sum((device.statuses for device in devices), Counter())
        losses = Counter(loss[:60] for device in devices for loss in device.losses)
        return (
            f"{len(self.acknowledged)} messages acknowledged, attempts {dict(attempts)}, slowest "
            f"{max(writer.slowest for writer in self.writers):.2f} s; {len(devices)} devices connected "
            f"{sum(statuses.values())} times {dict(statuses)}, connections ended {dict(losses)}"
        )
