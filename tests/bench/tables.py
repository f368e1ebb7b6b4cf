"""Figures as text."""

from collections.abc import Sequence

from .deliveries import Latency, Verdict

KIB = 1024
MIB = 1024 * 1024


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns, the first to the left and the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]))
    return "\n".join(lines)


def ratio(one: float, base: float) -> str:
    """How many times `base` it is."""
    return f"{one / base:.2f}" if base > 0 else "-"


def shown_verdict(verdict: Verdict) -> str:
    """How many were not as promised, and in which way."""
    return f"{verdict.lost:,} · {verdict.doubled:,} · {verdict.misordered:,} · {verdict.unexpected:,}"


def shown_latency(latency: Latency) -> str:
    """Percentiles in milliseconds."""
    return f"{latency.p50:.1f} · {latency.p95:.1f} · {latency.p99:.1f}"


def shown_complaints(server: str, lines: Sequence[str]) -> str:
    """What a server logged."""
    return "\n".join([f"{server} logged {len(lines)} warnings or worse:", *(f"  {line}" for line in lines[:5])])
