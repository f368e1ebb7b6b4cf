"""CPU use by process during a measurement, and which process was saturated."""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from . import processes
from .generator import Crew
from .server import Subject

SATURATED = 0.85
"""The share of a core above which a process counts as saturated."""

NOISY = 0.15
"""The share of the machine above which other programs distort the figures."""


@dataclass(frozen=True, slots=True)
class Sample:
    """CPU seconds of processes at a time."""

    at: int
    """Nanoseconds of the monotonic clock."""
    cpu: dict[int, float]
    machine: float

    def of(self, pids: Iterable[int]) -> float:
        """The sum of these processes."""
        return sum(self.cpu[pid] for pid in pids)

    def since(self, earlier: "Sample") -> float:
        """Seconds since an earlier sample."""
        return (self.at - earlier.at) / 1e9


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of CPU time: of one core, the last two of all cores."""

    worker: float
    """The busiest process of the server."""
    redis: float
    client: float
    """The busiest process of the load generator."""
    machine: float
    """Server, Redis and generator together."""
    others: float
    """All other programs."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU seconds of each part, or microseconds of something that it did."""

    workers: float
    redis: float
    generator: float

    @property
    def server(self) -> float:
        """Of all processes of the server and its Redis."""
        return self.workers + self.redis

    def __sub__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.workers - other.workers, self.redis - other.redis, self.generator - other.generator)

    def __mul__(self, factor: float) -> "Cpu":
        return Cpu(self.workers * factor, self.redis * factor, self.generator * factor)

    def each(self, count: int) -> "Cpu":
        """Microseconds of each of so many things that were done in these seconds."""
        return self * (1e6 / max(1, count))


@dataclass(frozen=True, slots=True)
class Parts:
    """The process ids of what takes part in a measurement."""

    workers: Sequence[int]
    redis: Sequence[int]
    generator: Sequence[int]

    @classmethod
    def of(cls, server: Subject, *crews: Crew) -> "Parts":
        """The processes of a server, and of the client processes."""
        return cls(server.workers, server.redis, [pid for crew in crews for pid in crew.pids])

    def sample(self) -> Sample:
        """Samples the CPU time of all processes.

        Raises:
            BenchError: a process has ended.
        """
        cpu = {pid: processes.cpu_seconds([pid]) for pid in (*self.workers, *self.redis, *self.generator)}
        return Sample(time.monotonic_ns(), cpu, processes.machine_seconds())

    def cpu(self, first: Sample, last: Sample) -> Cpu:
        """The CPU seconds of each part between two samples."""
        return Cpu(*(last.of(pids) - first.of(pids) for pids in (self.workers, self.redis, self.generator)))

    def shares(self, first: Sample, last: Sample) -> Shares:
        """The shares of CPU time between two samples."""
        seconds = last.since(first)
        used = {pid: (last.cpu[pid] - first.cpu[pid]) / seconds for pid in first.cpu}
        machine = sum(used.values()) / usable_cores()
        return Shares(
            worker=max(used[pid] for pid in self.workers),
            redis=sum(used[pid] for pid in self.redis),
            client=max(used[pid] for pid in self.generator),
            machine=machine,
            others=max(0.0, (last.machine - first.machine) / seconds / usable_cores() - machine),
        )


def usable_cores() -> int:
    """The number of usable CPU cores."""
    return len(os.sched_getaffinity(0))


def saturation(shares: Shares) -> str:
    """Returns a sentence on what was saturated."""
    if shares.others >= NOISY:
        return (
            f"OTHER PROGRAMS had {shares.others:.0%} of the machine meanwhile: these figures say little, "
            "measure again when it is quiet."
        )
    if shares.client >= SATURATED and shares.worker < SATURATED and shares.redis < SATURATED:
        return (
            "The GENERATOR was saturated, not the server: a client process had "
            f"{shares.client:.0%} of a core. Give more --readers or --senders, or more cores."
        )
    if shares.worker >= SATURATED:
        return f"The server was saturated: one of its processes had {shares.worker:.0%} of a core."
    if shares.redis >= SATURATED:
        return f"Redis was saturated: it had {shares.redis:.0%} of a core."
    if shares.machine >= SATURATED:
        return (
            f"The machine was saturated: {shares.machine:.0%} of all cores went to server, Redis and clients, "
            "which took them from each other. On cores of its own the server would do more."
        )
    return "Nothing was saturated."
