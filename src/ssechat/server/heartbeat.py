"""Heartbeats, by which the supervisor detects a worker that hangs: its event loop is blocked, or its process is
stopped.

The worker's event loop writes a beat into a pipe each second. The supervisor checks the pipe each second, and counts
the checks in a row without a beat. It counts checks, not seconds: while the machine sleeps, or the supervisor itself is
stopped or starved, it makes no checks, so that such a time counts as one missed beat at most.
"""

import asyncio
import contextlib
import os
import time

READY = b"ready\n"
"""The text that a worker writes into its pipe when it serves, before the beats; any other text is its error."""

BEAT = b"."

BEAT_SECONDS = 1.0
"""Seconds between two beats, and between two checks."""

MISSED_BEATS = 30
"""Checks in a row without a beat after which a worker counts as hanging.

No code of the server blocks the event loop for long: hashing runs in threads, and a garbage collection takes tenths of
a second. With two workers on two cores, eight other busy processes and more sign-ups than can be hashed, the longest
pause between two beats was 4 s, and at most two checks in a row found none. The rest is for a machine that swaps.
gunicorn's workers have 30 seconds, too.
"""


class Report:
    """The worker's end of the pipe: reports readiness, then beats."""

    def __init__(self, fd: int | None) -> None:
        """Without `fd` nothing is reported."""
        self._fd = fd

    def fail(self, why: str) -> None:
        """Reports why the worker cannot start."""
        if self._fd is not None:
            os.write(self._fd, why.encode())

    def begin(self) -> None:
        """Reports that the worker serves; from now on the running event loop writes the beats."""
        if self._fd is not None:
            os.set_blocking(self._fd, False)
            os.write(self._fd, READY)
            self._beat(self._fd, asyncio.get_running_loop())

    def _beat(self, fd: int, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(
            BlockingIOError
        ):  # the pipe is full: the supervisor is stopped, and has enough beats to read
            try:
                os.write(fd, BEAT)
            except BrokenPipeError:  # the supervisor has closed its end
                return
        loop.call_later(BEAT_SECONDS, self._beat, fd, loop)


class Silence:
    """Counts the beats that a worker has missed."""

    def __init__(self) -> None:
        self._missed = 0
        self._heard_at = time.monotonic()

    def heard(self) -> None:
        """Called when a beat has arrived."""
        self._missed = 0
        self._heard_at = time.monotonic()

    def look(self) -> None:
        """Makes a check; called every `BEAT_SECONDS`."""
        self._missed += 1

    @property
    def too_long(self) -> bool:
        """Whether the worker hangs."""
        return self._missed >= MISSED_BEATS

    @property
    def seconds(self) -> float:
        """Seconds since the last beat."""
        return time.monotonic() - self._heard_at
