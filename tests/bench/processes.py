"""Data of processes from Linux: memory, CPU time, children, descriptors (proc(5))."""

import os
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of processes, in bytes, without the kernel's memory for their sockets."""

    pss: int = 0
    """Proportional set size: a page that k processes share counts as 1/k."""
    private: int = 0
    """Private pages."""

    def __add__(self, other: "Memory") -> "Memory":
        return Memory(self.pss + other.pss, self.private + other.private)

    def __sub__(self, other: "Memory") -> "Memory":
        return Memory(self.pss - other.pss, self.private - other.private)


def memory(pids: Iterable[int]) -> Memory:
    """Returns the sum of the memory of processes.

    Raises:
        BenchError: a process has ended.
    """
    return sum((_memory(pid) for pid in pids), Memory())


def _memory(pid: int) -> Memory:
    sizes = {}
    for line in _read(pid, "smaps_rollup").splitlines()[1:]:
        name, _, size = line.partition(":")
        sizes[name] = int(size.split()[0]) * 1024
    return Memory(sizes["Pss"], sizes["Private_Clean"] + sizes["Private_Dirty"])


def cpu_seconds(pids: Iterable[int]) -> float:
    """Returns the CPU time, user and system, of processes since their start, in steps of 10 ms.

    Raises:
        BenchError: a process has ended.
    """
    ticks = 0
    for pid in pids:
        # The second field is the name in parentheses, which may contain any characters.
        fields = _read(pid, "stat").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def machine_seconds() -> float:
    """Returns the CPU time of all programs on all cores since boot."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / TICKS


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        raise BenchError(f"process {pid} of the server has ended during the measurement") from None


def descendants(pid: int) -> list[int]:
    """Returns the running descendants of a process."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in task.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


def command(pid: int) -> str:
    """Returns the command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def raise_descriptor_limit() -> int:
    """Raises the soft limit of file descriptors of this process and its future children; returns the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def check_descriptors(what: str, needed: int, remedy: str) -> None:
    """Checks that a process may open as many file descriptors as it needs.

    Raises:
        BenchError: the limit is too low.
    """
    limit = raise_descriptor_limit()
    if needed > limit:
        raise BenchError(
            f"{what} needs about {needed:,} file descriptors in one process, and the limit here is {limit:,}: "
            f"{remedy}, ask for fewer streams, or raise the limit (ulimit -Hn, as root)."
        )


def listen_queue() -> int:
    """Returns the upper bound of an accept queue (listen(2))."""
    return int(Path("/proc/sys/net/core/somaxconn").read_text("ascii"))


def listen_overflows() -> int:
    """Returns how often connections found an accept queue full, on this machine since boot."""
    names, values = (
        line.split() for line in Path("/proc/net/netstat").read_text("ascii").splitlines() if line.startswith("TcpExt:")
    )
    return int(values[names.index("ListenOverflows")])
