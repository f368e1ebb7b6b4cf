"""Responses over a raw connection, for what HTTP libraries refuse to send."""

import asyncio
import contextlib
import http.client
import io
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from ssechat.doctor.failures import NoAnswer, reason

MOST_BYTES = 1 << 20
"""Upper bound of what is read of a connection."""

NEXT_ADDRESS = 0.25
"""Seconds after which another address of the same name is tried, too (RFC 8305 §5)."""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """One of the responses on a connection."""

    status: int
    version: int
    """10 or 11."""
    headers: http.client.HTTPMessage
    body: bytes
    whole: bool


class Wire:
    """A connection to a host. All that has come is in `got`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
        self._reader = reader
        self._writer = writer
        self._seconds = seconds
        self.got = b""
        self.closed = False
        """Whether the other side has closed the connection."""

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS of the connection."""
        return cast("ssl.SSLObject | None", self._writer.get_extra_info("ssl_object"))

    async def send(self, data: bytes) -> None:
        """Sends bytes; that the other side has closed the connection already shows when reading."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._seconds):
                self._writer.write(data)
                await self._writer.drain()

    async def read(self, enough: Callable[[bytes], object], seconds: float | None = None) -> bytes:
        """Reads until what has come is enough, the connection is closed, or `seconds` are over; returns all of it."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._seconds if seconds is None else seconds):
                while not enough(self.got) and len(self.got) < MOST_BYTES:
                    part = await self._reader.read(65536)
                    if not part:
                        self.closed = True
                        break
                    self.got += part
                return self.got
        return self.got

    async def close(self) -> None:
        """Drops the connection."""
        self._writer.transport.abort()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                await self._writer.wait_closed()


@asynccontextmanager
async def wire(host: str, port: int, seconds: float, tls: ssl.SSLContext | None) -> AsyncIterator[Wire]:
    """A connection to a host, over TLS if there is a context.

    Raises:
        NoAnswer: it cannot be opened; its cause is the error.
    """
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(
                host,
                port,
                ssl=tls,
                server_hostname=host if tls is not None else None,
                happy_eyeballs_delay=NEXT_ADDRESS,
            )
    except (OSError, TimeoutError, ValueError) as error:
        raise NoAnswer(f"no connection to {host} port {port} ({reason(error)})") from error
    connection = Wire(reader, writer, seconds)
    try:
        yield connection
    finally:
        await connection.close()


class _Endless(io.BytesIO):
    """Bytes that stay readable behind a response: http.client closes its file after each."""

    def close(self) -> None:
        pass


class _Socket:
    def __init__(self, file: io.BytesIO) -> None:
        self._file = file

    def makefile(self, *_: object) -> io.BytesIO:
        return self._file


def answers(data: bytes) -> list[RawAnswer]:
    """The responses in the bytes of a connection; one that is cut off is not whole."""
    file, found = _Endless(data), []
    while file.tell() < len(data):
        response = http.client.HTTPResponse(cast(Any, _Socket(file)))
        body, whole = b"", True
        try:
            response.begin()
            body = response.read()
        except http.client.IncompleteRead as error:
            body, whole = error.partial, False
        except (http.client.HTTPException, ValueError):
            break
        found.append(RawAnswer(response.status, response.version, response.msg, body, whole))
    return found


def count_whole(data: bytes) -> int:
    """The number of whole responses in the bytes of a connection."""
    return sum(each.whole for each in answers(data))
