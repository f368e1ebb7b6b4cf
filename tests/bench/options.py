"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .arrivals import Checking
from .errors import BenchError
from .load import Load
from .saturation import usable_cores

COUNT = click.IntRange(min=1)
FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


def options(*given: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Combines several options into one decorator."""

    def decorate(function: Any) -> Any:
        for option in reversed(given):
            function = option(function)
        return function

    return decorate


def count(name: str, default: int, text: str) -> Callable[[Any], Any]:
    """An option with a count, at least 1."""
    return click.option(name, type=COUNT, default=default, show_default=True, metavar="N", help=text)


def rate(name: str, default: float, text: str) -> Callable[[Any], Any]:
    """An option with a rate per second."""
    kind = click.FloatRange(0, min_open=True)
    return click.option(name, type=kind, default=default, show_default=True, metavar="N", help=text)


def seconds(name: str, default: float, text: str) -> Callable[[Any], Any]:
    """An option with a time in seconds."""
    kind = click.FloatRange(0, 3600)
    return click.option(name, type=kind, default=default, show_default=True, metavar="SECONDS", help=text)


def workers(default: int = usable_cores()) -> Callable[[Any], Any]:
    """The option for the number of worker processes."""
    return count("--workers", default, "The server's worker processes.")


def peers(text: str) -> Callable[[Any], Any]:
    """The option for measuring peers."""
    return click.option("--peers/--no-peers", "with_peers", default=True, help=f"{text}  [default: yes]")


json_option = click.option("--json", "json_file", type=FILE, metavar="FILE", help="Also write the figures to a file.")
plot_option = click.option(
    "--plot", "plot_file", type=FILE, metavar="FILE.svg", help="Also plot the figures over time."
)

load_options = options(
    count("--senders", 1, "Client processes that send."),
    count("--connections", 64, "Connections that send, each for its users in turn."),
    count("--pipelining", 1, "Requests in flight on each connection."),
    click.option(
        "--contacts",
        type=click.IntRange(0),
        default=10,
        show_default=True,
        metavar="N",
        help="Contacts of each user; 0: any user, so that most messages start a conversation.",
    ),
    count("--text-bytes", 80, "Length of a message's text."),
    seconds("--warm-up", 2, "Seconds before the measurement."),
    click.option(
        "--rest",
        type=click.FloatRange(0, 100),
        default=1.0,
        show_default=True,
        metavar="MS",
        help="Seconds between a client's polls of its sockets: events come in batches, and latencies are coarse.",
    ),
)

groups_options = options(
    count("--people", 1024, "People who are in the groups: all in one, or divided evenly."),
    count("--streams", 100, "How many of them hold a stream."),
    click.option(
        "--size",
        "sizes",
        type=click.IntRange(2),
        multiple=True,
        default=(2, 8, 64, 1024),
        show_default=True,
        metavar="N",
        help="Members of each group that is sent to. Can be repeated.",
    ),
    click.option(
        "--rate",
        "rates",
        type=click.FloatRange(0),
        multiple=True,
        default=(2000, 0),
        show_default=True,
        metavar="N",
        help="Deliveries per second; 0: closed loop at full speed. Can be repeated.",
    ),
    count("--connections", 16, "Connections that send, and over which people join."),
    click.option(
        "--reactions",
        type=click.IntRange(0),
        default=1000,
        show_default=True,
        metavar="N",
        help="How many people react to one message of a group of all people; 0: none do.",
    ),
    click.option("--joins/--no-joins", default=True, help="Make a group by single joins, too.  [default: yes]"),
    count("--others", 100, "Other users, who write to each other meanwhile."),
    rate("--others-rate", 50, "Messages per second of the other users."),
    count("--readers", 1, "Client processes that hold the people's streams."),
    seconds("--seconds", 10, "Seconds of each measurement of sends, and of the time before it."),
    seconds("--warm-up", 2, "Seconds of sends before the measurement."),
    count("--text-bytes", 80, "Length of a message's text."),
)


def checking(default: Checking) -> Callable[[Any], Any]:
    """The option for the check of messages."""
    return click.option(
        "--checking",
        type=click.Choice([Checking.EXACT.value, Checking.COUNTING.value]),
        default=default.value,
        show_default=True,
        help="Keep and compare every message, or only count the ids on each stream: for long runs.",
    )


def make_load(
    streams: int, *, rate: float, readers: int, senders: int, connections: int, pipelining: int, text_bytes: int,
    warm_up: float, seconds: float, rest: float, checking: str, contacts: int,
) -> Load:  # fmt: skip
    """Returns the load that the options describe.

    Raises:
        BenchError: the options contradict each other.
    """
    if streams < 2 or streams % 2 or connections > streams or senders > connections:
        raise BenchError("streams must be an even number, with a user for each connection, and one for each sender")
    return Load(
        streams, readers, senders, connections, pipelining, text_bytes, warm_up, seconds,
        rate, rest / 1000, min(contacts, streams - 1), Checking(checking),
    )  # fmt: skip
