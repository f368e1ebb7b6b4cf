"""The key file: the keys that sign this server's own tokens, one a line.

A line is a key of 32 characters or more, with nothing behind it, `next`, or `until` and a time. One key signs: the
first with nothing behind it. All verify: one that is `next` will sign, and the others have signed; `until` ends that.

    6f1d…  the key that signs
    90ab…  next
    c3e2…  until 2027-01-31T12:00:00Z
"""

import contextlib
import fcntl
import hashlib
import math
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from ssechat.errors import SettingsError
from ssechat.settings import Settings

MIN_LENGTH = 32
"""Characters of a key."""

MAX_KEYS = 8
"""Keys of a file: a token of strangers is tried with each."""

KEPT_SECONDS = 30 * 86_400
"""Seconds for which a key stays in the file after its time: by it a server that was away knows how the keys went on."""

MAX_SIZE = 65_536
"""Bytes of a file."""

_LINE = re.compile(r"(?P<key>.*?)(?:\s+(?:(?P<next>next)|until\s+(?P<until>\S+)))?")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key of this server's own."""

    secret: str
    is_next: bool = False
    """Whether it only verifies so far, and will sign once all servers have it."""
    until: float = math.inf
    """Seconds since the epoch: from then on what it signed does not count."""

    @property
    def fingerprint(self) -> str:
        """A digest that identifies the key without revealing it."""
        return fingerprint(self.secret)

    @property
    def short(self) -> str:
        """The beginning of the fingerprint, for people."""
        return self.fingerprint[:12]

    @property
    def line(self) -> str:
        """The key as a line of the file."""
        end = " next" if self.is_next else "" if math.isinf(self.until) else f" until {time_text(self.until)}"
        return f"{self.secret}{end}\n"


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The keys of a file."""

    signing: SigningKey
    upcoming: tuple[SigningKey, ...] = ()
    former: tuple[SigningKey, ...] = ()

    @property
    def all(self) -> Sequence[SigningKey]:
        """All keys: first the one that signs."""
        return (self.signing, *self.upcoming, *self.former)

    def add(self) -> Self:
        """With a new key, which is next."""
        upcoming = (*self.upcoming, SigningKey(new_secret(), is_next=True))
        return replace(self, upcoming=upcoming, former=self.former[: MAX_KEYS - 1 - len(upcoming)])

    def advance(self, until: float) -> Self:
        """With the key that was next as the one that signs; what the former one signed counts until then."""
        first, *others = self.upcoming
        kept = tuple(key for key in self.former if key.until > time.time() - KEPT_SECONDS)
        former = (replace(self.signing, until=until), *kept)
        return replace(self, signing=replace(first, is_next=False), upcoming=tuple(others), former=former)

    @property
    def text(self) -> str:
        """The content of the file."""
        return "".join(key.line for key in self.all)


def key_path(settings: Settings) -> Path:
    """The path of the key that signs this server's own tokens."""
    return settings.key_file or settings.data / "jwt.key"


def new_secret() -> str:
    """A new key."""
    return secrets.token_hex(32)


def fingerprint(key: str) -> str:
    """A digest that identifies a key without revealing it."""
    return hashlib.sha256(b"ssechat key fingerprint " + key.encode()).hexdigest()


def time_text(seconds: float) -> str:
    """Seconds since the epoch as the file and people read it: `2027-01-31T12:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime(_TIME)


def create_key_file(path: Path) -> None:
    """Creates a key file (mode 0600) unless it exists.

    Raises:
        SettingsError: the file cannot be written.
    """
    try:
        if path.exists():  # the folder of an existing key may be read-only: a mounted secret
            return
        # A hard link, unlike a rename, never replaces an existing key; and no reader sees half a key.
        with _written(path, SigningKey(new_secret()).line) as temporary, contextlib.suppress(FileExistsError):
            path.hardlink_to(temporary)
    except OSError as error:
        raise SettingsError(f"cannot write the key file {path}: {error.strerror}") from error


def write_key_file(path: Path, keys: SigningKeys) -> None:
    """Replaces a key file; readers see the old or the new one, also after a power cut.

    Raises:
        SettingsError: the file cannot be written.
    """
    try:
        target = path.resolve(strict=True)  # a link stays one
        before = target.stat()
        with _written(target, keys.text) as temporary:
            if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                os.chown(temporary, before.st_uid, before.st_gid)  # else the server could not read it any more
            temporary.chmod(before.st_mode & 0o777)
            temporary.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise SettingsError(f"cannot write the key file {path}: {error.strerror}") from error


@contextlib.contextmanager
def locked_key_file(path: Path) -> Iterator[SigningKeys]:
    """The keys of a file that nobody else changes meanwhile.

    Raises:
        SettingsError: as `read_key_file`, or somebody else is changing the file.
    """
    keys = read_key_file(path)
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SettingsError(f"somebody else is changing the key file {path}: try again") from None
        if read_key_file(path) != keys or os.fstat(file.fileno()).st_ino != path.stat().st_ino:
            raise SettingsError(f"somebody else has just changed the key file {path}: try again")
        yield keys


@contextlib.contextmanager
def _written(path: Path, text: str) -> Iterator[Path]:
    """Writes a file beside `path`, and removes it at the end if it is still there."""
    # A random name: in containers that share the folder, every server may have the same process id.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_key_file(path: Path) -> SigningKeys:
    """Reads the keys.

    Raises:
        SettingsError: the file is missing or cannot be read, or a line is not a key.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SIZE + 1)
        if len(content) > MAX_SIZE:
            raise SettingsError(f"the key file {path} is too large: it has {MAX_KEYS} lines at most")
        text = content.decode("ascii")
    except FileNotFoundError:
        raise SettingsError(
            f"there is no key file {path}: start the server once (ssechat serve), or name its data folder with --data"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the key file {path}: {error}") from error
    return _parsed(text, path)


def _parsed(text: str, path: Path) -> SigningKeys:
    lines = {number: line.strip() for number, line in enumerate(text.splitlines(), 1) if line.strip()}
    keys = [_key(line, f"line {number} of {path}", alone=len(lines) == 1) for number, line in lines.items()]
    signing = next((key for key in keys if not key.is_next and math.isinf(key.until)), None)
    if not keys:
        raise SettingsError(f"the key in {path} is too short: a key has at least {MIN_LENGTH} characters")
    if signing is None:
        raise SettingsError(f"no key in {path} signs: one line must have a key with nothing behind it")
    if len(keys) > MAX_KEYS:
        raise SettingsError(f"{path} has {len(keys)} keys: {MAX_KEYS} are the most; take the oldest out")
    if len({key.secret for key in keys}) < len(keys):
        raise SettingsError(f"{path} has a key twice: take one of the two lines out")
    upcoming = tuple(key for key in keys if key.is_next)
    return SigningKeys(signing, upcoming, tuple(key for key in keys if key is not signing and not key.is_next))


def _key(line: str, where: str, *, alone: bool) -> SigningKey:
    found = _LINE.fullmatch(line)
    assert found is not None
    if not alone and re.search(r"\s", found["key"]):
        raise SettingsError(f"behind the key in {where} there may stand `next`, `until` and a time, or nothing")
    if len(found["key"]) < MIN_LENGTH:
        raise SettingsError(
            f"the key in {where} is too short: a key has at least {MIN_LENGTH} characters, and each line is a key"
        )
    until = math.inf
    if found["until"] is not None:
        try:
            until = datetime.strptime(found["until"], _TIME).replace(tzinfo=UTC).timestamp()
        except ValueError:
            raise SettingsError(
                f"the time in {where} is not one: behind `until` stands a time in UTC, such as 2027-01-31T12:00:00Z"
            ) from None
    return SigningKey(found["key"], found["next"] is not None, until)
