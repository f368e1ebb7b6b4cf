"""The command line: `python -m tests.contract.attack`."""

import random
import sys
import tempfile
from pathlib import Path

import click

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from contract.attack.run import Options, attack  # noqa: E402


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--seed", type=int, help="The seed of all requests; random by default.")
@click.option("--examples", type=click.IntRange(1), default=10, show_default=True, help="Random requests an operation.")
@click.option("--seconds", type=click.IntRange(10), help="Go on with random requests for so long.")
def main(seed: int | None, examples: int, seconds: int | None) -> None:
    """Attacks a server with two workers by its own OpenAPI document, with all of Schemathesis' checks.

    \b
    python -m tests.contract.attack --seconds 600
    python -m tests.contract.attack --seed 7 --examples 100

    Exit code 1: a fault was found; the report has a curl for each.
    """
    chosen = seed if seed is not None else random.randrange(10**6)
    with tempfile.TemporaryDirectory(prefix="attack.") as folder:
        result = attack(Options(chosen, examples, seconds), Path(folder))
    click.echo(result.stdout)
    sys.exit(result.returncode)


if __name__ == "__main__":
    main()
