"""Plots of figures over time as SVG 1.1, one panel under the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from pathlib import Path

from .load import LoadFigures
from .storm import StormFigures

WIDTH, HEIGHT = 820, 260
LEFT, RIGHT, TOP, BOTTOM = 70, 120, 40, 40
COLOURS = ("#1b6ca8", "#c44536", "#4f7942")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: points (x, y), x in seconds."""

    label: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes."""

    title: str
    unit: str
    lines: Sequence[Line]


def load_panels(runs: Sequence[LoadFigures]) -> list[Panel]:
    """Latency over time, a panel for each run."""
    panels = []
    for run in runs:
        rate = f"at {run.rate:g} sends a second" if run.rate else "as many sends as will go"
        lines = [
            Line(name, [(each.second, getattr(each.latency, name)) for each in run.series])
            for name in ("p50", "p95", "p99")
        ]
        panels.append(Panel(f"{run.server}, {run.streams:,} streams, {rate}: POST to stream", "ms", lines))
    return panels


def storm_panels(figures: StormFigures) -> list[Panel]:
    """The number of level streams over time."""
    so_far = [sum(figures.level[: second + 1]) for second in range(len(figures.level))]
    points = [(0.0, 0.0), *((second + 1.0, float(level)) for second, level in enumerate(so_far))]
    title = f"{figures.streams:,} streams after all workers were killed: how many have all they missed"
    return [Panel(title, "streams", [Line("level", points)])]


def write_plot(path: Path, panels: Sequence[Panel]) -> None:
    """Writes the plot."""
    height = HEIGHT * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for index, panel in enumerate(panels):
        parts += [f'<g transform="translate(0 {index * HEIGHT})">', *_draw(panel), "</g>"]
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def _draw(panel: Panel) -> list[str]:
    points = [point for line in panel.lines for point in line.points]
    x_step = _step(max((x for x, _ in points), default=1) or 1)
    y_step = _step(max((y for _, y in points), default=1) or 1)
    x_end = max(x_step, max((x for x, _ in points), default=1))
    y_end = y_step * ceil(max((y for _, y in points), default=1) / y_step or 1)

    def across(x: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * x / x_end, 1)

    def up(y: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / y_end, 1)

    drawn = [f'<text x="{LEFT}" y="22" font-size="14">{escape(panel.title)}</text>']
    for tick in range(floor(y_end / y_step + 0.5) + 1):
        y = up(tick * y_step)
        drawn += [
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>',
            f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{tick * y_step:,.6g}</text>',
        ]
    for tick in range(floor(x_end / x_step + 1e-9) + 1):
        x = across(tick * x_step)
        drawn.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick * x_step:g}</text>')
    drawn += [
        f'<text x="{WIDTH - RIGHT + 8}" y="{HEIGHT - BOTTOM + 18}">seconds</text>',
        f'<text x="{LEFT - 8}" y="{TOP - 10}" text-anchor="end">{escape(panel.unit)}</text>',
    ]
    for index, line in enumerate(panel.lines):
        colour = COLOURS[index % len(COLOURS)]
        path = " ".join(f"{across(x)},{up(y)}" for x, y in line.points)
        drawn += [
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
            *(f'<circle cx="{across(x)}" cy="{up(y)}" r="2" fill="{colour}"/>' for x, y in line.points),
            f'<text x="{WIDTH - RIGHT + 8}" y="{TOP + 16 * index + 4}" fill="{colour}">{escape(line.label)}</text>',
        ]
    return drawn


def _step(end: float) -> float:
    """Returns a round distance of ticks, for about five of them up to `end`."""
    power = 10 ** floor(log10(end / 5))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power * 5 >= end))
