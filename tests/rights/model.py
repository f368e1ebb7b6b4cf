"""What each person may read of one group: a model of a page, which knows nothing of the server."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

History = Literal["all", "from_join"]
Standing = Literal["anonymous", "stranger", "member", "admin", "owner", "left", "removed"]


class View(Enum):
    """How a message appears to somebody."""

    WHOLE = "as it stands"
    STONE = "as a tombstone"
    NOT = "not at all"


@dataclass
class Told:
    """A message as it stood from one moment on."""

    moment: int
    message: dict[str, Any]
    marks: frozenset[str]
    """The marks in its text and data, and its reactions' emoji."""


@dataclass
class Stint:
    """A time in the group: from after the moment and the newest message of the join, up to those of the leave."""

    joined: int
    joined_seq: int
    left: int | None = None
    left_seq: int = 0
    removed: bool = False

    def has(self, moment: int) -> bool:
        """Whether the moment is in it."""
        return self.joined <= moment and (self.left is None or moment <= self.left)


@dataclass(frozen=True)
class Marks:
    """Marks that somebody must get in an answer, and those that he may get, which include them."""

    must: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()

    def __or__(self, other: "Marks") -> "Marks":
        return Marks(self.must | other.must, self.may | other.may)


NONE = Marks()


@dataclass
class Group:
    """A group: who was in it when, and what was said."""

    history: History
    id: str = ""
    moment: int = 0
    seq: int = 0
    messages: dict[int, list[Told]] = field(default_factory=dict)
    names: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    """The marks in the name and the topic from a moment on."""
    stints: dict[str, list[Stint]] = field(default_factory=dict)
    roles: dict[str, Standing] = field(default_factory=dict)
    ended: bool = False

    # What happens.

    def tick(self) -> int:
        """The next moment: everything that is done has its own."""
        self.moment += 1
        return self.moment

    def tell(self, message: dict[str, Any], marks: frozenset[str]) -> None:
        """A message stands so from now on."""
        told = self.messages.setdefault(message["seq"], [])
        told.append(Told(self.tick(), message, marks))
        self.seq = max(self.seq, message["seq"])

    def rename(self, marks: frozenset[str]) -> None:
        self.names.append((self.tick(), marks))

    def join(self, person: str, role: Standing = "member") -> None:
        self.stints.setdefault(person, []).append(Stint(self.tick(), self.seq))
        self.roles[person] = role

    def leave(self, person: str, *, removed: bool) -> None:
        stint = self.stints[person][-1]
        stint.left, stint.left_seq, stint.removed = self.tick(), self.seq, removed

    # What follows for a person.

    def standing(self, person: str) -> Standing:
        if not person:
            return "anonymous"
        if person not in self.stints:
            return "stranger"
        last = self.stints[person][-1]
        if last.left is None:
            return self.roles[person]
        return "removed" if last.removed else "left"

    def is_in(self, person: str) -> bool:
        return self.standing(person) in ("member", "admin", "owner")

    def views(self, person: str, seq: int) -> frozenset[View]:
        """How this message may appear to this person: nearly always in one way.

        What was read in a time before the last one may be read or not, but never as it was changed since.
        """
        stints = list(self.stints.get(person, ()))
        if seq not in self.messages or not stints:
            return frozenset({View.NOT})
        if stints[-1].left is None:
            now = stints.pop()
            if self.history == "all" or seq > now.joined_seq:
                return frozenset({View.WHOLE})
        changed = self.messages[seq][-1].moment
        for age, stint in enumerate(reversed(stints)):
            assert stint.left is not None
            first = 0 if self.history == "all" else stint.joined_seq
            if first < seq <= stint.left_seq:
                view = View.WHOLE if changed <= stint.left else View.STONE
                return frozenset({view}) if age == 0 else frozenset({view, View.STONE, View.NOT})
        return frozenset({View.NOT})

    def seqs(self, person: str, *views: View) -> list[int]:
        """The messages that appear to this person so, and only so."""
        return [seq for seq in self.messages if any(self.views(person, seq) == {view} for view in views)]

    def may_change(self, person: str, seq: int) -> bool:
        """Whether this is a message that this person may change, if he may change it by his role: what was read in an
        earlier time only stays as it is."""
        if not self.is_in(person):
            return View.WHOLE in self.views(person, seq)
        return self.history == "all" or seq > self.stints[person][-1].joined_seq

    def of_message(self, person: str, seq: int) -> Marks:
        """The marks in one message, as this person reads it."""
        views = self.views(person, seq)
        marks = self.messages[seq][-1].marks if View.WHOLE in views else frozenset()
        return Marks(marks if views == {View.WHOLE} else frozenset(), marks)

    def of_name(self, person: str) -> Marks:
        """The marks in the name and topic, as this person knows them."""
        stints = self.stints.get(person)
        if not stints:
            return NONE
        until = stints[-1].left or self.moment
        [*_, marks] = [marks for moment, marks in self.names if moment <= until]
        # One who left is shown the name only.
        return Marks(marks if self.is_in(person) else frozenset(), marks)

    def of_messages(self, person: str) -> Marks:
        """The marks in all messages that this person may read."""
        found = NONE
        for seq in self.messages:
            found |= self.of_message(person, seq)
        return found

    def of_last_message(self, person: str) -> Marks:
        """The marks in the newest message of this person's time, if he may read it."""
        stints = self.stints.get(person)
        last = (stints[-1].left_seq if stints[-1].left is not None else self.seq) if stints else 0
        return self.of_message(person, last) if last else NONE

    def facts(self, person: str) -> frozenset[str]:
        """The marks in names and topics that events have told this person: what he came to, and each change."""
        return frozenset().union(
            *(marks for stint in self.stints.get(person, ()) for marks in self._names_in(stint)),
        )

    def _names_in(self, stint: Stint) -> Iterator[frozenset[str]]:
        yield from (marks for moment, marks in self.names if stint.has(moment))
        before = [name for name in self.names if name[0] < stint.joined]
        if before:
            yield before[-1][1]

    def replayed(self, person: str, since: int = 0) -> Marks:
        """The marks in a replay of what this person has got after a moment."""
        must: set[str] = set()
        for seq, told in self.messages.items():
            if told[0].moment > since and any(stint.has(told[0].moment) for stint in self.stints.get(person, ())):
                must |= self.of_message(person, seq).must
        return Marks(frozenset(must), self.of_messages(person).may | self.facts(person))

    def live(self, person: str) -> Marks:
        """The marks on a stream that was open all the time: of each message as it was told, in this person's time."""
        found = frozenset[str]()
        for stint in self.stints.get(person, ()):
            found = found.union(*(marks for moment, marks in self.names if stint.has(moment)))
            for seq, history in self.messages.items():
                if self.history == "all" or seq > stint.joined_seq:
                    found = found.union(*(told.marks for told in history if stint.has(told.moment)))
        return Marks(found, found | self.facts(person))

    def repaired(self, person: str) -> Marks:
        """As `live`, if a repair brought it all: it shows each message as it stands by then."""
        must = frozenset[str]()
        for seq, told in self.messages.items():
            stints = self.stints.get(person, ())
            if any(stint.has(told[0].moment) and stint.has(told[-1].moment) for stint in stints):
                must |= self.of_message(person, seq).must
        return Marks(must, self.live(person).may)
