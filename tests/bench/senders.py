"""Client processes that send direct messages over keep-alive connections."""

import json
import random
import time
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from multiprocessing.connection import Connection
from typing import TypeAlias

from .connections import HEAD_END, HttpConnection
from .dialects import Dialect, Requests, conversation_template, message_template, user_name
from .errors import BenchError
from .generator import Gauges, Player

ACKNOWLEDGED, REFUSED, WAITING, LATE = 0, 1, 2, 3
"""Gauges: messages that are acknowledged, refused, in flight, and due but not sent."""

TAKEN = (201, 202)
"""Statuses of an acknowledgement; the second one is nchan's without a subscriber."""

FIRST_ADDRESS = 10_000_000
"""The number of the senders' first local address; streams have lower ones."""

MAX_USERS = 10_000
"""Upper bound of the users of one process: request headers with tokens are built in advance for each user."""


@dataclass(frozen=True, slots=True)
class SendPlan:
    """The messages of one process. A message's number is the time of its sending in nanoseconds of the monotonic clock,
    which all processes share, adjusted to be unique."""

    address: tuple[str, int]
    dialect: Dialect
    users: int
    process: int
    processes: int
    connections: int
    """Connections of this process. A connection serves several users in turn; a user has one connection, or several if
    there are fewer users."""
    depth: int
    """Requests in flight per connection (HTTP/1.1 pipelining, if above 1)."""
    text_bytes: int
    rate: float
    """Messages per second, evenly; 0: a closed loop, in which each response is followed by the next message."""
    rest: float
    """Seconds between polls of the sockets."""
    keep: bool
    """Whether to store each message and its response, or only to count."""
    first: int = 0
    """The number of the first user."""
    contacts: int = 0
    """The number of contacts of each user; 0: any user."""
    conversations: Sequence[str] = ()
    """If there are any, all of one length, messages go to these: the users are divided evenly among them, in order."""


@dataclass(frozen=True, slots=True)
class Send:
    """A sent message and its response."""

    number: int
    sender: str
    recipient: str
    sent_at: int
    """The time of sending in nanoseconds of the monotonic clock; at a rate, the time when it was due."""
    answered_at: int
    status: int
    """The status; 0 without a response."""
    conversation: str = ""
    seq: int = 0
    """The seq; 0 if the response has none."""
    answer: str = ""
    """The body of a refusal."""


@dataclass(frozen=True, slots=True)
class Count:
    """The counts of one process, without the messages."""

    expected: "array[int]"
    """The expected number of deliveries to each user's stream, by the user's number."""
    answers: "array[int]"
    """The time of sending of each acknowledged message, and the nanoseconds until its response."""
    unanswered: int
    refusals: list[str]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The answers, each as a pair."""
        return list(zip(self.answers[::2], self.answers[1::2], strict=True))


_Waiting: TypeAlias = tuple[int, int, int, int]
"""Number, sender, recipient or number of the conversation, time of sending."""


class Sender(Player):
    """A client process that sends."""

    def __init__(self, control: Connection, gauges: Gauges, plan: SendPlan) -> None:
        super().__init__(control, gauges)
        self.commands = {"connect": self._connect, "start": self._start, "stop": self._stop, "collect": self._collect}
        self.plan = plan
        self.looping = False
        make = conversation_template if plan.conversations else message_template
        self._template = make(plan.text_bytes)
        self._conversations = [conversation.encode() for conversation in plan.conversations]
        self._members = plan.users // max(1, len(plan.conversations))
        self.random = random.Random(plan.process)
        self.kept: list[tuple[_Waiting, int, bytes]] = []
        self.expected = array("q", bytes(8 * plan.users if not plan.keep else 0))
        self._taken = array("q", bytes(8 * len(plan.conversations)))
        """Messages that are acknowledged, in each of the conversations."""
        self.answers = array("q")
        self.refusals: list[str] = []
        self.sent = self.answered = self.refused = 0
        self.idle: deque[_Connection] = deque()
        """Connections without requests in flight: these send the messages that fall due."""
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
        # Waits until the next message is due, or a connection is free.
        self.patience = max(0, self._due - now) / 1e9 if self.idle else 1.0

    def number(self, stamp: int) -> int:
        """Returns a number that is unique over all processes."""
        processes = self.plan.processes
        self._last = max(stamp // processes * processes + self.plan.process, self._last + processes)
        return self._last

    def body(self, recipient: int, number: int) -> bytes:
        """Returns the body of a message to a recipient, or to a conversation."""
        return self._template % (self._conversations[recipient] if self._conversations else recipient, number)

    def recipient(self, user: int) -> int:
        """Returns the recipient: one of the user's contacts, the other user of the pair, or the user's conversation."""
        first, users = self.plan.first, self.plan.users
        if self._conversations:
            return (user - first) // self._members
        if self.plan.dialect.ours:
            contacts = self.plan.contacts or users - 1
            return first + (user - first + 1 + int(self.random.random() * contacts)) % users
        return first + (user - first ^ 1) % users

    def take(self, waiting: _Waiting, now: int, response: bytes) -> None:
        """Handles the response to a message."""
        self.answered += 1
        if int(response[9:12]) not in TAKEN:
            self.refused += 1
            self.refusals.append(response.decode(errors="replace"))
        elif not self.plan.keep:
            _, sender, recipient, sent_at = waiting
            if self._conversations:
                self._taken[recipient] += 1
            else:
                self.expected[sender - self.plan.first] += 1
                self.expected[recipient - self.plan.first] += 1
            self.answers.extend((sent_at, now - sent_at))
        if self.plan.keep:
            self.kept.append((waiting, now, response))

    def _connect(self) -> None:
        """Builds the request headers and connects; replies when all connections are open."""
        plan = self.plan
        requests = Requests(plan.dialect, plan.address)
        length = len(self.body(0, 0))
        mine = range(plan.first + plan.process, plan.first + plan.users, plan.processes)[:MAX_USERS]
        for index in range(plan.connections):
            # Where there are fewer users than connections, each user has several.
            users = mine[index % len(mine) :: plan.connections]
            heads = [(user, requests.send_head(user, length)) for user in users]
            number = FIRST_ADDRESS + plan.process + index * plan.processes
            self._connections.append(_Connection(self, plan.address, number, heads))

    def connected(self) -> None:
        """Counts an open connection; when all are open, replies to `connect`."""
        self._connected += 1
        if self._connected == self.plan.connections:
            self.reply(None)

    def closed(self, connection: "_Connection") -> None:
        """Handles a connection that the server has closed; the others continue."""
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
        """Replies with all sent messages."""
        waiting = [each for one in self._connections for each in one.waiting]
        if not self.plan.keep:
            for index, taken in enumerate(self._taken):
                for member in range(index * self._members, (index + 1) * self._members):
                    self.expected[member] = taken
            self.reply(Count(self.expected, self.answers, len(waiting), self.refusals[:5]))
            return
        sends = [_answered(*each, self.plan.dialect) for each in self.kept]
        self.reply(sends + [_answered(each, 0, b"", self.plan.dialect) for each in waiting])


class _Connection(HttpConnection):
    __slots__ = ("_sender", "_users", "waiting")

    def __init__(self, sender: Sender, address: tuple[str, int], number: int, heads: list[tuple[int, bytes]]) -> None:
        super().__init__(sender, address, number)
        self._sender = sender
        self._users = cycle(heads)
        self.waiting: deque[_Waiting] = deque()

    def opened(self) -> None:
        self._sender.connected()

    def send(self, stamps: list[int]) -> None:
        """Sends a message for each of these times, of this connection's next users, in one write."""
        sender = self._sender
        requests: list[bytes] = []
        for stamp in stamps:
            user, head = next(self._users)
            recipient, number = sender.recipient(user), sender.number(stamp)
            requests += (head, sender.body(recipient, number))
            self.waiting.append((number, user, recipient, stamp))
        sender.sent += len(stamps)
        self.write(b"".join(requests))

    def answered(self, response: bytes, now: int) -> None:
        self._sender.take(self.waiting.popleft(), now, response)

    def has_read(self, count: int, now: int) -> None:
        if self._sender.looping:
            if count:
                self.send([now] * count)
        elif not self.waiting:
            self._sender.idle.append(self)

    def ended(self) -> None:
        # Requests in flight are reported as unanswered.
        self._sender.closed(self)


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
