"""Client processes that send direct messages over connections that stay open, in a closed loop."""

import json
import random
import time
from collections import deque
from dataclasses import dataclass
from multiprocessing.connection import Connection
from socket import socket
from typing import NamedTuple

from .dialects import Dialect, Requests, message_body, user_name
from .errors import BenchError
from .generator import READ, Gauges, Player, open_socket

ACKNOWLEDGED, REFUSED, WAITING = 0, 1, 2
"""Gauges: messages answered with 201, with something else, and not yet."""

CREATED = b"HTTP/1.1 201"
HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length: "
BIGGEST_READ = 65536
FIRST_ADDRESS = 10_000_000
"""Where the senders' own addresses begin, apart from those of streams."""


@dataclass(frozen=True, slots=True)
class SendPlan:
    """What one process sends. The numbers of its messages are `process`, `process + processes`, …"""

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


@dataclass(frozen=True, slots=True)
class Send:
    """A message that was sent, and its answer."""

    number: int
    sender: str
    recipient: str
    sent_at: int
    """Nanoseconds of the monotonic clock."""
    answered_at: int
    status: int
    """0 when there was no answer."""
    conversation: str = ""
    seq: int = 0
    answer: str = ""
    """What was said instead of 201."""


class _Waiting(NamedTuple):
    number: int
    sender: int
    recipient: int
    sent_at: int


class Sender(Player):
    """A client process that sends."""

    def __init__(self, control: Connection, gauges: Gauges, plan: SendPlan) -> None:
        super().__init__(control, gauges)
        self.commands = {"connect": self._connect, "start": self._start, "stop": self._stop, "collect": self._collect}
        self.plan = plan
        self.sending = False
        self.answered: list[tuple[_Waiting, int, bytes]] = []
        self.sent = self.acknowledged = self.refused = 0
        self.random = random.Random(plan.process)
        self._number = plan.process
        self._connections: list[_Connection] = []

    def show(self) -> None:
        self.gauges[ACKNOWLEDGED] = self.acknowledged
        self.gauges[REFUSED] = self.refused
        self.gauges[WAITING] = self.sent - len(self.answered)

    def next_number(self) -> int:
        """A number that no other message has."""
        self.sent += 1
        self._number += self.plan.processes
        return self._number

    def _connect(self) -> None:
        """Make the requests' heads and connect."""
        plan = self.plan
        requests = Requests(plan.dialect, plan.address)
        length = len(message_body(0, 0, plan.text_bytes))
        mine = range(plan.process, plan.users, plan.processes)
        for index in range(plan.connections):
            heads = [(user, requests.send_head(user, length)) for user in mine[index :: plan.connections]]
            handle = open_socket(plan.address, FIRST_ADDRESS + plan.process + index * plan.processes)
            self._connections.append(_Connection(self, handle, heads))
        self.reply(None)

    def _start(self) -> None:
        self.sending = True
        for connection in self._connections:
            for _ in range(self.plan.depth):
                connection.send_next()

    def _stop(self) -> None:
        self.sending = False

    def _collect(self) -> None:
        """Reply with all that was sent."""
        sends = [_answered(*each) for each in self.answered]
        sends += [_answered(each, 0, b"") for one in self._connections for each in one.waiting]
        self.reply(sends)


class _Connection:
    __slots__ = ("_buffer", "_handle", "_heads", "_sender", "_turn", "waiting")

    def __init__(self, sender: Sender, handle: socket, heads: list[tuple[int, bytes]]) -> None:
        self._sender = sender
        self._handle = handle
        self._heads = heads
        self._turn = 0
        self._buffer = b""
        self.waiting: deque[_Waiting] = deque()
        sender.watch(handle.fileno(), READ, self._readable)

    def send_next(self) -> None:
        """Send a message of this connection's next user to anybody else."""
        sender, plan = self._sender, self._sender.plan
        user, head = self._heads[self._turn]
        self._turn = (self._turn + 1) % len(self._heads)
        recipient = (user + 1 + int(sender.random.random() * (plan.users - 1))) % plan.users
        number = sender.next_number()
        request = head + message_body(recipient, number, plan.text_bytes)
        self.waiting.append(_Waiting(number, user, recipient, time.monotonic_ns()))
        if self._handle.send(request) != len(request):
            raise BenchError("a connection does not take a whole request; ask for less pipelining")

    def _readable(self) -> None:
        sender = self._sender
        part = self._handle.recv(BIGGEST_READ)
        now = time.monotonic_ns()
        if not part:
            # What waits stays without an answer, and is reported so.
            sender.unwatch(self._handle.fileno())
            self._handle.close()
            return
        buffer = self._buffer + part
        while (end := _response_end(buffer)) is not None:
            response, buffer = buffer[:end], buffer[end:]
            sender.answered.append((self.waiting.popleft(), now, response))
            if response.startswith(CREATED):
                sender.acknowledged += 1
            else:
                sender.refused += 1
            if sender.sending:
                self.send_next()
        self._buffer = buffer


def _response_end(buffer: bytes) -> int | None:
    """Where the first response in the buffer ends; None when it is not complete."""
    head_end = buffer.find(HEAD_END)
    if head_end < 0:
        return None
    at = buffer.find(LENGTH, 0, head_end) + len(LENGTH)
    end = head_end + len(HEAD_END) + int(buffer[at : buffer.index(b"\r\n", at)])
    return end if end <= len(buffer) else None


def _answered(waiting: _Waiting, answered_at: int, response: bytes) -> Send:
    names = user_name(waiting.sender), user_name(waiting.recipient)
    status = int(response[9:12] or 0)
    if status != 201:
        said = response.decode(errors="replace")
        return Send(waiting.number, *names, waiting.sent_at, answered_at, status, answer=said)
    message = json.loads(response[response.index(HEAD_END) :])
    seq, conversation = message["seq"], message["conversation_id"]
    return Send(waiting.number, *names, waiting.sent_at, answered_at, status, conversation, seq)
