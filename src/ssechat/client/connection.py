"""One connection of a stream of events."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Union, cast

import httpx
from httpx_sse import EventSource, ServerSentEvent, SSEError

from ssechat.client.attempts import Unavailable
from ssechat.client.errors import ClientError
from ssechat.client.transport import LARGEST, Transport

# Seconds.
CONNECT_SECONDS = 10.0
# A server pings after 15 to 30 seconds without an event; a connection that is silent for longer is dead.
SILENCE_SECONDS = 60.0
TIMEOUT = httpx.Timeout(CONNECT_SECONDS, read=SILENCE_SECONDS)


class _Text:
    """What is read of a response, as httpx-sse reads it: its headers and its text as it comes.

    It does not know the connection: one that nobody has any more is closed at once, and not when garbage is collected.
    """

    def __init__(self, response: httpx.Response, server: httpx.URL) -> None:
        self.headers = response.headers
        self.unread = 0
        """Characters that came since the last event."""
        self._response = response
        self._server = server

    async def aiter_text(self) -> AsyncIterator[str]:
        """
        Raises:
            ClientError: an event is larger than any of a chat server.
        """
        async for text in self._response.aiter_text():
            self.unread += len(text)
            if self.unread > LARGEST:
                raise ClientError(f"{self._server} sent an event that is larger than any of a chat server")
            yield text


class Connection:
    """An open response, and the events in it."""

    def __init__(self, transport: Transport, response: httpx.Response) -> None:
        self._transport = transport
        self._response = response
        self._text = _Text(response, transport.server)
        self._events = EventSource(cast(httpx.Response, self._text)).aiter_sse()
        self._last_id = ""
        self._said_bye = False

    @classmethod
    async def open(
        cls, transport: Transport, path: str, token: str | None, headers: Mapping[str, str]
    ) -> Union["Connection", httpx.Response]:
        """Opens a stream; returns the response if it is none, with its body.

        Raises:
            Unavailable: there was no response.
            ClientError: no retry would help.
        """
        try:
            response = await transport.stream(path, token, headers, TIMEOUT)
        except httpx.RequestError as error:
            raise Unavailable(_reason(transport, error), unmet=True) from None
        if response.status_code == 200:
            return cls(transport, response)
        try:
            with contextlib.suppress(httpx.RequestError, TimeoutError):
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await transport.read(response)
        finally:
            await response.aclose()
        return response

    async def read(self) -> ServerSentEvent | None:
        """The next event, with an id only if it has one of its own; None at the end.

        Raises:
            Unavailable: the connection broke, or was silent for too long.
            ClientError: it is no stream of events, or has an event larger than any of a chat server.
        """
        try:
            event = await anext(self._events, None)
        except SSEError:
            raise ClientError(f"{self._transport.server} is not a chat server: it sent no event stream") from None
        except httpx.RequestError as error:
            # After a `bye` that asks for a reconnect the server cuts the chunked response: no error.
            reason = "the stream ended" if self._said_bye else _reason(self._transport, error)
            raise Unavailable(reason, unmet=True) from None
        self._text.unread = 0
        if event is None:
            return None
        self._said_bye = event.event == "bye"
        # httpx-sse repeats the last event id on events without one (WHATWG HTML §9.2.6).
        own, self._last_id = event.id if event.id != self._last_id else "", event.id
        return ServerSentEvent(event.event, event.data, own, event.retry)

    async def close(self) -> None:
        """Closes the connection."""
        await self._response.aclose()
        # Another task can be reading; then it finds the connection closed.
        with contextlib.suppress(RuntimeError):
            await self._events.aclose()


def _reason(transport: Transport, error: httpx.RequestError) -> str:
    if isinstance(error, httpx.ReadTimeout):
        return f"the stream was silent for {SILENCE_SECONDS:g} s"
    return transport.unreachable(error)
