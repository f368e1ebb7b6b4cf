"""The command line: `python -m tests.bench`."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from ssechat.settings import Settings

from .arrivals import Checking
from .churn import ChurnOptions, churn_report, measure_churn
from .errors import BenchError
from .fanout import FanoutOptions, fanout_report, measure_fanout
from .flood import FloodOptions, flood_report, measure_flood
from .fronts import FrontsOptions, fronts_report, measure_fronts
from .group_people import GroupsOptions
from .groups import groups_report, measure_groups
from .idle import IdleOptions, measure_idle
from .options import (
    COUNT,
    checking,
    count,
    groups_options,
    json_option,
    load_options,
    make_load,
    options,
    peers,
    plot_option,
    rate,
    seconds,
    workers,
)
from .page import PageOptions, measure_page, page_report
from .peers import CHATS, DURABLE, IDLE
from .plot import Panel, load_panels, storm_panels, write_plot
from .progress import Progress
from .report import idle_report, sends_report, write_json
from .sends import measure_sends
from .state import StateOptions, measure_state, state_report
from .state_presence import PresenceOptions
from .storm import StormOptions, measure_storm, storm_report
from .verdict.command import verdict
from .ways import WaysOptions, measure_ways, ways_report


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


idle_options = options(
    count("--clients", 2, "Client processes that hold the idle streams."),
    click.option("--peers/--no-peers", default=True, help="Measure servers of other kinds, too.  [default: yes]"),
    count("--peer-streams", 2000, "Streams per server of another kind."),
)
sends_options = options(
    count("--readers", 1, "Client processes that hold the users' streams."),
    load_options,
    checking(Checking.EXACT),
    seconds("--seconds", 10, "Seconds of each measurement."),
    click.option(
        "--rate",
        "rates",
        type=click.FloatRange(0),
        multiple=True,
        default=(500, 0),
        show_default=True,
        metavar="N",
        help="Messages per second; 0: closed loop at full speed. Can be repeated.",
    ),
    peers("Also measure nchan with Redis."),
)


@bench.command()
@options(count("--streams", 10_000, "Idle streams, one per user."), idle_options, workers(), json_option)
def idle(json_file: Path | None, streams: int, **given: Any) -> None:
    """Memory per idle stream.

    Counts the server's processes (PSS: pages shared with k processes count as 1/k), before and after the streams are
    open; Redis separately. The kernel's memory for sockets is not included.
    """
    _run(json_file, None, idle=lambda progress: _idle(streams, progress, **given))


@bench.command()
@options(
    count("--streams", 2000, "Online users with one stream each."),
    sends_options,
    workers(),
    json_option,
    plot_option,
)
def sends(json_file: Path | None, plot_file: Path | None, streams: int, **given: Any) -> None:
    """CPU per message, direct messages per second and latency, of users who write to their contacts; also of nchan.

    At a rate: messages are sent evenly, and latency counts from the time when each was due. At full speed: a closed
    loop, in which each connection sends after the response to its last message. Each message is delivered twice, to the
    stream of its recipient and of its sender, and all deliveries are checked. Both servers write each message to the
    disk before they respond. nchan is measured with a channel per user, as a chat with one stream per user needs it
    ("inboxes"), and with a channel per pair of users, with which a stream shows only one conversation.
    """
    _run(json_file, plot_file, sends=lambda progress: _sends(streams, progress, **given))


@bench.command()
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

    def measure(progress: Progress) -> tuple[Any, str, bool, list[Panel]]:
        figures = measure_fronts(FrontsOptions(streams, workers, rate, seconds), progress)
        return figures, fronts_report(figures), True, []

    _run(json_file, None, fronts=measure)


@bench.command(name="all")
@options(
    count("--idle-streams", 10_000, "Idle streams, one per user."),
    idle_options,
    count("--online", 2000, "Users who send, with one stream each."),
    sends_options,
    workers(),
    json_option,
)
def everything(json_file: Path | None, idle_streams: int, online: int, **given: Any) -> None:
    """Runs idle and sends."""
    idle_names = ("workers", "clients", "peers", "peer_streams")
    mine = {name: given[name] for name in idle_names}
    rest = {name: value for name, value in given.items() if name == "workers" or name not in idle_names}
    _run(
        json_file,
        None,
        idle=lambda progress: _idle(idle_streams, progress, **mine),
        sends=lambda progress: _sends(online, progress, **rest),
    )


@bench.command()
@options(
    count("--streams", 10_000, "Online users with one stream each."),
    count("--readers", 2, "Client processes that hold the streams: at most 20,000 each, or as descriptors allow."),
    rate("--rate", 500, "Messages per second, evenly."),
    load_options,
    checking(Checking.COUNTING),
    seconds("--seconds", 20, "Seconds of the measurement."),
    workers(),
    json_option,
    plot_option,
)
def capacity(
    json_file: Path | None, plot_file: Path | None, streams: int, rate: float, workers: int, **given: Any
) -> None:
    """Many streams, with pings and a steady rate of messages.

    The largest run: --streams 100000 --workers 8 --readers 6 --rate 1000 --seconds 60.
    """

    def measure(progress: Progress) -> Result:
        figures = measure_sends([make_load(streams, rate=rate, **given)], workers, (), progress)
        return figures, sends_report(figures), figures.runs[0].verdict.good, load_panels(figures.runs)

    _run(json_file, plot_file, capacity=measure)


@bench.command()
@options(
    count("--streams", 10_000, "Streams of one user, all on one worker."),
    rate("--rate", 2, "Events per second to all these streams."),
    count("--others", 100, "Other users, who write to each other meanwhile."),
    rate("--others-rate", 50, "Messages per second of the other users."),
    count("--readers", 1, "Client processes that hold the streams."),
    seconds("--seconds", 10, "Seconds of each of the two measurements, without and with the events."),
    peers("Also measure nchan with Redis."),
    json_option,
)
def fanout(json_file: Path | None, with_peers: bool, **given: Any) -> None:
    """One event to many streams: CPU per stream, and the delay of other users; also of nchan.

    A user with many devices writes a note; with nchan, a message goes to a channel with as many subscribers.
    """
    asked = FanoutOptions(**given, peers=DURABLE if with_peers else ())

    def measure(progress: Progress) -> Result:
        figures, absent = measure_fanout(asked, progress)
        return figures, fanout_report(figures, absent), figures[0].verdict.good, []

    _run(json_file, None, fanout=measure)


@bench.command()
@options(groups_options, workers(), json_option)
def groups(json_file: Path | None, **given: Any) -> None:
    """What groups cost: sends to groups of some sizes, many reactions to one message, and making a large group.

    The same people are divided into groups of each size, and, to compare, into pairs who write directly. A message is
    delivered to the inbox of each member, whether it holds a stream or not, before it is acknowledged. At the end those
    without a stream read what they got, and all deliveries are checked. Other users write to each other meanwhile: what
    they notice is shown, too.
    """

    def measure(progress: Progress) -> Result:
        figures = measure_groups(GroupsOptions(**given), progress)
        return figures, groups_report(figures), figures.good, []

    _run(json_file, None, groups=measure)


@bench.command()
@options(
    count("--members", 1000, "Members of the group that is flooded."),
    count("--connections", 32, "Connections of the flooder, on each of which a send follows the last one's answer."),
    count(
        "--limit", Settings.model_fields["deliveries_per_user"].default, "Deliveries a minute that a user may cause."
    ),
    count("--others", 100, "Honest people with one stream each, who write to each other."),
    rate("--others-rate", 50, "Messages per second of the honest people."),
    seconds("--seconds", 10, "Seconds of each of the two measurements, without and with the flooder."),
    workers(),
    json_option,
)
def flood(json_file: Path | None, **given: Any) -> None:
    """What honest people notice of one user who sends as fast as it goes.

    The flooder writes to one person, then to a large group; with the limit that the server is shipped with, and with
    none. Its first requests are those that the limit lets through at once, so they are measured, too. All that the
    honest people send is checked, and so is that what was accepted of the flooder is there.
    """

    def measure(progress: Progress) -> Result:
        figures = measure_flood(FloodOptions(**given), progress)
        return figures, flood_report(figures), all(one.verdict.good for one in figures), []

    _run(json_file, None, flood=measure)


@bench.command()
@options(
    count("--people", 1000, "People with a stream each, who write to each other two and two."),
    count("--rounds", 20, "How often each of them does each act."),
    count("--streams", 20_000, "People with a stream each, who watch whether others are online."),
    count("--watched", 20, "Others whom each of these watches."),
    count("--readers", 2, "Client processes that hold these streams."),
    count("--connections", 16, "Connections that requests are made over."),
    seconds("--seconds", 20, "Seconds in which nobody comes or goes: once unwatched, once watched."),
    workers(),
    json_option,
)
def state(json_file: Path | None, people: int, rounds: int, **given: Any) -> None:
    """What state costs: to mark messages as read, to say that one writes, and to watch whether others are online.

    Each act is done at full speed, and each stream that must be told of it is; a send is shown to compare with. Then
    everybody watches the others of a group, which must cost little as long as nobody comes or goes; then one of each
    group goes.
    """

    def measure(progress: Progress) -> Result:
        figures = measure_state(StateOptions(people, rounds, PresenceOptions(**given)), progress)
        return figures, state_report(figures), figures.good, []

    _run(json_file, None, state=measure)


@bench.command()
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

    def measure(progress: Progress) -> Result:
        figures = measure_storm(StormOptions(**given), progress)
        return figures, storm_report(figures), figures.good, storm_panels(figures)

    _run(json_file, plot_file, storm=measure)


@bench.command()
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

    def measure(progress: Progress) -> Result:
        figures = measure_churn(ChurnOptions(**given), progress)
        return figures, churn_report(figures), True, []

    _run(json_file, None, churn=measure)


@bench.command()
@options(
    count("--rounds", 7, "Rounds of each variant, in each of the two measurements."),
    seconds("--seconds", 1.5, "Seconds of sends in each round."),
    count("--connections", 64, "Keep-alive connections that send."),
    count("--streams", 3000, "Streams that reconnect in each round, all to one worker."),
    count("--readers", 1, "Client processes that hold the streams."),
    json_option,
)
def ways(json_file: Path | None, **given: Any) -> None:
    """Compares the variants of request handling in a worker (ASGI, protocol, header cache), in alternating rounds.

    Sends: direct messages at full speed, each written to the disk before its response, with no stream open. Streams:
    all reconnect at once, with a cursor, as fast as the worker accepts them. CPU is that of the worker, and is more
    meaningful than the rates if other programs use the machine.
    """

    def measure(progress: Progress) -> Result:
        report = measure_ways(WaysOptions(**given), progress)
        return report, ways_report(report), True, []

    _run(json_file, None, ways=measure)


@bench.command()
@options(
    click.option(
        "--messages",
        type=COUNT,
        multiple=True,
        default=(50, 2000, 10_000),
        show_default=True,
        metavar="N",
        help="Messages of the conversation, all of them loaded. Can be repeated.",
    ),
    count("--keys", 120, "Keys that are pressed, each once the one before is painted."),
    json_option,
)
def page(json_file: Path | None, **given: Any) -> None:
    """What a key costs in the field for a message, in Chromium, while a conversation has many messages.

    Counts all that the page's main thread does: script, style, layout and paint, less what it does without a key. Says
    also what a message costs that arrives, and how many elements the page has.
    """

    def measure(progress: Progress) -> Result:
        figures = measure_page(PageOptions(**given), progress)
        return figures, page_report(figures), True, []

    _run(json_file, None, page=measure)


bench.add_command(verdict)

Result = tuple[Any, str, bool, list[Panel]]
"""The figures, the table, whether all guarantees held, and the panels to plot."""

Measurement = Callable[[Progress], Result]


def _idle(streams: int, progress: Progress, *, workers: int, clients: int, peers: bool, peer_streams: int) -> Result:
    asked = IdleOptions(streams, workers, clients, IDLE if peers else (), peer_streams)
    figures, absent = measure_idle(asked, progress)
    return figures, idle_report(figures, absent), True, []


def _sends(
    streams: int, progress: Progress, *, workers: int, rates: tuple[float, ...], with_peers: bool, **given: Any
) -> Result:
    loads = [make_load(streams, rate=rate, **given) for rate in rates]
    figures = measure_sends(loads, workers, CHATS if with_peers else (), progress)
    good = all(run.verdict.good for run in figures.runs if run.server == "ssechat")
    return figures, sends_report(figures), good, load_panels(figures.runs)


def _run(json_file: Path | None, plot_file: Path | None, **measurements: Measurement) -> None:
    progress = Progress()
    results: dict[str, Any] = {}
    good = True
    try:
        for name, measure in measurements.items():
            results[name], text, as_promised, panels = measure(progress)
            good = good and as_promised
            progress.clear()
            click.echo(f"{text}\n")
            if plot_file is not None:
                write_plot(plot_file, panels)
    finally:
        progress.clear()
    if json_file is not None:
        write_json(json_file, results)
    if not good:
        sys.exit(1)


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
