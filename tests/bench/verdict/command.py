"""The command `verdict`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..options import FILE, json_option, options, seconds
from ..progress import Progress
from ..report import write_json
from .costs import measure_costs, write_figures
from .measures import measure_line
from .stacks import STACKS
from .text import line_report

PARTS = ("sends", "hard", "size")


@click.command()
@options(
    seconds("--seconds", 8, "Seconds of each measurement; the others times go with it."),
    click.option(
        "--part", "parts", type=click.Choice(PARTS), multiple=True, default=PARTS, help="Only this. Can be repeated."
    ),
    click.option(
        "--only", type=click.Choice(tuple(STACKS)), multiple=True,
        help="Only this way of sends and hard cases. Can be repeated.",
    ),
    click.option("--proxy", is_flag=True, help="Use a proxy that only delays, even where namespaces can be made."),
    click.option("--figures", "figures_file", type=FILE, metavar="FILE", help="Write the figures of `ssechat size`."),
    json_option,
)  # fmt: skip
def verdict(
    seconds: float, parts: Sequence[str], only: Sequence[str], proxy: bool, figures_file: Path | None,
    json_file: Path | None,
) -> None:  # fmt: skip
    """What is said against SSE for chat, tried: over a line with a round trip, beside what people would take instead.

    The line is between two network namespaces that exist only while it runs; what they send to each other is held back
    in user space: 30 ms there and back, and 100 ms with 1 % lost. It needs root (CAP_SYS_ADMIN) and /dev/net/tun;
    without them a proxy delays, and the output says so. Nothing is sent anywhere else.
    """
    progress = Progress()
    results: dict[str, Any] = {}
    good = True
    real = False if proxy else None
    try:
        if {"sends", "hard"} & set(parts):
            figures = measure_line(seconds, parts, only, progress, real=real)
            results["line"] = figures
            good = figures.good
            progress.clear()
            click.echo(f"{line_report(figures)}\n")
        if "size" in parts:
            costs = measure_costs(seconds, progress, real=real)
            results["size"] = costs.model_dump()
            progress.clear()
            click.echo("\n".join(f"{name}: {value}" for name, value in results["size"].items()))
            if figures_file is not None:
                write_figures(figures_file, costs)
    finally:
        progress.clear()
    if json_file is not None:
        write_json(json_file, results)
    if not good:
        sys.exit(1)
