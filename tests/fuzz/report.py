"""The report of a run as text."""

from .canary import percentile
from .run import Result

MAX_BYTES = 3000
"""Upper bound of the printed bytes of an attack."""


def text(result: Result) -> str:
    """Returns the report."""
    rate = result.requests / result.seconds if result.seconds else 0.0
    lines = [
        f"seed {result.options.seed}: {result.requests} requests on {result.attacks} connections "
        f"in {result.seconds:.0f} s ({rate:.0f} a second)",
        "",
    ]
    width = max(map(len, result.counts), default=0)
    for name, counts in sorted(result.counts.items()):
        shown = "  ".join(f"{status} {count}" for status, count in sorted(counts.items()))
        lines.append(f"{name:{width}}  {shown}")
    canary = result.canary
    if canary is not None:
        lines += [
            "",
            f"honest user: {len(canary.sent)} messages sent, {len(canary.heard)} heard; "
            f"p50 {percentile(canary.waits, 0.5) * 1000:.0f} ms, p99 {percentile(canary.waits, 0.99) * 1000:.0f} ms, "
            f"longest {max(canary.waits, default=0) * 1000:.0f} ms; "
            f"sign-in p50 {percentile(canary.sign_ins, 0.5) * 1000:.0f} ms, "
            f"longest {max(canary.sign_ins, default=0) * 1000:.0f} ms",
            f"workers: {result.growth / 2**20:+.1f} MiB from beginning to end, {result.peak / 2**20:.0f} MiB at most",
        ]
    lines.append("")
    for kind, found in sorted(result.found.items()):
        lines.append(
            f"FAULT {kind} ({found.times}×)"
            + ("" if found.confirmed or found.attack is None else ", not when tried alone")
        )
        lines += [f"    {line}" for line in found.fault.said.split("\n")[-14:]]
        if found.attack is not None:
            lines.append(f"    attack {found.attack.number}:")
            for step in found.attack.steps:
                shown = repr(step)
                lines.append(
                    f"      {shown if len(shown) <= MAX_BYTES else f'{shown[:MAX_BYTES]}… ({len(shown)} characters)'}"
                )
    lines.append("no fault found" if result.ok else f"{len(result.found)} kinds of fault")
    return "\n".join(lines)
