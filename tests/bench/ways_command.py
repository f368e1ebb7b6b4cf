"""The command that compares ways to handle a request."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from .measurement import measurement, run
from .options import count, json_option, options, seconds
from .ways import WaysOptions, measure_ways, ways_report


@click.command()
@options(
    count("--rounds", 7, "Rounds of each variant, in each of the two measurements."),
    seconds("--seconds", 1.5, "Seconds of sends in each round."),
    count("--connections", 64, "Keep-alive connections that send."),
    count("--streams", 3000, "Streams that reconnect in each round, all to one worker."),
    count("--readers", 1, "Client processes that hold the streams."),
    json_option,
)
def ways(json_file: Path | None, **given: Any) -> None:
    """Compares the variants of request handling in a worker (ASGI, protocol, eager tasks, header cache), in rounds.

    Sends: direct messages at full speed, each written to the disk before its response, with no stream open. Streams:
    all reconnect at once, with a cursor, as fast as the worker accepts them. CPU is that of the worker, and is more
    meaningful than the rates if other programs use the machine.
    """
    run(json_file, None, ways=measurement(partial(measure_ways, WaysOptions(**given)), ways_report))
