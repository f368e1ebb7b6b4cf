"""A file that keeps the id of the last event that was handled."""

import os
from pathlib import Path

from ssechat.errors import SettingsError
from ssechat.problem_details import shortened

# Characters of a last event id; a server's have half of that.
LONGEST_ID = 100


class Bookmark:
    """The file, which is replaced as a whole: whenever a program is killed, it has the new id or the one before."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._kept: str | None = None

    def read(self) -> str | None:
        """The id; None if there is none yet.

        Raises:
            SettingsError: the file has something else.
            OSError: it cannot be read.
        """
        try:
            with self._path.open(encoding="ascii", errors="replace") as file:
                text = file.read(LONGEST_ID + 2).strip()
        except FileNotFoundError:
            return None
        if not is_id(text):
            raise SettingsError(f"{self._path} has no id of an event, but {shortened(repr(text))}: is it the bookmark?")
        self._kept = text or None
        return self._kept

    def keep(self, id: str) -> None:
        """Writes the id.

        Raises:
            OSError: the file cannot be written.
        """
        if id == self._kept:
            return
        written = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        try:
            written.write_text(f"{id}\n", encoding="ascii")
            written.replace(self._path)
        except OSError:
            written.unlink(missing_ok=True)
            raise
        self._kept = id


def is_id(text: str) -> bool:
    """Whether a text can be a last event id, or is empty."""
    return len(text) <= LONGEST_ID and text.isascii() and text.isprintable() and " " not in text
