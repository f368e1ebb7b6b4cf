"""Which tests `bash tests/run --changed` chooses."""

import subprocess
from pathlib import Path

import pytest

import changed
from changed import NoSuchRef, changed_files, choose, imports, report

FILES = {
    "src/ssechat/__init__.py": "",
    "src/ssechat/ids.py": "",
    "src/ssechat/redis/__init__.py": "",
    "src/ssechat/redis/keys.py": "from ..ids import UserId\n",
    "src/ssechat/redis/send.lua": "",
    "src/ssechat/redis/sending.py": 'from . import keys\nSCRIPT = "send.lua"\n',
    "src/ssechat/server/supervisor.py": "import os\n",
    "src/ssechat/server/worker.py": "",
    "src/ssechat/web/store.js": "",
    "deploy/compose.yaml": "",
    "README.md": "",
    "pyproject.toml": "",
    "tests/conftest.py": "",
    "tests/run": "",
    "tests/serving.py": "def f():\n    import ssechat.redis.keys\n",
    "tests/test_ids.py": "from ssechat.ids import UserId\n",
    "tests/test_keys.py": "import ssechat.redis.keys\n",
    "tests/test_sending.py": "from ssechat.redis import sending\n",
    "tests/test_docs.py": 'README = ROOT / "README.md"\n',
    "tests/test_other.py": 'run(["podman", "run", "bash tests/run"])\n',
    "tests/test_deploy.py": 'COMPOSE = "deploy/compose.yaml"\n',
    "tests/test_supervisor.py": "from serving import Server\n",
    "tests/e2e/__init__.py": "",
    "tests/e2e/conftest.py": "from e2e.api import serve\n",
    "tests/e2e/api.py": "from serving import Server\n",
    "tests/e2e/test_workers.py": "",
    "tests/e2e/browser/__init__.py": "",
    "tests/e2e/browser/test_pages.py": "",
    "tests/deploy/test_stack.py": "",
}


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small repository with one commit."""
    for variable in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):  # git sets these for a hook
        monkeypatch.delenv(variable, raising=False)
    for path, text in FILES.items():
        write(tmp_path, path, text)
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path)
    return tmp_path


def git(top: Path, *arguments: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false", "-c", "core.hooksPath=")
    subprocess.run(["git", *who, *arguments], cwd=top, check=True, capture_output=True)


def commit(top: Path) -> None:
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "x")


def write(top: Path, path: str, text: str) -> None:
    (top / path).parent.mkdir(parents=True, exist_ok=True)
    (top / path).write_text(text)


def chosen(top: Path, *paths: str) -> set[str]:
    return {test.removeprefix("tests/") for test in choose(top, paths).tests}


def test_a_changed_test_file_is_chosen_and_a_deleted_one_is_not(top: Path) -> None:
    (top / "tests/test_ids.py").unlink()
    assert chosen(top, "tests/test_other.py", "tests/test_ids.py") == {"test_other.py"}


def test_tests_that_import_a_changed_module_are_chosen_directly_or_through_others(top: Path) -> None:
    assert chosen(top, "src/ssechat/redis/sending.py") == {"test_sending.py"}
    assert chosen(top, "src/ssechat/redis/keys.py") == {"test_keys.py", "test_sending.py"}
    assert chosen(top, "src/ssechat/ids.py") == {"test_ids.py", "test_keys.py", "test_sending.py"}
    choice = choose(top, ["src/ssechat/redis/keys.py"])
    assert choice.tests["tests/test_sending.py"] == "imports ssechat.redis.keys through ssechat.redis.sending"


def test_what_imported_a_deleted_module_is_chosen(top: Path) -> None:
    (top / "src/ssechat/redis/keys.py").unlink()
    assert chosen(top, "src/ssechat/redis/keys.py") == {"test_keys.py", "test_sending.py"}


def test_a_package_is_imported_with_each_module_in_it(top: Path) -> None:
    assert chosen(top, "src/ssechat/redis/__init__.py") == {"test_keys.py", "test_sending.py"}


def test_a_test_that_starts_servers_is_chosen_for_direct_imports_and_its_name_only(top: Path) -> None:
    assert "test_supervisor.py" not in chosen(top, "src/ssechat/redis/keys.py")
    assert chosen(top, "tests/serving.py") == {"test_supervisor.py"}
    assert chosen(top, "src/ssechat/server/supervisor.py") == {"test_supervisor.py"}
    assert chosen(top, "src/ssechat/server/worker.py") == {"e2e/test_workers.py"}
    choice = choose(top, ["src/ssechat/redis/keys.py"])
    assert choice.fast
    assert choice.notes == ["3 files that start whole servers are not chosen: `bash tests/run` runs them"]
    assert not choose(top, ["tests/serving.py"]).fast


def test_a_helper_of_most_tests_that_start_servers_does_not_make_all_of_them_run(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changed, "MAX_SLOW", 1)
    assert chosen(top, "tests/serving.py") == {"test_supervisor.py"}
    choice = choose(top, ["tests/e2e/api.py", "tests/e2e/test_workers.py"])
    assert choice.tests == {"tests/e2e/test_workers.py": "changed"}
    assert choice.notes == ["NOT RUN: 2 files that start whole servers and import e2e.api"]


def test_tests_may_use_fixtures_of_the_conftest_of_their_folder(top: Path) -> None:
    everything = {"e2e/test_workers.py", "e2e/browser/test_pages.py"}
    assert chosen(top, "tests/e2e/conftest.py") == chosen(top, "tests/e2e/api.py") == everything


def test_a_file_that_is_not_python_concerns_those_that_name_it(top: Path) -> None:
    assert chosen(top, "src/ssechat/redis/send.lua") == {"test_sending.py"}
    assert chosen(top, "README.md") == {"test_docs.py"}
    assert chosen(top, "tests/run") == {"test_other.py"}
    assert chosen(top, "LICENSE") == set()


def test_all_that_runs_javascript_is_chosen_when_some_changed(top: Path) -> None:
    assert chosen(top, "src/ssechat/web/store.js") == {"e2e/browser/test_pages.py"}


def test_the_stack_is_chosen_when_deploy_changed_and_this_machine_can_run_it(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changed, "STACK_NEEDS", ("sh",))
    assert chosen(top, "deploy/compose.yaml") == {"test_deploy.py", "deploy"}
    assert chosen(top, "tests/deploy/test_stack.py") == {"deploy"}
    assert not choose(top, ["deploy/compose.yaml"]).fast
    monkeypatch.setattr(changed, "STACK_NEEDS", ("sh", "there-is-no-such-program"))
    choice = choose(top, ["deploy/compose.yaml"])
    assert set(choice.tests) == {"tests/test_deploy.py"}
    [note] = choice.notes
    assert note == "NOT RUN: tests/deploy, though deploy/ changed: there is no there-is-no-such-program"


@pytest.mark.parametrize("path", ["pyproject.toml", "tests/conftest.py", "tests/constraints.txt"])
def test_what_all_tests_depend_on_means_the_whole_fast_run(top: Path, path: str) -> None:
    choice = choose(top, [path, "tests/test_ids.py", "tests/test_supervisor.py"])
    assert choice.tests == {
        "tests": f"{path} changed, which all tests depend on",
        "tests/test_supervisor.py": "changed",  # a fast run would skip it
    }


def test_what_a_module_imports_is_known_however_it_is_written() -> None:
    source = "import a.b as c\nfrom d import e\nfrom . import f\nfrom ..g import h\ndef i():\n    from j.k import l\n"
    found = imports(source, "p.q.r", is_package=False)
    assert found == {"a.b", "d", "d.e", "p.q", "p.q.f", "p.g", "p.g.h", "j.k", "j.k.l"}
    assert imports("from . import f", "p.q", is_package=True) == {"p.q", "p.q.f"}


def test_changes_are_those_since_the_last_commit_with_files_that_git_does_not_know(top: Path) -> None:
    write(top, "tests/test_ids.py", "x = 1\n")
    write(top, "tests/test_new.py", "")
    (top / "README.md").unlink()
    git(top, "add", "README.md")
    write(top, ".gitignore", "*.log\n")
    write(top, "x.log", "")
    assert changed_files(top, None) == ("HEAD", {"tests/test_ids.py", "tests/test_new.py", "README.md", ".gitignore"})


def test_without_changes_those_of_the_branch_count_and_on_main_the_last_commit(top: Path) -> None:
    write(top, "one.md", "")
    commit(top)
    assert changed_files(top, None) == ("HEAD~1", {"one.md"})
    git(top, "checkout", "-q", "-b", "branch")
    for path in ("two.md", "three.md"):
        write(top, path, "")
        commit(top)
    assert changed_files(top, None) == ("main", {"two.md", "three.md"})
    assert changed_files(top, "main~1") == ("main~1", {"one.md", "two.md", "three.md"})


def test_a_file_that_was_moved_changed_in_both_places(top: Path) -> None:
    git(top, "mv", "src/ssechat/redis/sending.py", "src/ssechat/sending.py")
    assert changed_files(top, None)[1] == {"src/ssechat/redis/sending.py", "src/ssechat/sending.py"}


@pytest.mark.parametrize("ref", ["nowhere", "--output=x", ""])
def test_a_ref_that_git_does_not_know_is_an_error(top: Path, ref: str) -> None:
    with pytest.raises(NoSuchRef):
        changed_files(top, ref)


def test_the_report_says_what_was_chosen_and_why(top: Path) -> None:
    files = ["src/ssechat/redis/keys.py"]
    assert list(report("HEAD", files, choose(top, files))) == [
        "compared with HEAD, 1 file differs",
        "tests/test_keys.py: imports ssechat.redis.keys",
        "tests/test_sending.py: imports ssechat.redis.keys through ssechat.redis.sending",
        "3 files that start whole servers are not chosen: `bash tests/run` runs them",
    ]
    assert list(report("HEAD~1", ["LICENSE"], choose(top, ["LICENSE"])))[1:] == ["no test concerns them"]
