"""The figures as text, for a terminal."""

from collections.abc import Callable, Sequence

from ..tables import ratio, table
from .measures import LineFigures, Result
from .rivals.running import RivalFigures
from .stacks import websocket_of

Column = tuple[str, Callable[[Result], str]]

SEND_COLUMNS: Sequence[Column] = (
    ("p50", lambda each: f"{each.scene.to_other.p50:.1f}"),
    ("p99", lambda each: f"{each.scene.to_other.p99:.1f}"),
    ("new connections per 10,000", lambda each: f"{each.scene.connections_per_10_000:,.0f}"),
    ("bytes each", lambda each: f"{each.scene.bytes_each:,.0f}"),
    ("µs CPU each", lambda each: f"{each.scene.microseconds_each:,.0f}"),
    ("sent", lambda each: f"{each.scene.sent:,}"),
    ("lost", lambda each: f"{each.scene.lost:,}"),
)
OUTAGE_COLUMNS: Sequence[Column] = (
    ("ms until level", lambda each: f"{each.caught_up_ms:,.0f}" if not each.scene.lost else "never"),
    ("bytes each", lambda each: f"{each.scene.bytes_each:,.0f}"),
    ("sent", lambda each: f"{each.scene.sent:,}"),
    ("lost", lambda each: f"{each.scene.lost:,}"),
    ("refused", lambda each: f"{each.scene.refused:,}"),
)


def rows(results: Sequence[Result], columns: Sequence[Column]) -> list[list[str]]:
    """Rows of a table; those of sends with the ratio of the p50 to that of a WebSocket through the same front."""
    compared = columns is SEND_COLUMNS
    found = [["", *(name for name, _ in columns), *(["p50, times the WebSocket's"] if compared else [])]]
    p50 = {each.key: each.scene.to_other.p50 for each in results}
    for each in results:
        cells = [each.name, *(show(each) for _, show in columns)]
        found.append([*cells, ratio(p50[each.key], p50.get(websocket_of(each.key), 0.0))] if compared else cells)
    return found


def sections(figures: LineFigures) -> list[tuple[str, list[list[str]]]]:
    """The tables, each with what it shows."""
    found = []
    for name, shakes in figures.handshakes.items():
        found.append((
            f"What opening a connection costs, {name}, in ms",
            [["", "p50", "p99"],
             ["TCP", f"{shakes.tcp.p50:.1f}", f"{shakes.tcp.p99:.1f}"],
             ["TCP and TLS 1.3", f"{shakes.tls.p50:.1f}", f"{shakes.tls.p99:.1f}"]],
        ))  # fmt: skip
    for results, what, columns in (
        (figures.sends, "Sends: from POST to the other's stream, in ms", SEND_COLUMNS),
        (figures.typing, "Two people type into one document, 30 messages a second each way, in ms", SEND_COLUMNS),
        (figures.ticks, "A game: 60 ticks a second to 8 players, in ms", SEND_COLUMNS),
        (figures.cut, "Two people type, and the line of one is cut", OUTAGE_COLUMNS),
        (figures.burst, "A burst after having been offline", OUTAGE_COLUMNS),
    ):
        for name in dict.fromkeys(each.line for each in results):
            there = [each for each in results if each.line == name]
            found.append((f"{what}, {name}", rows(there, columns)))
    return found


def line_report(figures: LineFigures) -> str:
    """All tables, and what else is to be said."""
    parts = [f"{title}\n{table(found)}" for title, found in sections(figures)]
    return "\n\n".join([*([figures.note] if figures.note else []), *parts, *figures.absent])


def kilobytes(count: float) -> str:
    """Of a connection; a dash where what other memory was given back hid it."""
    return f"{count / 1024:,.1f}" if count > 0 else "–"


def rivals_report(figures: Sequence[RivalFigures], absent: Sequence[str]) -> str:
    """A table with a row for each server, and what else is to be said."""
    titles = ["KB a connection", "kernel", "µs CPU each", "at", "deliveries/s", "µs CPU each", "acked", "missing"]
    cells = [["Servers that people would pick; acked with a kill -9 in the middle", *titles]]
    cells += [
        [
            each.name, kilobytes(each.process_bytes), kilobytes(each.kernel_bytes),
            f"{each.microseconds_each:,.0f}", f"{each.rate:g}/s", f"{each.deliveries_a_second:,.0f}",
            f"{each.saturated_microseconds_each:,.0f}", f"{each.acknowledged:,}", f"{each.missing:,}",
        ]
        for each in figures
    ]  # fmt: skip
    return "\n".join([table(cells), *absent])
