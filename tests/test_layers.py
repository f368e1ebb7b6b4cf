"""The layers of the code: imports go down only (pyproject.toml declares the layers)."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

from serving import ROOT

SERVER = ("chat", "events", "http", "identity", "logs", "redis", "server", "streams", "telemetry", "texts")
SHAPES = ("events/models.py", "http/contract/answers/", "http/contract/events.py")
"""What is sent; it is called as the record is that it shows."""


def test_imports_go_down_only() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_two_classes_of_the_server_have_one_name_but_records_and_what_is_sent_of_them() -> None:
    top = ROOT / "src" / "ssechat"
    files = [top / "app.py", *(path for folder in SERVER for path in (top / folder).rglob("*.py"))]
    found = Counter(
        node.name
        for path in files
        if not path.relative_to(top).as_posix().startswith(SHAPES)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )
    assert len(found) > 200
    assert [name for name, count in found.items() if count > 1] == []
