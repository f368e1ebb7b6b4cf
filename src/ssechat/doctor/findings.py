"""What a check has found, and what is to be changed."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """People can chat, but something is worse than it need be."""
    WRONG = "wrong"
    SKIPPED = "skipped"
    """It was not looked at; the finding says why, and how it can be."""


FRONTS = {"nginx": "nginx", "haproxy": "HAProxy", "caddy": "Caddy"}
"""The fronts whose configuration is known line by line, and how they are written."""


VALUES = {
    '"${FRONT_SECONDS}s"': "75s",
    "${FRONT_SECONDS}": "75",
    "{$FRONT_SECONDS:75}": "75",
    "${FRONT_ADDRESS}:${FRONT_PORT}": "443",
    "{$FRONT_TLS:internal}": "internal",
}
"""Values of the variables in the configurations."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a front's configuration."""

    front: str
    """A key of `FRONTS`."""
    text: str
    remove: bool = False
    """Whether the line is what must go."""
    where: str = ""
    """The place of the line, such as a block."""

    @property
    def name(self) -> str:
        """The front, as it is written."""
        return FRONTS[self.front]

    @property
    def shown(self) -> str:
        """The line with values in place of what deploy/fronts reads from the environment."""
        text = self.text
        for variable, value in VALUES.items():
            text = text.replace(variable, value)
        return text

    def said(self) -> str:
        """The line as it is shown to a person."""
        where = f"  ({self.where})" if self.where else ""
        return f"{'without ' if self.remove else ''}{self.shown}{where}"


@dataclass(frozen=True, slots=True)
class Advice:
    """What a fault means for people, and what to change."""

    means: str
    change: str
    """In words, for any front."""
    lines: tuple[Line, ...] = ()

    def lines_for(self, front: str | None) -> tuple[Line, ...]:
        """The lines for this front; those of all fronts if it is not known."""
        return tuple(line for line in self.lines if front not in FRONTS or line.front == front)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check."""

    check: str
    verdict: Verdict
    said: str
    advice: Advice | None = None
    """What to do, if something is not well."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Numbers behind the sentence, for machines."""
