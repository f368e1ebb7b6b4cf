"""From a plan to workers, machines, Redis nodes, memory and bandwidth, step by step."""

from dataclasses import dataclass, field
from math import ceil

from ssechat.sizing.figures import Figures

DAY = 86_400
GIB = 2**30
TEXTBOOK_STREAMS = 100_000
"""Connections of one of the textbook's servers: 200 of them for 20 million people online."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deployment is for, and the machines that it would have."""

    monthly_users: float
    online: float
    """The share of them that is online at the busiest time."""
    messages: float
    """Messages that one of them sends a day, on the average."""
    people: float
    """People in the conversation that a message is sent to, its sender included."""
    retention: float
    """Days for which messages are kept."""
    peak: float
    """How many times the average the busiest second has."""
    devices: float
    """Streams of one who is online."""
    cores: int
    """Of a machine."""
    memory_gib: float
    """Of a machine, for a Redis node or for workers."""
    load: float
    """The share of a machine's CPU and memory that may be used at the busiest time."""
    replicas: int
    """Copies of each Redis node."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the calculation."""

    name: str
    how: str
    """The formula with its numbers."""
    value: float
    unit: str


@dataclass(slots=True)
class Sizing:
    """What the plan needs."""

    steps: list[Step] = field(default_factory=list)
    streams: float = 0
    sends_a_second: float = 0
    deliveries_a_second: float = 0
    stream_machines: int = 0
    """Machines that the open streams alone would need: what the textbook's figure is about."""
    textbook_machines: int = 0
    workers: int = 0
    worker_machines: int = 0
    worker_memory: float = 0
    """Bytes, the kernel's included."""
    redis_nodes: int = 0
    """Without replicas."""
    redis_machines: int = 0
    """One a node, replicas included."""
    redis_memory: float = 0
    """Bytes, without replicas."""
    bits_a_second: float = 0

    def add(self, name: str, how: str, value: float, unit: str = "") -> float:
        """Notes a step; returns its value."""
        self.steps.append(Step(name, how, value, unit))
        return value


def size(plan: Plan, figures: Figures) -> Sizing:
    """Calculates what a plan needs."""
    out = Sizing()
    _traffic(out, plan)
    _workers(out, plan, figures)
    _redis(out, plan, figures)
    _bandwidth(out, plan, figures)
    return out


def _traffic(out: Sizing, plan: Plan) -> None:
    out.streams = out.add(
        "open streams", f"{plan.monthly_users:,.0f} users × {plan.online:.2%} online × {plan.devices:g} devices",
        plan.monthly_users * plan.online * plan.devices,
    )  # fmt: skip
    out.sends_a_second = out.add(
        "sends a second at the peak",
        f"{plan.monthly_users:,.0f} users × {plan.messages:g} a day ÷ {DAY:,} s × {plan.peak:g}",
        plan.monthly_users * plan.messages / DAY * plan.peak,
    )
    out.deliveries_a_second = out.add(
        "deliveries a second", f"{out.sends_a_second:,.0f} sends × {plan.people:g} people",
        out.sends_a_second * plan.people,
    )  # fmt: skip


def _workers(out: Sizing, plan: Plan, figures: Figures) -> None:
    each = figures.stream_bytes + figures.kernel_bytes
    out.worker_memory = out.add(
        "memory of the streams",
        f"{out.streams:,.0f} × ({figures.stream_bytes:,.0f} B + {figures.kernel_bytes:,.0f} B in the kernel)",
        out.streams * each, "B",
    )  # fmt: skip
    idle = out.add(
        "cores for silent streams", f"{out.streams:,.0f} × {figures.idle_microseconds:.2f} µs a second",
        out.streams * figures.idle_microseconds / 1e6, "cores",
    )  # fmt: skip
    busy = out.add(
        "cores for messages", f"{out.deliveries_a_second:,.0f} deliveries × {figures.worker_microseconds:,.0f} µs",
        out.deliveries_a_second * figures.worker_microseconds / 1e6, "cores",
    )  # fmt: skip
    memory = plan.memory_gib * GIB * plan.load
    usable = plan.cores * plan.load
    out.stream_machines = ceil(out.add(
        "machines for the streams alone",
        f"the larger of {_bytes(out.worker_memory)} ÷ ({plan.memory_gib:g} GiB × {plan.load:.0%}) and "
        f"{idle:,.1f} cores ÷ ({plan.cores} × {plan.load:.0%}), rounded up",
        max(1, ceil(out.worker_memory / memory), ceil(idle / usable)),
    ))  # fmt: skip
    out.workers = ceil(out.add(
        "workers", f"({idle:,.1f} + {busy:,.1f}) cores ÷ {plan.load:.0%}, rounded up",
        max(1, ceil((idle + busy) / plan.load)),
    ))  # fmt: skip
    out.worker_machines = ceil(out.add(
        "machines for workers",
        f"the larger of {out.workers:,} workers ÷ {plan.cores} cores, and {_bytes(out.worker_memory)} ÷ "
        f"({plan.memory_gib:g} GiB × {plan.load:.0%}), rounded up",
        max(ceil(out.workers / plan.cores), ceil(out.worker_memory / memory)),
    ))  # fmt: skip
    out.textbook_machines = ceil(out.add(
        "the textbook's machines", f"{out.streams:,.0f} streams ÷ {TEXTBOOK_STREAMS:,} a machine, rounded up",
        max(1, ceil(out.streams / TEXTBOOK_STREAMS)),
    ))  # fmt: skip


def _redis(out: Sizing, plan: Plan, figures: Figures) -> None:
    cores = out.add(
        "cores of Redis", f"{out.deliveries_a_second:,.0f} deliveries × {figures.redis_microseconds:,.0f} µs",
        out.deliveries_a_second * figures.redis_microseconds / 1e6, "cores",
    )  # fmt: skip
    kept = out.add(
        "messages kept",
        f"{plan.monthly_users:,.0f} users × {plan.messages:g} a day × {plan.retention:g} days",
        plan.monthly_users * plan.messages * plan.retention,
    )
    each = out.add(
        "memory of a message",
        f"{figures.message_bytes:,.0f} B for two people + {max(0.0, plan.people - 2):g} × {figures.entry_bytes:,.0f} B",
        figures.message_bytes + max(0.0, plan.people - 2) * figures.entry_bytes, "B",
    )  # fmt: skip
    out.redis_memory = out.add(
        "memory of Redis",
        f"{kept:,.0f} messages × {each:,.0f} B + {plan.monthly_users:,.0f} users × {figures.user_bytes:,.0f} B",
        kept * each + plan.monthly_users * figures.user_bytes, "B",
    )  # fmt: skip
    by_core = out.add(
        "Redis nodes by CPU", f"{cores:,.1f} cores ÷ (1 a node × {plan.load:.0%}), rounded up",
        max(1, ceil(cores / plan.load)),
    )  # fmt: skip
    by_memory = out.add(
        "Redis nodes by memory",
        f"{_bytes(out.redis_memory)} ÷ ({plan.memory_gib:g} GiB × {plan.load:.0%}), rounded up",
        max(1, ceil(out.redis_memory / (plan.memory_gib * GIB * plan.load))),
    )
    out.redis_nodes = int(max(by_core, by_memory))
    # As many nodes as fit share a machine: a node has one core.
    total = out.redis_nodes * (1 + plan.replicas)
    shared = ceil(by_core * (1 + plan.replicas) / plan.cores)
    stored = by_memory * (1 + plan.replicas)
    out.redis_machines = ceil(out.add(
        "machines for Redis",
        f"{total:,} nodes with {plan.replicas} replicas each: the larger of {shared:,} by cores, and {stored:,.0f} by "
        "memory",
        max(shared, stored),
    ))  # fmt: skip


def _bandwidth(out: Sizing, plan: Plan, figures: Figures) -> None:
    out.bits_a_second = out.add(
        "bandwidth to and from clients",
        f"8 × ({out.sends_a_second:,.0f} × {figures.send_wire_bytes:,.0f} B + {out.deliveries_a_second:,.0f} × "
        f"{figures.event_wire_bytes:,.0f} B + {out.streams:,.0f} × {figures.ping_wire_bytes:.2f} B)",
        8
        * (
            out.sends_a_second * figures.send_wire_bytes
            + out.deliveries_a_second * figures.event_wire_bytes
            + out.streams * figures.ping_wire_bytes
        ),
        "bit/s",
    )  # fmt: skip


def _bytes(count: float) -> str:
    return amount(count, "B")


def amount(value: float, unit: str) -> str:
    """A number with its unit, for people: bytes in powers of 1,024, bits in powers of 1,000."""
    base, prefixes = (1024, ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")) if unit == "B" else (
        1000, ("", "k", "M", "G", "T", "P", "E")
    )  # fmt: skip
    if unit not in ("B", "bit/s"):
        shown = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.2f}"
        return f"{shown} {unit}".rstrip()
    power = 0
    while value >= base and power < len(prefixes) - 1:
        value, power = value / base, power + 1
    return (
        f"{value:,.0f} {prefixes[power]}{unit}"
        if value >= 100 or power == 0
        else f"{value:,.1f} {prefixes[power]}{unit}"
    )
