"""A strict HTTP/1.1 client (RFC 9112) without retries."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncGenerator
from typing import Any, Protocol, Self

HOST = "127.0.0.1"
NAME = "localhost"
CONNECT_SECONDS = 3.0
RECEIVE_BUFFER = 8192
"""Bytes of a device's receive buffers: small, so that backpressure of a slow device shows soon."""


class Lost(Exception):
    """The connection was refused or ended in the middle, or the response is not HTTP."""


class Place(Protocol):
    """The target of the clients: a server, or the proxy of several."""

    @property
    def seed(self) -> int:
        """The seed of random choices."""

    @property
    def port(self) -> int:
        """The local port."""

    @property
    def tls(self) -> ssl.SSLContext | None:
        """The TLS context; None for plain HTTP."""

    def token(self, user: str) -> str:
        """Mints a valid token."""


class Connection:
    """One connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, place: Place, small: bool = False) -> Self:
        """Connects.

        Raises:
            Lost: the connection was refused.
        """
        client = socket.socket()
        client.setblocking(False)
        if small:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await asyncio.get_running_loop().sock_connect(client, (HOST, place.port))
                limit, name = RECEIVE_BUFFER if small else 2**18, None if place.tls is None else NAME
                return cls(
                    *await asyncio.open_connection(sock=client, limit=limit, ssl=place.tls, server_hostname=name)
                )
        except (OSError, TimeoutError) as error:
            client.close()
            raise Lost(str(error)) from error
        except asyncio.CancelledError:
            client.close()  # cancelled during the connect
            raise

    def close(self) -> None:
        """Closes the connection at once."""
        self._writer.transport.abort()

    async def request(
        self, verb: str, path: str, token: str, body: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Sends a request; returns the status and JSON of the response.

        Raises:
            Lost: no response arrived.
        """
        if body is None:
            self._ask(verb, path, token)
        else:
            content = json.dumps(body).encode()
            headers = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
            self._ask(verb, path, token, headers, content)
        return await self._answer()

    async def get(self, path: str, token: str) -> tuple[int, dict[str, Any]]:
        """Sends a GET; see `request`."""
        return await self.request("GET", path, token)

    def _ask(self, verb: str, path: str, token: str, headers: str = "", content: bytes = b"") -> None:
        head = f"{verb} {path} HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: Bearer {token}\r\n{headers}\r\n"
        self._writer.write(head.encode() + content)

    async def _head(self) -> tuple[int, dict[str, str]]:
        try:
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            return int(head[0].split()[1]), headers
        except (OSError, EOFError, ValueError, IndexError, asyncio.LimitOverrunError) as error:
            raise Lost(str(error)) from error

    async def _answer(self) -> tuple[int, dict[str, Any]]:
        status, headers = await self._head()
        if status == 204:
            return status, {}
        try:
            # Responses of the proxy itself have no body.
            answer = json.loads(await self._reader.readexactly(int(headers["content-length"])) or b"{}")
        except (OSError, EOFError, ValueError, KeyError) as error:
            raise Lost(str(error)) from error
        return status, answer if isinstance(answer, dict) else {"answer": answer}

    async def stream(
        self, token: str, cursor: str | None, path: str = "/v1/events"
    ) -> AsyncGenerator[dict[str, str], None]:
        """Yields the events of a stream, each as its fields, until it ends complete.

        Raises:
            Lost: the stream was truncated.
        """
        query = "" if cursor is None else f"Last-Event-ID: {cursor}\r\n"
        self._ask("GET", path, token, query)
        status, headers = await self._head()
        if status != 200 or headers.get("transfer-encoding") != "chunked":
            if status == 200:
                return  # a stream that ended before it began
            raise Lost(f"status {status}")
        text = b""
        try:
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                text += (await self._reader.readexactly(size + 2))[:-2]
                *whole, text = text.split(b"\n\n")
                for frame in whole:
                    yield dict(line.split(": ", 1) for line in frame.decode().split("\n"))
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            raise Lost(str(error)) from error
