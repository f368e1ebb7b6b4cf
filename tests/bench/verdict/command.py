"""The command `verdict`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ssechat.sizing.figures import MEASURED

from ..errors import BenchError
from ..options import FILE, json_option, options, seconds
from ..progress import Progress
from ..report import as_document
from .claims import claims, readme_section
from .costs import measure_costs, write_figures
from .measures import FULL_SECONDS, measure_line
from .page import page
from .rivals.kinds import KINDS
from .rivals.running import measure_rivals
from .stacks import STACKS
from .text import line_report, rivals_report

PARTS = ("sends", "hard", "rivals", "size")
NAMES = tuple(dict.fromkeys([*STACKS, *(kind.key for kind in KINDS)]))
KEPT = Path(__file__).parent.parent / "results" / "verdict.json"
"""The results that README.md shows."""


@click.command()
@options(
    seconds("--seconds", FULL_SECONDS, "Seconds of each measurement; other times go with it."),
    click.option(
        "--part", "parts", type=click.Choice(PARTS), multiple=True, default=PARTS, help="Only this. Can be repeated."
    ),
    click.option(
        "--only", type=click.Choice(NAMES), multiple=True, metavar="NAME",
        help=f"Only this way, or this rival: {', '.join(NAMES)}. Can be repeated.",
    ),
    click.option("--proxy", is_flag=True, help="Use a proxy that only delays, even where namespaces can be made."),
    click.option("--figures", "figures_file", type=FILE, metavar="FILE", help="Write the figures of `ssechat size`."),
    click.option("--html", "html_file", type=FILE, metavar="FILE", help="Write the report, a page with plots."),
    json_option,
    click.option(
        "--keep", is_flag=True,
        help="Keep the results in the repository: tests/bench/results/, and the figures that `ssechat size` has.",
    ),
    click.option("--readme", is_flag=True, help="Measure nothing: print the section of README.md for what was kept."),
)  # fmt: skip
def verdict(
    seconds: float, parts: Sequence[str], only: Sequence[str], proxy: bool, figures_file: Path | None,
    html_file: Path | None, json_file: Path | None, keep: bool, readme: bool,
) -> None:  # fmt: skip
    """What is said against SSE for chat, tried: over a line with a round trip, beside what people would take instead.

    \b
    python -m tests.bench verdict --html verdict.html --json verdict.json
    python -m tests.bench verdict --keep               all of it, for README.md: a quarter of an hour
    python -m tests.bench verdict --part sends --only http1 --only websocket --seconds 2

    The line is between two network namespaces that exist only while it runs; what they send to each other is held back
    in user space: 30 ms there and back, and 100 ms with 1 % lost. It needs root (CAP_SYS_ADMIN) and /dev/net/tun;
    without them a proxy delays, and the output says so. Nothing is sent anywhere else.

    Rivals that are not installed are left out, and the output says how to install each. `--only` also names rivals.
    """
    if readme:
        click.echo("\n".join(readme_section(kept())))
        return
    if keep and (only or set(parts) != set(PARTS) or proxy):
        raise BenchError("--keep is for all parts: leave out --part, --only and --proxy")
    results = _measured(seconds, parts, only, proxy)
    document = as_document({**results, **({"size": results["size"].model_dump()} if "size" in results else {})})
    for each in claims(document):
        click.echo(f"They say: {each.theirs}\n  We say: {each.ours}\n  Measured: {each.measured}")
    if keep:
        KEPT.parent.mkdir(exist_ok=True)
    for file in (json_file, KEPT if keep else None):
        if file is not None:
            file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    for file in (html_file, KEPT.with_suffix(".html") if keep else None):
        if file is not None:
            file.write_text(page(document), encoding="utf-8")
    for file in (figures_file, MEASURED if keep else None):
        if file is not None and "size" in results:
            write_figures(file, results["size"])
    _finish(results)


def kept() -> dict[str, Any]:
    """The results that were kept.

    Raises:
        BenchError: there are none.
    """
    if not KEPT.exists():
        raise BenchError(f"{KEPT} is not there: run `python -m tests.bench verdict --keep`")
    document: dict[str, Any] = json.loads(KEPT.read_text())
    return document


def _measured(seconds: float, parts: Sequence[str], only: Sequence[str], proxy: bool) -> dict[str, Any]:
    progress = Progress()
    results: dict[str, Any] = {}
    real = False if proxy else None
    try:
        if {"sends", "hard"} & set(parts):
            results["line"] = measure_line(seconds, parts, only, progress, real=real)
            progress.clear()
            click.echo(f"{line_report(results['line'])}\n")
        if "rivals" in parts:
            results["rivals"], results["absent"] = measure_rivals(seconds, only, progress)
            progress.clear()
            click.echo(f"{rivals_report(results['rivals'], results['absent'])}\n")
        if "size" in parts:
            results["size"] = measure_costs(seconds, progress, real=real)
            progress.clear()
            click.echo("\n".join(f"{name}: {value}" for name, value in results["size"].model_dump().items()) + "\n")
    finally:
        progress.clear()
    return results


def _finish(results: dict[str, Any]) -> None:
    line, rivals = results.get("line"), results.get("rivals", [])
    broken = [each for each in rivals if each.key == "ssechat" and (each.lost or each.missing)]
    sys.exit(1 if broken or (line is not None and not line.good) else 0)
