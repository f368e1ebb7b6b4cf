"""An attack: the bytes sent on one connection, and the responses that are allowed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from random import Random

import jwt

from ssechat.identity.tokens import COOKIE, fingerprint

FAR = 4102444800
"""Seconds since the epoch: the end of tokens, whose bytes must be the same in each run."""

USERS = 60


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is sent for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Await:
    """Nothing is sent until so many answers have come."""

    answers: int


def identity(number: int, part: object) -> str:
    """The X-Request-ID of a request of this attack. Between letters, so that no mutation makes another's of it."""
    return f"q{number}-{part}q"


class End(Enum):
    """How the client leaves."""

    HALF_CLOSE = "half-close"
    """It will send no more, and listens."""
    RESET = "reset"
    CLOSE = "close"


Step = bytes | Pause | Await | End


@dataclass(frozen=True, slots=True)
class Attack:
    """What is sent on one connection."""

    name: str
    """The generator's."""
    steps: tuple[Step, ...]
    ids: tuple[str, ...] = ()
    """The X-Request-ID of each request, in order: an answer has one of these, later than the one before."""
    number: int = 0
    allowed: frozenset[int] | None = None
    """Statuses of the first answer, with 0 for none at all; None: any."""
    due: bool = False
    """Whether all of `ids` are whole, well-formed requests: each is answered, unless the server closes and says so."""
    refusable: bool = False
    """Whether one of them may be 400, and the connection closed with it."""
    bodiless: frozenset[str] = frozenset()
    """Of `ids`, the HEAD requests."""
    held: bool = False
    """Whether it is an unfinished request that the server must end by itself, in its own time."""

    @property
    def requests(self) -> int:
        """How many it counts as."""
        return max(1, len(self.ids))

    def sent(self) -> bytes:
        """All its bytes."""
        return b"".join(step for step in self.steps if isinstance(step, bytes))

    def named(self, name: str) -> "Attack":
        """The same by another name."""
        return replace(self, name=name)


def whole(name: str, *requests: "Request") -> Attack:
    """Requests in one packet that are HTTP, whatever else is wrong with them: each is answered."""
    return replace(in_one(name, *requests, due=True), refusable=True)


def in_one(name: str, *requests: "Request", allowed: frozenset[int] | None = None, due: bool = False) -> Attack:
    """Requests in one packet."""
    ids = tuple(request.id for request in requests if request.id)
    bodiless = frozenset(request.id for request in requests if request.method == b"HEAD")
    return Attack(name, (b"".join(map(bytes, requests)),), ids, allowed=allowed, due=due, bodiless=bodiless)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as bytes that may be wrong in any way."""

    id: str
    """Empty: it is sent without one, and the server makes one."""
    method: bytes = b"GET"
    target: bytes = b"/v1/server"
    version: bytes = b"HTTP/1.1"
    lines: tuple[bytes, ...] = ()
    """Headers, without the one for the id."""
    body: bytes = b""
    host: bytes | None = b"Host: fuzz.example"
    newline: bytes = b"\r\n"

    def __bytes__(self) -> bytes:
        first = b" ".join((self.method, self.target, self.version))
        host = () if self.host is None else (self.host,)
        marked = (b"X-Request-ID: " + self.id.encode(),) if self.id else ()
        return self.newline.join((first, *host, *marked, *self.lines, b"", b"")) + self.body


class World:
    """What the generators know of the server: its users and their tokens, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.key = hashlib.sha256(f"fuzz {seed}".encode()).hexdigest()
        self.cookie = f"{COOKIE}_{fingerprint(self.key)[:12]}"
        """The name of the session's cookie: each key has one of its own."""
        self.users = [f"fuzz{number}" for number in range(USERS)]

    @cached_property
    def tokens(self) -> list[str]:
        """A token that counts, of each user."""
        return [self.token(user) for user in self.users]

    def token(self, user: object, **claims: object) -> str:
        """A token that is signed with the server's key."""
        return jwt.encode({"sub": user, "exp": FAR, **claims}, self.key, algorithm="HS256")

    def dice(self, number: int) -> Random:
        """What decides an attack."""
        return Random(f"{self.seed}-{number}")


class Maker:
    """Makes the parts of one attack: its chance, and ids that no other attack has."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.dice = world.dice(number)
        self._made = 0

    def id(self) -> str:
        """The next request's id."""
        self._made += 1
        return identity(self.number, self._made)

    def never(self) -> str:
        """The id of something that looks like a request and is the body of one."""
        self._made += 1
        return identity(self.number, f"never{self._made}")

    def user(self) -> str:
        """Somebody."""
        return self.dice.choice(self.world.users)

    def bearer(self) -> bytes:
        """The credential of somebody."""
        return b"Authorization: Bearer " + self.dice.choice(self.world.tokens).encode()

    def get(self, target: bytes = b"/v1/server", *lines: bytes) -> Request:
        """A good GET."""
        return Request(self.id(), target=target, lines=lines)

    def last(self) -> Request:
        """A good GET after which the server closes: the sooner an attack is over, the more of them there are."""
        return Request(self.id(), lines=(b"Connection: close",))

    def post(self, target: bytes, body: bytes, *lines: bytes) -> Request:
        """A good POST of JSON."""
        length = b"Content-Length: %d" % len(body)
        return Request(self.id(), b"POST", target, lines=(b"Content-Type: application/json", *lines, length), body=body)

    def send(self, *lines: bytes, text: str | None = None) -> Request:
        """A good message to somebody."""
        said = f"hello {self.number}" if text is None else text
        body = f'{{"to":"{self.user()}","text":"{said}"}}'.encode()
        return self.post(b"/v1/messages", body, self.bearer(), *lines)

    def smuggled(self) -> bytes:
        """A request that stands in the body of another."""
        return bytes(Request(self.never(), target=b"/v1/session", lines=(self.bearer(),)))

    def pick(self, choices: Sequence[bytes]) -> bytes:
        """One of these."""
        return self.dice.choice(choices)
