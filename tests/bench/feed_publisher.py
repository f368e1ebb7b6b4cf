"""A client process that publishes changes of keys at a steady rate. Those of one key go over one connection, one after
another: so the last one that is published is the last one of the schedule."""

import time
from array import array
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from .connections import HttpConnection
from .errors import BenchError
from .feed_schedule import Schedule
from .generator import Gauges, Player

FIRST_ADDRESS = 13_000_000
PUBLISHED, LATE = 0, 1
"""Gauges: changes that are answered; those that are due and not sent."""


@dataclass(frozen=True, slots=True)
class PublisherPlan:
    """What is published where."""

    address: tuple[str, int]
    path: str
    token: str
    schedule: Schedule
    connections: int


@dataclass(slots=True)
class Publications:
    """What became of the changes since the last time that this was asked."""

    took: "array[int]" = field(default_factory=lambda: array("q"))
    """Nanoseconds from when each was due to its answer."""
    refusals: list[str] = field(default_factory=list)


class FeedPublisher(Player):
    """Publishes from the command `start` on, until the schedule is over. The command `wait` is answered then."""

    def __init__(self, control: Connection, gauges: Gauges, plan: PublisherPlan) -> None:
        super().__init__(control, gauges)
        self.commands = {"connect": self._connect, "start": self._start, "collect": self._collect, "wait": self._wait}
        self._plan = plan
        self._keys = plan.schedule.of_keys()
        self._head = (
            f"POST {plan.path} HTTP/1.1\r\nHost: {plan.address[0]}:{plan.address[1]}\r\n"
            f"Authorization: Bearer {plan.token}\r\nContent-Type: application/json\r\nContent-Length: "
        ).encode()
        self._connections: list[_Connection] = []
        self._open = self._due = self._sent = self._answered = 0
        self._start_at = 0
        self._waited_for = False
        self._done = Publications()

    def turned(self) -> None:
        if self._start_at:
            self._send_due()
        self.gauges[PUBLISHED] = self._answered
        if self._waited_for and self._answered == len(self._keys):
            self._waited_for = False
            self.reply(None)

    def _send_due(self) -> None:
        schedule, now = self._plan.schedule, time.monotonic_ns()
        while self._due < len(self._keys) and (due := schedule.due(self._due, self._start_at)) <= now:
            self._connections[self._keys[self._due] % len(self._connections)].publish(self._due, due)
            self._due += 1
        self.gauges[LATE] = self._due - self._sent
        self.patience = max(0.0, (due - now) / 1e9) if self._due < len(self._keys) else 1.0

    def request(self, change: int) -> bytes:
        """The request for a change."""
        self._sent += 1
        price = divmod(10_000 + change % 5000, 100)
        body = b'{"key":"k%03d","data":{"i":%d,"price":"%d.%02d"}}' % (self._keys[change], change, *price)
        return b"%b%d\r\n\r\n%b" % (self._head, len(body), body)

    def answered(self, response: bytes, due: int, now: int) -> None:
        """Notes an answer."""
        self._answered += 1
        self._done.took.append(now - due)
        if int(response[9:12]) != 201:
            self._done.refusals.append(response.decode(errors="replace"))

    def opened(self) -> None:
        """Counts an open connection; when all are open, replies."""
        self._open += 1
        if self._open == self._plan.connections:
            self.reply(None)

    def _connect(self) -> None:
        self._connections = [
            _Connection(self, self._plan.address, FIRST_ADDRESS + number) for number in range(self._plan.connections)
        ]

    def _start(self, at: int) -> None:
        """The first change is due then."""
        self._start_at = at

    def _collect(self) -> None:
        """Replies with what became of the changes since the last time."""
        done, self._done = self._done, Publications()
        self.reply(done)

    def _wait(self) -> None:
        self._waited_for = True


class _Connection(HttpConnection):
    __slots__ = ("_publisher", "_waiting")

    def __init__(self, publisher: FeedPublisher, address: tuple[str, int], number: int) -> None:
        super().__init__(publisher, address, number)
        self._publisher = publisher
        self._waiting: deque[tuple[int, int]] = deque()
        """Changes, and when each was due; the first one is under way."""

    def opened(self) -> None:
        self._publisher.opened()

    def publish(self, change: int, due: int) -> None:
        """Sends a change that is due, or has it wait for those before."""
        self._waiting.append((change, due))
        if len(self._waiting) == 1:
            self.write(self._publisher.request(change))

    def answered(self, response: bytes, now: int) -> None:
        _, due = self._waiting.popleft()
        self._publisher.answered(response, due, now)
        if self._waiting:
            self.write(self._publisher.request(self._waiting[0][0]))

    def ended(self) -> None:
        raise BenchError("the server has closed a connection that publishes")
