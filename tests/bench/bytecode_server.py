"""`ssechat serve` with a worker that counts its instructions: `python -m tests.bench.bytecode_server FILE serve …`.

A first SIGUSR2 begins the count; the second one ends it, and the worker writes what it has counted to FILE: of each
function its name, its instructions and its calls (JSON).
"""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median_low
from types import CodeType, FrameType
from typing import Any

from ssechat import app
from ssechat.server.protocol import ChatProtocol
from ssechat.settings import Settings

from .worker_variant import serve

VARIABLE = "BYTECODE_FILE"
"""The environment variable that tells the worker the file."""

REQUEST = ChatProtocol.data_received.__code__
"""The function with which a request begins, if it comes in one packet."""

BEGUN = ".begun"
"""The suffix of a file that says that the count has begun."""


class Count:
    """The instructions and calls of each function in a request, as medians of all requests: so what runs at intervals,
    in some of them, does not count. That a coroutine goes on after an await is a call, too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._requests: list[tuple[Counter[CodeType], Counter[CodeType]]] = []
        """Of each request its instructions and its calls."""
        self._runs = False

    def toggle(self, number: int, frame: FrameType | None) -> None:
        """Begins the count, or ends it."""
        self._runs = not self._runs
        if self._runs:
            self._path.with_suffix(BEGUN).touch()
            sys.settrace(self._trace)
            return
        sys.settrace(None)
        functions = {code for instructions, _ in self._requests for code in instructions}
        counted = [(_name(code), *self._medians(code)) for code in functions]
        unfinished = self._path.with_suffix(".new")
        unfinished.write_text(json.dumps(counted))
        unfinished.rename(self._path)

    def _medians(self, code: CodeType) -> Iterator[int]:
        for counts in zip(*self._requests, strict=True):
            yield median_low(count[code] for count in counts)

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        code = frame.f_code
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            if code is REQUEST:
                self._requests.append((Counter(), Counter()))
        if self._requests:
            instructions, calls = self._requests[-1]
            instructions[code] += event == "opcode"
            calls[code] += event == "call"
        return self._trace


def _name(code: CodeType) -> str:
    """The function's name behind its file's, which begins at its package."""
    path = Path(code.co_filename)
    package = next((at for at, part in enumerate(path.parts) if part in ("ssechat", "site-packages")), len(path.parts))
    return f"{'/'.join(path.parts[package + 1 :]) or path.name}: {code.co_qualname}"


def create_app(settings: Settings) -> Any:
    """The app of a worker that counts."""
    signal.signal(signal.SIGUSR2, Count(Path(os.environ[VARIABLE])).toggle)
    return app.create_app(settings)


if __name__ == "__main__":
    os.environ[VARIABLE] = sys.argv.pop(1)
    serve(("--app", f"{__spec__.name}:create_app"))
