"""People who use socket.io 4 over a WebSocket: its packets (Engine.IO 4, Socket.IO 5), and its way to come back."""

import asyncio
import json

from .person import Refused, Spec
from .websocket import WebSocketPerson

ANSWER_SECONDS = 20.0


class SocketIoPerson(WebSocketPerson):
    """A person of socketio/server.js, who waits for the acknowledgement of what it sends.

    After a loss of the connection it tells its private session id and the offset of the last event, as socket.io's
    client does: with a server that has them, the missed events come (connection state recovery).
    """

    def __init__(self, spec: Spec, number: int, source: str, scene: str) -> None:
        super().__init__(spec, number, source, scene)
        self._session = ""
        self._offset = ""
        self._asked = 0
        self._answers: dict[int, asyncio.Future[None]] = {}
        self.recovered = False
        """Whether the server gave back the session after the last loss."""

    @property
    def path(self) -> str:
        return "/socket.io/?EIO=4&transport=websocket"

    def take(self, payload: bytes, now: int) -> None:
        frames = self.frames
        assert frames is not None
        kind, rest = payload[:2], payload[2:]
        if payload[:1] == b"0":
            opening = {"user": self.name}
            if self._session:
                opening |= {"pid": self._session, "offset": self._offset}
            frames.send(b"40" + json.dumps(opening).encode())
        elif payload[:1] == b"2":
            frames.send(b"3")
        elif kind == b"40":
            session = json.loads(rest).get("pid", "")
            self.recovered = bool(session) and session == self._session
            self._session = session
            if not frames.opened.done():
                frames.opened.set_result(None)
        elif kind == b"42":
            self.got.take(rest, now)
            if self._session and isinstance(last := json.loads(rest)[-1], str):
                self._offset = last
        elif kind == b"43":
            answer = self._answers.pop(int(rest.partition(b"[")[0]), None)
            if answer is not None and not answer.done():
                answer.set_result(None)
        elif kind == b"44" and not frames.opened.done():
            frames.opened.set_exception(Refused(f"socket.io refused: {rest!r}"))

    def lost(self, error: ConnectionError) -> None:
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(error)
        self._answers.clear()

    async def send(self, to: str, text: str) -> None:
        if self.frames is None:
            raise ConnectionResetError("there is no connection")
        self._asked += 1
        number = self._asked
        self.frames.send(f"42{number}".encode() + json.dumps(["send", to, text], separators=(",", ":")).encode())
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(ANSWER_SECONDS):
            await answer
