"""A shell into which commands are pasted, and the statuses of the answers that its curl got."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Self

from serving import environment

SECONDS = 30.0
"""Upper bound of a block's time."""

STREAM_SECONDS = 1.5
"""What a stream has, which would not end by itself."""

CURL = """#!/usr/bin/env bash
more=()
for each in "$@"; do [ "$each" = -N ] && more=(--max-time {seconds}); done
exec {curl} "$@" "${{more[@]}}" --dump-header "$HEADERS/$BASHPID"
"""

PYTHON = """#!/usr/bin/env bash
exec {python} "$@"
"""

SSECHAT = """#!/usr/bin/env bash
exec {python} -m ssechat "$@"
"""


class Shell:
    """A bash, as a reader of the pages has one. As a context manager it is closed at the end."""

    def __init__(self, folder: Path, extra: Mapping[str, str] | None = None) -> None:
        programs, self.folder, self._headers = folder / "bin", folder / "home", folder / "headers"
        for each in (programs, self.folder, self._headers):
            each.mkdir(parents=True)
        for name, text in (("curl", CURL), ("python", PYTHON), ("ssechat", SSECHAT)):
            script = programs / name
            script.write_text(text.format(curl=shutil.which("curl"), python=sys.executable, seconds=STREAM_SECONDS))
            script.chmod(0o755)
        path = f"{programs}:{os.environ['PATH']}"
        self._numbers = count()
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env=environment({"PATH": path, "HEADERS": str(self._headers), **(extra or {})}),
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def paste(self, lines: str) -> str:
        """Pastes lines, waits until they are done, and returns what they print."""
        for file in self._headers.iterdir():
            file.unlink()
        mark = f"-- done {next(self._numbers)} --"
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{lines}\nprintf '%s\\n' '{mark}'\n".encode())
        self._bash.stdin.flush()
        output, deadline = "", time.monotonic() + SECONDS
        while not output.endswith(f"{mark}\n"):
            line = self._bash.stdout.readline().decode()
            assert line, f"the shell has ended: {output}"
            assert time.monotonic() < deadline, output
            output += line
        return output.removesuffix(f"{mark}\n")

    def leave_running(self, lines: str) -> None:
        """Pastes lines that do not end."""
        assert self._bash.stdin is not None
        self._bash.stdin.write(f"{lines}\n".encode())
        self._bash.stdin.flush()

    def variable(self, name: str) -> str:
        """The value of a variable."""
        return self.paste(f'echo "${name}"').strip()

    @property
    def statuses(self) -> Sequence[int]:
        """The statuses that curl got since the last paste, in order."""
        files = sorted(self._headers.iterdir(), key=lambda file: file.stat().st_mtime_ns)
        return [int(re.findall(r"^HTTP/[\d.]+ (\d+)", file.read_text(), re.MULTILINE)[-1]) for file in files]

    def close(self) -> None:
        """Ends the shell, and what it has started."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        if self._bash.returncode is None:
            os.killpg(self._bash.pid, signal.SIGKILL)
            self._bash.wait()
        self._bash.stdin.close()
        self._bash.stdout.close()
