"""The command line: `python -m tests.chaos`."""

import asyncio
import random
import sys
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parent.parent))

from . import faults, mutant
from .report import text, write_json
from .run import Options, run
from .server import ServerFailed


def _kinds(_: click.Context, __: click.Parameter, value: str) -> tuple[str, ...]:
    kinds = tuple(filter(None, value.split(",")))
    if kinds in (("all",), ("none",)):
        return faults.KINDS if kinds == ("all",) else ()
    known = (*faults.KINDS, *faults.LOSSY)
    unknown = [kind for kind in kinds if kind not in known]
    if unknown:
        raise click.BadParameter(f"{unknown[0]}; there are: {', '.join(known)}, all, none")
    beside = [kind for kind in kinds if kind not in ("failover", *faults.WITH_A_PAIR)]
    if "failover" in kinds and beside:
        raise click.BadParameter(f"failover cannot be together with {beside[0]}")
    return kinds


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--seed", type=int, help="The seed of faults and clients; random by default.")
@click.option("--seconds", type=click.FloatRange(1, 86400), default=30, show_default=True, help="Time under faults.")
@click.option(
    "--writers", type=click.IntRange(1, 200), default=6, show_default=True, help="Clients that send at a time."
)
@click.option("--readers", type=click.IntRange(2, 200), default=5, show_default=True, help="Users with 2 devices each.")
@click.option("--groups", type=click.IntRange(0, 50), default=5, show_default=True, help="Groups that people come to.")
@click.option("--workers", type=click.IntRange(2, 16), default=2, show_default=True, help="The server's workers.")
@click.option(
    "--faults",
    "kinds",
    callback=_kinds,
    default="all",
    help="Kinds of faults, separated by commas; all: those that lose no data; none.",
)
@click.option(
    "--mutation",
    type=click.Choice(list(mutant.MUTATIONS)),
    help="Run a server with this mutation, which breaks a guarantee.",
)
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the result as JSON.")
def chaos(
    seed: int | None,
    seconds: float,
    writers: int,
    readers: int,
    groups: int,
    workers: int,
    kinds: tuple[str, ...],
    mutation: str | None,
    report: Path | None,
) -> None:
    """Injects faults into a real server while users chat; checks that no acknowledged message is lost, doubled or
    reordered, and that members of groups get all of their time there and nothing else.

    \b
    python -m tests.chaos --seed 7 --seconds 60
    python -m tests.chaos --faults kill-worker,kill-redis
    python -m tests.chaos --faults snapshot           loses data by design
    python -m tests.chaos --mutation no-gap-rule      must fail

    Exit code 1: a guarantee was broken. 2: the server did not start or stop.
    """
    chosen = seed if seed is not None else random.randrange(10**6)
    options = Options(chosen, seconds, writers, readers, workers, kinds, mutation or "", groups=groups)
    try:
        result = asyncio.run(run(options))
    except ServerFailed as error:
        click.echo(f"seed {chosen}: {error}", err=True)
        sys.exit(2)
    click.echo(text(result))
    if report is not None:
        write_json(result, report)
    sys.exit(1 if result.violations or result.tracebacks else 0)


if __name__ == "__main__":
    chaos()
