"""An open stream of events, as it comes."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from ssechat.doctor.failures import reason
from ssechat.doctor.site import Site
from ssechat.problem_details import json_object

MOST_BYTES = 4 << 20
"""Upper bound of what is read of a stream."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, and when it came: seconds of the monotonic clock."""

    name: str
    data: dict[str, Any]
    at: float


class StreamEnded(Exception):
    """The stream is over; the text says how it ended."""


class OpenStream:
    """A stream that is read in a task."""

    def __init__(self, response: httpx.Response, asked_at: float) -> None:
        self.response = response
        self.asked_at = asked_at
        self.first_byte_at: float | None = None
        self.last_id = ""
        self.last_byte_at = asked_at
        self.ended_at = 0.0
        self._came = asyncio.Event()
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._ending = ""
        self._goodbye = ""

    @property
    def is_readable(self) -> bool:
        """Whether the stream is an event stream whose coding is understood."""
        kind = self.response.headers.get("content-type", "")
        coding = self.response.headers.get("content-encoding", "identity").strip().lower()
        return self.response.status_code == 200 and kind.startswith("text/event-stream") and coding in CODINGS

    async def read(self) -> None:
        """Reads to the end of the stream."""
        rest, size = b"", 0
        try:
            async for part in self.response.aiter_bytes():
                size += len(part)
                if not part:
                    continue
                self.last_byte_at = time.monotonic()
                self.first_byte_at = self.first_byte_at or self.last_byte_at
                self._came.set()
                *frames, rest = (rest + part).replace(b"\r\n", b"\n").split(b"\n\n")
                for frame in frames:
                    self._take(frame.decode("utf-8", "replace"))
                if size > MOST_BYTES:
                    self._ending = "more came than was asked for"
                    break
            else:
                self._ending = "it ended"
        except (httpx.HTTPError, OSError) as error:
            self._ending = reason(error)
        finally:
            self.ended_at = time.monotonic()
            self._came.set()
            self._events.put_nowait(None)

    def _take(self, frame: str) -> None:
        fields: dict[str, str] = {}
        for line in frame.split("\n"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        if "id" in fields:
            self.last_id = fields["id"]
        data = json_object(fields.get("data", "")) or {}
        self._events.put_nowait(Event(fields.get("event", "message"), data, self.last_byte_at))

    async def first_byte(self, seconds: float) -> bool:
        """Waits for the first byte of the body; returns whether it came."""
        try:
            async with asyncio.timeout(seconds):
                await self._came.wait()
        except TimeoutError:
            return False
        return self.first_byte_at is not None

    async def event(self, *names: str, seconds: float) -> Event | None:
        """Waits for the next event of one of these names; None: none came in time.

        Raises:
            StreamEnded: the stream is over.
        """
        try:
            async with asyncio.timeout(seconds):
                while True:
                    event = await self._events.get()
                    if event is None:
                        self._events.put_nowait(None)
                        raise StreamEnded(self._goodbye or self._ending)
                    if event.name == "bye":
                        self._goodbye = f"the server said goodbye: {event.data.get('reason')}"
                    if event.name in names:
                        return event
        except TimeoutError:
            return None


CODINGS = ("identity", "", "gzip", "deflate")
"""Codings that are understood without further libraries."""


@asynccontextmanager
async def open_stream(
    site: Site, headers: Mapping[str, str] | None = None, path: str = "/v1/events"
) -> AsyncIterator[OpenStream]:
    """Opens a stream of the visitor.

    Raises:
        NoAnswer: no response began.
    """
    asked_at = time.monotonic()
    async with site.streaming(path, headers or {}) as response:
        stream = OpenStream(response, asked_at)
        reading = asyncio.create_task(stream.read())
        try:
            yield stream
        finally:
            reading.cancel()
            await asyncio.wait([reading])
