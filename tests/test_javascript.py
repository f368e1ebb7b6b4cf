"""The page's JavaScript: its types, its form, and its unit tests under Node with their coverage."""

import os
import subprocess
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
