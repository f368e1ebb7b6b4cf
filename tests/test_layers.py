"""The layers of the code: imports go down only (pyproject.toml declares the layers)."""

import subprocess
import sys
from pathlib import Path

from serving import ROOT


def test_imports_go_down_only() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
