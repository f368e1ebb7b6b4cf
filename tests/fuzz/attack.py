"""An attack: the bytes sent on one connection, and the responses that are allowed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from random import Random

import jwt

from ssechat.identity.key_file import fingerprint
from ssechat.identity.tokens import COOKIE
from ssechat.ids import group_id

FAR = 4102444800
"""The expiry of tokens, in seconds since 1970: constant, so that tokens have the same bytes in each run."""

USERS = 60

FIRST_IN_GROUP = 40
"""The number of the user who owns the group; the next one is its other member."""

MADE_AS = "fuzz"
"""The client_msg_id of the group."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause before the next bytes, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Await:
    """A wait for a number of responses before the next bytes."""

    answers: int


def identity(number: int, part: object) -> str:
    """The X-Request-ID of a request of this attack. Letters around the number keep mutations from turning it into
    another id."""
    return f"q{number}-{part}q"


class End(Enum):
    """How the client ends the connection."""

    HALF_CLOSE = "half-close"
    """The client closes its side, and keeps reading."""
    RESET = "reset"
    CLOSE = "close"


Step = bytes | Pause | Await | End


@dataclass(frozen=True, slots=True)
class Attack:
    """The bytes and pauses of one connection."""

    name: str
    """The name of its generator."""
    steps: tuple[Step, ...]
    ids: tuple[str, ...] = ()
    """The X-Request-ID of each request, in order: responses must have these ids, in this order."""
    number: int = 0
    allowed: frozenset[int] | None = None
    """Allowed statuses of the first response, 0 for none; None: any."""
    due: bool = False
    """Whether all of `ids` are complete, well-formed requests: each must get a response, unless the server announces a
    close."""
    refusable: bool = False
    """Whether one of them may get 400 and a close of the connection."""
    bodiless: frozenset[str] = frozenset()
    """The ids of the HEAD requests."""
    held: bool = False
    """Whether it is an incomplete request, which the server must end by a timeout."""

    @property
    def requests(self) -> int:
        """The number of its requests."""
        return max(1, len(self.ids))

    def sent(self) -> bytes:
        """All bytes that it sends."""
        return b"".join(step for step in self.steps if isinstance(step, bytes))

    def named(self, name: str) -> "Attack":
        """A copy with another name."""
        return replace(self, name=name)


def whole(name: str, *requests: "Request") -> Attack:
    """Requests in one packet that are well-formed HTTP: each must get a response."""
    return replace(in_one(name, *requests, due=True), refusable=True)


def in_one(name: str, *requests: "Request", allowed: frozenset[int] | None = None, due: bool = False) -> Attack:
    """Requests in one packet."""
    ids = tuple(request.id for request in requests if request.id)
    bodiless = frozenset(request.id for request in requests if request.method == b"HEAD")
    return Attack(name, (b"".join(map(bytes, requests)),), ids, allowed=allowed, due=due, bodiless=bodiless)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as bytes that may be malformed."""

    id: str
    """The X-Request-ID; empty: the server assigns one."""
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
    """The users and tokens that the generators use, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.key = hashlib.sha256(f"fuzz {seed}".encode()).hexdigest()
        self.cookie = f"{COOKIE}_{fingerprint(self.key)[:12]}"
        """The name of the session cookie, which depends on the signing key."""
        self.users = [f"fuzz{number}" for number in range(USERS)]
        digest = hashlib.blake2b(
            f"{self.users[FIRST_IN_GROUP]}:{MADE_AS}".encode(), key=self.key.encode(), digest_size=16
        ).digest()
        self.group = str(group_id(digest))
        """The id of a group, which is made when the server has started."""

    @cached_property
    def tokens(self) -> list[str]:
        """A valid token of each user."""
        return [self.token(user) for user in self.users]

    def token(self, user: object, **claims: object) -> str:
        """Signs a token with the server's key."""
        return jwt.encode({"sub": user, "exp": FAR, **claims}, self.key, algorithm="HS256")

    def dice(self, number: int) -> Random:
        """The random generator of an attack."""
        return Random(f"{self.seed}-{number}")


class Maker:
    """Builds the parts of one attack, with its random generator and unique ids."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.dice = world.dice(number)
        self._made = 0

    def id(self) -> str:
        """Returns the id of the next request."""
        self._made += 1
        return identity(self.number, self._made)

    def never(self) -> str:
        """Returns the id of a fake request in the body of another one."""
        self._made += 1
        return identity(self.number, f"never{self._made}")

    def user(self) -> str:
        """Returns a random user."""
        return self.dice.choice(self.world.users)

    def bearer(self) -> bytes:
        """Returns the credential of a random user."""
        return b"Authorization: Bearer " + self.dice.choice(self.world.tokens).encode()

    def get(self, target: bytes = b"/v1/server", *lines: bytes) -> Request:
        """A valid GET."""
        return Request(self.id(), target=target, lines=lines)

    def last(self) -> Request:
        """A valid GET after which the server closes the connection, so that the attack ends soon."""
        return Request(self.id(), lines=(b"Connection: close",))

    def post(self, target: bytes, body: bytes, *lines: bytes) -> Request:
        """A valid POST of JSON."""
        length = b"Content-Length: %d" % len(body)
        return Request(self.id(), b"POST", target, lines=(b"Content-Type: application/json", *lines, length), body=body)

    def send(self, *lines: bytes, text: str | None = None) -> Request:
        """A valid message to a random user."""
        said = f"hello {self.number}" if text is None else text
        body = f'{{"to":"{self.user()}","text":"{said}"}}'.encode()
        return self.post(b"/v1/messages", body, self.bearer(), *lines)

    def smuggled(self) -> bytes:
        """A request in the body of another one."""
        return bytes(Request(self.never(), target=b"/v1/session", lines=(self.bearer(),)))

    def pick(self, choices: Sequence[bytes]) -> bytes:
        """Returns a random choice."""
        return self.dice.choice(choices)
