"""Reports: tables as text, and JSON."""

import dataclasses
import json
import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .idle import IdleFigures
from .load import LoadFigures
from .sends import SendsFigures
from .tables import KIB, MIB, SHARES, ratio, shown_complaints, shown_end, shown_latency, shown_verdict, table

PACKAGES = ("ssechat", "uvicorn", "uvloop", "httptools", "starlette", "sse-starlette", "websockets", "hiredis")

PROGRAMS = (
    "redis-server",
    "nginx",
    "libnginx-mod-nchan",
    "pushpin",
    "caddy",
    "haproxy",
    "nodejs",
    "ejabberd",
    "mosquitto",
)
"""Debian's packages of peers, proxies and storage; the report has their versions."""


def idle_report(figures: Sequence[IdleFigures], absent: Sequence[str]) -> str:
    """A table of memory per idle stream, with a column per server; a KB has 1,024 bytes."""
    base = figures[0].bytes_each
    rows: list[tuple[str, Callable[[IdleFigures], str]]] = [
        ("Idle streams", lambda one: one.server),
        ("worker processes", lambda one: str(one.workers)),
        ("streams", lambda one: f"{one.streams:,}"),
        ("    ended by the server", lambda one: f"{one.ended:,}"),
        ("opened a second", lambda one: f"{one.opened_a_second:,.0f}"),
        ("memory with the first streams (PSS, all workers), MB", lambda one: f"{one.before.pss / MIB:,.1f}"),
        ("    with all, MB", lambda one: f"{one.after.pss / MIB:,.1f}"),
        ("memory per stream (PSS), KB", lambda one: f"{one.bytes_each / KIB:.2f}"),
        ("memory per stream (private), KB", lambda one: f"{one.private_bytes_each / KIB:.2f}"),
        ("times ssechat's (PSS)", lambda one: f"{one.bytes_each / base:.1f}" if base > 0 else "-"),
        ("Redis, per stream, KB", lambda one: f"{one.redis_bytes_each / KIB:.2f}" if one.redis_growth.pss else "-"),
    ]
    text = table([[label, *map(show, figures)] for label, show in rows])
    return "\n".join(
        [text, *(shown_complaints(one.server, one.complaints) for one in figures if one.complaints), *absent]
    )


def sends_report(figures: SendsFigures) -> str:
    """Messages per second, latency, CPU and the verdict: a table per load, a column per server."""
    rates = list(dict.fromkeys(run.rate for run in figures.runs))
    tables = [load_table([run for run in figures.runs if run.rate == rate]) for rate in rates]
    return "\n\n".join([*tables, *figures.absent])


def load_table(runs: Sequence[LoadFigures]) -> str:
    """A table of servers under the same load, ssechat first; the last rows have its ratios to the others."""
    base = runs[0]
    rate = f"at {base.rate:g} a second" if base.rate else "as many as will go"
    rows: list[tuple[str, Callable[[LoadFigures], str]]] = [
        (f"Sends, {rate}", lambda one: one.server),
        ("worker processes", lambda one: str(one.workers)),
        ("streams", lambda one: f"{one.streams:,}"),
        ("connections that send × requests under way", lambda one: f"{one.connections:,} × {one.depth}"),
        ("others each user writes to", lambda one: f"{one.contacts or one.streams - 1:,}"),
        ("streams opened a second", lambda one: f"{one.opened_a_second:,.0f}"),
        ("memory per open stream (PSS, workers), KB", lambda one: f"{one.bytes_each / KIB:.2f}"),
        ("measured, s", lambda one: f"{one.seconds:.1f}"),
        ("sends acknowledged a second", lambda one: f"{one.acknowledged_a_second:,.0f}"),
        ("deliveries a second", lambda one: f"{one.delivered_a_second:,.0f}"),
        ("POST to answer, ms: p50 · p95 · p99", lambda one: shown_latency(one.to_answer)),
        ("POST to stream, ms: p50 · p95 · p99", lambda one: shown_latency(one.to_arrival)),
        ("CPU per delivered message, µs: server and Redis", lambda one: f"{one.server_microseconds_each:,.0f}"),
        ("    workers", lambda one: f"{one.microseconds_each.workers:,.0f}"),
        ("    Redis", lambda one: f"{one.microseconds_each.redis:,.0f}"),
        ("    generator (not the server's)", lambda one: f"{one.microseconds_each.generator:,.0f}"),
        *SHARES,
        ("acknowledged in all, and checked", lambda one: f"{one.all_acknowledged:,}"),
        ("    how", lambda one: one.checking.value),
        ("lost · doubled · misordered · unexpected", lambda one: shown_verdict(one.verdict)),
    ]
    if base.rate:
        rows.insert(10, ("due and not sent at the end", lambda one: f"{one.late:,}"))
    if len(runs) > 1:
        rows += [
            (
                "CPU per delivered message, times ssechat's",
                lambda one: ratio(one.server_microseconds_each, base.server_microseconds_each),
            ),
            (
                "sends a second, times ssechat's",
                lambda one: ratio(one.acknowledged_a_second, base.acknowledged_a_second),
            ),
        ]
    lines = [table([[label, *map(show, runs)] for label, show in rows])]
    lines += [shown_end(run.server, run.saturation, run.verdict, run.complaints) for run in runs]
    return "\n".join(lines)


def write_json(path: Path, results: dict[str, Any]) -> None:
    """Writes figures (dataclasses, with their properties) and a description of the machine."""
    path.write_text(json.dumps(as_document(results), indent=2) + "\n", encoding="utf-8")


def as_document(results: dict[str, Any]) -> dict[str, Any]:
    """Figures as what JSON has, with the time and a description of the machine."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": len(os.sched_getaffinity(0)),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "packages": {name: found for name in PACKAGES if (found := _version(name)) is not None},
            "programs": _programs(),
        },
        **{name: _plain(value) for name, value in results.items()},
    }


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [each.name for each in dataclasses.fields(value)]
        names += [name for name, member in vars(type(value)).items() if isinstance(member, property)]
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _programs() -> dict[str, str]:
    command = ["dpkg-query", "--show", "--showformat", "${Package} ${Version}\n", *PROGRAMS]
    try:
        lines = subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.splitlines()
    except OSError:  # not Debian
        return {}
    return dict(line.split(" ", 1) for line in lines if not line.endswith(" "))
