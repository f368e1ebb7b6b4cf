"""The stream of a user's events, over any number of connections."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
from httpx_sse import EventSource, SSEError

from ssechat.client.errors import ClientError
from ssechat.client.pauses import FIRST_PAUSE, RETRY_STATUSES, Pauses
from ssechat.client.transport import Transport
from ssechat.problem_details import MAX_RETRY_AFTER, problem_text, retry_after

CONNECT_SECONDS = 10.0
# A server pings after 15 to 30 seconds without an event; a connection that is silent for longer is dead.
SILENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Event:
    """One event of the stream."""

    name: str
    id: str
    """The last event id after this event; empty for an event that has none."""
    data: Any
    """The parsed JSON; the text itself if it is not JSON."""


class EventStream:
    """The events of one user, from one id on."""

    def __init__(self, transport: Transport, pauses: Pauses, since: str | None) -> None:
        self._transport = transport
        self._pauses = pauses
        self._cursor = since
        self._retry = FIRST_PAUSE

    def events(self) -> Iterator[Event]:
        """Yields events for ever, each once and in order.

        Raises:
            ClientError: the server refused the stream for good: the token is not valid, or it is not a chat server.
        """
        backoff = self._pauses.backoff()
        while True:
            retry_in, said_bye = 0.0, False
            try:
                for event in self._connected():
                    said_bye = event.name == "bye"
                    backoff.reset()
                    yield event
                    # After the yield: a caller that stops before it has processed the event gets it again.
                    self._cursor = event.id or self._cursor
                reason = "the stream ended"
            except httpx.ReadTimeout:
                reason = f"the stream was silent for {SILENCE_SECONDS:g} s"
            except httpx.RequestError as error:
                # After a `bye` that asks for a reconnect the server cuts the chunked response: no error.
                reason = "the stream ended" if said_bye else self._transport.unreachable(error)
            except _RetryLater as refusal:
                reason, retry_in = str(refusal), refusal.seconds
            pause = max(retry_in, self._pauses.seconds(self._retry, backoff))
            self._pauses.note(f"{reason}; reconnecting in {pause:.1f} s …")
            self._pauses.sleep(pause)

    def _connected(self) -> Iterator[Event]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self._cursor is not None:
            headers["Last-Event-ID"] = self._cursor
        timeout = httpx.Timeout(CONNECT_SECONDS, read=SILENCE_SECONDS)
        with self._transport.stream("/v1/events", headers, timeout) as response:
            if response.status_code != 200:
                with contextlib.suppress(httpx.RequestError):
                    response.read()
                if response.status_code in RETRY_STATUSES or response.status_code >= 500:
                    raise _RetryLater(problem_text(response), retry_after(response) or 0.0)
                raise ClientError.refusal(response)
            yield from self._parsed(EventSource(response))

    def _parsed(self, source: EventSource) -> Iterator[Event]:
        last_id = ""
        try:
            for each in source.iter_sse():
                if each.retry is not None:
                    self._retry = max(0, min(each.retry, int(MAX_RETRY_AFTER * 1000))) / 1000
                if each.event == "retry":
                    continue  # the event that opens a stream has no data for the caller
                # httpx-sse repeats the last event id on events without one (WHATWG HTML §9.2.6).
                event_id, last_id = each.id if each.id != last_id else "", each.id
                if each.data:
                    yield Event(each.event, event_id, _parse_json(each.data))
                elif event_id:
                    self._cursor = event_id
        except SSEError:
            raise ClientError(f"{self._transport.server} is not a chat server: it sent no event stream") from None


class _RetryLater(Exception):
    """The server refused the stream for now, and asks for a retry after some seconds."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


def _parse_json(data: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data
