"""Watches the HTTP clients of this process, and collects what is not as the contract says."""

import functools
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest

from contract.answer import Answer
from contract.checker import FEEDS, REQUEST_ID, STREAM, Checker
from contract.document import closed
from contract.seen import Seen
from ssechat.http.api import Api

LARGEST = 4 * 2**20
"""Bytes of a body that is looked at."""


class Watch:
    """What this process sees."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self.seen = Seen()
        self.deviations: list[str] = []
        """In sentences; whoever reports them empties it."""
        self.off = False
        """Whether what comes now is made up."""

    def answer(self, answer: Answer) -> None:
        """An answer of a server of ours."""
        if self.off or _is_preflight(answer):
            return
        line = f"{answer.method} {answer.target[:200]} {answer.status}"
        self.deviations += (f"{line}: {each}" for each in self._checker.answer(answer, self.seen))

    def exchange(self, request: bytes, raw: bytes) -> None:
        """What a server of ours answered to bytes."""
        answer = Answer.parse(request, raw)
        if answer is not None:
            self.answer(answer)

    def event(self, fields: dict[str, str]) -> None:
        """An event of a user's stream of a server of ours."""
        if not self.off:
            self.deviations += self._checker.event(fields, self.seen)

    def event_of_feed(self, fields: dict[str, str]) -> None:
        """An event of a stream of a feed."""
        if not self.off:
            self.deviations += self._checker.event(fields, self.seen, of_a_feed=True)

    def event_at(self, target: str) -> Callable[[dict[str, str]], None]:
        """What takes the events of a stream at this path."""
        return self.event_of_feed if target.startswith(FEEDS) else self.event

    def taken(self) -> list[str]:
        """The deviations so far, which are then forgotten."""
        found, self.deviations = self.deviations, []
        return list(dict.fromkeys(found))


@functools.cache
def watch() -> Watch:
    """That of this process."""
    return Watch(Checker(closed()))


def _is_preflight(answer: Answer) -> bool:
    return answer.method == "OPTIONS" and "access-control-allow-methods" in answer.headers


class Frames:
    """Takes the bytes of an event stream apart: every line of ours ends in a line feed."""

    def __init__(self, take: Callable[[dict[str, str]], None]) -> None:
        self._take = take
        self._rest = b""

    def feed(self, part: bytes) -> None:
        *whole, self._rest = (self._rest + part).split(b"\n\n")
        for frame in whole:
            self._take(dict(line.split(": ", 1) for line in frame.decode().split("\n") if ": " in line))


class Tap:
    """What a response's bytes are shown to, as the test reads them."""

    def __init__(self, seer: Watch, request: httpx.Request, response: httpx.Response) -> None:
        self._seer = seer
        self._request, self._response = request, response
        self._body: list[bytes] = []
        self._size = 0
        self._frames: Frames | None = None
        if response.headers.get("content-type", "").startswith(STREAM):
            self._frames = Frames(seer.event_at(request.url.path))
            self._show(None)

    def feed(self, part: bytes) -> None:
        if self._frames is not None:
            self._frames.feed(part)
            return
        self._size += len(part)
        self._body.append(part)
        if self._size > LARGEST:
            self._body.clear()

    def end(self) -> None:
        if self._frames is None:
            self._show(b"".join(self._body) if self._size <= LARGEST else None)

    def _show(self, body: bytes | None) -> None:
        headers = self._response.headers
        sent: bytes = self._request.extensions.get("target", self._request.url.raw_path)
        target = sent.decode("latin-1")
        if "content-encoding" in headers:
            body = None
        self._seer.answer(Answer.of(self._request.method, target, self._response.status_code, headers.items(), body))


class SyncTap(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, tap: Tap) -> None:
        self._stream, self._tap = stream, tap

    def __iter__(self) -> Iterator[bytes]:
        for part in self._stream:
            self._tap.feed(part)
            yield part
        self._tap.end()

    def close(self) -> None:
        self._stream.close()


class AsyncTap(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, tap: Tap) -> None:
        self._stream, self._tap = stream, tap

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            self._tap.feed(part)
            yield part
        self._tap.end()

    async def aclose(self) -> None:
        await self._stream.aclose()


def tap(seer: Watch, request: httpx.Request, response: httpx.Response, app: object = None) -> None:
    """Shows an answer to the watch while it is read, if it is one of a server of ours: those have a request id."""
    ours = REQUEST_ID in response.headers or isinstance(getattr(getattr(app, "state", None), "api", None), Api)
    if not ours:
        return
    one = Tap(seer, request, response)
    if isinstance(response.stream, httpx.SyncByteStream):
        response.stream = SyncTap(response.stream, one)
    else:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = AsyncTap(response.stream, one)


def install(seer: Watch) -> Callable[[], None]:
    """Watches all transports of httpx but made-up ones; returns what ends it."""
    handle, handle_async = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request
    handle_app = httpx.ASGITransport.handle_async_request

    def handle_request(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        response = handle(self, request)
        tap(seer, request, response)
        return response

    async def handle_async_request(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        response = await handle_async(self, request)
        tap(seer, request, response)
        return response

    async def handle_app_request(self: httpx.ASGITransport, request: httpx.Request) -> httpx.Response:
        response = await handle_app(self, request)
        tap(seer, request, response, self.app)
        return response

    patches = pytest.MonkeyPatch()
    patches.setattr(httpx.HTTPTransport, "handle_request", handle_request)
    patches.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle_async_request)
    patches.setattr(httpx.ASGITransport, "handle_async_request", handle_app_request)
    return patches.undo
