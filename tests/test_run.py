"""The options of `bash tests/run`, and the exact versions that it installs."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from serving import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PREPARE = re.findall(r"^prepare=(\S+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)[0]
"""The script beside the repository that makes replacements for images, if it exists."""

CHECKS = ("ruff check", "ruff format", "mypy", "lint-imports")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs tests/run with arguments for which it installs and tests nothing."""
    return subprocess.run(["bash", ROOT / "tests" / "run", *arguments], capture_output=True, text=True, timeout=20)


def exact(path: str) -> dict[str, str]:
    """The packages of a lock or constraints file, with their versions."""
    pins = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / path).read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_option(option: str) -> None:
    said = run(option)
    assert (said.returncode, said.stderr) == (0, "")
    script = (ROOT / "tests" / "run").read_text()
    options = set(re.findall(r"^  (--[a-z-]+)", script.partition('\ncase "${1:-}"')[2], re.MULTILINE))
    assert {"--fast", "--changed", "--stack", "--check", "--install-hooks", "--help"} <= options
    assert all(re.search(rf"^  {known}\b", said.stdout, re.MULTILINE) for known in options)
    for variable in ("PYTHON", "SSECHAT_BUILD_ARGS"):
        assert variable in said.stdout


@pytest.mark.parametrize("option", ["--fats", "-k"])
def test_an_option_that_there_is_not_is_an_error_that_says_how_pytest_gets_its_own(option: str) -> None:
    said = run(option, "x")
    assert said.returncode == 2
    assert (
        f"there is no option {option}; options for pytest follow --, as in: bash tests/run -- {option} x" in said.stderr
    )
    assert "Usage:" in said.stderr


def test_the_constraints_have_an_exact_version_of_all_that_is_asked_for() -> None:
    versions = exact("tests/constraints.txt")
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["test"], "pip"]
    for requirement in map(Requirement, [*asked, *PROJECT["build-system"]["requires"]]):
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement}: {version} is pinned (deploy/renew-locks)"


def test_the_tests_run_with_the_versions_that_the_image_has() -> None:
    versions = exact("tests/constraints.txt")
    for lock in ("deploy/requirements.lock", "deploy/build.lock"):
        for name, version in exact(lock).items():
            assert versions[name] == version, f"{name}: renew both with deploy/renew-locks"


def test_hooks_check_what_ci_checks_with_the_programs_of_the_environment() -> None:
    hooks = (ROOT / "tests" / "pre-commit.yaml").read_text()
    script = (ROOT / "tests" / "run").read_text()
    for check in CHECKS:
        assert f"entry: .venv/bin/{check}" in hooks
        assert f".venv/bin/{check}" in script
    assert "repo: local" in hooks
    assert "https://" not in hooks  # nothing has versions of its own


def pretend(program: Path, code: int = 0) -> None:
    """Makes a program that says how it was run, and ends with this exit code."""
    program.parent.mkdir(parents=True, exist_ok=True)
    said = "ran ${0##*/} $* with ${CHAT_REDIS_IMAGE:-the own images}"
    program.write_text(f'#!/usr/bin/env bash\necho "{said}"\nexit {code}\n')
    program.chmod(0o755)


@pytest.fixture
def checked(tmp_path: Path) -> Path:
    """A repository with tests/run, whose environment is made and whose checks pass."""
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "run", tmp_path / "tests" / "run")
    for program in ("pip", "ruff", "mypy", "lint-imports"):
        pretend(tmp_path / ".venv" / "bin" / program)
    made_for = ""
    for name in ("pyproject.toml", "tests/constraints.txt"):
        (tmp_path / name).write_text(f"# {name}\n")
        made_for += f"# {name}\n"
    (tmp_path / ".venv" / ".made-for").write_text(made_for)
    return tmp_path


def check(top: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the checks of a repository."""
    command = ["bash", str(top / "tests" / "run"), "--check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=20)


def test_the_checks_run_all_and_no_test(checked: Path) -> None:
    said = check(checked)
    assert (said.returncode, said.stderr) == (0, "")
    assert re.findall(r"ran (.*) with", said.stdout) == [
        "ruff check .", "ruff format --check .", "mypy ", "lint-imports --no-cache",
    ]  # fmt: skip


def test_a_check_that_objects_stops_no_other_and_is_named_at_the_end(checked: Path) -> None:
    pretend(checked / ".venv" / "bin" / "ruff", code=1)
    said = check(checked)
    assert said.returncode == 1
    assert said.stdout.count("ran ") == len(CHECKS)
    assert said.stderr == ("[tests/run] FAILED: ruff check, ruff format (`.venv/bin/ruff format .` applies it)\n")


def test_the_checks_take_no_arguments(checked: Path) -> None:
    said = check(checked, "src")
    assert (said.returncode, said.stdout) == (2, "")
    assert "--check takes no arguments: it checks everything" in said.stderr


def test_what_is_compiled_is_kept_though_the_machine_does_not_keep_it(
    checked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checked / ".venv" / "bin" / "mypy").write_text(
        '#!/usr/bin/env bash\necho "keeps ${PYTHONDONTWRITEBYTECODE-all}"\n'
    )
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "keeps all\n" in check(checked).stdout


COVERAGE = """#!/usr/bin/env bash
echo "coverage $*"
case "$*" in
  *"-m not alone") exit "$FIRST" ;;
  *"-m alone") exit "$SECOND" ;;
esac
"""


NODE = re.findall(r"^  node_packages (\S+)$", (ROOT / "tests" / "run").read_text(), re.MULTILINE)


def everything(top: Path, first: int = 0, second: int = 0) -> tuple[int, list[str]]:
    """Runs all tests of a repository, the two parts of which end with these codes; returns its own, and what ran."""
    known = re.findall(r"^ALL=\((.*?)\)", (ROOT / "tests" / "run").read_text(), re.MULTILINE | re.DOTALL)[0]
    for program in re.findall(r"(\S+)=", known):
        pretend(top / "programs" / program)
    pretend(top / ".venv" / "bin" / "python")
    for folder in NODE:
        for name in ("package-lock.json", "node_modules/.made-for"):
            (top / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (top / folder / name).write_text("")
    (top / ".venv" / "bin" / "coverage").write_text(COVERAGE)
    (top / ".venv" / "bin" / "coverage").chmod(0o755)
    codes = {"FIRST": str(first), "SECOND": str(second)}
    said = subprocess.run(
        ["bash", str(top / "tests" / "run")], capture_output=True, text=True, timeout=20,
        env={**os.environ, **codes, "PATH": f"{top / 'programs'}:{os.environ['PATH']}"},
    )  # fmt: skip
    lines = re.findall(r"^(?:coverage|ran python) (.*?)(?: with .*)?$", said.stdout, re.MULTILINE)
    ran = [re.sub(r"-n .*(?=-m)", "… ", line) for line in lines if not line.startswith("--version")]
    return said.returncode, ran


TESTS = ["run -m pytest … -m not alone", "run -m pytest -m alone"]


def test_everything_is_run_side_by_side_but_for_what_must_be_alone_and_then_covered(checked: Path) -> None:
    assert everything(checked) == (0, ["erase", *TESTS, "combine -q", "report", "-m tests.contract .seen"])


@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (1, 1)])
def test_a_test_that_fails_keeps_no_other_from_running_and_fails_the_run(checked: Path, codes: tuple[int, int]) -> None:
    assert everything(checked, *codes) == (1, ["erase", *TESTS])


@pytest.mark.parametrize("code", [2, 3])
def test_an_interrupted_or_broken_run_runs_no_more(checked: Path, code: int) -> None:
    assert everything(checked, code) == (code, ["erase", TESTS[0]])


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A folder with a repository in which every check passes, with .ci/run, on a machine without podman."""
    top = tmp_path / "top"
    tools = [tmp_path / "programs" / "bash", tmp_path / "programs" / "dirname"]
    for tool in tools:
        tool.parent.mkdir(exist_ok=True)
        tool.symlink_to(str(shutil.which(tool.name)))
    pretend(top / "tests" / "run")
    (top / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", top / ".ci" / "run")
    return tmp_path


def ci(beside: Path, *programs: str) -> subprocess.CompletedProcess[str]:
    """Runs .ci/run there, with these additional programs."""
    for program in programs:
        (beside / "programs" / program).symlink_to("/bin/true")
    return subprocess.run(
        ["bash", beside / "top" / ".ci" / "run"],
        env={"PATH": str(beside / "programs")}, capture_output=True, text=True, timeout=20,
    )  # fmt: skip


def test_ci_without_containers_checks_all_else_and_fails_with_a_sentence(beside: Path) -> None:
    said = ci(beside)
    assert said.returncode == 1
    assert re.findall(r"ran (.*) with", said.stdout) == ["run --check", "run "]
    assert "FAILED: everything else passed, but deploy/ was not tried, for there is no podman" in said.stderr


def test_ci_runs_no_test_of_code_that_a_check_objects_to(beside: Path) -> None:
    pretend(beside / "top" / "tests" / "run", code=1)
    said = ci(beside, "podman", "podman-compose", "curl")
    assert said.returncode == 1
    assert re.findall(r"ran (.*) with", said.stdout) == ["run --check"]


def test_ci_needs_nothing_beside_the_repository(beside: Path) -> None:
    said = ci(beside, "podman", "podman-compose", "curl")
    assert said.returncode == 0, said.stderr
    assert "ran run --stack with the own images\nall checks passed\n" in said.stdout
    assert f"there is no {PREPARE}: the stack runs on the images that deploy/ pins" in said.stderr


def test_ci_says_that_it_uses_stand_ins_for_images(beside: Path) -> None:
    prepare = beside / "top" / PREPARE
    prepare.parent.mkdir(parents=True)
    prepare.write_text(
        f"#!{shutil.which('bash')}\n"
        "case ${1:-} in --list) echo docker.io/library/redis:7-bookworm docker.io/library/nginx:1 ;;"
        " --build-args) echo --network host ;; esac\n"
    )
    prepare.chmod(0o755)
    said = ci(beside, "podman", "podman-compose", "curl")
    assert said.returncode == 0, said.stderr
    assert "ran run --stack with docker.io/library/redis:7-bookworm\n" in said.stdout
    assert f"{PREPARE} is there: the stack runs on the stand-ins" in said.stderr


def test_every_script_is_one_that_bash_reads() -> None:
    for script in ("tests/run", ".ci/run", "deploy/roll", "deploy/renew-locks"):
        read = subprocess.run(["bash", "-n", ROOT / script], capture_output=True, text=True)
        assert read.returncode == 0, read.stderr
