"""Heartbeats, by which the supervisor finds a worker that hangs: its event loop is blocked, or its process is stopped.

The worker's event loop writes a beat into a pipe each second. The supervisor looks each second whether one has come,
and counts the looks in a row that found none. It counts looks rather than seconds: while the machine sleeps, or the
supervisor itself is stopped or starved, it does not look, so that such a time counts as one missed beat at most.
"""

import asyncio
import contextlib
import os
import time

READY = b"ready\n"
"""What a worker writes into its pipe when it serves, before the beats; anything else there says why it cannot."""

BEAT = b"."

BEAT_SECONDS = 1.0
"""Seconds between two beats, and between two looks."""

MISSED_BEATS = 30
"""Looks in a row without a beat after which a worker hangs.

Nothing of ours blocks the event loop for long: hashing runs in threads, and a collection of garbage takes tenths of a
second. With two workers on two cores, eight busy programs beside them and more sign-ups than can be hashed, the longest
pause between two beats was 4 s, and two looks in a row found none. The rest is for a machine that swaps. gunicorn's
workers, too, have 30 seconds.
"""


class Report:
    """The worker's end of the pipe: whether it serves, and its beats."""

    def __init__(self, fd: int | None) -> None:
        """Without `fd` there is nobody to report to."""
        self._fd = fd

    def fail(self, why: str) -> None:
        """Says why the worker cannot start."""
        if self._fd is not None:
            os.write(self._fd, why.encode())

    def begin(self) -> None:
        """Says that the worker serves; from now on the event loop that runs writes the beats."""
        if self._fd is not None:
            os.set_blocking(self._fd, False)
            os.write(self._fd, READY)
            self._beat(self._fd, asyncio.get_running_loop())

    def _beat(self, fd: int, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(BlockingIOError):  # full: the supervisor is stopped, and has beats enough to read
            try:
                os.write(fd, BEAT)
            except BrokenPipeError:  # the supervisor listens no more
                return
        loop.call_later(BEAT_SECONDS, self._beat, fd, loop)


class Silence:
    """The supervisor's count of the beats that a worker has missed."""

    def __init__(self) -> None:
        self._missed = 0
        self._heard_at = time.monotonic()

    def heard(self) -> None:
        """A beat has come."""
        self._missed = 0
        self._heard_at = time.monotonic()

    def look(self) -> None:
        """To be called each `BEAT_SECONDS`."""
        self._missed += 1

    @property
    def too_long(self) -> bool:
        """Whether the worker hangs."""
        return self._missed >= MISSED_BEATS

    @property
    def seconds(self) -> float:
        """Since the last beat."""
        return time.monotonic() - self._heard_at
