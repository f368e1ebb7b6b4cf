"""The terms of a feed: who reads and publishes, what is kept; and what its log holds, as its hash has it."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, cast

from ssechat.ids import UserId, number_of

ReadBy = Literal["public", "users", "group"]
"""Who may read a feed."""

FIELDS = ("by", "read", "group", "keep", "keyed", "publishers", "head", "epochs", "floor")
"""Those of the hash of which `Terms` are made."""


class Wanted(NamedTuple):
    """What whoever makes or changes a feed says of it."""

    read: ReadBy
    group: str
    """Whose members read it; empty: no group's."""
    keep: int
    keyed: bool
    publishers: Sequence[UserId]
    """Users who may publish, besides who made it."""


class Terms(NamedTuple):
    """A feed."""

    name: str
    by: str
    """The user who made it; empty: the admin."""
    read: ReadBy
    group: str
    keep: int
    """Events that are kept; with keys the newest of each is."""
    keyed: bool
    publishers: Sequence[UserId]
    head: str
    """The id of the newest event."""
    epochs: Sequence[str]
    """The first entry of each epoch. All entries of one have the same tag, so that an id can be known for one of this
    feed's after its entry has gone. A worker begins one whenever it has a new connection to Redis: what it publishes
    after a loss of data is never taken for what was lost."""
    floor: int
    """The number of the last event that a reader must have to miss nothing of what is kept."""

    @classmethod
    def parse(cls, name: str, values: Sequence[bytes | None]) -> "Terms | None":
        """The values of `FIELDS`; None: there is no such feed."""
        by, read, group, keep, keyed, publishers, head, epochs, floor = ((value or b"").decode() for value in values)
        if not head:
            return None
        users = tuple(map(UserId, publishers.split()))
        return cls(
            name, by, cast(ReadBy, read), group, int(keep), keyed == "1", users, head, epochs.split(" "), int(floor)
        )

    def id_of(self, n: int) -> str:
        """The id of the event with this number, which is or was one of this feed; empty: it is too old to be known."""
        for first in reversed(self.epochs):
            if number_of(first) <= n:
                return f"{n}-{first.partition('-')[2]}"
        return ""

    def leads_on_from(self, id: str) -> bool:
        """Whether all that came after this event is kept; of a feed with keys, the newest of each."""
        n = number_of(id)
        return self.floor <= n <= number_of(self.head) and self.id_of(n) == id

    @property
    def oldest(self) -> str:
        """The id of the oldest event that may be kept."""
        return self.head if number_of(self.head) == self.floor else self.id_of(self.floor + 1) or self.head

    def before(self, last: int) -> str:
        """The cursor of a reader who lacks so many of the newest events, or all that are kept if those are fewer."""
        return self.id_of(max(self.floor, number_of(self.head) - last)) or self.head
