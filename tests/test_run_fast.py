"""The end of a pytest run: the tests that `--fast` skipped, and no traceback after Ctrl-C."""

import os
import signal
import subprocess
import sys

import pytest

from serving import ROOT, environment, interruptible

PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--fast")
PROCESSES = pytest.mark.parametrize(
    "processes", [(), ("-n", "2", "--dist", "loadfile")], ids=["one process", "side by side"]
)


@PROCESSES
def test_the_last_line_of_a_fast_run_says_what_it_left_out(processes: tuple[str, ...]) -> None:
    command = [*PYTEST, "-q", *processes, "-k", "test_names_that_no_test_has"]
    said = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120).stdout
    last = said.splitlines()[-1]
    assert last.startswith("--fast left out what `bash tests/run` and `bash tests/run --stack` run:")
    for left_out in ("most random examples", "tests/e2e", "tests/deploy", "tests/test_cli.py"):
        assert left_out in last


def test_a_fast_run_of_some_files_leaves_out_no_other() -> None:
    command = [*PYTEST, "-q", "--collect-only", "tests/test_ids.py"]
    said = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120).stdout
    assert "tests/e2e" not in said


@PROCESSES
def test_ctrl_c_ends_a_run_after_the_tests_under_way(processes: tuple[str, ...]) -> None:
    running = subprocess.Popen(
        [*PYTEST, "-v", *processes, "tests/test_subscriptions.py", "tests/test_fanout.py"],
        cwd=ROOT, env={**environment(), "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, preexec_fn=interruptible, start_new_session=True,
    )  # fmt: skip
    try:
        assert running.stdout is not None
        for line in running.stdout:
            if "PASSED" in line:
                break
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        said, _ = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 2
    assert "Interrupted: interrupted" in said
    assert "Traceback" not in said
    assert "FAILED" not in said
    assert said.count("PASSED") < 10
