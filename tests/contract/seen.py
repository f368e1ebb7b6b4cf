"""What tests saw of the contract: one line each, kept in a file a process, read together at the end."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

FOLDER = "CONTRACT_SEEN"
"""The variable with the folder that processes write to what they saw; without it nothing is kept."""


class Seen:
    """What one process saw."""

    def __init__(self) -> None:
        self.lines: set[str] = set()

    def answer(self, operation: str, status: int, code: str = "") -> None:
        """`operation` is an `operationId`; "" before one is known."""
        self.lines.add(answer_line(operation, status, code))

    def event(self, name: str, reason: str = "") -> None:
        """`reason` is the one that its data gives."""
        self.lines.add(event_line(name, reason))

    def keep(self) -> None:
        """Writes it into the folder, if there is one: several processes may do so at once."""
        folder = os.environ.get(FOLDER)
        if folder and self.lines:
            Path(folder).mkdir(parents=True, exist_ok=True)
            name = f"{os.getpid()}-{secrets.token_hex(4)}.txt"
            (Path(folder) / name).write_text("".join(f"{line}\n" for line in sorted(self.lines)))


def answer_line(operation: str, status: int, code: str = "") -> str:
    """`send_message 422 invalid_request`, `send_message 201`; `- 400 malformed` before an operation is known."""
    return f"{operation or '-'} {status} {code}".rstrip()


def event_line(name: str, reason: str = "") -> str:
    """`event ping`, `event bye drain`."""
    return f"event {name} {reason}".rstrip()


def read(folder: Path) -> set[str]:
    """What all processes saw."""
    return {line for path in folder.glob("*.txt") for line in path.read_text().splitlines()}


def promised(answers: Iterable[tuple[str, int, str]], events: Iterable[tuple[str, str]]) -> set[str]:
    """What there is to see, as lines."""
    return {answer_line(*each) for each in answers} | {event_line(*each) for each in events}
