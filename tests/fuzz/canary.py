"""An honest user that signs in, sends and listens all the time, and must lose no message and wait for no response for
long."""

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

ADDRESS = "127.0.0.2"
"""The client address of the canary; attacks have others."""

PASSWORD = "an honest password"
EVERY_SECONDS = 0.1
SIGNS_IN_EVERY = 10.0
LIMIT_SECONDS = 8.0
"""Seconds after which a request has failed."""


@dataclass(slots=True)
class Canary:
    """A user who writes notes."""

    port: int
    name: str = "canary"
    sent: list[str] = field(default_factory=list)
    """The acknowledged texts, in order."""
    heard: list[str] = field(default_factory=list)
    """The texts that arrived on the stream."""
    faults: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    """Seconds from each send to its event."""
    sign_ins: list[float] = field(default_factory=list)
    """The seconds of each sign-in."""
    _began: dict[str, float] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _ending: bool = False
    _signing_in: asyncio.Lock = field(default_factory=asyncio.Lock)

    def _http(self, **options: Any) -> httpx.AsyncClient:
        transport = httpx.AsyncHTTPTransport(local_address=ADDRESS)
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", transport=transport, **options)

    async def start(self) -> None:
        """Signs up and starts."""
        async with self._http(timeout=LIMIT_SECONDS) as http:
            answer = await http.post("/v1/users", json={"name": self.name, "password": PASSWORD})
            answer.raise_for_status()
            token = answer.json()["token"]
        ready = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._watch(work))
            for work in (self._listen(token, ready), self._write(token, ready), self._sign_in())
        ]
        async with asyncio.timeout(LIMIT_SECONDS):
            await ready.wait()

    async def rest(self) -> None:
        """Stops signing in: a password hash uses 64 MiB of the server's memory for a moment."""
        await self._signing_in.acquire()

    async def stop(self) -> None:
        """Waits until all acknowledged messages have arrived, or the limit, and stops."""
        self._ending = True
        until = time.monotonic() + LIMIT_SECONDS
        while not set(self.sent).issubset(self.heard) and time.monotonic() < until:
            await asyncio.sleep(0.02)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        acknowledged = set(self.sent)  # unacknowledged messages may have arrived, too
        if [text for text in self.heard if text in acknowledged] != self.sent:
            lost = [text for text in self.sent if text not in self.heard]
            self.faults.append(
                f"of {len(self.sent)} acknowledged messages {len(lost)} never came, or in another order: {lost[:3]}"
            )
        if len(set(self.heard)) < len(self.heard):
            self.faults.append("a message came twice")

    async def _watch(self, work: Any) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.faults.append(f"{type(error).__name__}: {error}")

    async def _listen(self, token: str, ready: asyncio.Event) -> None:
        async with (
            self._http(timeout=httpx.Timeout(LIMIT_SECONDS, read=40)) as http,
            http.stream("GET", "/v1/events", headers={"Authorization": f"Bearer {token}"}) as stream,
        ):
            stream.raise_for_status()
            event = ""
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    event = line[7:]
                    if event == "hello":
                        ready.set()
                elif line.startswith("data: ") and event == "message":
                    text = json.loads(line[6:])["text"]
                    self.heard.append(text)
                    self.waits.append(time.monotonic() - self._began.pop(text))
        self.faults.append("the stream ended")

    async def _write(self, token: str, ready: asyncio.Event) -> None:
        await ready.wait()
        headers = {"Authorization": f"Bearer {token}"}
        number = 0
        async with self._http(timeout=LIMIT_SECONDS, headers=headers) as http:
            while not self._ending:
                number += 1
                text = f"message {number}"
                self._began[text] = time.monotonic()
                try:
                    answer = await http.post("/v1/messages", json={"to": self.name, "text": text})
                    if answer.status_code == 201:
                        self.sent.append(text)
                    else:
                        self.faults.append(f"a message was answered {answer.status_code}: {answer.text[:200]}")
                except httpx.HTTPError as error:
                    self.faults.append(f"a message was not answered: {type(error).__name__}")
                await asyncio.sleep(EVERY_SECONDS)

    async def _sign_in(self) -> None:
        while True:
            async with self._signing_in, self._http(timeout=LIMIT_SECONDS) as http:
                began = time.monotonic()
                try:
                    answer = await http.post("/v1/session", json={"name": self.name, "password": PASSWORD})
                    if answer.status_code != 200:
                        self.faults.append(f"a sign-in was answered {answer.status_code}: {answer.text[:200]}")
                except httpx.HTTPError as error:
                    self.faults.append(f"a sign-in was not answered: {type(error).__name__}")
                self.sign_ins.append(time.monotonic() - began)
            with contextlib.suppress(TimeoutError):
                await asyncio.sleep(SIGNS_IN_EVERY)


def percentile(values: list[float], part: float) -> float:
    """The percentile of values; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0
