"""The command line: `python -m tests.bench`."""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from .errors import BenchError
from .measurement import run
from .message_commands import capacity, fanout, flood, groups, sends, sends_options, sends_result
from .options import count, json_option, options, peers, workers
from .part_commands import feeds, page, state, ways
from .stream_commands import churn, fronts, idle, idle_options, idle_result, storm
from .verdict.command import verdict


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def bench() -> None:
    """Measures the server as it is shipped, on this machine, from the repository's root.

    \b
    python -m tests.bench idle                    memory per idle stream, also of peers
    python -m tests.bench sends                   CPU per message, sends per second, also of nchan
    python -m tests.bench sends --rate 0 --connections 200 --pipelining 4 --no-peers
    python -m tests.bench fanout                  one event to 10,000 streams, also of nchan
    python -m tests.bench capacity --streams 100000 --workers 8 --readers 6 --rate 1000 --seconds 60
    python -m tests.bench groups                  sends to groups of 2 to 1,024, reactions, joins
    python -m tests.bench flood                   one user at full speed beside honest people
    python -m tests.bench state                   marks, typing, and 20,000 streams that watch 20 people each
    python -m tests.bench feeds                   one event to 100,000 readers; 1,000 changes a second, slow readers
    python -m tests.bench storm                   all workers die with 20,000 streams open
    python -m tests.bench storm --streams 100000 --workers 8 --readers 6
    python -m tests.bench churn                   memory growth after 100,000 connects
    python -m tests.bench ways                    CPU of a request with and without ASGI, in rounds
    python -m tests.bench fronts                  the cost of nginx, HAProxy and Caddy
    python -m tests.bench page                    a key on the page, with 50 to 10,000 messages
    python -m tests.bench verdict                 what is said against SSE for chat, over a real round trip
    python -m tests.bench all --json result.json  idle and sends

    Each has --help and --json FILE; those with a time axis have --plot FILE.svg. Exit code 1: an acknowledged message
    was lost, doubled or out of order. 2: the measurement failed.
    """


@click.command(name="all")
@options(
    count("--idle-streams", 10_000, "Idle streams, one per user."),
    idle_options,
    count("--online", 2000, "Users who send, with one stream each."),
    sends_options,
    peers("Also measure servers of other kinds."),
    workers(),
    json_option,
)
def everything(json_file: Path | None, idle_streams: int, online: int, **given: Any) -> None:
    """Runs idle and sends."""
    idle_names = ("workers", "clients", "with_peers", "peer_streams")
    mine = {name: given[name] for name in idle_names}
    rest = {name: value for name, value in given.items() if name in ("workers", "with_peers") or name not in idle_names}
    run(
        json_file,
        None,
        idle=lambda progress: idle_result(idle_streams, progress, **mine),
        sends=lambda progress: sends_result(online, progress, **rest),
    )


for command in (
    idle,
    sends,
    fronts,
    everything,
    capacity,
    fanout,
    groups,
    flood,
    state,
    feeds,
    storm,
    churn,
    ways,
    page,
    verdict,
):
    bench.add_command(command)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> None:
    """Runs the command line; raises SystemExit."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        bench.main(prog_name="python -m tests.bench", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except (BenchError, OSError) as error:
        click.echo(f"bench: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
