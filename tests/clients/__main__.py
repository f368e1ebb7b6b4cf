"""`python -m tests.clients`: prints the table of clients and disturbances."""

import sys
import tempfile
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parent.parent))

from clients.programs import CLIENTS, missing
from clients.run import CUT_AT_THE_END, KEEP_IDS_EARLY, RUNS, run


@click.command()
@click.option("--messages", default=300, show_default=True, help="Messages sent in each run.")
@click.option("--run", "chosen", multiple=True, type=click.Choice(RUNS), help="Only this; may be repeated.")
@click.option("--client", "clients", multiple=True, type=click.Choice(CLIENTS), help="Only this; may be repeated.")
def main(messages: int, chosen: tuple[str, ...], clients: tuple[str, ...]) -> None:
    """Disturbs the server while common clients read; prints the messages that each lost, doubled or misordered."""
    lacking = missing()
    if lacking:
        raise click.ClickException(f"please install: {', '.join(lacking)}")
    names, readers = chosen or RUNS, clients or CLIENTS
    rows: dict[str, list[str]] = {client: [] for client in readers}
    failed = False
    for name in names:
        print(f"{name} …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            for client, outcome in run(name, Path(folder), messages, readers).items():
                cuts = f" ({outcome.cuts} cuts)" if outcome.cuts else ""
                rows[client].append(f"{outcome}{cuts}")
                failed |= not outcome.flawless and (name != CUT_AT_THE_END or client not in KEEP_IDS_EARLY)
                for text in outcome.foreign[:3]:
                    print(f"  {client}: {text}", file=sys.stderr)
    table = [["client", *names], ["---"] * (len(names) + 1), *([client, *row] for client, row in rows.items())]
    for line in table:
        print(f"| {' | '.join(line)} |")
    sys.exit(failed)


main()
