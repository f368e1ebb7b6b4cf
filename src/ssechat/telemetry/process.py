"""What this process costs the machine."""

import os
import time
from pathlib import Path

FILES_EVERY = 10.0
"""Seconds between counts of the open files: on an old kernel each of them must be listed."""


class Process:
    """Asks the kernel about this process (proc(5)); what a system cannot tell is left out."""

    def __init__(self) -> None:
        self._began = time.time()
        self._files = 0
        self._files_at = 0.0

    def usage(self) -> dict[str, float]:
        """CPU seconds, resident bytes, open files, and when it began (seconds since the epoch)."""
        usage = {"cpu_seconds": time.process_time(), "start_time_seconds": self._began}
        try:
            pages = int(Path("/proc/self/statm").read_bytes().split()[1])
            usage["resident_bytes"] = pages * os.sysconf("SC_PAGESIZE")
            usage["open_fds"] = self._open_files()
        except OSError:
            pass
        return usage

    def _open_files(self) -> int:
        now = time.monotonic()
        if not self._files or now - self._files_at >= FILES_EVERY:
            folder = "/proc/self/fd"
            self._files = os.stat(folder).st_size or len(os.listdir(folder))  # noqa: PTH116, PTH208
            self._files_at = now
        return self._files
