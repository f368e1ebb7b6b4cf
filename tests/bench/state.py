"""What state costs: marks, typing, and presence."""

from dataclasses import dataclass

from .progress import Progress
from .state_acts import ActsFigures, measure_acts
from .state_presence import PresenceFigures, PresenceOptions, Told, measure_presence
from .tables import shown_complaints, shown_latency, table


@dataclass(frozen=True, slots=True)
class StateOptions:
    """Options of the measurement."""

    people: int
    """Who write to each other, two and two."""
    rounds: int
    """How often each does each act."""
    presence: PresenceOptions


@dataclass(frozen=True, slots=True)
class StateFigures:
    """The figures."""

    acts: ActsFigures
    presence: PresenceFigures

    @property
    def good(self) -> bool:
        """Whether everybody was told what there was to tell, and nothing else."""
        return self.acts.good and self.presence.good


def measure_state(options: StateOptions, progress: Progress) -> StateFigures:
    """Measures all, each with a new server.

    Raises:
        BenchError: the measurement failed.
    """
    connections, workers = options.presence.connections, options.presence.workers
    return StateFigures(
        measure_acts(options.people - options.people % 2, options.rounds, connections, workers, progress),
        measure_presence(options.presence, progress),
    )


def state_report(figures: StateFigures) -> str:
    """Both tables."""
    return "\n\n".join([_acts_report(figures.acts), _presence_report(figures.presence)])


def _acts_report(figures: ActsFigures) -> str:
    acts = figures.acts
    base = acts[0].microseconds_each.server
    rows = [
        ["State", *(act.name for act in acts)],
        ["people, each with a stream", *(f"{figures.people:,}" for _ in acts)],
        ["worker processes", *(str(figures.workers) for _ in acts)],
        ["requests", *(f"{act.requests:,}" for act in acts)],
        ["to answer, ms: p50 · p95 · p99", *(shown_latency(act.to_answer) for act in acts)],
        ["CPU per request, µs: server and Redis", *(f"{act.microseconds_each.server:,.0f}" for act in acts)],
        ["    workers", *(f"{act.microseconds_each.workers:,.0f}" for act in acts)],
        ["    Redis", *(f"{act.microseconds_each.redis:,.0f}" for act in acts)],
        [
            "    times that of a message",
            *(f"{act.microseconds_each.server / base:.2f}" if base else "-" for act in acts),
        ],
        ["events that streams got", *(f"{act.told:,}" for act in acts)],
        ["    that they had to get", *(f"{act.due:,}" for act in acts)],
    ]
    lines = [table(rows), *(f"{act.name}: {act.saturation}" for act in acts)]
    return "\n".join([*lines, *([shown_complaints("ssechat", figures.complaints)] if figures.complaints else ())])


def _presence_report(figures: PresenceFigures) -> str:
    rows = [
        ["Presence", ""],
        ["people, each with a stream", f"{figures.streams:,}"],
        ["others whom each watches", f"{figures.watched:,}"],
        ["worker processes", str(figures.workers)],
        ["PUT to answer, ms: p50 · p95 · p99", shown_latency(figures.watch)],
        ["CPU per PUT, µs: server and Redis", f"{figures.watch_microseconds.server:,.0f}"],
        *_told_rows("told who is there", figures.listed),
        *_told_rows("told again, all streams opened anew", figures.anew),
        ["CPU per stream opened anew, µs: server and Redis", f"{figures.anew_microseconds.server:,.0f}"],
        ["streams alone, of a core: workers", f"{figures.unwatched.workers / figures.seconds:.1%}"],
        ["    Redis", f"{figures.unwatched.redis / figures.seconds:.1%}"],
        ["what watching adds to it, of a core: workers", f"{figures.core_share.workers:.1%}"],
        ["    Redis", f"{figures.core_share.redis:.1%}"],
        ["told while nobody came or went", f"{figures.flickers:,}"],
        ["people who then go", f"{figures.gone:,}"],
        *_told_rows("told of them", figures.left),
    ]
    lines = [table(rows), figures.saturation]
    return "\n".join([*lines, *([shown_complaints("ssechat", figures.complaints)] if figures.complaints else ())])


def _told_rows(what: str, told: Told) -> list[list[str]]:
    return [
        [what, f"{told.told:,}"],
        ["    had to be told", f"{told.due:,}"],
        ["    seconds until the last was", f"{told.seconds:.1f}"],
    ]
