"""A client process that requests the liveness check every few milliseconds: its longest wait is the longest pause of
the server's loop."""

import time
from array import array
from dataclasses import dataclass
from multiprocessing.connection import Connection

from .connections import HttpConnection
from .deliveries import Latency
from .errors import BenchError
from .generator import Gauges, Player

FIRST_ADDRESS = 12_000_000


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """The target and rate of the probes."""

    address: tuple[str, int]
    path: str
    connections: int
    """The number of connections: several, so that each worker has some."""
    interval: float
    """Seconds between two requests on a connection, if the last one is answered."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """Percentiles of response times, in milliseconds."""

    asked: int
    latency: Latency
    longest: float

    @classmethod
    def of(cls, nanoseconds: "array[int]") -> "Pauses":
        """Computes the percentiles of durations."""
        return cls(len(nanoseconds), Latency.of(nanoseconds), max(nanoseconds, default=0) / 1e6)


class Prober(Player):
    """Probes until the command `stop`; then replies with all response times."""

    def __init__(self, control: Connection, gauges: Gauges, plan: ProbePlan) -> None:
        super().__init__(control, gauges)
        self.commands = {"start": self._start, "stop": self._stop}
        host = f"{plan.address[0]}:{plan.address[1]}"
        self._request = f"GET {plan.path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._interval = int(plan.interval * 1e9)
        self._took = array("q")
        self._probing = False
        self._plan = plan
        self._probes: list[_Probe] = []

    def turned(self) -> None:
        if not self._probing:
            return
        now = time.monotonic_ns()
        for probe in self._probes:
            if probe.open and not probe.asked_at and now >= probe.due:
                probe.ask(self._request, now, self._interval)

    def answered(self, took: int) -> None:
        """Records a response time in nanoseconds."""
        self._took.append(took)

    def _start(self) -> None:
        # New connections each time: a server closes idle ones.
        address = self._plan.address
        self._probes = [_Probe(self, address, FIRST_ADDRESS + number) for number in range(self._plan.connections)]
        self._probing, self.patience = True, 0.001
        self._took = array("q")

    def _stop(self) -> None:
        # A pause that has not ended counts, too.
        now = time.monotonic_ns()
        self._took.extend(now - probe.asked_at for probe in self._probes if probe.asked_at)
        self._probing, self.patience = False, 1.0
        for probe in self._probes:
            probe.close()
        self.reply(Pauses.of(self._took))


class _Probe(HttpConnection):
    __slots__ = ("_prober", "asked_at", "due", "open")

    def __init__(self, prober: Prober, address: tuple[str, int], number: int) -> None:
        super().__init__(prober, address, number)
        self._prober = prober
        self.asked_at = 0
        self.due = 0
        self.open = False

    def opened(self) -> None:
        self.open = True

    def ask(self, request: bytes, now: int, interval: int) -> None:
        """Sends the request."""
        self.write(request)
        self.asked_at, self.due = now, now + interval

    def answered(self, response: bytes, now: int) -> None:
        if not response.startswith(b"HTTP/1.1 200"):
            raise BenchError(f"the liveness check failed: {response[:200].decode(errors='replace')}")
        self._prober.answered(now - self.asked_at)
        self.asked_at = 0
