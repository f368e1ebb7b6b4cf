"""Their claim, ours, and what was measured, of a file of results; and the README's section."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ssechat.sizing.figures import Figures
from ssechat.sizing.plan import Plan, Sizing, amount, size

Results = Mapping[str, Any]

ROWS = (
    ("http1", "POST and SSE, HTTP/1.1"),
    ("nginx-http2", "POST and SSE, HTTP/2 (nginx)"),
    ("websocket", "WebSocket (uvicorn), no log"),
    ("polling", "long polling, no log"),
    ("careless-tls", "a new connection for each POST"),
)
"""The ways that the README shows."""
HEADING = "## What is said against SSE"
FAST, LOSSY = "30 ms", "100 ms, 1% lost"
TEXTBOOK = Plan(
    monthly_users=500e6, online=0.04, messages=10, people=2, retention=30, peak=3, devices=1, cores=16, memory_gib=64,
    load=0.6, replicas=1,
)  # fmt: skip
"""The defaults of `ssechat size`."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim."""

    theirs: str
    ours: str
    measured: str


def find(results: Results, what: str, key: str, line: str = FAST) -> Any:
    """The result of a way, as it stands in the file; None if there is none."""
    for each in results.get("line", {}).get(what, ()):
        if each["key"] == key and each["line"] == line:
            return each
    return None


def sized(results: Results) -> Sizing | None:
    """The textbook's plan with the figures of these results."""
    return size(TEXTBOOK, Figures.model_validate(results["size"])) if "size" in results else None


def claims(results: Results) -> list[Claim]:
    """The claims with figures. One whose figures are not there says so."""

    def p50(key: str, what: str = "sends", line: str = FAST) -> str:
        found = find(results, what, key, line)
        return f"{found['scene']['to_other']['p50']:,.1f} ms" if found else "not measured"

    def connections(key: str) -> str:
        found = find(results, "sends", key)
        return f"{found['scene']['connections_per_10_000']:,.0f}" if found else "not measured"

    def lost(key: str, what: str) -> str:
        found = find(results, what, key)
        return f"{found['scene']['lost']:,} of {found['scene']['sent']:,}" if found else "not measured"

    shakes = results.get("line", {}).get("handshakes", {}).get(FAST)
    handshake = f"{shakes['tls']['p50']:,.0f} ms" if shakes else "not measured"
    plan = sized(results)
    machines = (
        f"{amount(plan.stream_machines, '')} machines of 16 cores and 64 GiB for the streams, "
        f"{amount(plan.worker_machines, '')} with 10 messages a day each; and {amount(plan.redis_machines, '')} for "
        "Redis, which keeps 30 days of them in memory"
        if plan
        else "not measured"
    )
    return [
        Claim(
            "SSE needs a second connection pool for what is sent.",
            "A browser keeps its connections: no new one for a message; with HTTP/2 one for all.",
            f"new connections per 10,000 sends: HTTP/1.1 {connections('http1')}, HTTP/2 {connections('nginx-http2')}, "
            f"WebSocket {connections('websocket')}",
        ),
        Claim(
            "Each message costs about 100 ms of handshakes.",
            "Only with a client that opens a connection for each.",
            f"a handshake with TLS {handshake}; to the other's stream {p50('careless-tls')} for a careless client, "
            f"{p50('http1')} for one that keeps connections, {p50('websocket')} over a WebSocket",
        ),
        Claim(
            "The stream burns one of a browser's six connections.",
            "True of HTTP/1.1, which five others serve; not of HTTP/2.",
            f"60 ticks a second at 100 ms: {p50('http1', 'ticks', LOSSY)} over HTTP/1.1, where they wait for a "
            f"connection, {p50('nginx-http2', 'ticks', LOSSY)} over HTTP/2, {p50('websocket', 'ticks', LOSSY)} over a "
            "WebSocket",
        ),
        Claim(
            "It is no better than long polling.",
            "A poll must be asked anew after each answer; a stream need not.",
            f"60 ticks a second: {p50('http1', 'ticks')} over SSE, {p50('polling', 'ticks')} with long polling",
        ),
        Claim(
            "A WebSocket is what a chat needs.",
            "What a cut line loses is the question, and a log answers it. (socket.io recovers what came after it had "
            "noticed the cut, for which it takes up to 45 s by default.)",
            f"lost on a cut: SSE {lost('http1', 'cut')}, WebSocket {lost('websocket', 'cut')}, socket.io with recovery "
            f"{lost('socketio-streams', 'cut')}; after 10 s offline: {lost('http1', 'burst')}, "
            f"{lost('websocket', 'burst')}, {lost('socketio-streams', 'burst')}",
        ),
        Claim(
            "200 servers for 20 million people online.",
            "A handful, for the connections. What Redis keeps in memory costs far more.",
            machines,
        ),
    ]


def readme_section(results: Results) -> list[str]:
    """The lines of the section in README.md, at most thirteen."""
    plan = sized(results)
    assert plan is not None
    machine, day = results["size"]["machine"], results["at"][:10]
    lines = [
        HEADING,
        "",
        f"`python -m tests.bench verdict` tried it on {day} ({machine}).",
        f"For 20 million online `ssechat size` says {plan.stream_machines:,} machines of 16 cores for the streams (a "
        f"textbook: {plan.textbook_machines:,}), {plan.worker_machines:,} with",
        f"messages, and {plan.redis_machines:,} for Redis, which keeps 30 days of messages in memory.",
        "",
        "| 30 ms there and back | p50 to the other | new connections per 10,000 | lost on a cut line | bytes each |",
        "|---|---|---|---|---|",
    ]
    for key, name in ROWS:
        sent, cut = find(results, "sends", key), find(results, "cut", key)
        if sent is None:
            continue
        scene = sent["scene"]
        lost = f"{cut['scene']['lost']:,} of {cut['scene']['sent']:,}" if cut else "–"
        lines.append(
            f"| {name} | {scene['to_other']['p50']:.1f} ms | {scene['connections_per_10_000']:,.0f} | {lost} | "
            f"{scene['bytes_each']:,.0f} |"
        )
    return lines


def rows(found: Sequence[Claim]) -> list[list[str]]:
    """A table of claims."""
    return [["They say", "We say", "Measured"], *([each.theirs, each.ours, each.measured] for each in found)]
