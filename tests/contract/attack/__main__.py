"""The command line: `python -m tests.contract.attack`."""

import random
import sys
import tempfile
from pathlib import Path

import click

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from contract.attack.run import Options, Target  # noqa: E402 – the path comes first


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--seed", type=int, help="The seed of all requests; random by default.")
@click.option("--examples", type=click.IntRange(1), default=10, show_default=True, help="Random requests an operation.")
@click.option("--seconds", type=click.IntRange(10), help="Go on with random requests for so long.")
@click.option("--only", metavar="ID", help="Attack only the operation of this operationId.")
def main(seed: int | None, examples: int, seconds: int | None, only: str | None) -> None:
    """Attacks a server with two workers by its own OpenAPI document, with all of Schemathesis' checks.

    \b
    python -m tests.contract.attack --seconds 600
    python -m tests.contract.attack --seed 7 --examples 100 --only send_message

    Exit code 1: a fault was found; the report has a curl for each.
    """
    chosen = seed if seed is not None else random.randrange(10**6)
    with tempfile.TemporaryDirectory(prefix="attack.") as folder, Target.running(Path(folder)) as target:
        code, report = target.attack(Options(chosen, examples, seconds, only), Path(folder))
        click.echo(f"{report}\nThe server's log:\n{target.server.errors}")
    sys.exit(code)


if __name__ == "__main__":
    main()
