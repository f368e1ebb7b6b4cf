"""Coverage is of the tests that are not left out, and of the processes that those start."""

import subprocess
import sys
from pathlib import Path

from serving import ROOT, environment
from tracing import CHILDREN, TRACED, UNTRACED

RUNS = """
import os, subprocess, sys
import subject

def test_runs():
    assert subject.{0}() == "{0}"
    subprocess.run([sys.executable, "-c", "import subject; subject.{0}_in_a_child()"], check=True)
    assert ({1!r} in os.environ) is {2}
"""
SUBJECT = "".join(
    f"\n\ndef {name}():\n    return '{name}'\n"
    for each in ("left_out", "seen")
    for name in (each, f"{each}_in_a_child")
)
SETTINGS = "[run]\nsource = subject\nparallel = true\npatch = subprocess\n"


def test_what_is_left_out_is_there() -> None:
    there = [*(ROOT / "tests").rglob("*")]
    assert {path.name for path in there} >= UNTRACED
    assert {"/".join(path.parts[-2:]) for path in there} >= TRACED


def test_files_that_are_left_out_are_run_without_coverage_and_so_are_their_processes(tmp_path: Path) -> None:
    folder = tmp_path / "browser"  # which is left out
    folder.mkdir()
    (tmp_path / "subject.py").write_text(SUBJECT)
    (tmp_path / ".coveragerc").write_text(SETTINGS)
    (tmp_path / "conftest.py").write_text(
        "from tracing import TracingPlugin\n\ndef pytest_configure(config):\n"
        "    config.pluginmanager.register(TracingPlugin())\n"
    )
    for file, name, traced in ((folder / "test_1.py", "left_out", False), (tmp_path / "test_2.py", "seen", True)):
        file.write_text(RUNS.format(name, CHILDREN, traced))
    own = {**environment(), "COVERAGE_FILE": str(tmp_path / ".coverage"), CHILDREN: ""}
    own["PYTHONPATH"] = f"{tmp_path}:{own['PYTHONPATH']}"

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *arguments], cwd=tmp_path, env=own, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "2 passed" in run("coverage", "run", "-m", "pytest", "-q", "-p", "no:cacheprovider", "browser", "test_2.py")
    run("coverage", "combine", "-q")
    shown = run("coverage", "report", "--show-missing")
    lines = [number for number, line in enumerate(SUBJECT.splitlines(), 1) if "return 'left_out" in line]
    assert f" {', '.join(map(str, lines))}\n" in shown
