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


class Connection:
    """An open response, and the events in it."""

    def __init__(self, transport: Transport, response: httpx.Response) -> None:
        self._transport = transport
        self._response = response
        # It needs the headers and the text of the response.
        self._events = EventSource(cast(httpx.Response, self)).aiter_sse()
        self._last_id = ""
        self._unread = 0
        self._said_bye = False

    @classmethod
    async def open(
        cls, transport: Transport, token: str, headers: Mapping[str, str]
    ) -> Union["Connection", httpx.Response]:
        """Opens a stream; returns the response if it is none, with its body.

        Raises:
            Unavailable: there was no response.
            ClientError: no retry would help.
        """
        try:
            response = await transport.stream("/v1/events", token, headers, TIMEOUT)
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
        self._unread = 0
        if event is None:
            return None
        self._said_bye = event.event == "bye"
        # httpx-sse repeats the last event id on events without one (WHATWG HTML §9.2.6).
        own, self._last_id = event.id if event.id != self._last_id else "", event.id
        return ServerSentEvent(event.event, event.data, own, event.retry)

    @property
    def headers(self) -> httpx.Headers:
        """Of the response."""
        return self._response.headers

    async def aiter_text(self) -> AsyncIterator[str]:
        """The text of the response as it comes."""
        async for text in self._response.aiter_text():
            self._unread += len(text)
            if self._unread > LARGEST:
                raise ClientError(f"{self._transport.server} sent an event that is larger than any of a chat server")
            yield text

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
