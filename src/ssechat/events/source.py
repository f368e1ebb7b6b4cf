"""The source of a stream: a newest id, pages after a last event id, and a channel. A user's inbox is a source."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ssechat.ids import number_of


class Event(NamedTuple):
    """An event of a log, as it stands now."""

    n: int
    """Its number in the log."""
    id: str
    kind: str
    chunk: bytes
    """Empty where a later event says what this one would: the cursor moves on, and nothing is written."""


class Page(NamedTuple):
    """The events after a last event id. `continuous` is False if the id is not one of this log."""

    continuous: bool
    head: str
    oldest: str
    events: Sequence[Event]
    before: str = ""
    """The id of the event before the oldest one, if it is known."""

    @property
    def before_oldest(self) -> str:
        """The cursor of a reader that has nothing of what is kept."""
        return (self.before or f"{number_of(self.oldest) - 1}-0") if self.events else self.head


START = "-"
"""The cursor before everything that is kept."""


class Log(Protocol):
    """Logs of one sort, by name: the inboxes of all users, for example."""

    @property
    def sort(self) -> str:
        """What each log is of: `hello` has its name under this one."""

    @property
    def skips(self) -> bool:
        """Whether a page may pass over numbers: what it leaves out is of no interest any more."""

    async def head(self, name: str) -> str:
        """The newest event's id. Always a valid cursor.

        Raises:
            RedisUnavailable: Redis did not answer.
        """

    async def heads(self, names: Sequence[str]) -> list[str]:
        """The heads of many, in one round trip."""

    async def read(self, name: str, cursor: str, count: int, room: int) -> Page:
        """Up to `count` events after `cursor`, as many as fit into `room` bytes, but one at least.

        Raises:
            RedisUnavailable: Redis did not answer.
        """


class Source(NamedTuple):
    """The source of one stream."""

    log: Log
    name: str
    channel: bytes
    """The Pub/Sub channel of its wake-ups."""
