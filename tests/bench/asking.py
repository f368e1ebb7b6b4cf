"""A client process in which many users make one request each, over some connections at once."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from .connections import HEAD_END, HttpConnection
from .dialects import Dialect, Requests, user_name
from .errors import BenchError
from .generator import Crew, Gauges, Player

FIRST_ADDRESS = 14_000_000
ANSWERED = 0
"""Gauge: requests that are answered."""

ASK_SECONDS = 600.0

PAIR = "{pair}"
"""In a path or a body: the direct conversation of a user and the neighbour, whose number differs in the last bit."""


@dataclass(frozen=True, slots=True)
class AskPlan:
    """Who is asked."""

    address: tuple[str, int]
    dialect: Dialect


@dataclass(slots=True)
class Answers:
    """The answers to the requests."""

    began: int = 0
    """When the first request was sent: nanoseconds of the monotonic clock."""
    ended: int = 0
    """When the last answer was read."""
    took: list[int] = field(default_factory=list)
    """Nanoseconds until each answer, from when its connection was free for the request."""
    bodies: dict[int, bytes] = field(default_factory=dict)
    """The body of each answer with a status below 300, by the number of the user."""
    refusals: list[str] = field(default_factory=list)
    """The other answers."""

    @property
    def seconds(self) -> float:
        """From the first request to the last answer."""
        return (self.ended - self.began) / 1e9

    def check(self) -> None:
        """Checks that nothing was refused.

        Raises:
            BenchError: something was.
        """
        if self.refusals:
            raise BenchError(f"the server refused {len(self.refusals):,} requests, such as: {self.refusals[0][-500:]}")


class Asker(Player):
    """A client process that makes requests."""

    def __init__(self, control: Connection, gauges: Gauges, plan: AskPlan) -> None:
        super().__init__(control, gauges)
        self.commands = {"ask": self._ask}
        self._plan = plan
        self._requests = Requests(plan.dialect, plan.address)
        self._answers = Answers()
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._connections: list[_Connection] = []
        self._opening = self._asking = self._used = 0

    def turned(self) -> None:
        self.gauges[ANSWERED] = len(self._answers.took)

    def _ask(self, users: Sequence[int], method: str, path: str, bodies: Sequence[bytes], connections: int) -> None:
        """Each of these users makes the request; replies with the answers."""
        self._answers = Answers()
        made = [self._request(method, path, user, body) for user, body in zip(users, bodies, strict=True)]
        self._waiting = deque(zip(users, made, strict=True))
        self._opening = min(connections, len(users))
        first = FIRST_ADDRESS + self._used
        self._used += self._opening
        self._connections = [_Connection(self, self._plan.address, first + number) for number in range(self._opening)]

    def _request(self, method: str, path: str, user: int, body: bytes) -> bytes:
        pair = f"dm:{user_name(user & ~1)}:{user_name(user | 1)}"
        own_body = body.replace(PAIR.encode(), pair.encode())
        return self._requests.request(method, path.replace(PAIR, pair), user, own_body)

    def opened(self) -> None:
        """Counts an open connection; when all are open, the first requests are sent."""
        self._opening -= 1
        if not self._opening:
            self._asking = len(self._connections)
            for connection in self._connections:
                connection.ask(*self._waiting.popleft())

    def answered(self, connection: "_Connection", response: bytes, now: int) -> None:
        """Notes an answer, and sends the next request."""
        answers = self._answers
        answers.began = min(answers.began or connection.asked_at, connection.asked_at)
        answers.ended = now
        answers.took.append(now - connection.asked_at)
        if int(response[9:12]) < 300:
            answers.bodies[connection.user] = response[response.index(HEAD_END) + len(HEAD_END) :]
        else:
            answers.refusals.append(f"{user_name(connection.user)}: {response.decode(errors='replace')}")
        if self._waiting:
            connection.ask(*self._waiting.popleft())
            return
        connection.close()
        self._asking -= 1
        if not self._asking:
            self.reply(answers)


class _Connection(HttpConnection):
    __slots__ = ("_asker", "asked_at", "user")

    def __init__(self, asker: Asker, address: tuple[str, int], number: int) -> None:
        super().__init__(asker, address, number)
        self._asker = asker
        self.asked_at = 0
        self.user = 0

    def opened(self) -> None:
        self._asker.opened()

    def ask(self, user: int, request: bytes) -> None:
        """Sends the request of a user."""
        self.user, self.asked_at = user, time.monotonic_ns()
        self.write(request)

    def answered(self, response: bytes, now: int) -> None:
        self._asker.answered(self, response, now)


def ask(
    crew: Crew, users: Sequence[int], method: str, path: str, bodies: Sequence[bytes] = (), connections: int = 16
) -> Answers:
    """Makes the one process of the crew have each of these users make the request; waits for all answers.

    Raises:
        BenchError: the answers do not come.
    """
    crew.tell("ask", users, method, path, bodies or [b""] * len(users), connections)
    [answers] = crew.gather(ASK_SECONDS)
    assert isinstance(answers, Answers)
    return answers
