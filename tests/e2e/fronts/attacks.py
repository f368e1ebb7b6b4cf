"""Request smuggling attacks."""

import contextlib
import itertools
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import h2.exceptions

from bench.fronting import NAME, Front
from e2e.fronts.raw import Http1, Http2

BODY = "in a body"
"""The hidden request is the body of the outer one for every reader: it must never be processed."""

ANYWHERE = "anywhere"
"""The hidden request may be processed as a request on the attacker's connection."""

WEBSOCKET = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
UPGRADES = (
    "Connection: Upgrade\r\nUpgrade: anything\r\n",
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
    f"Connection: Upgrade\r\nUpgrade: websocket\r\n{WEBSOCKET}",
    "connection: keep-alive, upgrade\r\nupgrade: TLS/1.0\r\n",
)
CODINGS = (
    *(
        "chunked",
        "Chunked",
        "chunked, identity",
        "identity, chunked",
        "chunked,",
        "xchunked",
        "\x0bchunked",
        "\tchunked",
    ),
    *("chunked\r\nTransfer-Encoding: identity", "identity\r\nTransfer-Encoding: chunked", '"chunked"', "\r\n chunked"),
)
NAMES = ("Transfer-Encoding: ", "Transfer-Encoding : ", "Transfer_Encoding: ", "X: y\rTransfer-Encoding: ")
QUIET = "Content-Type: application/json\r\n"


@dataclass(frozen=True)
class Attack:
    """An attack over HTTP/1.1 (packets) or over HTTP/2 (headers and parts of a body)."""

    kind: str
    where: str
    """`BODY` or `ANYWHERE`."""
    packets: tuple[bytes, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


class Attacker:
    """Attacks a proxy from several threads. As a context manager it starts and stops."""

    def __init__(self, front: Front, credentials: dict[str, str], token: str, threads: int = 3) -> None:
        """`credentials` are those of a successful sign-in; the attack aims its cookie at another client."""
        self.counts: Counter[str] = Counter()
        """The attacks sent, by kind."""
        self.hidden: dict[str, Attack] = {}
        """The attacks with a request hidden in a body, by the request's id."""
        self._front = front
        self._token = token
        self._name = credentials["name"]
        self._sign_in = json.dumps(credentials).encode()
        self._numbers = itertools.count(1)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(threads)]

    def __enter__(self) -> "Attacker":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self, number: int) -> None:
        chance = random.Random(number)
        while not self._over.is_set():
            shapes = list(self._shapes(chance))
            chance.shuffle(shapes)
            for make in shapes:
                if self._over.is_set():
                    return
                name = f"smuggled-{self._name}-{next(self._numbers)}"
                attack = make(name, self._inner(name, chance))
                if attack.where == BODY:
                    self.hidden[name] = attack
                with contextlib.suppress(OSError, AssertionError, h2.exceptions.ProtocolError):
                    self._do(attack, chance)
                self.counts[attack.kind] += 1

    def _do(self, attack: Attack, chance: random.Random) -> None:
        pause = chance.choice((0.002, 0.01, 0.05))
        if attack.headers:
            with Http2(self._front, 2) as client:
                number = client.ask(attack.headers, *attack.packets)
                if chance.random() < 0.7:
                    client.answer(number, 0.3)
            return
        with Http1(self._front, 2) as client:
            client.send(*attack.packets, pause=pause)
            if chance.random() < 0.7:  # the others disconnect before the response
                client.answer(seconds=0.3)

    def _inner(self, name: str, chance: random.Random) -> bytes:
        head = f"Host: {NAME}:{self._front.port}\r\nX-Request-ID: {name}\r\n"
        if chance.random() < 0.05:
            length = f"{QUIET}Content-Length: {len(self._sign_in)}\r\n"
            return f"POST /v1/session HTTP/1.1\r\n{head}{length}\r\n".encode() + self._sign_in
        return f"GET /v1/session HTTP/1.1\r\n{head}Authorization: Bearer {self._token}\r\n\r\n".encode()

    def _shapes(self, chance: random.Random) -> Iterator[Callable[[str, bytes], Attack]]:
        """Yields each shape, with random details."""
        yield from [self._upgrade(upgrade, chance, chunked) for upgrade in UPGRADES for chunked in (False, True)] * 2
        yield from [self._coding(chance.choice(NAMES[:1] * 3 + NAMES), coding) for coding in CODINGS]
        yield from [self._lengths(number) for number in range(4)]
        yield from [self._early(chance, number) for number in range(4)]
        yield from [self._connect(number) for number in range(3)]
        yield from [self._pipelined(number) for number in range(4)]
        yield from [self._over_2(number) for number in range(8)] * 2

    def _line(
        self, method: str = "POST", target: str = "/v1/messages", token: bool = True, version: str = "1.1"
    ) -> str:
        credential = f"Authorization: Bearer {self._token}\r\n" if token else ""
        return f"{method} {target} HTTP/{version}\r\nHost: {NAME}:{self._front.port}\r\n{credential}{QUIET}"

    def _upgrade(self, upgrade: str, chance: random.Random, chunked: bool) -> Callable[[str, bytes], Attack]:
        method, target = chance.choice((("POST", "/v1/messages"), ("GET", "/v1/session"), ("POST", "/v1/session")))
        cut = chance.choice((0, 0, 7, None))

        def make(name: str, inner: bytes) -> Attack:
            length = "Transfer-Encoding: chunked\r\n" if chunked else f"Content-Length: {len(inner)}\r\n"
            head = f"{self._line(method, target, chance.random() < 0.7)}{length}{upgrade}\r\n".encode()
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner) if chunked else inner
            packets = (head + body,) if cut is None else (head + body[:cut], body[cut:])
            return Attack("Upgrade", BODY, packets)

        return make

    def _coding(self, name_of_it: str, coding: str) -> Callable[[str, bytes], Attack]:
        """A body that one server reads as chunked and the other by its length (TE.CL, CL.TE, TE.TE)."""

        def make(name: str, inner: bytes) -> Attack:
            body = b"0\r\n\r\n" + inner
            head = f"{self._line()}Content-Length: {len(body)}\r\n{name_of_it}{coding}\r\n\r\n"
            return Attack("Transfer-Encoding", ANYWHERE, (head.encode("latin-1"), body))

        return make

    def _lengths(self, number: int) -> Callable[[str, bytes], Attack]:
        def make(name: str, inner: bytes) -> Attack:
            size = len(inner)
            lengths = (
                f"Content-Length: 0\r\nContent-Length: {size}\r\n",
                f"Content-Length: {size}, 0\r\n",
                f"Content-Length: {size + 500}\r\n",  # these bytes never come
                "Content-Length: 2\r\n",  # more bytes follow
            )
            body = b"{}" + inner if number == 3 else inner
            head = f"{self._line()}{lengths[number]}\r\n".encode()
            return Attack("Content-Length", BODY if number == 2 else ANYWHERE, (head, body))

        return make

    def _early(self, chance: random.Random, number: int) -> Callable[[str, bytes], Attack]:
        """A body behind a response: an app may respond before it has the body."""

        def make(name: str, inner: bytes) -> Attack:
            method, target = (("POST", "/v1/messages"), ("GET", "/v1/session"))[number % 2]
            expect = "Expect: 100-continue\r\n" if number < 3 else ""
            head = f"{self._line(method, target, False)}Content-Length: {len(inner)}\r\n{expect}\r\n".encode()
            if number == 2:
                return Attack("Expect", BODY, (head,))
            return Attack("Expect", BODY, (head, inner))

        return make

    def _connect(self, number: int) -> Callable[[str, bytes], Attack]:
        def make(name: str, inner: bytes) -> Attack:
            length = (f"Content-Length: {len(inner)}\r\n", "", "Transfer-Encoding: chunked\r\n")[number]
            head = f"{self._line('CONNECT', ('/v1/session', f'{NAME}:80')[number % 2])}{length}\r\n".encode()
            return Attack("CONNECT", ANYWHERE, (head, inner))

        return make

    def _pipelined(self, number: int) -> Callable[[str, bytes], Attack]:
        def make(name: str, inner: bytes) -> Attack:
            first = (
                self._line("GET", "/v1/session") + "\r\n",
                self._line("GET", "/v1/events") + "\r\n",
                self._line("HEAD", "/v1/session") + "\r\n",
                self._line("GET", "/v1/session", version="1.0") + "Connection: keep-alive\r\n\r\n",
            )[number]
            return Attack("pipelined", ANYWHERE, (first.encode() + inner, inner))

        return make

    def _over_2(self, number: int) -> Callable[[str, bytes], Attack]:
        def make(name: str, inner: bytes) -> Attack:
            pseudo = {":method": "POST", ":scheme": "https", ":authority": f"{NAME}:{self._front.port}"}
            pseudo[":path"] = "/v1/messages"
            more: dict[str, str] = {
                0: {"content-length": "2"},
                1: {"content-length": str(len(inner) + 500)},
                2: {"connection": "upgrade", "upgrade": "h2c"},
                3: {"transfer-encoding": "chunked"},
                4: {"expect": "100-continue", "content-length": str(len(inner))},
                5: {"x": "y\r\ntransfer-encoding: chunked"},
            }.get(number, {})
            if number == 6:
                pseudo = {":method": "CONNECT", ":authority": pseudo[":authority"]}
            elif number == 7:
                pseudo |= {":method": "CONNECT", ":protocol": "websocket"}
            headers = (*pseudo.items(), ("content-type", "application/json"), *more.items())
            body = b"0\r\n\r\n" + inner if number in (3, 5) else inner
            return Attack("HTTP/2", BODY, (body,), headers)

        return make
