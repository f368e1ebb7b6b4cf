"""The page's JavaScript: its types, its form, and its unit tests under Node with their coverage.

A fast run leaves out those that passed on the same files before: they take a fifth of its time.
"""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from serving import ROOT

WEB = ROOT / "tests" / "web"
CLIENTS = ROOT / "tests" / "clients"
SOURCES = (
    ROOT / "src" / "ssechat" / "web",
    ROOT / "src" / "ssechat" / "http" / "docs" / "templates",
    WEB,
    CLIENTS / "page.js",
    CLIENTS / "node" / "clients.js",
)
MADE = ".min.js"
"""How the names of files end that are made of others."""
SECONDS = 120
"""Upper bound of a check, in seconds; each takes a few."""


@cache
def digest() -> str:
    """What all files together are: those that are checked, and what checks them."""
    files = [
        file for source in (*SOURCES, Path(__file__)) for file in (source.rglob("*") if source.is_dir() else [source])
    ]
    found = hashlib.sha256()
    for file in sorted(file for file in files if "node_modules" not in file.parts and file.is_file()):
        found.update(b"%b\n%b\n" % (str(file.relative_to(ROOT)).encode(), hashlib.sha256(file.read_bytes()).digest()))
    return found.hexdigest()


@pytest.fixture(autouse=True)
def _fast_is_once(request: pytest.FixtureRequest) -> Iterator[None]:
    """Skips a test in a fast run if it passed on the same files before."""
    key, kept = f"javascript/{request.node.name}", request.config.cache
    if request.config.getoption("--fast") and kept is not None and kept.get(key, None) == digest():
        pytest.skip("it passed on the same files before")
    failed = request.session.testsfailed
    yield
    if kept is not None and request.session.testsfailed == failed:
        kept.set(key, digest())


def run(program: str, *arguments: str | Path, cwd: Path = ROOT) -> str:
    """Runs a program of the Node packages, which must succeed; returns its output."""
    path = WEB / "node_modules" / ".bin" / program
    assert path.exists(), f"{path} is missing; `bash tests/run` installs it"
    return output(path, *arguments, cwd=cwd)


def output(*command: str | Path, cwd: Path = ROOT) -> str:
    """What a program prints, which must succeed."""
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=SECONDS)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize("project", ["tsconfig.json", "tsconfig.tests.json"])
def test_the_types_in_javascript_s_comments_hold(project: str) -> None:
    run("tsc", "--project", WEB / project)


def test_javascript_is_formatted_and_its_linter_finds_nothing() -> None:
    run("biome", "check", "--error-on-warnings", *SOURCES, cwd=WEB)


def test_no_line_of_javascript_is_longer_than_the_formatter_breaks_code() -> None:
    """The formatter leaves comments and strings as they are."""
    long = []
    for source in SOURCES:
        files = [file for file in source.rglob("*.js*") if _is_written(file)] or [source]
        for file in files:
            long += [f"{file}: {line}" for line in file.read_text().splitlines() if len(line) > 120]
    assert long == []


def _is_written(file: Path) -> bool:
    return file.suffix in (".js", ".jsx") and "node_modules" not in file.parts and not file.name.endswith(MADE)


def test_the_made_files_are_made_of_the_modules_as_they_are() -> None:
    made = subprocess.run(["node", WEB / "build.js", "--check"], capture_output=True, text=True, timeout=SECONDS)
    assert (made.stderr, made.returncode) == ("", 0)


def test_javascript_s_unit_tests_pass_and_cover_the_modules_that_draw_nothing(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The modules that render, `app.js` and most of `views/`, are tested in a browser (`e2e/browser`).

    A fast run leaves their coverage to the whole one: it takes as long as the tests.
    """
    tests = sorted(WEB.glob("*.test.js"))
    options = ("--test", "--test-reporter=spec", "--test-timeout=60000", f"--test-concurrency={os.cpu_count()}")
    node: tuple[str | Path, ...] = ("node", *options, *tests)
    if request.config.getoption("--fast"):
        assert " pass " in output(*node)
    else:
        coverage: tuple[str | Path, ...] = ("--config", WEB / "c8.json", "--temp-directory", tmp_path)
        assert "All files" in run("c8", *coverage, *node)
