"""The resources that this process uses."""

import os
import time
from pathlib import Path

from ssechat.telemetry.declarations import Declaration

FILES_EVERY = 10.0
"""Seconds between two counts of the open files: an old kernel must list each of them."""

CPU = Declaration("counter", "ssechat_worker_cpu_seconds", "CPU time of this worker.", ("pid",))
MEMORY = Declaration("gauge", "ssechat_worker_resident_memory_bytes", "Resident memory of this worker.", ("pid",))
FILES = Declaration("gauge", "ssechat_worker_open_fds", "Files and sockets that this worker has open.", ("pid",))
START = Declaration("gauge", "ssechat_worker_start_time_seconds", "When this worker began, since the epoch.", ("pid",))

USAGE = (CPU, MEMORY, FILES, START)
"""The metrics that each worker has for itself; there is no sum over workers."""


class Process:
    """The kernel's figures of this process (proc(5))."""

    def __init__(self) -> None:
        self._began = time.time()
        self._files = 0
        self._files_at = 0.0

    def usage(self) -> dict[str, float]:
        """The values by the metric's name; without those that the system does not tell."""
        usage = {CPU.name: time.process_time(), START.name: self._began}
        try:
            pages = int(Path("/proc/self/statm").read_bytes().split()[1])
            usage[MEMORY.name] = pages * os.sysconf("SC_PAGESIZE")
            usage[FILES.name] = self._open_files()
        except OSError:
            pass
        return usage

    def _open_files(self) -> int:
        now = time.monotonic()
        if not self._files or now - self._files_at >= FILES_EVERY:
            folder = "/proc/self/fd"
            self._files = os.stat(folder).st_size or len(os.listdir(folder))  # noqa: PTH116, PTH208 – only the number is needed
            self._files_at = now
        return self._files
