"""What a run is to do, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .faults import KINDS
from .history import History
from .violation import Violation

SETTLE_SECONDS = 75.0
"""Seconds in which a quiet stream must find a silent loss, with a margin."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a run."""

    seed: int = 1
    seconds: float = 30.0
    writers: int = 6
    people: int = 5
    workers: int = 2
    faults: Sequence[str] = KINDS
    mutation: str = ""
    newcomer_rounds: int = 8
    last_word_rounds: int = 2
    groups: int = 5
    """Groups in the first phase, each with a keeper; 0: none in the other phases either."""
    settle_seconds: float = SETTLE_SECONDS


@dataclass(slots=True)
class Result:
    """The result of a run."""

    options: Options
    history: History
    violations: list[Violation] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)
    level_after: float | None = None
    """Seconds from the end of the last fault of the first phase until all devices were level; None: never."""
    skipped: int = 0
    """Faults that found no target."""
