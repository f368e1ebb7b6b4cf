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
@click.option("--requests", type=click.IntRange(1), default=100_000, show_default=True, help="Number of requests.")
@click.option("--seed", type=int, help="The seed of all bytes; random by default.")
@click.option("--parallel", type=click.IntRange(1, 500), default=48, show_default=True, help="Connections at a time.")
@click.option(
    "--held", type=click.IntRange(0, 500), default=12, show_default=True, help="Endless requests that are held."
)
@click.option("--flood-seconds", type=float, default=8, show_default=True, help="Seconds of each flood; 0: none.")
@click.option("--only", type=int, help="Send only the attack of this number.")
def fuzz(requests: int, seed: int | None, parallel: int, held: int, flood_seconds: float, only: int | None) -> None:
    """Attacks a real server with malformed and hostile requests, while an honest user keeps chatting.

    \b
    python -m tests.fuzz --requests 100000 --seed 7
    python -m tests.fuzz --seed 7 --only 4711         one attack alone

    Exit code 1: a fault was found; the shortest attack that shows it is printed.
    """
    chosen = seed if seed is not None else random.randrange(10**6)
    options = Options(chosen, requests, parallel, held, flood_seconds, only=only)
    result = asyncio.run(run(options, lambda said: click.echo(said, err=True)))
    click.echo(text(result))
    sys.exit(0 if result.ok else 1)


if __name__ == "__main__":
    fuzz()
