"""The command that counts the Python instructions of a send."""

from functools import partial
from pathlib import Path

import click

from .bytecode import bytecode_report, measure_bytecode
from .measurement import measurement, run
from .options import count, json_option, options


@click.command()
@options(
    count("--sends", 200, "Direct messages that are counted, one after another."),
    count("--functions", 40, "Functions that are shown, those with most instructions."),
    json_option,
)
def bytecode(sends: int, functions: int, json_file: Path | None) -> None:
    """Counts the Python instructions that a worker executes for a direct message, by function.

    The count is the same on a busy machine, so that two versions can be compared by one run of each. It leaves out what
    the C functions do that they call, and what runs at intervals.
    """
    report = partial(bytecode_report, shown=functions)
    run(json_file, None, bytecode=measurement(partial(measure_bytecode, sends), report))
