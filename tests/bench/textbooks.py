"""Servers of other kinds, as their documentation shows them: `python -m tests.bench.textbooks NAME`.

Each is a small ASGI app under uvicorn (uvloop, httptools), in one process, on a free port of 127.0.0.1, and
greets each stream with `hello`. Needs sse-starlette, and for the WebSocket the package `websockets`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from .one_process import serve_one

PATH = "/stream"
HELLO = json.dumps({"event": "hello"})


def sse_starlette() -> Starlette:
    """Returns an app in which each stream is an EventSourceResponse over a generator that waits at a queue."""
    queues: set[asyncio.Queue[str]] = set()

    async def events() -> AsyncIterator[dict[str, str]]:
        queue: asyncio.Queue[str] = asyncio.Queue(100)
        queues.add(queue)
        try:
            yield {"event": "hello", "data": HELLO}
            while True:
                yield {"event": "message", "data": await queue.get()}
        finally:
            queues.discard(queue)

    async def stream(_: Request) -> Response:
        return EventSourceResponse(events())

    return Starlette(routes=[Route(PATH, stream)])


def websocket() -> Starlette:
    """Returns an app in which each stream is a WebSocket whose handler waits for the client's messages."""
    sockets: set[WebSocket] = set()

    async def stream(connection: WebSocket) -> None:
        await connection.accept()
        sockets.add(connection)
        try:
            await connection.send_text(HELLO)
            while True:
                await connection.receive_text()
        except WebSocketDisconnect:
            pass
        finally:
            sockets.discard(connection)

    return Starlette(routes=[WebSocketRoute(PATH, stream)])


TEXTBOOKS: Mapping[str, Callable[[], Starlette]] = {"sse-starlette": sse_starlette, "websocket": websocket}


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until SIGTERM."""
    serve_one(TEXTBOOKS, "tests.bench.textbooks", __doc__, arguments)


if __name__ == "__main__":
    main()
