"""A signal at any time, also while the interpreter exits, ends a process quietly and with the right code."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from serving import environment, interruptible
from ssechat.server.heartbeat import READY
from ssechat.server.sockets import listen
from ssechat.server.worker import CANNOT_START
from ssechat.settings import load_settings
from stub import WORKER_ARGUMENTS

AT_EXIT = (
    "import atexit, os, sys\n"
    "atexit.register(lambda: os.kill(os.getpid(), int(os.environ['SIGNAL'])))\n"
)  # fmt: skip
WORKER = f"{AT_EXIT}from ssechat.server.worker import main\nsys.exit(main())\n"
COMMAND = f"{AT_EXIT}from ssechat.__main__ import run\nsys.exit(run())\n"


def worker(how: str) -> tuple[int, str, bytes]:
    """Runs a worker that gets SIGTERM at exit, and also as soon as it serves; returns its exit code, stderr, and what
    it reported."""
    listening = listen("127.0.0.1", 0, 1)
    read_end, write_end = os.pipe()
    fds = [each.fileno() for each in listening.of_workers[0]]
    arguments = [f"--report-fd={write_end}", *(f"--listen-fd={fd}" for fd in fds), *WORKER_ARGUMENTS]
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, *arguments],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(*fds, write_end),
        env={**environment(), "STUB": how, "SIGNAL": str(int(signal.SIGTERM))},
    ) as process, os.fdopen(read_end, "rb", buffering=0) as report:  # fmt: skip
        os.close(write_end)
        listening.close()
        assert process.stdin is not None
        process.stdin.write(load_settings({}, {}).model_dump_json().encode() + b"\n")
        process.stdin.flush()
        said = report.read(len(READY)) or b""
        if said == READY:
            process.terminate()
        said += report.readall()
        _, errors = process.communicate(timeout=30)
    return process.returncode, errors.decode(), said


def test_sigterm_at_the_exit_of_a_worker_that_cannot_start_is_quiet() -> None:
    code, errors, said = worker("settings")
    assert (code, errors) == (CANNOT_START, "")
    assert said == b"the stub was told to refuse its settings"


def test_sigterm_at_the_exit_of_a_worker_that_was_stopped_is_quiet() -> None:
    code, errors, said = worker("")
    assert (code, errors) == (0, "")
    assert said.startswith(READY)


def test_sigterm_ends_a_worker_that_does_not_serve_yet_at_once_and_quietly() -> None:
    code, errors, said = worker("SIGTERM at the start")
    assert (code, errors, said) == (-signal.SIGTERM, "", b"")


@pytest.mark.parametrize(("arguments", "code"), [(("--version",), 0), (("token", "--days", "x", "bob"), 2)])
def test_sigint_at_the_exit_of_a_command_prints_no_traceback(
    tmp_path: Path, arguments: tuple[str, ...], code: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**environment(), "SIGNAL": str(int(signal.SIGINT))},
        preexec_fn=interruptible,
        timeout=30,
    )
    assert done.returncode == code
    assert "KeyboardInterrupt" not in done.stderr
