"""Where a stream is written to."""

from typing import Protocol


class Sink(Protocol):
    """The output of a stream: takes chunks in order."""

    def write(self, chunk: bytes) -> None:
        """Sends a chunk, or keeps it until it can be sent."""

    def end(self, *, final: bool) -> None:
        """Closes the connection once all is sent: with a complete response if it is `final`, else without its end."""

    def abort(self) -> None:
        """Drops the connection and all that waits in it."""
