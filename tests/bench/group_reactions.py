"""Many people react to one message of a large group, all at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from .deliveries import Latency, Verdict, compare
from .group_people import CONVERSATIONS, GroupsOptions, People, request_for_group
from .group_streams import GroupTally, each_of
from .others import OthersFigures
from .progress import Progress
from .saturation import Cpu, Shares, saturation
from .server import Ssechat
from .tables import shown_end, shown_latency, shown_verdict, table

EMOJI = "👍"
PAGE = 100


@dataclass(frozen=True, slots=True)
class ReactionsFigures:
    """The figures."""

    people: int
    """Members of the group."""
    streams: int
    workers: int
    reactions: int
    """People who react, each over a connection of its own."""
    seconds: float
    """From the first PUT to the last answer."""
    last_seen: float
    """Seconds from the first PUT until the last stream showed all reactions."""
    entries: int
    """Entries that the log got."""
    seen: tuple[int, int]
    """Changes that a stream showed: the fewest and the most."""
    to_answer: Latency
    alone_cpu: Cpu
    """While only others wrote, in an equal time."""
    cpu: Cpu
    """From the first PUT to the last answer."""
    others: OthersFigures
    shares: Shares
    verdict: Verdict
    saturation: str
    complaints: list[str] = field(default_factory=list)

    @property
    def microseconds_each(self) -> Cpu:
        """CPU microseconds of each part per reaction, without the cost of the others."""
        return (self.cpu - self.alone_cpu).each(self.reactions)

    @property
    def delivered(self) -> int:
        """Deliveries to inboxes."""
        return self.entries * self.people


def measure_reactions(options: GroupsOptions, progress: Progress) -> ReactionsFigures:
    """Makes a group of all people, in which the first one sends a message, and others react.

    Raises:
        BenchError: the measurement failed.
    """
    name = "reactions"
    with Ssechat(options.workers) as server, People(server, options) as people:
        people.exist()
        group = people.ask_one("POST", CONVERSATIONS, request_for_group(range(options.people)))["id"]
        path = f"{CONVERSATIONS}/{group}/messages/1"
        people.open(name, progress)
        message = {"conversation_id": group, "text": "Who comes?", "client_msg_id": "1"}
        version = people.ask_one("POST", "/v1/messages", message)["version"]
        # Once before: what the first one costs is not what each costs.
        people.ask(range(1), "PUT", f"{path}/reactions/{quote(EMOJI)}")
        people.ask(range(1), "DELETE", f"{path}/reactions/{quote(EMOJI)}")
        before = people.ask_one("GET", path)["version"]
        parts = people.parts()
        alone = people.leave_others_alone(name, parts, progress)
        progress.show(f"{name}: {options.reactions:,} people react")
        first = parts.sample()
        answers = people.ask(
            range(options.reactions), "PUT", f"{path}/reactions/{quote(EMOJI)}", connections=options.reactions
        )
        last = parts.sample()
        people.wait_silent(name, progress)
        verdict = people.others.finish(progress)
        after = people.ask_one("GET", path)
        came = people.collect(name, progress)
        _judge(verdict, options.reactions, came, newest=2 + after["version"] - version)
        counted = after["reactions"][0]["count"]
        listed = _listed(people, f"{path}/reactions?limit={PAGE}")
        if (counted, listed) != (options.reactions, options.reactions):
            verdict.wonder(f"{options.reactions} reacted, {counted} are counted and {listed} are listed")
        used = parts.shares(first, last)
        changed_at = each_of(came[: options.readers], "changed_at")
        changes = [each - 2 for each in each_of(came[: options.readers], "changes")]
        return ReactionsFigures(
            people=options.people,
            streams=options.streams,
            workers=options.workers,
            reactions=options.reactions,
            seconds=answers.seconds,
            last_seen=(max(changed_at) - answers.began) / 1e9,
            entries=after["version"] - before,
            seen=(min(changes), max(changes)),
            to_answer=Latency.of(answers.took),
            alone_cpu=parts.cpu(*alone) * (last.since(first) / alone[1].since(alone[0])),
            cpu=parts.cpu(first, last),
            others=people.others.figures(alone, (first, last)),
            shares=used,
            verdict=verdict,
            saturation=saturation(used),
            complaints=server.complaints,
        )


def _listed(people: People, path: str) -> int:
    """How many different people the pages of reactions name."""
    users: set[str] = set()
    page = people.ask_one("GET", path)
    while True:
        users |= {reaction["user"] for reaction in page["reactions"]}
        if page["next"] is None:
            return len(users)
        page = people.ask_one("GET", f"{path}&after={quote(page['next'])}")


def _judge(verdict: Verdict, reacted: int, came: Sequence[GroupTally], newest: int) -> None:
    """Everybody must have one message, each change of it, and all reactions at the end."""
    verdict.add(compare((), came))
    verdict.lost += sum(max(0, newest - n) for n in each_of(came, "newest"))
    verdict.doubled += sum(max(0, n - newest) for n in each_of(came, "newest"))
    for messages, reactions in zip(each_of(came, "came"), each_of(came, "reactions"), strict=True):
        if (messages, reactions) != (1, reacted):
            verdict.wonder(f"a stream has {messages} messages, and {reactions} reactions")


def reactions_report(figures: ReactionsFigures) -> str:
    """The figures as a table of one column."""
    each, (fewest, most) = figures.microseconds_each, figures.seen
    rows = [
        ("Reactions to one message", f"{figures.reactions:,} people"),
        ("members of the group", f"{figures.people:,}"),
        ("    with a stream", f"{figures.streams:,}"),
        ("worker processes", str(figures.workers)),
        ("first PUT to last answer, s", f"{figures.seconds:.2f}"),
        ("first PUT until the last stream shows all, s", f"{figures.last_seen:.2f}"),
        ("PUT to answer, ms: p50 · p95 · p99", shown_latency(figures.to_answer)),
        ("entries in the log", f"{figures.entries:,}"),
        ("changes seen by a stream", f"{fewest:,}" if fewest == most else f"{fewest:,}–{most:,}"),
        ("deliveries", f"{figures.delivered:,}"),
        ("CPU per reaction, µs: server and Redis", f"{each.server:,.0f}"),
        ("    workers", f"{each.workers:,.0f}"),
        ("    Redis", f"{each.redis:,.0f}"),
        ("    generator (not the server's)", f"{each.generator:,.0f}"),
        ("others' POST to stream, ms: alone", shown_latency(figures.others.stream_alone)),
        ("    while people react", shown_latency(figures.others.stream_during)),
        ("of a core: busiest worker", f"{figures.shares.worker:.0%}"),
        ("    Redis", f"{figures.shares.redis:.0%}"),
        ("    other programs, of the machine", f"{figures.shares.others:.0%}"),
        ("lost · doubled · misordered · unexpected", shown_verdict(figures.verdict)),
    ]
    return f"{table(rows)}\n{shown_end('reactions', figures.saturation, figures.verdict, figures.complaints)}"
