"""The group of the commands, each of which is imported when it is run."""

import signal
import sys
from importlib import import_module
from types import FrameType
from typing import NoReturn

import click

from .errors import BenchError

MODULES = {
    "idle": "stream_commands",
    "sends": "message_commands",
    "fronts": "stream_commands",
    "all": "all_command",
    "capacity": "message_commands",
    "fanout": "message_commands",
    "groups": "message_commands",
    "flood": "message_commands",
    "state": "part_commands",
    "feeds": "part_commands",
    "storm": "stream_commands",
    "churn": "stream_commands",
    "ways": "ways_command",
    "bytecode": "bytecode_command",
    "page": "page_command",
    "verdict": "verdict.command",
}
"""Where each command is: all of them take a second to import, of which a measurement needs a fraction."""


class Commands(click.Group):
    """The commands by their names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if (module := MODULES.get(cmd_name)) is None:
            return None
        found = getattr(import_module(f".{module}", __package__), {"all": "everything"}.get(cmd_name, cmd_name))
        assert isinstance(found, click.Command)
        return found


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
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
    python -m tests.bench bytecode                Python instructions of a send, by function
    python -m tests.bench fronts                  the cost of nginx, HAProxy and Caddy
    python -m tests.bench page                    a key on the page, with 50 to 10,000 messages
    python -m tests.bench verdict                 what is said against SSE for chat, over a real round trip
    python -m tests.bench all --json result.json  idle and sends

    Each has --help and --json FILE; those with a time axis have --plot FILE.svg. Exit code 1: an acknowledged message
    was lost, doubled or out of order. 2: the measurement failed.
    """


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
