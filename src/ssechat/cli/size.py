"""The command `size`."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ssechat.cli.options import Number

if TYPE_CHECKING:
    from ssechat.sizing.figures import Figures
    from ssechat.sizing.plan import Plan, Sizing

WIDTH = 34


@click.command()
@click.option("--monthly-users", type=Number(1, 1e11), default=500e6, metavar="N", help="People.  [default 500000000]")
@click.option(
    "--online", type=Number(0, 100), default=4.0, metavar="PERCENT",
    help="How many of 100 are online at the busiest time.  [default 4: 20 million of 500 million]",
)  # fmt: skip
@click.option(
    "--messages", type=Number(0, 1e6), default=10.0, metavar="N", help="Messages that each sends a day.  [default 10]"
)
@click.option(
    "--people", type=Number(1, 1024), default=2.0, metavar="N",
    help="People in a conversation, the sender included, on the average.  [default 2]",
)  # fmt: skip
@click.option(
    "--retention",
    type=Number(0, 36500),
    default=30.0,
    metavar="DAYS",
    help="Days that messages are kept.  [default 30]",
)
@click.option(
    "--peak", type=Number(1, 1000), default=3.0, metavar="N",
    help="How many times the average the busiest second has.  [default 3]",
)  # fmt: skip
@click.option(
    "--devices", type=Number(0.01, 100), default=1.0, metavar="N", help="Streams of one who is online.  [default 1]"
)
@click.option(
    "--cores", type=click.IntRange(1, 4096), default=16, metavar="N", help="Cores of a machine.  [default 16]"
)
@click.option("--memory", type=Number(1, 1e6), default=64.0, metavar="GIB", help="Memory of a machine.  [default 64]")
@click.option(
    "--load", type=Number(1, 100), default=60.0, metavar="PERCENT",
    help="How much of a machine may be used at the busiest time.  [default 60]",
)  # fmt: skip
@click.option(
    "--replicas", type=click.IntRange(0, 10), default=1, metavar="N", help="Copies of each Redis node.  [default 1]"
)
@click.option(
    "--figures", "figures_file", type=click.Path(path_type=Path), metavar="FILE",
    help="Figures of another machine, from `python -m tests.bench verdict --part size --figures FILE`.",
)  # fmt: skip
@click.option("--explain", is_flag=True, help="Show every step, with its numbers, and the figures.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the plan, the answer, its steps and the figures.")
def size(
    monthly_users: float, online: float, messages: float, people: float, retention: float, peak: float,
    devices: float, cores: int, memory: float, load: float, replicas: int, figures_file: Path | None,
    explain: bool, as_json: bool,
) -> None:  # fmt: skip
    """Say how many workers, machines and Redis nodes a plan needs.

    \b
    ssechat size
    ssechat size --monthly-users 20000 --online 20 --messages 50 --people 5 --cores 4 --memory 8
    ssechat size --explain

    It multiplies: what a stream and a message cost was measured on a machine, and is taken as the same on each core of
    yours. Measure there what matters to you. The defaults are a textbook's 500 million monthly users, 20 million of
    them online, for whom it counts 200 machines; both answers are shown.

    Fronts (TLS), the network between machines, and disks are not included.
    """
    from ssechat.sizing.figures import MEASURED, read_figures
    from ssechat.sizing.plan import Plan
    from ssechat.sizing.plan import size as calculate

    figures = read_figures(figures_file or MEASURED)
    plan = Plan(
        monthly_users, online / 100, messages, people, retention, peak, devices, cores, memory, load / 100, replicas
    )
    sizing = calculate(plan, figures)
    if as_json:
        click.echo(json.dumps({
            "plan": dataclasses.asdict(plan), "size": dataclasses.asdict(sizing), "figures": figures.model_dump(),
        }, indent=2))  # fmt: skip
        return
    click.echo("\n".join([*_answer(plan, sizing), *(_steps(sizing, figures) if explain else [])]))
    click.echo(
        f"\nFrom figures of {figures.at[:10]} ({figures.machine}; ssechat {figures.version}): `{figures.command}`."
        + ("" if explain else " --explain shows every step.")
    )


def _answer(plan: "Plan", sizing: "Sizing") -> list[str]:
    from ssechat.sizing.plan import amount

    machine = f"{plan.cores} cores, {plan.memory_gib:g} GiB"
    rows = [
        ("monthly users", amount(plan.monthly_users, "")),
        ("open streams", amount(sizing.streams, "")),
        ("sends a second, at the peak", amount(sizing.sends_a_second, "")),
        ("deliveries a second", amount(sizing.deliveries_a_second, "")),
        ("", ""),
        ("machines for the streams alone", f"{amount(sizing.stream_machines, '')} ({machine})"),
        ("    a textbook's answer", f"{amount(sizing.textbook_machines, '')} (100,000 connections each)"),
        ("workers, with the messages", amount(sizing.workers, "")),
        ("machines for workers", amount(sizing.worker_machines, "")),
        ("memory of workers and kernel", amount(sizing.worker_memory, "B")),
        (
            "Redis nodes",
            f"{amount(sizing.redis_nodes, '')}, and {amount(sizing.redis_nodes * plan.replicas, '')} replicas",
        ),
        ("machines for Redis", amount(sizing.redis_machines, "")),
        ("memory of Redis", f"{amount(sizing.redis_memory, 'B')}, without replicas"),
        ("bandwidth", amount(sizing.bits_a_second, "bit/s")),
    ]
    lines = [f"{name:<{WIDTH}}{value}".rstrip() for name, value in rows]
    if sizing.redis_nodes > 1:
        lines += [
            "",
            "One server of this version uses one Redis node: so many nodes are so many deployments, each with its",
            "own users, until it speaks to a cluster. All messages are kept in memory: --retention decides most of it.",
        ]
    return lines


def _steps(sizing: "Sizing", figures: "Figures") -> list[str]:
    from ssechat.sizing.plan import amount

    lines = ["", "Every step:"]
    for step in sizing.steps:
        lines += [f"  {step.name}: {amount(step.value, step.unit)}", f"      {step.how}"]
    lines += ["", "The figures:"]
    for name, field in type(figures).model_fields.items():
        value = getattr(figures, name)
        if isinstance(value, float):
            lines.append(f"  {field.description}: {value:,.2f} {'µs' if name.endswith('microseconds') else 'B'}")
    return lines
