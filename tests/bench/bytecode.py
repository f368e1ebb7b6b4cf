"""The Python instructions that a worker executes for a direct message, by function.

They are counted, not timed, so a busy machine gives the same figures as a quiet one. What the C functions do that they
call is not among them.
"""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .bytecode_server import BEGUN
from .dialects import Requests, message_template
from .errors import BenchError
from .progress import Progress
from .server import Ssechat
from .tables import table

WARM_UP = 300
"""Sends before the count: Python replaces instructions by faster ones when they have run some times."""

TEXT_BYTES = 80

PATIENCE = 30.0
"""Seconds to wait for the server; a worker that counts is many times slower."""


@dataclass(frozen=True, slots=True)
class FunctionFigures:
    """A function's part of a send: medians of all sends."""

    name: str
    instructions: int
    calls: int
    """That a coroutine goes on after an await is a call, too."""


@dataclass(frozen=True, slots=True)
class BytecodeFigures:
    """The figures."""

    sends: int
    instructions: int
    """Instructions a send, of all functions."""
    functions: list[FunctionFigures]
    """The function with most instructions first. Those that half of the sends do not call run at intervals."""


class CountingServer(Ssechat):
    """`ssechat serve` with one worker, which counts."""

    def __init__(self) -> None:
        super().__init__(1)
        self.counted = self.folder / "counted.json"
        self._module = (f"{__package__}.bytecode_server", str(self.counted))

    @contextmanager
    def counting(self) -> Iterator[None]:
        """The worker counts meanwhile.

        Raises:
            BenchError: it does not begin, or does not end.
        """
        self._toggle(self.counted.with_suffix(BEGUN))
        yield
        self._toggle(self.counted)

    def _toggle(self, until: Path) -> None:
        (worker,) = self.workers
        os.kill(worker, signal.SIGUSR2)
        deadline = time.monotonic() + PATIENCE
        while not until.exists():
            if time.monotonic() > deadline:
                raise BenchError("the worker does not count")
            time.sleep(0.01)


def measure_bytecode(sends: int, progress: Progress) -> BytecodeFigures:
    """Counts so many sends, one after another, of a user to another; both have a stream on the worker.

    Raises:
        BenchError: the measurement failed.
    """
    with ExitStack() as stack:
        server = stack.enter_context(CountingServer())
        requests = Requests(server.dialect(), server.address)
        try:
            streams = [stack.enter_context(_connected(server.address)) for _ in range(2)]
            for user, stream in enumerate(streams):
                stream.sendall(requests.stream(user))
                _read(stream, b"event: hello")
            sender = stack.enter_context(_connected(server.address))
            body = message_template(TEXT_BYTES)
            head = requests.send_head(0, len(body % (1, 0)))
            for number in range(WARM_UP):
                _send(sender, streams, head + body % (1, number))
            progress.show(f"bytecode: {sends} sends")
            with server.counting():
                for number in range(WARM_UP, WARM_UP + sends):
                    _send(sender, streams, head + body % (1, number))
        except OSError as error:
            raise BenchError(f"the server does not answer: {error}") from None
        counted = json.loads(server.counted.read_text())
    functions = [FunctionFigures(*function) for function in counted if function[1]]
    functions.sort(key=lambda one: (-one.instructions, one.name))
    return BytecodeFigures(sends, sum(one.instructions for one in functions), functions)


def _connected(address: tuple[str, int]) -> socket.socket:
    return socket.create_connection(address, PATIENCE)


def _send(sender: socket.socket, streams: list[socket.socket], request: bytes) -> None:
    """Sends a message, and waits until it is acknowledged, and on both streams."""
    sender.sendall(request)
    answer = _read(sender, b"}")
    if not answer.startswith(b"HTTP/1.1 201 "):
        raise BenchError(f"a message was refused: {answer[:1000]!r}")
    for stream in streams:
        _read(stream, b"event: message")


def _read(connection: socket.socket, until: bytes) -> bytes:
    """Reads up to a part that has these bytes, and returns all of it."""
    read = b""
    while until not in read:
        part = connection.recv(65536)
        if not part:
            raise BenchError(f"the server has closed a connection: {read[:1000]!r}")
        read += part
    return read


def bytecode_report(figures: BytecodeFigures, shown: int) -> str:
    """A table with a row per function."""
    rows = [["Python instructions of a send", "instructions", "calls"]]
    rows += [[one.name, str(one.instructions), str(one.calls)] for one in figures.functions[:shown]]
    if rest := figures.functions[shown:]:
        rows.append([f"{len(rest)} more functions", str(sum(one.instructions for one in rest)), ""])
    rows.append(["all", str(figures.instructions), str(sum(one.calls for one in figures.functions))])
    return table(rows)
