"""The command that measures the page."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from .measurement import measurement, run
from .options import COUNT, count, json_option, options
from .page import PageOptions, measure_page, page_report


@click.command()
@options(
    click.option(
        "--messages",
        type=COUNT,
        multiple=True,
        default=(50, 2000, 10_000),
        show_default=True,
        metavar="N",
        help="Messages of the conversation, all of them loaded. Can be repeated.",
    ),
    count("--keys", 120, "Keys that are pressed, each once the one before is painted."),
    json_option,
)
def page(json_file: Path | None, **given: Any) -> None:
    """What a key costs in the field for a message, in Chromium, while a conversation has many messages.

    Counts all that the page's main thread does: script, style, layout and paint, less what it does without a key. Says
    also what a message costs that arrives, and how many elements the page has.
    """
    run(json_file, None, page=measurement(partial(measure_page, PageOptions(**given)), page_report))
