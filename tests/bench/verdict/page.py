"""The report as one HTML file, of a file of results: nothing in it is fetched from elsewhere."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from ..tables import ratio
from .claims import FAST, LOSSY, Results, claims, rows, sized
from .stacks import websocket_of
from .text import kilobytes

STYLE = """
:root { color-scheme: light dark; --line: #8886; --ours: #1b6ca8; --theirs: #c44536; }
@media (prefers-color-scheme: dark) { :root { --ours: #5aa9e6; --theirs: #ef7a6d; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { border-bottom: 1px solid var(--line);
padding: .3rem .6rem; text-align: left; vertical-align: top; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
svg text { fill: currentColor; font-size: 13px; } .ours { fill: var(--ours); } .theirs { fill: var(--theirs); }
.scroll { overflow-x: auto; }
"""
BAR, GAP, LABEL, WIDTH = 18, 6, 330, 860
OURS = ("http1", "nginx-", "haproxy-", "caddy-", "ssechat")

Column = tuple[str, Callable[[Any], str]]
SCENE: Sequence[Column] = (
    ("p50, ms", lambda each: f"{each['scene']['to_other']['p50']:,.1f}"),
    ("p90", lambda each: f"{each['scene']['to_other']['p90']:,.1f}"),
    ("p99", lambda each: f"{each['scene']['to_other']['p99']:,.1f}"),
    ("new connections per 10,000", lambda each: f"{each['scene']['connections_per_10_000']:,.0f}"),
    ("bytes each", lambda each: f"{each['scene']['bytes_each']:,.0f}"),
    ("µs CPU each", lambda each: f"{each['scene']['microseconds_each']:,.0f}"),
    ("sent", lambda each: f"{each['scene']['sent']:,}"),
    ("lost", lambda each: f"{each['scene']['lost']:,}"),
    ("line late by, ms", lambda each: f"{each['scene']['overdue']:,.0f}"),
)
OUTAGE: Sequence[Column] = (
    ("sent", lambda each: f"{each['scene']['sent']:,}"),
    ("lost", lambda each: f"{each['scene']['lost']:,}"),
    ("refused, so the sender knows", lambda each: f"{each['scene']['refused']:,}"),
    ("ms until level", lambda each: "never" if each["scene"]["lost"] else f"{each['caught_up_ms']:,.0f}"),
    ("bytes each", lambda each: f"{each['scene']['bytes_each']:,.0f}"),
)
RIVAL: Sequence[Column] = (
    ("stores", lambda each: each["stores"]),
    ("KB a connection: process", lambda each: kilobytes(each["process_bytes"])),
    ("kernel", lambda each: kilobytes(each["kernel_bytes"])),
    ("µs CPU each, at a rate", lambda each: f"{each['microseconds_each']:,.0f} ({each['rate']:g}/s)"),
    ("deliveries a second", lambda each: f"{each['deliveries_a_second']:,.0f}"),
    ("µs CPU each then", lambda each: f"{each['saturated_microseconds_each']:,.0f}"),
    ("missing after kill -9", lambda each: f"{each['missing']:,} of {each['acknowledged']:,}"),
)


def page(results: Results) -> str:
    """Returns the page."""
    parts = ["<h1>What is said against SSE for chat, tried</h1>", f"<p>{escape(_when(results))}</p>"]
    line = results.get("line")
    if line is not None and line["note"]:
        parts.append(f"<p><b>{escape(line['note'])}</b></p>")
    parts.append(_table("", rows(claims(results))))
    for what, title, columns in (
        ("sends", "Sends: until the other has it", SCENE),
        ("typing", "Two people type into one document, 30 messages a second each way", SCENE),
        ("ticks", "A game: 60 ticks a second to 8 players", SCENE),
        ("cut", "Two people type, and the line of one is cut", OUTAGE),
        ("burst", "A burst after 10 s offline", OUTAGE),
    ):
        for name in (FAST, LOSSY):
            found = [each for each in (line or {}).get(what, ()) if each["line"] == name]
            if found:
                shown = [*columns, _compared(found)] if columns is SCENE else columns
                parts += [f"<h2>{escape(title)}, {escape(name)}</h2>", _plot(found, columns), _of(found, shown)]
    if rivals := results.get("rivals"):
        parts += ["<h2>What people would pick</h2>", _rival_plots(rivals), _of(rivals, RIVAL)]
        parts.append(
            "<p>On the loopback. Missing: of messages that were acknowledged to somebody while their recipient was "
            "offline and all processes, storage included, were killed in the middle.</p>"
        )
    if (plan := sized(results)) is not None:
        steps = [["Step", "How", ""], *([step.name, step.how, f"{step.value:,.2f} {step.unit}"] for step in plan.steps)]
        parts += ["<h2>500 million monthly users</h2>", _table("", steps)]
    absent = [*(line or {}).get("absent", ()), *results.get("absent", ())]
    if absent:
        parts += ["<h2>Not measured</h2>", "<ul>", *(f"<li>{escape(each)}</li>" for each in absent), "</ul>"]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width"><title>What is said against SSE, tried</title>'
        f"<style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _when(results: Results) -> str:
    machine = results["machine"]
    versions = {**machine["packages"], **machine["programs"]}
    shown = ", ".join(f"{name} {version}" for name, version in versions.items())
    where = results.get("size", {}).get("machine", f"{machine['cores']} cores")
    return f"{results['at']}, on {where}, Linux {machine['kernel']}, Python {machine['python']}; {shown}."


def _of(found: Sequence[Any], columns: Sequence[Column]) -> str:
    return _table(
        "n",
        [
            ["", *(name for name, _ in columns)],
            *([_name(each), *(show(each) for _, show in columns)] for each in found),
        ],
    )


def _compared(found: Sequence[Any]) -> Column:
    p50 = {each["key"]: each["scene"]["to_other"]["p50"] for each in found}
    return (
        "p50, times the WebSocket's, through the same front",
        lambda each: ratio(p50[each["key"]], p50.get(websocket_of(each["key"]), 0.0)),
    )


def _name(each: Any) -> str:
    return str(each["name"])


def _table(kind: str, cells: Sequence[Sequence[str]]) -> str:
    head, *rest = cells
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    for first, *others in rest:
        shown = "".join(f'<td class="{kind}">{escape(cell)}</td>' for cell in others)
        lines.append(f"<tr><td>{escape(first)}</td>{shown}</tr>")
    return f'<div class="scroll"><table>{"".join(lines)}</table></div>'


def _plot(found: Sequence[Any], columns: Sequence[Column]) -> str:
    if columns is OUTAGE:
        return _bars("lost", [(each, each["scene"]["lost"]) for each in found])
    return _bars("p50, ms", [(each, each["scene"]["to_other"]["p50"]) for each in found])


def _rival_plots(found: Sequence[Any]) -> str:
    return "".join(
        f"<h3>{title}</h3>{_bars(title, [(each, each[name] / by) for each in found])}"
        for name, title, by in (
            ("process_bytes", "KB of process memory a connection", 1024),
            ("deliveries_a_second", "deliveries a second", 1),
        )
    )


def _bars(what: str, found: Sequence[tuple[Any, float]]) -> str:
    most = max((value for _, value in found), default=0) or 1
    height = len(found) * (BAR + GAP)
    drawn = [f'<svg viewBox="0 0 {WIDTH} {height}" width="100%" role="img" aria-label="{escape(what)}">']
    for number, (each, value) in enumerate(found):
        y = number * (BAR + GAP)
        length = round((WIDTH - LABEL - 90) * value / most, 1)
        kind = "ours" if each["key"].startswith(OURS) else "theirs"
        drawn += [
            f'<text x="{LABEL - 8}" y="{y + 14}" text-anchor="end">{escape(_name(each))}</text>',
            f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{length}" height="{BAR}"/>',
            f'<text x="{LABEL + length + 6}" y="{y + 14}">{value:,.4g}</text>',
        ]
    return "".join([*drawn, "</svg>"])
