"""The report of a run: counts, times, and for a broken guarantee the shortest trace of events."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from .checker import KINDS, message_key
from .claims import excuse, owed, told
from .history import CHANGES, CONNECT, FACTS, READS_AGAIN
from .result import Result
from .story import shortest_story

SHOWN = 8


def figures(result: Result) -> dict[str, Any]:
    """All counts, for JSON."""
    history, options = result.history, result.options
    found = Counter(violation.kind for violation in result.violations)
    actions = [*history.sends, *history.changes, *history.published]
    outcomes = Counter(attempt.outcome for action in actions for attempt in action.attempts)
    events = Counter(event.name for device in history.devices for event in device.events)
    waits = sorted(action.acked - action.invoked for action in actions if action.acked is not None)
    acked = sum(send.acked is not None for send in history.sends)
    return {
        "seed": options.seed,
        "seconds": options.seconds,
        "mutation": options.mutation or None,
        "kept": not result.violations and not result.tracebacks,
        "faults": dict(sorted(Counter(fault.kind for fault in history.faults).items())),
        "skipped": result.skipped,
        "losses_of_data": len(history.losses),
        "lost_by_design": _lost_by_design(result),
        "sends": len(history.sends),
        "acked": acked,
        "refused": sum(action.refused is not None for action in actions),
        "groups": len(history.groups),
        "changes": dict(sorted(Counter(change.what for change in history.changes).items())),
        "published": len(history.published),
        "published_and_read": sum(event.name == "message" for each in history.feed_readers for event in each.events),
        "deliveries": events["message"],
        "changes_delivered": sum(events[name] for name in (*CHANGES, *FACTS)),
        "connects": events[CONNECT],
        "stuck_readers": events[READS_AGAIN],
        "attempts": dict(sorted(outcomes.items())),
        "ack_seconds": {"median": _share(waits, 0.5), "p99": _share(waits, 0.99), "longest": _share(waits, 1.0)},
        "level_after_seconds": None if result.level_after is None else round(result.level_after, 3),
        "violations": {kind: found[kind] for kind in KINDS},
        "tracebacks": len(result.tracebacks),
    }


def text(result: Result) -> str:
    """The report as text."""
    shown = figures(result)
    level = shown["level_after_seconds"]
    faults = "  ".join(f"{kind} {count}" for kind, count in shown["faults"].items()) or "none"
    by_design = shown["lost_by_design"]
    lines = [
        f"seed {shown['seed']}, {shown['seconds']:g} s" + (f", mutation {shown['mutation']}" * bool(shown["mutation"])),
        f"faults       {sum(shown['faults'].values())}: {faults}  (skipped {shown['skipped']})",
        f"sends        {shown['sends']}, acknowledged {shown['acked']}",
        f"attempts     {_pairs(shown['attempts'])}; refused by right {shown['refused']}",
        *[f"in groups    {shown['groups']}: {_pairs(shown['changes'])}"] * bool(shown["groups"]),
        *[f"in a feed    {shown['published']}, read {shown['published_and_read']} times"] * bool(shown["published"]),
        f"to the ack   {_pairs(shown['ack_seconds'])} (seconds)",
        f"the slowest  {_slowest(result)}",
        f"deliveries   {shown['deliveries']}, of changes and facts {shown['changes_delivered']}; "
        f"connections {shown['connects']}",
        "all level    " + ("never" if level is None else f"{level:.2f} s after the last fault"),
        *[f"lost data    {shown['losses_of_data']} times: {_pairs(by_design)}"] * bool(shown["losses_of_data"]),
        f"violations   {_pairs(shown['violations'])}  tracebacks {shown['tracebacks']}",
        "All guarantees held." if shown["kept"] else "A GUARANTEE WAS BROKEN.",
    ]
    lines += [f"  {violation.kind}: {violation.text}" for violation in result.violations[:SHOWN]]
    story = shortest_story(result.history, result.violations)
    if story:
        lines += ["The shortest story:", *(f"  {line}" for line in story)]
    lines += [f"Traceback …\n{each}" for each in result.tracebacks[:2]]
    return "\n".join(lines)


def _lost_by_design(result: Result) -> dict[str, int]:
    """Counts of acknowledged sends that devices lack because of a data loss, with and without a reset (device ×
    send)."""
    found = Counter(told=0, unseen=0)
    for device in result.history.devices:
        got = {message_key(event) for event in device.messages}
        for send in owed(result.history, device):
            if (send.conversation, send.sender, send.client_msg_id) not in got:
                at = excuse(result.history, device, send)
                if at is not None:
                    found["told" if at == told(result.history, device, send) else "unseen"] += 1
    return dict(found)


def _slowest(result: Result) -> str:
    """The slowest action, attempt by attempt."""
    actions = [*result.history.sends, *result.history.changes]
    ended = result.history.ended
    done = {id(each): each.attempts[-1].ended if each.over and each.attempts else ended for each in actions}
    send = max(actions, key=lambda each: done[id(each)] - each.invoked, default=None)
    if send is None:
        return "–"
    attempts = [f"{each.ended - each.began:.2f} s {each.outcome}" for each in send.attempts]
    return f"{send.client_msg_id}, begun at {send.invoked:.2f}: {', '.join(attempts)}"


def write_json(result: Result, path: Path) -> None:
    """Writes the figures, the violations and the trace as JSON."""
    content = {
        **figures(result),
        "found": [f"{violation.kind}: {violation.text}" for violation in result.violations[:200]],
        "story": shortest_story(result.history, result.violations[:500]),
        "tracebacks_found": result.tracebacks[:5],
    }
    path.write_text(json.dumps(content, indent=2) + "\n")


def _share(values: list[float], share: float) -> float | None:
    return round(values[min(len(values) - 1, int(share * len(values)))], 3) if values else None


def _pairs(counts: dict[str, Any]) -> str:
    return "  ".join(f"{name} {count}" for name, count in counts.items())
