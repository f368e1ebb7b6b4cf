"""What groups cost: sends to groups of some sizes, many reactions to one message, and the making of a large group."""

from dataclasses import dataclass

from .group_building import BuildingFigures, building_report, measure_building
from .group_people import GroupsOptions
from .group_reactions import ReactionsFigures, measure_reactions, reactions_report
from .group_sends import DIRECT, GroupSendsFigures, group_sends_report, measure_group_sends
from .progress import Progress


@dataclass(frozen=True, slots=True)
class GroupsFigures:
    """The figures."""

    sends: list[GroupSendsFigures]
    reactions: ReactionsFigures | None
    building: list[BuildingFigures]

    @property
    def good(self) -> bool:
        """Whether every delivery was right."""
        verdicts = [one.verdict for one in self.sends] + [one.verdict for one in self.building]
        if self.reactions is not None:
            verdicts.append(self.reactions.verdict)
        return all(verdict.good for verdict in verdicts)


def measure_groups(options: GroupsOptions, progress: Progress) -> GroupsFigures:
    """Measures all, each with a new server.

    Raises:
        BenchError: a measurement failed.
    """
    options.check()
    return GroupsFigures(
        sends=[
            measure_group_sends(options, size, rate, progress)
            for rate in options.rates
            for size in (DIRECT, *options.sizes)
        ],
        reactions=measure_reactions(options, progress) if options.reactions else None,
        building=[
            measure_building(options, joins, progress) for joins in ((False, True) if options.joins else (False,))
        ],
    )


def groups_report(figures: GroupsFigures) -> str:
    """All tables."""
    reports = [group_sends_report(figures.sends), building_report(figures.building)]
    if figures.reactions is not None:
        reports.insert(1, reactions_report(figures.reactions))
    return "\n\n".join(reports)
