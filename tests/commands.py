"""The program's commands, as tests run them: in this process, in a child, and at a server."""

import io
import signal
import subprocess
import sys
from typing import IO

import pytest

from serving import Server, environment, interruptible
from ssechat.cli import main as cli


def run(*arguments: str, said: bytes = b"", **extra: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in a child process."""
    result = subprocess.run(
        [sys.executable, "-m", "ssechat", *arguments],
        input=said,
        capture_output=True,
        env=environment(extra),
        timeout=60,
    )
    return subprocess.CompletedProcess(result.args, result.returncode, result.stdout.decode(), result.stderr.decode())


def call(*arguments: str, said: bytes = b"") -> subprocess.CompletedProcess[str]:
    """Runs a command in this process, and otherwise as `run` does: a child takes half a second to begin."""
    given, out, err = (io.TextIOWrapper(io.BytesIO(text), "utf-8", newline="") for text in (said, b"", b""))
    with pytest.MonkeyPatch.context() as streams:
        for name, stream in (("stdin", given), ("stdout", out), ("stderr", err)):
            streams.setattr(sys, name, stream)
        try:
            code = cli.main(list(arguments))
        except SystemExit as error:
            code = int(error.code or 0)
    printed = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return subprocess.CompletedProcess(arguments, code, *printed)


def main(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Runs a command in this process; returns exit code, stdout and stderr."""
    try:
        code = cli.main(list(arguments))
    except SystemExit as error:
        code = int(error.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def at(server: Server) -> tuple[str, ...]:
    return ("--server", server.url, "--data", str(server.data))


class Listening:
    """A running `ssechat listen`."""

    def __init__(self, server: Server, *arguments: str, command: tuple[str, ...] = ("listen",)) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ssechat", *command, *at(server), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            preexec_fn=interruptible,
        )

    def line(self, stream: str = "stdout") -> str:
        found: IO[str] | None = getattr(self.process, stream)
        assert found is not None
        return found.readline()

    def end(self) -> tuple[int, str]:
        """Sends SIGINT; returns the exit code and the rest of stderr."""
        self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate(timeout=20)
        return self.process.returncode, err
