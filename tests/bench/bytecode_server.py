"""`ssechat serve` with a worker that counts its Python instructions: `python -m tests.bench.bytecode_server serve …`.

A first SIGUSR2 begins the count; the second one ends it, and the worker writes what it has counted (JSON) to the file
that the environment variable `BYTECODE_FILE` names.
"""

import json
import os
import signal
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from unittest.mock import patch

from ssechat import app
from ssechat.cli import main as cli
from ssechat.server import supervisor
from ssechat.settings import Settings

VARIABLE = "BYTECODE_FILE"

BEGUN = ".begun"
"""The suffix of a file that says that the count has begun."""


class Count:
    """The instructions and calls of each function. That a coroutine goes on after an await is a call, too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._instructions: Counter[CodeType] = Counter()
        self._calls: Counter[CodeType] = Counter()
        self._runs = False

    def toggle(self, number: int, frame: FrameType | None) -> None:
        """Begins the count, or ends it."""
        self._runs = not self._runs
        if self._runs:
            self._path.with_suffix(BEGUN).touch()
            sys.settrace(self._trace)
            return
        sys.settrace(None)
        counted = [
            [_name(code), instructions, self._calls[code]] for code, instructions in self._instructions.most_common()
        ]
        unfinished = self._path.with_suffix(".new")
        unfinished.write_text(json.dumps(counted))
        unfinished.rename(self._path)

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "call":
            self._calls[frame.f_code] += 1
        elif event == "opcode":
            self._instructions[frame.f_code] += 1
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
    # Workers do not search the current folder for modules.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH"))))
    assert __spec__ is not None
    arguments = ("--app", f"{__spec__.name}:create_app")
    patch.object(supervisor, "Supervisor", partial(supervisor.Supervisor, worker_arguments=arguments)).start()
    sys.exit(cli.main())
