"""The results: tables for people, JSON for programs."""

import dataclasses
import json
import os
import platform
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .deliveries import Latency
from .idle import IdleFigures
from .sends import SendsFigures

PACKAGES = ("ssechat", "uvicorn", "uvloop", "httptools", "starlette", "sse-starlette", "websockets", "hiredis")
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


def idle_report(figures: Sequence[IdleFigures]) -> str:
    """Memory per idle stream, a column for each server; KB are of 1,024 bytes."""
    base = figures[0].bytes_each
    rows: list[tuple[str, Callable[[IdleFigures], str]]] = [
        ("Idle streams", lambda one: one.server),
        ("worker processes", lambda one: str(one.workers)),
        ("streams", lambda one: f"{one.streams:,}"),
        ("opened a second", lambda one: f"{one.opened_a_second:,.0f}"),
        ("memory before (PSS, all workers), MB", lambda one: f"{one.before.pss / MIB:,.1f}"),
        ("memory after, MB", lambda one: f"{one.after.pss / MIB:,.1f}"),
        ("memory per stream (PSS), KB", lambda one: f"{one.bytes_each / KIB:.2f}"),
        ("memory per stream (private), KB", lambda one: f"{one.private_bytes_each / KIB:.2f}"),
        ("times ssechat's (PSS)", lambda one: f"{one.bytes_each / base:.1f}" if base > 0 else "-"),
        ("Redis, per stream, KB", lambda one: f"{one.redis_bytes_each / KIB:.2f}" if one.redis_growth.pss else "-"),
    ]
    text = table([[label, *map(show, figures)] for label, show in rows])
    return "\n".join([text, *(_complaints(one.server, one.complaints) for one in figures if one.complaints)])


def sends_report(figures: SendsFigures) -> str:
    """Messages a second, latency, CPU, and the verdict."""
    each = figures.microseconds_each
    shares = ", ".join(
        f"{name} {share:.0%}"
        for name, share in (
            ("busiest worker", figures.busiest_worker),
            ("Redis", figures.redis),
            ("busiest client", figures.busiest_client),
        )
    )
    rows = [
        ("Sends", f"{figures.streams:,} streams"),
        ("worker processes", str(figures.workers)),
        ("connections that send × requests under way", f"{figures.connections:,} × {figures.depth}"),
        ("measured, s", f"{figures.seconds:.1f}"),
        ("sends acknowledged a second", f"{figures.acknowledged_a_second:,.0f}"),
        ("deliveries a second", f"{figures.delivered_a_second:,.0f}"),
        ("POST to 201, ms: p50 · p95 · p99", _latency(figures.to_answer)),
        ("POST to arrival at the recipient, ms", _latency(figures.to_arrival)),
        ("CPU per delivered message, µs: workers", f"{each.workers:,.0f}"),
        ("    Redis", f"{each.redis:,.0f}"),
        ("    generator", f"{each.generator:,.0f}"),
        ("acknowledged in all, and checked", f"{figures.all_acknowledged:,}"),
        ("lost", f"{figures.verdict.lost:,}"),
        ("doubled", f"{figures.verdict.doubled:,}"),
        ("misordered", f"{figures.verdict.misordered:,}"),
        ("unexpected answers and events", f"{figures.verdict.unexpected:,}"),
    ]
    lines = [table(rows), figures.saturation]
    lines.append(
        f"Of a core: {shares}. Of the machine: all of these {figures.machine:.0%}, others {figures.others:.0%}."
    )
    lines += figures.verdict.examples
    if figures.complaints:
        lines.append(_complaints("ssechat", figures.complaints))
    return "\n".join(lines)


def _latency(latency: Latency) -> str:
    return f"{latency.p50:.1f} · {latency.p95:.1f} · {latency.p99:.1f}"


def _complaints(server: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{server} logged {len(lines)} warnings or worse:", *(f"  {line}" for line in lines[:5])])


def write_json(path: Path, results: dict[str, Any]) -> None:
    """Figures (dataclasses, with their computed properties) and what they were measured on."""
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": len(os.sched_getaffinity(0)),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "packages": {name: found for name in PACKAGES if (found := _version(name)) is not None},
        },
        **{name: _plain(value) for name, value in results.items()},
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [each.name for each in dataclasses.fields(value)]
        names += [name for name, member in vars(type(value)).items() if isinstance(member, property)]
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
