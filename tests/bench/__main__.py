"""The command line: `python -m tests.bench`."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from .errors import BenchError
from .fronts import FrontsOptions, fronts_report, measure_fronts
from .idle import IdleOptions, measure_idle
from .peers import PEERS
from .progress import Progress
from .report import idle_report, sends_report, write_json
from .sends import SendsOptions, measure_sends, usable_cores

COUNT = click.IntRange(min=1)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def bench() -> None:
    """Measure the server as it is shipped, on this machine, from the repository's root.

    \b
    python -m tests.bench idle                         memory per idle stream, and peers beside it
    python -m tests.bench idle --streams 2000 --no-peers
    python -m tests.bench sends                        messages a second, latency, CPU
    python -m tests.bench sends --connections 8 --seconds 30
    python -m tests.bench fronts                       what nginx, HAProxy and Caddy cost in front
    python -m tests.bench all --json result.json       both

    Exit code 1: an acknowledged message was lost, doubled or out of order. 2: it could not be measured.
    """


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _count(name: str, default: int, text: str) -> Callable[[Any], Any]:
    return click.option(name, type=COUNT, default=default, show_default=True, metavar="N", help=text)


def _seconds(name: str, default: float, text: str) -> Callable[[Any], Any]:
    kind = click.FloatRange(0, 3600)
    return click.option(name, type=kind, default=default, show_default=True, metavar="SECONDS", help=text)


common_options = _options(
    _count("--workers", usable_cores(), "The server's worker processes."),
    click.option(
        "--json",
        "json_file",
        type=click.Path(dir_okay=False, writable=True, path_type=Path),
        metavar="FILE",
        help="Write the figures, too.",
    ),
)
idle_options = _options(
    _count("--clients", 2, "Client processes that hold the idle streams."),
    click.option("--peers/--no-peers", default=True, help="Measure servers of other kinds, too.  [default: yes]"),
    _count("--peer-streams", 2000, "Streams at each of those."),
)
sends_options = _options(
    _count("--readers", 2, "Client processes that hold the users' streams."),
    _count("--senders", 1, "Client processes that send."),
    _count("--connections", 64, "Connections that send; each of its users in turn."),
    _count("--pipelining", 1, "Requests under way on each of them."),
    _count("--text-bytes", 80, "Length of a message's text."),
    _seconds("--warm-up", 2, "Time before the measurement."),
    _seconds("--seconds", 10, "Time of the measurement."),
)


@bench.command()
@_options(_count("--streams", 10_000, "Idle streams, of as many users."), idle_options, common_options)
def idle(json_file: Path | None, streams: int, **options: Any) -> None:
    """Memory per idle stream.

    The server's processes (PSS: pages shared with k processes count as 1/k), before and after the streams are
    open; Redis apart. What the kernel keeps for their sockets is not in it.
    """
    _run(json_file, idle=lambda progress: _idle(streams, progress, **options))


@bench.command()
@_options(_count("--streams", 2000, "Users who are online with a stream each."), sends_options, common_options)
def sends(json_file: Path | None, streams: int, **options: Any) -> None:
    """Direct messages a second, from everybody to anybody.

    A closed loop: each connection sends when its last message was answered. Each message is delivered twice,
    to its recipient's stream and to its sender's, and all of them are checked.
    """
    _run(json_file, sends=lambda progress: _sends(streams, progress, **options))


@bench.command()
@_options(
    _count("--streams", 2000, "Idle streams, each over a TLS connection of its own."),
    _count("--rate", 300, "Events a second, of all streams together."),
    _seconds("--seconds", 10, "Time of the measurement of CPU, and of the silence before it."),
    common_options,
)
def fronts(json_file: Path | None, streams: int, workers: int, rate: int, seconds: float) -> None:
    """Memory per stream and CPU per event of nginx, HAProxy and Caddy, as configured in deploy/fronts.

    Events are sent past the front, so what it uses is for the streams. The silence before is taken off.
    """

    def measure(progress: Progress) -> tuple[Any, str, bool]:
        figures = measure_fronts(FrontsOptions(streams, workers, rate, seconds), progress)
        return figures, fronts_report(figures), True

    _run(json_file, fronts=measure)


@bench.command(name="all")
@_options(
    _count("--idle-streams", 10_000, "Idle streams, of as many users."),
    idle_options,
    _count("--online", 2000, "Users who send, online with a stream each."),
    sends_options,
    common_options,
)
def everything(json_file: Path | None, idle_streams: int, online: int, **options: Any) -> None:
    """Both."""
    idle_names = ("workers", "clients", "peers", "peer_streams")
    mine = {name: options[name] for name in idle_names}
    rest = {name: value for name, value in options.items() if name == "workers" or name not in idle_names}
    _run(
        json_file,
        idle=lambda progress: _idle(idle_streams, progress, **mine),
        sends=lambda progress: _sends(online, progress, **rest),
    )


Measurement = Callable[[Progress], tuple[Any, str, bool]]
"""Measures; returns the figures, the table, and whether all was as promised."""


def _idle(
    streams: int, progress: Progress, *, workers: int, clients: int, peers: bool, peer_streams: int
) -> tuple[Any, str, bool]:
    options = IdleOptions(streams, workers, clients, tuple(PEERS) if peers else (), peer_streams)
    figures = measure_idle(options, progress)
    return figures, idle_report(figures), True


def _sends(
    streams: int, progress: Progress, *, workers: int, readers: int, senders: int, connections: int,
    pipelining: int, text_bytes: int, warm_up: float, seconds: float,
) -> tuple[Any, str, bool]:  # fmt: skip
    if streams < 2 or connections > streams or senders > connections:
        raise BenchError("there must be at least 2 streams, a user for each connection, and one for each sender")
    options = SendsOptions(streams, workers, readers, senders, connections, pipelining, text_bytes, warm_up, seconds)
    figures = measure_sends(options, progress)
    return figures, sends_report(figures), figures.verdict.good


def _run(json_file: Path | None, **measurements: Measurement) -> None:
    progress = Progress()
    results: dict[str, Any] = {}
    good = True
    try:
        for name, measure in measurements.items():
            results[name], text, as_promised = measure(progress)
            good = good and as_promised
            progress.clear()
            click.echo(f"{text}\n")
    finally:
        progress.clear()
    if json_file is not None:
        write_json(json_file, results)
    if not good:
        sys.exit(1)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> None:
    """Run; leaves with SystemExit."""
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
