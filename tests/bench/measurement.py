"""One measurement of a command: run, shown, written, and judged."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from .plot import Panel, write_plot
from .progress import Progress
from .report import write_json

Result = tuple[Any, str, bool, list[Panel]]
"""The figures, the table, whether all guarantees held, and the panels to plot."""

Measurement = Callable[[Progress], Result]

Figures = TypeVar("Figures")


def measurement(
    measure: Callable[[Progress], Figures],
    report: Callable[[Figures], str],
    good: Callable[[Figures], bool] = lambda figures: True,
    panels: Callable[[Figures], list[Panel]] = lambda figures: [],
) -> Measurement:
    """A measurement whose figures say all: the table, whether all guarantees held, and the panels."""

    def result(progress: Progress) -> Result:
        figures = measure(progress)
        return figures, report(figures), good(figures), panels(figures)

    return result


def run(json_file: Path | None, plot_file: Path | None, **measurements: Measurement) -> None:
    """Measures, shows the tables, and writes the files; raises SystemExit if a guarantee did not hold."""
    progress = Progress()
    results: dict[str, Any] = {}
    good = True
    try:
        for name, measure in measurements.items():
            results[name], text, as_promised, panels = measure(progress)
            good = good and as_promised
            progress.clear()
            click.echo(f"{text}\n")
            if plot_file is not None:
                write_plot(plot_file, panels)
    finally:
        progress.clear()
    if json_file is not None:
        write_json(json_file, results)
    if not good:
        sys.exit(1)
