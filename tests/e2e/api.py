"""Helpers of the end-to-end tests: servers, users, and their streams."""

import contextlib
import http.client
import itertools
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import jwt
import psutil

from contract.answer import Answer
from contract.watch import watch
from e2e.frames import Event, Frames
from serving import Server, redis_binaries

SERIES = tuple(sorted(redis_binaries(), reverse=True))
"""The installed Redis releases: "7.0", "6.2"."""

HOST = "127.0.0.1"
PATIENCE = 10.0
"""Upper bound of a wait, in seconds."""

_numbers = itertools.count(1)


def search_path(folder: Path, series: str) -> Mapping[str, str]:
    """An environment whose PATH has only the redis-server of this series."""
    programs = folder / f"redis-{series}"
    programs.mkdir(exist_ok=True)
    link = programs / "redis-server"
    if not link.is_symlink():
        link.symlink_to(redis_binaries()[series])
    return {"PATH": str(programs)}


def serve(folder: Path, *arguments: str, series: str = SERIES[0], **environment: str) -> Server:
    """A server with two workers on the private Redis of this series; its data is below `folder`."""
    extra = {**search_path(folder, series), **environment}
    return Server(folder / "data", "--workers", "2", *arguments, extra_environment=extra)


def fresh(name: str) -> str:
    """A user id that no other test has."""
    return f"{name}.{next(_numbers)}"


def key(server: Server) -> str:
    """The signing key of the server's tokens."""
    return (server.data / "jwt.key").read_text().strip()


def mint(server: Server, user: str, seconds: float = 3600) -> str:
    """Mints a token for a user, as `ssechat token` does."""
    return jwt.encode({"sub": user, "exp": time.time() + seconds}, key(server), algorithm="HS256")


def direct(one: str, other: str) -> str:
    """The id of the direct conversation of two users."""
    return ":".join(("dm", *sorted((one, other))))


def client_port(answer: httpx.Response) -> int:
    """The client's port of the connection of a response."""
    address = answer.extensions["network_stream"].get_extra_info("client_addr")
    return int(address[1])


def worker_of(server: Server, port: int) -> psutil.Process:
    """The worker that has accepted the connection from the client's `port`.

    Raises:
        LookupError: none has.
    """
    for worker in server.workers():
        with contextlib.suppress(psutil.NoSuchProcess):
            for connection in worker.net_connections("tcp"):
                if connection.raddr and connection.raddr.port == port:
                    return worker
    raise LookupError(f"no worker has a connection from port {port}")


class OneAtATime(httpx.Client):
    """A client with one connection, which threads use in turns.

    Without turns httpcore can take the connection for one that the server closed, because an answer to another thread
    is there, and close it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(limits=httpx.Limits(max_connections=1), **options)
        self._turn = threading.Lock()

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        with self._turn:
            return super().send(request, **options)


class Person:
    """A user with a connection of their own."""

    def __init__(self, server: Server, user: str, token: str | None = None) -> None:
        self.server = server
        self.user = user
        self.token = token if token is not None else mint(server, user)
        self.http = self._connection()

    def _connection(self) -> httpx.Client:
        return OneAtATime(
            base_url=self.server.url,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=20,
            trust_env=False,
            verify=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.http.close()

    def on(self, worker: psutil.Process) -> Self:
        """Reconnects until this worker has accepted the connection, which is kept alive."""
        for _ in range(100):
            answer = self.http.get("/healthz/live")
            if worker_of(self.server, client_port(answer)).pid == worker.pid:
                return self
            self.http.close()
            self.http = self._connection()
        raise AssertionError("the other worker gets all connections")

    def post(self, text: str, to: str, client_msg_id: str | None = None) -> httpx.Response:
        """Sends a message to a user; returns the response."""
        body = {"to": to, "text": text}
        if client_msg_id is not None:
            body["client_msg_id"] = client_msg_id
        return self.http.post("/v1/messages", json=body)

    def say(self, text: str, to: str, client_msg_id: str | None = None) -> dict[str, Any]:
        """Sends a message to a user; returns the message."""
        answer = self.post(text, to, client_msg_id)
        assert answer.status_code == 201, answer.text
        message: dict[str, Any] = answer.json()
        return message

    def history(self, other: str, **query: int) -> list[dict[str, Any]]:
        """The messages of the conversation with another user."""
        answer = self.http.get(f"/v1/conversations/{direct(self.user, other)}/messages", params=query)
        assert answer.status_code == 200, answer.text
        messages: list[dict[str, Any]] = answer.json()["messages"]
        return messages

    def listen(self, cursor: str | None = None, **options: Any) -> "Reader":
        """Opens a stream."""
        return Reader(self.server, self.token, cursor=cursor, **options)

    def listen_on(self, worker: psutil.Process, cursor: str | None = None) -> "Reader":
        """Opens a stream on this worker."""
        for _ in range(100):
            reader = self.listen(cursor)
            with contextlib.ExitStack() as stack:
                stack.callback(reader.close)  # also if the stream has ended, and belongs to no worker any more
                if worker_of(self.server, reader.port).pid == worker.pid:
                    stack.pop_all()
                    return reader
        raise AssertionError("the other worker gets all streams")


class Reader:
    """A stream, read in a thread. As a context manager it is closed at the end."""

    def __init__(
        self,
        server: Server,
        token: str | None,
        *,
        cursor: str | None = None,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        expect: int = 200,
    ) -> None:
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if cursor is not None:
            sent["Last-Event-ID"] = cursor
        self._connection = http.client.HTTPConnection(HOST, server.port, timeout=30)
        self._connection.connect()
        self._socket: socket.socket = self._connection.sock
        self.port: int = self._socket.getsockname()[1]
        self.events: list[Event] = []
        self.ended = ""
        """"" while the stream is open, "clean" after a complete response, else the error."""
        self._frames = Frames()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        try:
            self._connection.request("GET", f"/v1/events{query}", headers=sent)
            self.response = self._connection.getresponse()
            self.status = self.response.status
            if expect == 200:
                watch().answer(Answer.of("GET", "/v1/events", self.status, self.response.getheaders(), None))
            assert self.status == expect, (self.status, self.response.read())
            if expect == 200:
                self._thread.start()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _read(self) -> None:
        how = "clean"
        try:
            while data := self.response.read1(65536):
                found = list(self._frames.feed(data))
                with self._changed:
                    self.events += found
                    self._changed.notify_all()
        except (OSError, http.client.HTTPException, ValueError, AssertionError) as error:
            how = repr(error)
        with self._changed:
            self.ended = how
            self._changed.notify_all()

    @property
    def retry(self) -> int | None:
        """The last `retry:`, in milliseconds."""
        return self._frames.retry

    @property
    def opening(self) -> Event | None:
        """The event that opened the stream; it is not in `events`."""
        return self._frames.opening

    @property
    def cursor(self) -> str:
        """The last event id, with which the client resumes."""
        return next(event.id for event in reversed(self.events) if event.id is not None)

    def until(self, condition: Callable[[Self], object], seconds: float = PATIENCE) -> Self:
        """Waits until the received events fulfil the condition.

        Raises:
            AssertionError: it has not; the text has what came instead.
        """
        with self._changed:
            done = self._changed.wait_for(lambda: condition(self), seconds)
        assert done, f"not so after {seconds:g} s; ended: {self.ended!r}; last events: {self.events[-5:]}"
        return self

    def named(self, name: str) -> list[Event]:
        """The events with this name so far."""
        return [event for event in self.events if event.name == name]

    def first(self, name: str, seconds: float = PATIENCE) -> Event:
        """The first event with this name; waits for it."""
        self.until(lambda it: it.named(name), seconds)
        return self.named(name)[0]

    def live(self) -> Self:
        """Waits until the stream has replayed all missed events."""
        hello = self.first("hello")
        if hello.data["resumed"] and hello.data["missed"]:
            self.first("caught_up")
        return self

    @property
    def texts(self) -> list[str]:
        """The texts of the messages so far."""
        return [event.data["text"] for event in self.named("message")]

    def messages(self, count: int, seconds: float = PATIENCE) -> list[dict[str, Any]]:
        """Waits for exactly this many messages, and returns them, without what their reader has read."""
        self.until(lambda it: len(it.named("message")) >= count or it.ended, seconds)
        found = [message_of(event) for event in self.named("message")]
        assert len(found) == count, (len(found), count, self.ended, self.events[-3:])
        return found

    def wait_end(self, seconds: float = PATIENCE) -> str:
        """Waits until the stream has ended; returns how it ended."""
        self.until(lambda it: it.ended, seconds)
        return self.ended

    def close(self) -> None:
        """Disconnects, as a browser does."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread.ident is not None:
            self._thread.join(10)
        self.response.close()
        self._connection.close()
        self._socket.close()


def message_of(event: Event) -> dict[str, Any]:
    """The message of an event, as its sender has it: without what the event's reader has read."""
    return {name: value for name, value in event.data.items() if name != "mark"}


def problem(answer: httpx.Response, expected: int, code: str) -> dict[str, Any]:
    """Checks that the response is a problem (RFC 9457) with this status and code, and returns it."""
    assert answer.status_code == expected, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content: dict[str, Any] = answer.json()
    assert content["code"] == code, content
    assert content["status"] == expected
    assert content["type"] == "about:blank"
    assert content["title"]
    assert content["detail"]
    if expected == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    return content
