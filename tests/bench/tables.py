"""Formats figures as text."""

from collections.abc import Callable, Sequence
from typing import Protocol

from .deliveries import Latency, Verdict
from .saturation import Shares

KIB = 1024
MIB = 1024 * 1024


def table(rows: Sequence[Sequence[str]]) -> str:
    """Formats rows as columns, the first one aligned to the left and the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]))
    return "\n".join(lines)


def ratio(one: float, base: float) -> str:
    """Formats the ratio to `base`."""
    return f"{one / base:.2f}" if base > 0 else "-"


def shown_verdict(verdict: Verdict) -> str:
    """Formats the counts of wrong deliveries."""
    return f"{verdict.lost:,} · {verdict.doubled:,} · {verdict.misordered:,} · {verdict.unexpected:,}"


def shown_latency(latency: Latency) -> str:
    """Formats percentiles in milliseconds."""
    return f"{latency.p50:.1f} · {latency.p95:.1f} · {latency.p99:.1f}"


def shown_complaints(server: str, lines: Sequence[str]) -> str:
    """Formats the warnings that a server logged."""
    return "\n".join([f"{server} logged {len(lines)} warnings or worse:", *(f"  {line}" for line in lines[:5])])


def shown_end(server: str, saturation: str, verdict: Verdict, complaints: Sequence[str]) -> str:
    """The lines below a table: what was saturated, examples of wrong deliveries, and the server's warnings."""
    lines = [f"{server}: {saturation}", *verdict.examples]
    if complaints:
        lines.append(shown_complaints(server, complaints))
    return "\n".join(lines)


class HasShares(Protocol):
    """Figures that say whose CPU was used."""

    @property
    def shares(self) -> Shares: ...


SHARES: Sequence[tuple[str, Callable[[HasShares], str]]] = (
    ("of a core: busiest worker", lambda one: f"{one.shares.worker:.0%}"),
    ("    Redis", lambda one: f"{one.shares.redis:.0%}"),
    ("    busiest client process", lambda one: f"{one.shares.client:.0%}"),
    ("of the machine: all of these", lambda one: f"{one.shares.machine:.0%}"),
    ("    other programs", lambda one: f"{one.shares.others:.0%}"),
)
"""Rows of a table: whose CPU was used."""
