"""The servers of the comparison: how each is started, and how its people reach it."""

import contextlib
import http.client
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ssechat.identity.tokens import Tokens
from ssechat.settings import load_settings

from ..dialects import LIFETIME, Dialect, user_name
from ..errors import BenchError
from ..fronting import HOST, ChangedFront, Front
from ..programs import Program, free_port, missing
from ..server import Ssechat, Subject
from .line import Line
from .people.person import Spec

SOCKET_IO = Path(__file__).parent / "socketio"
WORKERS = 2
DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction")


@dataclass(frozen=True, slots=True)
class Stack:
    """One way to chat."""

    key: str
    name: str
    """As reports have it."""
    start: Callable[[Line, int], AbstractContextManager[Spec]]
    """Starts its servers, for so many people."""
    programs: tuple[str, ...] = ()
    """The programs that it needs."""
    folder: Path | None = None
    """A folder that must have been filled."""
    install: str = ""

    @property
    def absent(self) -> str:
        """A sentence if something that it needs is not installed."""
        lacking = missing(self.programs)
        if self.folder is not None and not self.folder.exists():
            lacking.append(self.folder.name)
        return f"{self.name}: not installed ({', '.join(lacking)} missing): {self.install}" if lacking else ""


def _ours(front: str = "", way: str = "Http1Person") -> Callable[[Line, int], AbstractContextManager[Spec]]:
    @contextlib.contextmanager
    def start(line: Line, people: int) -> Iterator[Spec]:
        with contextlib.ExitStack() as stack:
            app = stack.enter_context(Ssechat(WORKERS))
            room = _make_room(app, people)
            pids = [*app.workers, *app.redis]
            if not front:
                yield Spec(way, line.reach(app.address), data=app.data, room=room, pids=pids)
                return
            # The folder is the app's, which removes it.
            proxy = Front(front, app.folder / front, [f"{app.address[0]}:{app.address[1]}"])
            stack.enter_context(proxy)
            address = line.reach((HOST, proxy.port))
            yield Spec(way, address, proxy.certificate, app.data, room, [*pids, *proxy.pids])

    return start


def _make_room(app: Ssechat, people: int) -> str:
    """Has the users exist, and makes a group of them; returns its id."""
    tokens = Tokens.from_settings(load_settings({"data": app.data}, {}))
    connection = http.client.HTTPConnection(*app.address, timeout=30)

    def ask(user: int, method: str, path: str, body: object = None) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {tokens.mint(user_name(user), LIFETIME)}"}
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {**headers, "Content-Type": "application/json"})
        answer = connection.getresponse()
        found = answer.read()
        if answer.status not in (200, 201):
            raise BenchError(f"{method} {path} was answered {answer.status}: {found.decode()}")
        made: dict[str, str] = json.loads(found)
        return made

    with contextlib.closing(connection):
        for user in range(people):
            ask(user, "GET", "/v1/me")
        others = [user_name(user) for user in range(1, people)]
        return ask(0, "POST", "/v1/conversations", {"name": "room", "members": others, "client_msg_id": "room"})["id"]


class Chat(Subject):
    """One of the servers in chats.py, or of socketio/."""

    def __init__(self, name: str, *adapter: str) -> None:
        super().__init__(name)
        self._adapter = adapter

    def start(self) -> None:
        if not self._adapter:
            command: tuple[str, ...] = (sys.executable, "-m", f"{__package__}.chats", self.name)
        else:
            redis = free_port()
            data = self.folder / "redis"
            data.mkdir(exist_ok=True)
            arguments = ("redis-server", "--bind", HOST, "--port", str(redis), "--dir", str(data), *DURABLE)
            self.programs.append(Program("redis-server", self.folder, arguments))
            self.programs[0].wait_answering((HOST, redis))
            command = ("node", str(SOCKET_IO / "server.js"), *self._adapter, str(redis))
        program = Program(self.name, self.folder, command)
        self.programs.append(program)
        self.address = program.wait_announced()

    def dialect(self, group: int = 1) -> Dialect:
        return Dialect("/chat")


def _theirs(name: str, way: str, *adapter: str) -> Callable[[Line, int], AbstractContextManager[Spec]]:
    @contextlib.contextmanager
    def start(line: Line, people: int) -> Iterator[Spec]:
        with Chat(name, *adapter) as chat:
            yield Spec(way, line.reach(chat.address), pids=chat.workers)

    return start


UPGRADES: Mapping[str, Sequence[tuple[str, str]]] = {
    "nginx": (
        ('proxy_set_header Connection "";', 'proxy_set_header Connection "upgrade";'),
        ('proxy_set_header Upgrade "";', "proxy_set_header Upgrade $http_upgrade;"),
    ),
    "haproxy": (
        ("http-request del-header Connection", ""),
        ("http-request del-header Upgrade", ""),
        ("option httpchk", ""),
        ("http-check send meth GET uri /healthz/live ver HTTP/1.1 hdr Host front", ""),
    ),
    "caddy": (("header_up -Connection", ""), ("header_up -Upgrade", ""), ("health_uri /healthz/live", "")),
}
"""What lets WebSockets through, to a server without a check of its health."""


def _websocket(front: str) -> Callable[[Line, int], AbstractContextManager[Spec]]:
    @contextlib.contextmanager
    def start(line: Line, people: int) -> Iterator[Spec]:
        with Chat("websocket") as chat:
            app = f"{chat.address[0]}:{chat.address[1]}"
            with ChangedFront(front, chat.folder / front, [app], UPGRADES[front]) as proxy:
                address = line.reach((HOST, proxy.port))
                yield Spec("TextbookPerson", address, proxy.certificate, pids=[*chat.workers, *proxy.pids])

    return start


def _stacks() -> list[Stack]:
    """All of them: ours, then what they are compared with."""
    fronts = [("nginx", "nginx"), ("haproxy", "HAProxy"), ("caddy", "Caddy")]
    behind = [
        Stack(f"{front}-{key}", f"POST and SSE, {title}, {name}", _ours(front, way), (front,), None, f"{APT} {front}")
        for front, title in fronts
        for key, name, way in (("http1", "HTTP/1.1, TLS", "Http1Person"), ("http2", "HTTP/2", "Http2Person"))
    ]
    node = (("node", "redis-server"), SOCKET_IO / "node_modules", NPM)
    return [
        Stack("http1", "POST and SSE, HTTP/1.1", _ours()),
        *behind,
        Stack(WEBSOCKET, "WebSocket (uvicorn), nothing stored", _theirs("websocket", "TextbookPerson")),
        *(
            Stack(
                f"{WEBSOCKET}-{front}", f"WebSocket, {title}, TLS, nothing stored", _websocket(front), (front,), None,
                f"{APT} {front}",
            )
            for front, title in fronts
        ),
        Stack("socketio", "socket.io, Redis adapter", _theirs("socket.io", "SocketIoPerson", "pubsub"), *node),
        Stack(
            "socketio-streams", "socket.io, Redis streams, recovery",
            _theirs("socket.io", "SocketIoPerson", "streams"), *node,
        ),
        Stack("polling", "long polling, connections kept", _theirs("polling", "PollingPerson")),
        Stack("careless", "a connection for each POST", _ours(way="CarelessPerson")),
        Stack(
            "careless-tls", "a connection for each POST, TLS", _ours("nginx", "CarelessPerson"), ("nginx",), None,
            f"{APT} nginx",
        ),
    ]  # fmt: skip


WEBSOCKET = "websocket"
APT = "apt-get install"
NPM = "npm ci --ignore-scripts --prefix tests/bench/verdict/socketio"
STACKS = {stack.key: stack for stack in _stacks()}
OURS = frozenset(key for key in STACKS if not key.startswith((WEBSOCKET, "socketio", "polling")))


def websocket_of(key: str) -> str:
    """The key of the WebSocket that a way is compared with: through the same front, if there is one."""
    through = f"{WEBSOCKET}-{key.partition('-')[0]}"
    return through if through in STACKS else WEBSOCKET
