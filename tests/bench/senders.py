"""Client processes that send direct messages over connections that stay open."""

import json
import os
import random
import time
from array import array
from collections import deque
from dataclasses import dataclass
from itertools import cycle
from multiprocessing.connection import Connection
from socket import SO_ERROR, SOL_SOCKET, socket
from typing import TypeAlias

from .dialects import Dialect, Requests, message_template, user_name
from .errors import BenchError
from .generator import READ, WRITE, Gauges, Player, open_socket

ACKNOWLEDGED, REFUSED, WAITING, LATE = 0, 1, 2, 3
"""Gauges: messages that were taken, that were refused, that have no answer yet, that are due and not yet sent."""

TAKEN = (201, 202)
"""Statuses of an acknowledgement; the second is nchan's when it sees no subscriber."""

HEAD_END = b"\r\n\r\n"
LENGTH = b"ength: "
"""The end of the only header's name that is looked at, however its first letters are written."""
MAX_READ = 65536
FIRST_ADDRESS = 10_000_000
"""Where the senders' own addresses begin, apart from those of streams."""

MAX_USERS = 10_000
"""Of one process: a request's head, with a token in it, is made before for each of its users."""


@dataclass(frozen=True, slots=True)
class SendPlan:
    """What one process sends. A message's number is the time of its sending, in nanoseconds of the monotonic clock
    that all processes share, but for what makes it unique."""

    address: tuple[str, int]
    dialect: Dialect
    users: int
    process: int
    processes: int
    connections: int
    """Of this process. A connection belongs to some users, in turn; a user to one connection."""
    depth: int
    """Requests that a connection has under way at a time (HTTP/1.1 pipelining, when above 1)."""
    text_bytes: int
    rate: float
    """Messages a second, evenly; 0: a closed loop, in which each answer is followed by the next message."""
    rest: float
    """Seconds between looks at the sockets."""
    keep: bool
    """Whether to keep each message and its answer, or only to count."""
    first: int = 0
    """The first of the users."""
    contacts: int = 0
    """How many others each user writes to, by chance; 0: to anybody."""


@dataclass(frozen=True, slots=True)
class Send:
    """A message that was sent, and its answer."""

    number: int
    sender: str
    recipient: str
    sent_at: int
    """Nanoseconds of the monotonic clock. At a rate: when it was due."""
    answered_at: int
    status: int
    """0 when there was no answer."""
    conversation: str = ""
    seq: int = 0
    """0 when the answer does not say it."""
    answer: str = ""
    """What was said by a refusal."""


@dataclass(frozen=True, slots=True)
class Count:
    """What one process has sent, when it only counts."""

    expected: "array[int]"
    """How many messages each user's stream is to bring, by the user's number."""
    answers: "array[int]"
    """For each acknowledged message when it was sent, and the nanoseconds until its answer."""
    unanswered: int
    refusals: list[str]


_Waiting: TypeAlias = tuple[int, int, int, int]
"""Number, sender, recipient, time of sending."""


class Sender(Player):
    """A client process that sends."""

    def __init__(self, control: Connection, gauges: Gauges, plan: SendPlan) -> None:
        super().__init__(control, gauges)
        self.commands = {"connect": self._connect, "start": self._start, "stop": self._stop, "collect": self._collect}
        self.plan = plan
        self.looping = False
        self.template = message_template(plan.text_bytes)
        self.random = random.Random(plan.process)
        self.kept: list[tuple[_Waiting, int, bytes]] = []
        self.expected = array("q", bytes(8 * plan.users if not plan.keep else 0))
        self.answers = array("q")
        self.refusals: list[str] = []
        self.sent = self.answered = self.refused = 0
        self.idle: deque[_Connection] = deque()
        """Connections that have nothing under way: these take what falls due."""
        self._last = 0
        self._interval = 0
        self._due = 0
        self._connected = 0
        self._connections: list[_Connection] = []

    def turned(self) -> None:
        if self._interval:
            self._send_due()
        self.gauges[ACKNOWLEDGED] = self.answered - self.refused
        self.gauges[REFUSED] = self.refused
        self.gauges[WAITING] = self.sent - self.answered

    def _send_due(self) -> None:
        now = time.monotonic_ns()
        depth, interval = self.plan.depth, self._interval
        while self._due <= now and self.idle:
            stamps = list(range(self._due, min(now + 1, self._due + depth * interval), interval))
            self._due += len(stamps) * interval
            self.idle.popleft().send(stamps)
        self.gauges[LATE] = max(0, (now - self._due) // interval)
        # Until the next is due, or a connection is free.
        self.patience = max(0, self._due - now) / 1e9 if self.idle else 1.0

    def number(self, stamp: int) -> int:
        """The next message's number: no other message has it, in no process."""
        processes = self.plan.processes
        self._last = max(stamp // processes * processes + self.plan.process, self._last + processes)
        return self._last

    def recipient(self, user: int) -> int:
        """Whom this user writes to: one of its contacts, or the other of the two."""
        first, users = self.plan.first, self.plan.users
        if self.plan.dialect.ours:
            contacts = self.plan.contacts or users - 1
            return first + (user - first + 1 + int(self.random.random() * contacts)) % users
        return first + (user - first ^ 1) % users

    def take(self, waiting: _Waiting, now: int, response: bytes) -> None:
        """A message was answered."""
        self.answered += 1
        if int(response[9:12]) not in TAKEN:
            self.refused += 1
            self.refusals.append(response.decode(errors="replace"))
        elif not self.plan.keep:
            _, sender, recipient, sent_at = waiting
            self.expected[sender - self.plan.first] += 1
            self.expected[recipient - self.plan.first] += 1
            self.answers.extend((sent_at, now - sent_at))
        if self.plan.keep:
            self.kept.append((waiting, now, response))

    def _connect(self) -> None:
        """Make the requests' heads and connect; reply when all connections are open."""
        plan = self.plan
        requests = Requests(plan.dialect, plan.address)
        length = len(self.template % (0, 0))
        mine = range(plan.first + plan.process, plan.first + plan.users, plan.processes)[:MAX_USERS]
        for index in range(plan.connections):
            heads = [(user, requests.send_head(user, length)) for user in mine[index :: plan.connections]]
            handle = open_socket(plan.address, FIRST_ADDRESS + plan.process + index * plan.processes)
            self._connections.append(_Connection(self, handle, heads))

    def connected(self) -> None:
        """One more connection is open; when all are, that is the reply to `connect`."""
        self._connected += 1
        if self._connected == self.plan.connections:
            self.reply(None)

    def closed(self, connection: "_Connection") -> None:
        """The server has ended this connection: the others go on."""
        if connection in self.idle:
            self.idle.remove(connection)
        self._connected -= 1
        if not self._connected:
            raise BenchError("the server has closed all the connections that send")

    def _start(self) -> None:
        self.rest = self.plan.rest
        self.idle.extend(self._connections)
        now = time.monotonic_ns()
        if self.plan.rate:
            self._interval, self._due = int(1e9 / self.plan.rate), now
            return
        self.looping = True
        for connection in self._connections:
            connection.send([now] * self.plan.depth)

    def _stop(self) -> None:
        self.looping = False
        self._interval, self.rest, self.patience = 0, 0.0, 1.0

    def _collect(self) -> None:
        """Reply with all that was sent."""
        waiting = [each for one in self._connections for each in one.waiting]
        if not self.plan.keep:
            self.reply(Count(self.expected, self.answers, len(waiting), self.refusals[:5]))
            return
        sends = [_answered(*each, self.plan.dialect) for each in self.kept]
        self.reply(sends + [_answered(each, 0, b"", self.plan.dialect) for each in waiting])


class _Connection:
    __slots__ = ("_buffer", "_handle", "_sender", "_users", "waiting")

    def __init__(self, sender: Sender, handle: socket, heads: list[tuple[int, bytes]]) -> None:
        self._sender = sender
        self._handle = handle
        self._users = cycle(heads)
        self._buffer = b""
        self.waiting: deque[_Waiting] = deque()
        sender.watch(handle.fileno(), WRITE, self._connected)

    def _connected(self) -> None:
        error = self._handle.getsockopt(SOL_SOCKET, SO_ERROR)
        if error:
            raise BenchError(f"cannot connect to the server: {os.strerror(error)}")
        self._sender.change(self._handle.fileno(), READ, self._readable)
        self._sender.connected()

    def send(self, stamps: list[int]) -> None:
        """Send a message for each of these times, of this connection's next users, in one write."""
        sender = self._sender
        requests: list[bytes] = []
        for stamp in stamps:
            user, head = next(self._users)
            recipient, number = sender.recipient(user), sender.number(stamp)
            requests += (head, sender.template % (recipient, number))
            self.waiting.append((number, user, recipient, stamp))
        sender.sent += len(stamps)
        request = b"".join(requests)
        if self._handle.send(request) != len(request):
            raise BenchError("a connection does not take whole requests; ask for less pipelining")

    def _readable(self) -> None:
        sender = self._sender
        part = self._handle.recv(MAX_READ)
        now = time.monotonic_ns()
        if not part:
            # What waits stays without an answer, and is reported so.
            sender.unwatch(self._handle.fileno())
            self._handle.close()
            sender.closed(self)
            return
        buffer = self._buffer + part if self._buffer else part
        at = count = 0
        while (end := response_end(buffer, at)) is not None:
            sender.take(self.waiting.popleft(), now, buffer[at:end])
            at = end
            count += 1
        self._buffer = buffer[at:]
        if sender.looping:
            if count:
                self.send([now] * count)
        elif not self.waiting:
            sender.idle.append(self)


def response_end(buffer: bytes, at: int) -> int | None:
    """Where the response that begins at this place ends; None when it is not complete."""
    head_end = buffer.find(HEAD_END, at)
    if head_end < 0:
        return None
    start = buffer.find(LENGTH, at, head_end) + len(LENGTH)
    end = head_end + len(HEAD_END) + int(buffer[start : buffer.index(b"\r", start)])
    return end if end <= len(buffer) else None


def _answered(waiting: _Waiting, answered_at: int, response: bytes, dialect: Dialect) -> Send:
    number, sender, recipient, sent_at = waiting
    names = user_name(sender), user_name(recipient)
    status = int(response[9:12] or 0)
    if status not in TAKEN:
        said = response.decode(errors="replace")
        return Send(number, *names, sent_at, answered_at, status, answer=said)
    if not dialect.ours:
        return Send(number, *names, sent_at, answered_at, status)
    message = json.loads(response[response.index(HEAD_END) :])
    return Send(number, *names, sent_at, answered_at, status, message["conversation_id"], message["seq"])
