"""The command line: `python -m tests.fuzz`."""

import asyncio
import random
import sys
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parent.parent))

from .report import text
from .run import Options, run


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--requests", type=click.IntRange(1), default=100_000, show_default=True, help="How many are sent.")
@click.option("--seed", type=int, help="What decides every byte; random without it.")
@click.option("--parallel", type=click.IntRange(1, 500), default=48, show_default=True, help="Connections at a time.")
@click.option("--held", type=click.IntRange(0, 500), default=12, show_default=True, help="Requests that never end.")
@click.option("--flood-seconds", type=float, default=8, show_default=True, help="For each flood; 0: none.")
@click.option("--only", type=int, help="Sends the attack of this number alone.")
def fuzz(requests: int, seed: int | None, parallel: int, held: int, flood_seconds: float, only: int | None) -> None:
    """Attack a real server with what is wrong in every way, while an honest user goes on talking.

    \b
    python -m tests.fuzz --requests 100000 --seed 7
    python -m tests.fuzz --seed 7 --only 4711         what that attack does

    Exit code 1: something was found; the shortest attack that shows it is printed.
    """
    chosen = seed if seed is not None else random.randrange(10**6)
    options = Options(chosen, requests, parallel, held, flood_seconds, only=only)
    result = asyncio.run(run(options, lambda said: click.echo(said, err=True)))
    click.echo(text(result))
    sys.exit(0 if result.ok else 1)


if __name__ == "__main__":
    fuzz()
