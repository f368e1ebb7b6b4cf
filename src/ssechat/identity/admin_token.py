"""The admin token: a secret in a file, by which a program administers what belongs to no user."""

import hmac
import re
from hashlib import sha256
from pathlib import Path

from ssechat.errors import SettingsError

MIN_LENGTH = 16
"""Characters of the token."""

MAX_LENGTH = 512

_TOKEN = re.compile(r"[\x21-\x7e]*").fullmatch


class AdminToken:
    """Knows the token when it is sent."""

    def __init__(self, token: str | None) -> None:
        """None: there is none, and nothing is it."""
        self._digest = None if token is None else _digest(token)

    @classmethod
    def from_file(cls, path: Path | None) -> "AdminToken":
        """The token in this file; None: there is none.

        Raises:
            SettingsError: it cannot be read, or has no token.
        """
        return cls(None if path is None else read_admin_token(path))

    def is_(self, token: str | None) -> bool:
        """Whether this is the admin token. It takes as long for any other one."""
        if self._digest is None or token is None:
            return False
        return hmac.compare_digest(self._digest, _digest(token))


def read_admin_token(path: Path) -> str:
    """The token in a file: one line, white space around it does not count.

    Raises:
        SettingsError: it cannot be read, or has no token.
    """
    try:
        with path.open("rb") as file:
            token = file.read(4 * MAX_LENGTH).decode("ascii", "replace").strip()
    except OSError as error:
        raise SettingsError(f"--admin-token-file: cannot read {path}: {error.strerror}") from None
    if not _TOKEN(token) or len(token) > MAX_LENGTH:
        raise SettingsError(
            f"--admin-token-file: {path} has no token: one line of printable ASCII without spaces, "
            f"{MAX_LENGTH} characters at most; make one with `openssl rand -hex 32`"
        )
    if len(token) < MIN_LENGTH:
        raise SettingsError(
            f"--admin-token-file: the token in {path} is too short: it has at least {MIN_LENGTH} characters; make one "
            "with `openssl rand -hex 32`"
        )
    return token


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
