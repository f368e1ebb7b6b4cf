"""CPU use by process during a measurement, and which process was saturated."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from . import processes

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


def sample(pids: Sequence[int]) -> Sample:
    """Samples the CPU time of processes.

    Raises:
        BenchError: a process has ended.
    """
    cpu = {pid: processes.cpu_seconds([pid]) for pid in pids}
    return Sample(time.monotonic_ns(), cpu, processes.machine_seconds())


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


def shares(first: Sample, last: Sample, parts: Mapping[str, Sequence[int]]) -> Shares:
    """Computes the shares between two samples; `parts` are the process ids of `workers`, `redis` and `generator`."""
    seconds = (last.at - first.at) / 1e9
    used = {pid: (last.cpu[pid] - first.cpu[pid]) / seconds for pids in parts.values() for pid in pids}
    machine = sum(used.values()) / usable_cores()
    return Shares(
        worker=max(used[pid] for pid in parts["workers"]),
        redis=sum(used[pid] for pid in parts["redis"]),
        client=max(used[pid] for pid in parts["generator"]),
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
