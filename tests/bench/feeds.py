"""What feeds cost: one event to many readers, and many changes of keys."""

from collections.abc import Sequence
from dataclasses import dataclass

from .feed_announcements import AnnouncementFigures, AnnouncementOptions, announcements_report, measure_announcements
from .feed_changes import ChangeFigures, ChangeOptions, changes_report, measure_changes
from .progress import Progress


@dataclass(frozen=True, slots=True)
class FeedsFigures:
    """The figures."""

    announcements: Sequence[AnnouncementFigures]
    absent: Sequence[str]
    """Notes on peers that were not measured."""
    changes: ChangeFigures

    @property
    def good(self) -> bool:
        """Whether our readers got each event once, and of each key the newest value."""
        return self.announcements[0].verdict.good and self.changes.good


def measure_feeds(announced: AnnouncementOptions, changed: ChangeOptions, progress: Progress) -> FeedsFigures:
    """Measures both, each with new servers.

    Raises:
        BenchError: the measurement failed.
    """
    changes = measure_changes(changed, progress)
    return FeedsFigures(*measure_announcements(announced, progress), changes)


def feeds_report(figures: FeedsFigures) -> str:
    """Both tables."""
    return "\n\n".join([announcements_report(figures.announcements, figures.absent), changes_report(figures.changes)])
