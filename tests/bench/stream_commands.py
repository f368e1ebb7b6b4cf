"""The commands that measure streams: open, reconnecting, behind a proxy, on the page."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from .churn import ChurnOptions, churn_report, measure_churn
from .fronts import FrontsOptions, fronts_report, measure_fronts
from .idle import IdleOptions, measure_idle
from .measurement import Result, measurement, run
from .options import count, json_option, options, peers, plot_option, rate, seconds, workers
from .peers import IDLE
from .plot import storm_panels
from .progress import Progress
from .report import idle_report
from .storm import StormOptions, measure_storm, storm_report

idle_options = options(
    count("--clients", 2, "Client processes that hold the idle streams."),
    count("--peer-streams", 2000, "Streams per server of another kind."),
)


@click.command()
@options(
    count("--streams", 10_000, "Idle streams, one per user."),
    idle_options,
    peers("Measure servers of other kinds, too."),
    workers(),
    json_option,
)
def idle(json_file: Path | None, streams: int, **given: Any) -> None:
    """Memory per idle stream.

    Counts the server's processes (PSS: pages shared with k processes count as 1/k), with the first 1,000 streams open
    and with all; Redis separately. The kernel's memory for sockets is not included.
    """
    run(json_file, None, idle=lambda progress: idle_result(streams, progress, **given))


def idle_result(
    streams: int, progress: Progress, *, workers: int, clients: int, with_peers: bool, peer_streams: int
) -> Result:
    asked = IdleOptions(streams, workers, clients, IDLE if with_peers else (), peer_streams)
    figures, absent = measure_idle(asked, progress)
    return figures, idle_report(figures, absent), True, []


@click.command()
@options(
    count("--streams", 2000, "Idle streams, each over its own TLS connection."),
    count("--rate", 300, "Events per second, in total."),
    seconds("--seconds", 10, "Seconds of the CPU measurement, and of the idle time before it."),
    workers(),
    json_option,
)
def fronts(json_file: Path | None, streams: int, workers: int, rate: int, seconds: float) -> None:
    """Memory per stream and CPU per event of nginx, HAProxy and Caddy, as configured in deploy/fronts.

    Events are sent directly to the app, so that the proxy's CPU is for the streams only. The CPU of the idle time
    before is subtracted.
    """
    run(
        json_file,
        None,
        fronts=measurement(partial(measure_fronts, FrontsOptions(streams, workers, rate, seconds)), fronts_report),
    )


@click.command()
@options(
    count("--streams", 20_000, "Open streams when all workers are killed."),
    count("--readers", 2, "Client processes that hold the streams."),
    rate("--rate", 100, "Messages per second before the kill, and after the restart of the workers."),
    seconds("--quiet", 3, "Seconds of messages before the kill."),
    workers(),
    json_option,
    plot_option,
)
def storm(json_file: Path | None, plot_file: Path | None, **given: Any) -> None:
    """A reconnect storm: all workers are killed, and every stream reconnects with its cursor, as a browser does.

    The largest run: --streams 100000 --workers 8 --readers 6.
    """
    run(
        json_file,
        plot_file,
        storm=measurement(
            partial(measure_storm, StormOptions(**given)), storm_report, lambda figures: figures.good, storm_panels
        ),
    )


@click.command()
@options(
    count("--connects", 100_000, "Streams that are opened and closed."),
    count("--users", 1000, "Users to whom the streams belong, in turn."),
    count("--held", 20_000, "Streams that stay open meanwhile."),
    count("--clients", 2, "Client processes that hold the open streams."),
    seconds("--settle", 20, "Seconds before memory is read: subscriptions outlast their streams by 15 s."),
    seconds("--watch", 30, "Seconds in which the loops are probed with the open streams only."),
    workers(),
    json_option,
)
def churn(json_file: Path | None, **given: Any) -> None:
    """Memory growth by streams that connect and disconnect, and the longest pause of a loop with many streams.

    Pauses are measured from outside: /healthz/live is requested over several connections every 5 ms.
    """
    run(json_file, None, churn=measurement(partial(measure_churn, ChurnOptions(**given)), churn_report))
