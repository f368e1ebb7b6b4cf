"""Clients made of a running server's document compile without a complaint, and talk with the server."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from serving import Server, environment

HERE = Path(__file__).parent
TYPESCRIPT = HERE / "typescript"
PYTHON = HERE / "python"

SAID: dict[str, Any] = {
    "history": ["alice: noon?", "bob: noon!"],
    "conversations": ["Lunch", "alice and bob"],
    "blank": ["text"],
    "taken": "name_taken",
}
"""What both programs print, besides what only one of them can tell."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Two workers, and nobody who has signed up."""
    with Server(tmp_path / "data", "--workers", "2") as running:
        yield running


def run(folder: Path, *command: str | Path) -> str:
    """Runs a program of the environment there, which must succeed without a complaint; returns what it printed."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        command, cwd=folder, env=environment({"PATH": path}), capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "WARNING" not in done.stdout + done.stderr.upper(), f"{done.stdout}\n{done.stderr}"
    return done.stdout


def copied(names: Sequence[str], source: Path, target: Path) -> Path:
    """A new folder with these files."""
    target.mkdir()
    for name in names:
        shutil.copy(source / name, target)
    return target


def test_a_client_that_openapi_typescript_makes_compiles_and_talks(server: Server, tmp_path: Path) -> None:
    folder = copied(("package.json", "tsconfig.json", "talk.ts"), TYPESCRIPT, tmp_path / "typescript")
    modules = folder / "node_modules"
    modules.symlink_to(TYPESCRIPT / "node_modules")
    run(folder, modules / ".bin" / "openapi-typescript", f"{server.url}/openapi.json", "--output", "contract.d.ts")
    run(folder, modules / ".bin" / "tsc", "--project", "tsconfig.json")
    said = json.loads(run(folder, "node", "talk.js", server.url))
    assert said == {**SAID, "events": ["hello", "noon?", "noon!"]}


def test_a_client_that_openapi_python_client_makes_has_strict_types_and_talks(server: Server, tmp_path: Path) -> None:
    folder = copied(("talk.py",), PYTHON, tmp_path / "python")
    options = ("--meta", "none", "--output-path", "chat_client", "--fail-on-warning")
    generate = (sys.executable, "-m", "openapi_python_client", "generate", "--url", f"{server.url}/openapi.json")
    assert "Generating" in run(folder, *generate, *options)
    # The generator's own file, which is the same for every document, passes on what `__exit__` gets, without types.
    (folder / "mypy.ini").write_text("[mypy]\n[mypy-chat_client.client]\ndisable_error_code = arg-type\n")
    run(folder, sys.executable, "-m", "mypy", "--strict", "talk.py", "chat_client")
    said = json.loads(run(folder, sys.executable, "talk.py", server.url))
    assert said == {**SAID, "wrong": "wrong_credentials"}
