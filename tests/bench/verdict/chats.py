"""Chats as a textbook has them, at their cheapest: `python -m tests.bench.verdict.chats NAME`.

Both keep everything in the memory of one process (uvicorn, uvloop, httptools): no log, no accounts, nothing that
survives it. A message for `*` goes to all others.
"""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..one_process import serve_one

POLL_SECONDS = 25.0
KEPT = 10_000
"""Messages that are kept for each user who polls."""


def websocket() -> Starlette:
    """Returns an app in which a message goes from one WebSocket to the other's. Whoever has none at the moment misses
    it."""
    sockets: dict[str, WebSocket] = {}

    async def chat(connection: WebSocket) -> None:
        user = connection.query_params["user"]
        await connection.accept()
        sockets[user] = connection
        try:
            await connection.send_text('"hello"')
            while True:
                asked = json.loads(await connection.receive_text())
                message = json.dumps({"from": user, "text": asked["text"]}, separators=(",", ":"))
                for name, each in list(sockets.items()):
                    if name != user and asked["to"] in (name, "*"):
                        await _deliver(each, message)
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            if sockets.get(user) is connection:
                del sockets[user]

    return Starlette(routes=[WebSocketRoute("/chat", chat)])


async def _deliver(connection: WebSocket, message: str) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it has just been closed
        await connection.send_text(message)


class Mailbox:
    """What one user has been sent, for polls."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.dropped = 0
        self.filled = asyncio.Event()

    def put(self, text: str) -> None:
        """Adds a message."""
        self.texts.append(text)
        if len(self.texts) > KEPT:
            del self.texts[0]
            self.dropped += 1
        self.filled.set()

    async def after(self, number: int) -> tuple[int, list[str]]:
        """Returns the messages behind this number, and the newest one's; waits for some until a poll's time is over."""
        if number >= self.dropped + len(self.texts):
            self.filled.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self.filled.wait()
        return self.dropped + len(self.texts), self.texts[max(0, number - self.dropped) :]


def polling() -> Starlette:
    """Returns an app in which a poll is answered as soon as there is a message."""
    boxes: defaultdict[str, Mailbox] = defaultdict(Mailbox)

    async def poll(request: Request) -> Response:
        box, after = boxes[request.query_params["user"]], int(request.query_params["after"])
        number, texts = (box.dropped + len(box.texts), []) if after < 0 else await box.after(after)
        return JSONResponse({"after": number, "texts": texts})

    async def send(request: Request) -> Response:
        user, asked = request.query_params["user"], await request.json()
        for name in [name for name in boxes if name != user] if asked["to"] == "*" else [asked["to"]]:
            boxes[name].put(asked["text"])
        return JSONResponse({})

    return Starlette(routes=[Route("/poll", poll), Route("/send", send, methods=["POST"])])


CHATS: Mapping[str, Callable[[], Starlette]] = {"websocket": websocket, "polling": polling}


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until SIGTERM."""
    serve_one(CHATS, "tests.bench.verdict.chats", __doc__, arguments, keep_alive=90)


if __name__ == "__main__":
    main()
