"""A program of several processes that is stopped halfway."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence

from bench import processes
from serving import ROOT, environment, interruptible, until

SIGNALS = {"interrupted": (signal.SIGINT, 130), "terminated": (signal.SIGTERM, 143)}
"""How it is stopped, each with the exit code that a shell expects then."""


def leaves_no_process_behind(command: Sequence[str], children: int, number: signal.Signals, code: int) -> None:
    """Starts the command, sends it the signal once it has so many children, and checks that it ends with all of them.

    Raises:
        AssertionError, TimeoutError: it does not.
    """
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment(),
        preexec_fn=interruptible,
    )  # fmt: skip
    family: dict[int, str] = {}

    def left() -> list[int]:
        return [pid for pid, was in family.items() if was and processes.command(pid) == was]

    try:
        until(lambda: len(processes.descendants(process.pid)) >= children, 60)
        time.sleep(0.5)
        family = {pid: processes.command(pid) for pid in processes.descendants(process.pid)}
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == code
        assert "Traceback" not in errors
        until(lambda: not left())
    finally:
        process.kill()
        process.communicate()
        for pid in left():
            os.kill(pid, signal.SIGKILL)
