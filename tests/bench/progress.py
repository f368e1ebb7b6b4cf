"""Progress output of a measurement."""

import sys
import time
from collections.abc import Callable
from typing import TextIO


class Progress:
    """A status line on a terminal; no output elsewhere."""

    def __init__(self, output: TextIO = sys.stderr) -> None:
        self._output = output
        self._shown = output.isatty()

    def show(self, text: str) -> None:
        """Replaces the line."""
        if self._shown:
            self._output.write(f"\r\x1b[K{text}")
            self._output.flush()

    def wait(self, seconds: float, text: Callable[[float], str]) -> None:
        """Waits `seconds`; `text` returns the line for the seconds that are left."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.show(text(left))
            time.sleep(min(0.2, left))

    def clear(self) -> None:
        """Clears the line."""
        self.show("")
