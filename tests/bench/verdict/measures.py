"""The measurements over the line: sends, and the hard cases."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import BenchError
from ..progress import Progress
from . import scenes
from .line import Line
from .scenes import Handshakes, Scene
from .stacks import OURS, STACKS, Stack
from .wire import Conditions

LINES = (Conditions(30), Conditions(100, 0.01))
PAIRS = 10
SENDS_A_SECOND = 100.0
TYPING = 30.0
"""Messages a second each way of two people who type into one document."""
TICKS = 60.0
PLAYERS = 8
HANDSHAKES = 40
FULL_SECONDS = 6.0
"""Seconds of each measurement, unless it shall be shorter."""
PATIENCE = 60.0
"""Seconds more than it should take."""

SENDERS = tuple(key for key in STACKS if key != "socketio-streams")
HARD = ("http1", "nginx-http2", "websocket", "websocket-nginx", "socketio-streams", "polling")
"""Their hard cases are measured: ours with and without a front, and what people would take instead."""


@dataclass(frozen=True, slots=True)
class Spans:
    """How long things take, in seconds."""

    scene: float
    before: float
    away: float
    """How long the line is cut in the hard case of two people who type."""
    offline: float
    """How long somebody is offline before the burst."""

    @classmethod
    def of(cls, seconds: float) -> "Spans":
        """As fits measurements of so many seconds; the burst comes after 10 if they are the full ones."""
        share = min(1.0, seconds / FULL_SECONDS)
        return cls(seconds, share, 2 * share, 10 * share)


@dataclass(frozen=True, slots=True)
class Result:
    """One scene with one server, over one line."""

    key: str
    name: str
    line: str
    scene: Scene
    caught_up_ms: float = 0.0
    """After an outage: milliseconds from when the line was there again until nothing of before was missing."""


@dataclass(slots=True)
class LineFigures:
    """All that was measured over the line."""

    real: bool
    """Whether it was a line between namespaces, and not the proxy."""
    note: str
    handshakes: dict[str, Handshakes] = field(default_factory=dict)
    """By the line's name."""
    sends: list[Result] = field(default_factory=list)
    typing: list[Result] = field(default_factory=list)
    ticks: list[Result] = field(default_factory=list)
    cut: list[Result] = field(default_factory=list)
    burst: list[Result] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether ssechat lost and doubled nothing."""
        groups = (self.sends, self.typing, self.ticks, self.cut, self.burst)
        return not any(
            each.scene.lost or each.scene.doubled or each.scene.refused
            for group in groups
            for each in group
            if each.key in OURS
        )


def measure_line(
    seconds: float, parts: Sequence[str], only: Sequence[str], progress: Progress, *, real: bool | None = None
) -> LineFigures:
    """Measures sends and hard cases, those that are in `parts`, of the servers in `only` (all, if it is empty).

    Raises:
        BenchError: there is no line, or ssechat could not be measured. What befalls another server is noted.
    """
    spans = Spans.of(seconds)
    with Line(real=real) as line:
        figures = LineFigures(line.real, line.note)
        for key, stack in STACKS.items():
            wanted = [part for part, keys in (("sends", SENDERS), ("hard", HARD)) if part in parts and key in keys]
            if not wanted or (only and key not in only):
                continue
            if stack.absent:
                figures.absent.append(stack.absent)
                continue
            try:
                if "sends" in wanted:
                    _sends(line, stack, spans, figures, progress)
                if "hard" in wanted:
                    _hard(line, stack, spans, figures, progress)
            except (BenchError, OSError) as error:
                if key == "http1":
                    raise
                figures.absent.append(f"{stack.name}: could not be measured: {error}")
    return figures


def _sends(line: Line, stack: Stack, spans: Spans, figures: LineFigures, progress: Progress) -> None:
    for conditions in LINES:
        progress.show(f"sends, {conditions.name}: {stack.name}")
        line.set(Conditions(0))
        with stack.start(line, 2 * PAIRS) as spec:
            line.set(conditions)
            if stack.key == "careless-tls":
                plain = spec.address
                figures.handshakes[conditions.name] = line.run(
                    PATIENCE + HANDSHAKES, scenes.handshakes, plain, spec, HANDSHAKES
                )
            scene = line.run(spans.scene + PATIENCE, scenes.pairs, spec, PAIRS, SENDS_A_SECOND, spans.scene)
        figures.sends.append(Result(stack.key, stack.name, conditions.name, scene))


def _hard(line: Line, stack: Stack, spans: Spans, figures: LineFigures, progress: Progress) -> None:
    for number, conditions in enumerate(LINES):
        progress.show(f"hard cases, {conditions.name}: {stack.name}")
        line.set(Conditions(0))
        with stack.start(line, PLAYERS + 1) as spec:
            line.set(conditions)

            def result(scene: Scene, caught_up: float = 0.0, at: str = conditions.name) -> Result:
                return Result(stack.key, stack.name, at, scene, caught_up)

            limit = spans.scene + spans.offline + PATIENCE
            scene = line.run(limit, scenes.pairs, spec, 1, 2 * TYPING, spans.scene)
            figures.typing.append(result(scene))
            scene = line.run(limit, scenes.ticks, spec, PLAYERS, TICKS, spans.scene)
            figures.ticks.append(result(scene))
            if number:
                continue
            times = (spans.before, spans.away, spans.before)
            figures.cut.append(result(*line.run(limit, scenes.outage, spec, TYPING, *times, True)))
            times = (spans.before, spans.offline, spans.before)
            figures.burst.append(result(*line.run(limit, scenes.outage, spec, TYPING, *times, False)))
