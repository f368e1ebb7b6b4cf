"""Client processes that hold streams: they open them, record the events, and report when each arrived."""

import re
import time
from array import array
from collections.abc import Callable, Iterator
from itertools import pairwise
from math import ceil
from multiprocessing.connection import Connection
from socket import socket

from . import processes
from .arrivals import Arrival, Checking, Received, StreamPlan, Tally
from .connections import MAX_READ, check_connected
from .dialects import Requests, user_name
from .errors import BenchError
from .events import NUMBER, find_numbers, parse
from .generator import READ, WRITE, Crew, Gauges, Player, open_socket

OPENED, ENDED, ARRIVED = 0, 1, 2
"""Gauges: greeted streams, ended streams, messages (an estimate: a split message is not counted)."""

OPEN_SECONDS = 900.0

WARM_UP = 16
"""Streams opened and closed before a measurement: memory that the first of them allocates is not per stream."""

SPARE_DESCRIPTORS = 200
SKEW = 1.2
"""The factor above the mean number of streams that a worker may get."""

EVENT = re.compile(rb'"client_msg_id":"(\d+)"[^\n]*\nid: ((\d+)-[^\n]*)\n')
"""A message's number, its id and its n."""
FRAME_ENDS = (b"\n\n\r\n", b"\n\n")
"""With and without chunked transfer coding."""
ACCEPTED = (b"HTTP/1.1 200", b"HTTP/1.1 101")

# A server disconnects a WebSocket client that does not answer pings (RFC 6455 §5.5.2).
WEBSOCKET_PING = 0x89
WEBSOCKET_PONG = 0x8A


class StreamHolder(Player):
    """A client process that holds streams."""

    def __init__(self, control: Connection, gauges: Gauges, plan: StreamPlan) -> None:
        super().__init__(control, gauges)
        self.commands = {"open": self._open, "collect": self._collect, "close": self._close}
        self.plan = plan
        self.requests = Requests(plan.dialect, plan.address)
        self.opened = self.ended = self.arrived = 0
        self.tally = Tally(array("q"), array("q"))
        self.streams: list[Stream] = []
        self._unopened: Iterator[int] = iter(())
        self._opening = 0

    def turned(self) -> None:
        self.gauges[OPENED] = self.opened
        self.gauges[ENDED] = self.ended
        self.gauges[ARRIVED] = self.arrived

    def _open(self, first: int, count: int) -> None:
        """Opens a stream for each of these users; replies at the greeting of the last one."""
        self.start(iter(range(first, first + count)))

    def start(self, users: Iterator[int]) -> None:
        """Opens a stream for each of these users; replies at the greeting of the last one."""
        self._unopened = users
        for _ in range(self.plan.dialect.at_once):
            self._open_next()
        if not self._opening:
            self.reply(self.opened)

    def _open_next(self) -> None:
        user = next(self._unopened, None)
        if user is not None:
            self._opening += 1
            self.streams.append(self.stream(user))

    def stream(self, user: int) -> "Stream":
        """Starts opening a stream of this user."""
        return Stream(self, user)

    def greeted(self, stream: "Stream") -> None:
        """Called when a stream is open: opens the next one."""
        self.opened += 1
        self._opening -= 1
        self._open_next()
        if not self._opening:
            self.rest = self.plan.rest
            self.reply(self.opened)

    def _collect(self) -> None:
        """Replies with the events of each stream."""
        if self.plan.checking is Checking.COUNTING:
            self.tally.came = array("q", [stream.came for stream in self.streams])
            self.reply(self.tally)
        else:
            self.reply([stream.received() for stream in self.streams])

    def _close(self) -> None:
        """Closes all streams."""
        for stream in self.streams:
            stream.close()
        self.streams.clear()
        self.opened = self.ended = 0
        self.rest = 0.0
        self.reply(None)


class Stream:
    """The stream of one user."""

    __slots__ = ("_arrivals", "_handle", "_holder", "_parts", "_user", "came", "cursor", "n")

    def __init__(self, holder: StreamHolder, user: int) -> None:
        self._holder = holder
        self._user = user
        self._parts: list[bytes] = []
        self._arrivals: list[int] = []
        self.n = 0
        self.cursor = b""
        self.came = 0
        self._handle: socket | None = None
        self._connect()

    def _connect(self) -> None:
        self._handle = open_socket(self._holder.plan.address, self._user)
        self._holder.watch(self._handle.fileno(), WRITE, self._connected)

    def _connected(self) -> None:
        assert self._handle is not None
        check_connected(self._handle)
        self._handle.send(self._request())
        self._holder.change(self._handle.fileno(), READ, self._greeting)

    def _request(self) -> bytes:
        return self._holder.requests.stream(self._user, self._holder.plan.cursor)

    def _greeting(self) -> None:
        assert self._handle is not None
        part = self._handle.recv(MAX_READ)
        self._parts.append(part)
        self._arrivals.append(time.monotonic_ns())
        so_far = b"".join(self._parts)
        if not part or not so_far.startswith(ACCEPTED):
            raise BenchError(f"the server refused a stream: {so_far[:300].decode(errors='replace')}")
        # ssechat's greeting has the newest event id, which must be complete.
        plan = self._holder.plan
        if plan.dialect.greeting in so_far and (not plan.dialect.ours or so_far.endswith(b"\n\n\r\n")):
            self._open(so_far)

    def _open(self, greeting: bytes) -> None:
        assert self._handle is not None
        checking = self._holder.plan.checking
        handlers = {Checking.NOTHING: self._unread, Checking.EXACT: self._keep, Checking.COUNTING: self._count}
        self._holder.change(self._handle.fileno(), READ, handlers[checking])
        if checking is not Checking.EXACT:
            self._parts.clear()
            self._arrivals.clear()
        if checking is Checking.COUNTING:
            self._begin(greeting)
        self._holder.greeted(self)

    def _begin(self, greeting: bytes) -> None:
        if self._holder.plan.dialect.ours:
            self.cursor = greeting.rpartition(b"\nid: ")[2].partition(b"\n")[0]
            self.n = _n(self.cursor.decode())

    def _receive(self) -> bytes:
        """Reads the socket; returns no bytes if the server has closed the connection."""
        assert self._handle is not None
        try:
            return self._handle.recv(MAX_READ)
        except ConnectionError:
            return b""

    def _keep(self) -> None:
        # The hot path: one read, one clock call, no parsing.
        part = self._receive()
        self._arrivals.append(time.monotonic_ns())
        self._parts.append(part)
        self._holder.arrived += 1
        if not part:
            self._ended()

    def _count(self) -> None:
        part = self._receive()
        if part:
            self._take(part, time.monotonic_ns())
        else:
            self._ended()

    def _complete(self, part: bytes) -> bytes:
        """The events that are complete with this part of the stream; the rest waits for the next part."""
        if self._parts:
            part = self._parts.pop() + part
        if not part.endswith(FRAME_ENDS):
            end = part.rfind(b"\n\n") + 1
            # The last line feed stays: the search for an event's name begins at one.
            self._parts.append(part[end:])
            part = part[:end]
        self._holder.arrived += 1
        return part

    def _take(self, part: bytes, now: int) -> None:
        """Counts the complete messages."""
        part = self._complete(part)
        tally = self._holder.tally
        if not self._holder.plan.dialect.ours:
            for number in NUMBER.findall(part):
                self.came += 1
                tally.arrivals.extend((now, now - int(number)))
            return
        for event in EVENT.finditer(part):
            n = int(event[3])
            if n != self.n + 1:
                tally.jumps += n > self.n
                tally.doubled += n <= self.n
            self.n = max(n, self.n)
            self.cursor = event[2]
            self.came += 1
            tally.arrivals.extend((now, now - int(event[1])))
        self._look(part)

    def _look(self, part: bytes) -> None:
        """Looks for unexpected events."""
        if part.find(b"\nevent: reset\n") >= 0 or part.find(b"\nevent: bye\n") >= 0:
            self._holder.tally.others.append(part.decode(errors="replace"))

    def _unread(self) -> None:
        part = self._receive()
        if not part:
            self._ended()
        elif self._holder.plan.dialect.websocket and part[0] == WEBSOCKET_PING:
            # The mask is zero, so the payload is sent back unchanged.
            assert self._handle is not None
            self._handle.send(bytes([WEBSOCKET_PONG, 0x80 | part[1], 0, 0, 0, 0]) + part[2 : 2 + part[1]])

    def _ended(self) -> None:
        self._holder.ended += 1
        self._holder.tally.others.append("(end of a stream)")
        self.close()

    def close(self) -> None:
        """Closes the connection, if it is open."""
        if self._handle is not None:
            self._holder.unwatch(self._handle.fileno())
            self._handle.close()
            self._handle = None

    def received(self) -> Received:
        """Parses the received bytes."""
        read = _read_ours if self._holder.plan.dialect.ours else _read_other
        received = read(user_name(self._user), self._parts, self._arrivals)
        if self._handle is None:
            received.others.append("(end of the stream)")
        return received


def _read_ours(user: str, parts: list[bytes], arrivals: list[int]) -> Received:
    received = Received(user, 0, [])
    for event in parse(parts, arrivals):
        if event.name == "message":
            data = event.data
            number = int(data["client_msg_id"])
            arrival = Arrival(number, _n(event.id), data["conversation_id"], data["seq"], event.arrived_at)
            received.messages.append(arrival)
        elif event.name == "hello":
            received.head = _n(event.id)
        elif event.name not in ("retry", "ping"):
            received.others.append(event.name)
    return received


def _read_other(user: str, parts: list[bytes], arrivals: list[int]) -> Received:
    """Parses the messages of a server without numbers: they are numbered by arrival."""
    found = enumerate(find_numbers(parts, arrivals), 1)
    return Received(user, 0, [Arrival(number, n, "", n, at) for n, (number, at) in found])


def _n(event_id: str) -> int:
    return int(event_id.partition("-")[0])


def check_descriptors(count: int, workers: int, clients: int) -> None:
    """Checks that clients and workers may open as many file descriptors.

    Raises:
        BenchError: a limit is too low.
    """
    here = ceil(count / clients) + SPARE_DESCRIPTORS
    processes.check_descriptors(f"{count:,} streams in {clients} client processes", here, "use more of these")
    there = ceil(count / workers * (SKEW if workers > 1 else 1)) + SPARE_DESCRIPTORS
    processes.check_descriptors(f"{count:,} streams at {workers} workers", there, "give more --workers")


def open_streams(crew: Crew, clients: int, count: int, first: int = 0, tick: Callable[[], None] = lambda: None) -> None:
    """Makes the crew open a stream for each of `count` users, and waits until all are greeted."""
    edges = [first + count * client // clients for client in range(clients + 1)]
    crew.tell_each("open", [(edge, end - edge) for edge, end in pairwise(edges)])
    crew.gather(OPEN_SECONDS, tick)
