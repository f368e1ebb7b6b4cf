"""Chooses the tests that concern the changed files: `bash tests/run --changed [REF]` runs them.

A test file is chosen if it changed, if it imports a changed module, directly or indirectly (see `Tree.importers`), if
it is named like one, or if it names a changed file that is not Python.
"""

import ast
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from conftest import SLOW

EVERYTHING = {"pyproject.toml", "tests/conftest.py", "tests/constraints.txt"}
"""Files that all tests depend on: if one of these changed, the whole fast run is chosen."""

PAGE = {".js", ".mjs", ".html", ".css", ".svg"}
JAVASCRIPT = re.compile(r"(^|[/_])(js|javascript|browser|clients)([/_.]|$)")
"""Matches the paths of tests that run JavaScript."""

STACK = "tests/deploy"
STACK_NEEDS = ("podman", "podman-compose")

MAX_SLOW = 8
"""Upper bound of the slow files chosen for one module; if more import it, none is: all take a quarter of an hour."""

SOURCES = ("src", "tests")
"""The folders of the Python modules."""


@dataclass
class Choice:
    """The chosen test files or folders, each with its reason; and notes."""

    tests: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, test: str, reason: str) -> None:
        """Chooses a test, unless it is chosen already."""
        self.tests.setdefault(test, reason)

    @property
    def fast(self) -> bool:
        """Whether none of the tests starts servers of several processes, or browsers."""
        return not any(is_slow(test) for test in self.tests)


def is_slow(test: str) -> bool:
    """Whether `--fast` skips this test file or folder."""
    return test == STACK or not set(SLOW).isdisjoint(PurePosixPath(test).parts)


class Tree:
    """The files of a repository, and the imports between its modules."""

    def __init__(self, top: Path) -> None:
        self.top = top

    @cached_property
    def modules(self) -> dict[str, str]:
        """The file of each module, by its dotted name."""
        found = {}
        for source in SOURCES:
            for path in sorted((self.top / source).rglob("*.py")):
                found[module_of(path.relative_to(self.top).as_posix())] = path.relative_to(self.top).as_posix()
        return found

    @cached_property
    def tests(self) -> list[str]:
        """The files that pytest collects, without those of the stack, which need containers."""
        return [
            path
            for path in self.modules.values()
            if PurePosixPath(path).name.startswith("test_") and not path.startswith(f"{STACK}/")
        ]

    @cached_property
    def _imported_by(self) -> dict[str, set[str]]:
        imported = {
            name: imports((self.top / path).read_text(), name, is_package=path.endswith("__init__.py"))
            for name, path in self.modules.items()
        }
        found = defaultdict(set)
        for name in imported:
            # Tests use the fixtures of a conftest.py without an import; the topmost conftest.py is also imported for
            # its types.
            fixtures = [f"{folder}.conftest" for folder in parents(name)]
            for used in imported[name].union(*(imported.get(conftest, set()) for conftest in fixtures)):
                for module in (used, *parents(used)):
                    found[module].add(name)
        return found

    def importers(self, module: str) -> dict[str, str]:
        """The test files that import a module, directly or indirectly, each with the last module on the way.

        A slow file counts only if it imports the module itself: it starts servers, which import everything.
        """
        found: dict[str, str] = {}
        seen, todo = {module}, [module]
        while todo:
            current = todo.pop(0)
            for name in sorted(self._imported_by[current] - seen):
                path = self.modules[name]
                if path in self.tests and (current == module or not is_slow(path)):
                    found[path] = current
                seen.add(name)
                todo.append(name)
        return found

    def namesakes(self, module: str) -> Iterator[str]:
        """The tests named like a module, or like its folder."""
        names = {part.rstrip("s") for part in module.split(".")[1:][-2:]}
        for path in self.tests:
            if PurePosixPath(path).stem.removeprefix("test_").rstrip("s") in names:
                yield path

    def mentions(self, path: str) -> Iterator[str]:
        """The Python files with a string that ends in this file's name (in its path, if the name has no dot)."""
        name = PurePosixPath(path).name
        ending = re.compile(rf"""(?<![\w.-]){re.escape(name if "." in name else path)}["']""")
        for path in self.modules.values():
            if ending.search((self.top / path).read_text()):
                yield path


def module_of(path: str) -> str:
    """The dotted name under which a file in `src` or `tests` is imported."""
    parts = PurePosixPath(path).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def parents(module: str) -> list[str]:
    """The packages around a module."""
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def imports(source: str, module: str, *, is_package: bool) -> set[str]:
    """The dotted names that a module's source imports; for `from a import b` both a and a.b, as b may be a module."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found


def choose(top: Path, changed: Iterable[str]) -> Choice:
    """Chooses the tests that concern the changed files, some of which may be deleted."""
    tree, choice = Tree(top), Choice()
    for path in sorted(changed):
        if path in EVERYTHING:
            choice.add("tests", f"{path} changed, which all tests depend on")
    for path in sorted(changed):
        _choose_for(tree, choice, path)
    if any(path.startswith(("deploy/", f"{STACK}/")) for path in changed):
        if missing := [program for program in STACK_NEEDS if shutil.which(program) is None]:
            choice.notes.append(f"NOT RUN: {STACK}, though deploy/ changed: there is no {' and no '.join(missing)}")
        else:
            choice.add(STACK, "deploy/ changed")
    if choice.tests and any(path.startswith("src/ssechat/") for path in changed):
        left_out = sum(is_slow(test) and test not in choice.tests for test in tree.tests)
        choice.notes.append(f"{left_out} files that start whole servers are not chosen: `bash tests/run` runs them")
    if "tests" in choice.tests:  # the files in a chosen folder are dropped, except those that a fast run skips
        choice.tests = {test: why for test, why in choice.tests.items() if test == "tests" or is_slow(test)}
    return choice


def _choose_for(tree: Tree, choice: Choice, path: str) -> None:
    suffix, is_module = PurePosixPath(path).suffix, path.endswith(".py") and path.startswith(SOURCES)
    if path in tree.tests:
        choice.add(path, "changed")
    if is_module:
        _choose_importers(tree, choice, module_of(path), "")
        if path.startswith("src/"):
            for test in tree.namesakes(module_of(path)):
                choice.add(test, f"is named like {path}")
        if PurePosixPath(path).name == "conftest.py" and path not in EVERYTHING:
            for test in tree.tests:
                if PurePosixPath(test).is_relative_to(PurePosixPath(path).parent):
                    choice.add(test, f"may use fixtures of {path}")
        return
    if path in EVERYTHING:
        return
    if suffix in PAGE:
        for test in tree.tests:
            if JAVASCRIPT.search(test):
                choice.add(test, f"runs JavaScript, and {path} changed")
    for mentioning in tree.mentions(path):
        if mentioning in tree.tests:
            choice.add(mentioning, f"names {path}")
        _choose_importers(tree, choice, module_of(mentioning), f", which names {path}")


def _choose_importers(tree: Tree, choice: Choice, module: str, more: str) -> None:
    importers = tree.importers(module)
    slow = [test for test in importers if is_slow(test)]
    if len(slow) > MAX_SLOW:
        choice.notes.append(f"NOT RUN: {len(slow)} files that start whole servers and import {module}")
        importers = {test: last for test, last in importers.items() if test not in slow}
    for test, last in importers.items():
        through = "" if last == module else f" through {last}"
        choice.add(test, f"imports {module}{through}{more}")


class NoSuchRef(Exception):
    """Git does not know the commit; the text is Git's message."""


def git(top: Path, *arguments: str) -> str:
    """Runs git and returns its output.

    Raises:
        NoSuchRef: git failed.
    """
    done = subprocess.run(["git", *arguments], cwd=top, capture_output=True, text=True)
    if done.returncode:
        raise NoSuchRef(done.stderr.strip())
    return done.stdout


def changed_files(top: Path, ref: str | None) -> tuple[str, set[str]]:
    """Returns the name of the compared commit, and the files that differ from it, untracked ones included.

    Without a ref it is the last commit; if nothing differs from it, the merge base with `main`, or on `main` the
    previous commit.

    Raises:
        NoSuchRef: git does not know the ref, or this is no repository.
    """
    if ref is not None:
        git(top, "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}")
        return ref, _differing(top, ref)
    if found := _differing(top, "HEAD"):
        return "HEAD", found
    try:
        base = git(top, "merge-base", "HEAD", "main").strip()
        if base != git(top, "rev-parse", "HEAD").strip():
            return "main", _differing(top, base)
    except NoSuchRef:  # `main` does not exist
        pass
    return "HEAD~1", _differing(top, "HEAD~1")


def _differing(top: Path, ref: str) -> set[str]:
    # Without rename detection: the old path concerns the modules that imported it.
    tracked = git(top, "diff", "--name-only", "--no-renames", "-z", ref, "--")
    new = git(top, "ls-files", "--others", "--exclude-standard", "-z")
    return set(filter(None, (tracked + new).split("\0")))


def report(compared: str, changed: Sequence[str], choice: Choice) -> Iterator[str]:
    """The lines of the report: the chosen tests and their reasons, grouped by reason."""
    yield f"compared with {compared}, {len(changed)} {'file differs' if len(changed) == 1 else 'files differ'}"
    because = defaultdict(list)
    for test, reason in choice.tests.items():
        because[reason].append(test)
    for reason, tests in because.items():
        yield f"{' '.join(tests)}: {reason}"
    if not choice.tests:
        yield "no test concerns them"
    yield from choice.notes


def main(arguments: Sequence[str]) -> int:
    """Prints `fast` or `slow`, then the chosen tests, one a line, for tests/run. Prints the reasons on stderr."""
    top = Path(__file__).parent.parent
    try:
        compared, changed = changed_files(top, arguments[0] if arguments else None)
    except NoSuchRef as error:
        print(f"[tests/run] cannot find the changed files: {error}", file=sys.stderr)
        return 2
    choice = choose(top, changed)
    for line in report(compared, sorted(changed), choice):
        print(f"[tests/run] {line}", file=sys.stderr)
    print("fast" if choice.fast else "slow", *choice.tests, sep="\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
