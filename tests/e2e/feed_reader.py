"""A stream of a feed over a socket, read in a thread."""

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from contract.answer import Answer
from contract.watch import Frames, watch
from e2e.api import HOST, PATIENCE
from serving import Server


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One event of a feed."""

    name: str
    id: str | None
    data: Any


class FeedReader:
    """An open stream. As a context manager it is closed at the end."""

    def __init__(
        self,
        server: Server,
        path: str,
        *,
        token: str | None = None,
        cursor: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if cursor is not None:
            sent["Last-Event-ID"] = cursor
        self.events: list[FeedEvent] = []
        self.ended = False
        self._changed = threading.Condition()
        self._frames = Frames(self._take)
        self._connection = http.client.HTTPConnection(HOST, server.port, timeout=30)
        self._connection.connect()
        self._socket: socket.socket = self._connection.sock
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._read, daemon=True)
        try:
            self._connection.request("GET", path, headers=sent)
            self.response = self._connection.getresponse()
            assert self.response.status == 200, self.response.read()
            watch().answer(Answer.of("GET", path.partition("?")[0], 200, self.response.getheaders(), None))
            self._thread.start()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _take(self, fields: dict[str, str]) -> None:
        watch().event_of_feed(fields)
        if fields["event"] != "retry":
            self.events.append(FeedEvent(fields["event"], fields.get("id"), json.loads(fields["data"])))

    def _read(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            while data := self.response.read1(65536):
                with self._changed:
                    self._frames.feed(data)
                    self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    @property
    def cursor(self) -> str:
        """The last event id, with which the client resumes."""
        return next(event.id for event in reversed(self.events) if event.id is not None)

    @property
    def values(self) -> list[Any]:
        """What was published without a name, so far."""
        return [event.data["data"] for event in self.named("message")]

    def named(self, name: str) -> list[FeedEvent]:
        """The events with this name so far."""
        return [event for event in self.events if event.name == name]

    def until(self, condition: Callable[[Self], object]) -> Self:
        """Waits until the received events fulfil the condition.

        Raises:
            AssertionError: they do not in time; the text has what came instead.
        """
        with self._changed:
            done = self._changed.wait_for(lambda: condition(self), PATIENCE)
        assert done, f"not so after {PATIENCE:g} s; ended: {self.ended}; last events: {self.events[-5:]}"
        return self

    def first(self, name: str) -> FeedEvent:
        """The first event with this name; waits for it."""
        self.until(lambda it: it.named(name))
        return self.named(name)[0]

    def close(self) -> None:
        """Disconnects, as a browser does."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self.response.close()
        self._connection.close()
        self._socket.close()
