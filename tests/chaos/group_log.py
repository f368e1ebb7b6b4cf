"""The log of a group, as its keeper's devices saw it, and what follows from it: who was a member when, and with what
role. Pure functions, as in the checker.

The keeper is a member all the time and of nothing else, so an entry's number in that inbox is its position in the log.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

from .history import Change, Group, Send
from .inboxes import CHANGE, Entry
from .violation import Violation

OWNER, ADMIN, MEMBER = "owner", "admin", "member"


@dataclass(slots=True)
class Stay:
    """One user's membership, from the entry of the join to that of the leave, both included."""

    joined: int
    left: int | None = None

    def has(self, pos: int) -> bool:
        """Whether the entry is of this time."""
        return self.joined <= pos and (self.left is None or pos <= self.left)


@dataclass(slots=True)
class Window:
    """The positions between which something was done that was asked for at a certain time: the log's end was one of
    them."""

    first: int
    last: int


class Log:
    """The log of one group."""

    def __init__(self, group: Group, inbox: Mapping[int, Entry], sends: list[Send], changes: list[Change]) -> None:
        """`inbox`: the keeper's. `sends` and `changes`: those of this group."""
        self.group = group
        self.length = max(inbox, default=0)
        self.entries = [inbox.get(pos) or Entry(pos, "", group.id) for pos in range(1, self.length + 1)]
        self.stays: dict[str, list[Stay]] = {}
        self.roles: dict[str, str] = {}
        """The members at the end, with their roles."""
        self.names: dict[str, int] = {}
        """Every name that the group had after it was made → the position of the first change to it."""
        self.name = group.name
        """The name at the end."""
        self.found: list[Violation] = []
        """What is wrong with the log itself."""
        self.at: dict[int, int] = {}
        """seq → position of the message."""
        self._changes = changes
        self._renames = {change.text: change for change in changes if change.what == "rename"}
        for entry in self.entries:
            self._apply(entry)
        self._times(sends)

    def stay(self, user: str, pos: int) -> Stay | None:
        """The user's stay that the position is in."""
        return next((stay for stay in self.stays.get(user, []) if stay.has(pos)), None)

    def readable(self, user: str, seq: int, stay: Stay) -> bool:
        """Whether the user may read the message in this stay."""
        pos = self.at.get(seq)
        return not self.group.from_join or (pos is not None and pos >= stay.joined)

    def expected(self, user: str) -> Iterator[Entry]:
        """The entries that the user's inbox must have. Of a change that nobody got, it is not known whether it was of a
        message that the user may not read: `uncertain` says how many these are."""
        for entry in self.entries:
            stay = self.stay(user, entry.n)
            if stay is not None and not self._passed(user, entry, stay):
                yield entry

    def uncertain(self, user: str) -> int:
        """How many of the entries that `expected` yields the inbox may lack."""
        if not self.group.from_join:
            return 0
        return sum(not entry.name and self.stay(user, entry.n) is not None for entry in self.entries)

    def _passed(self, user: str, entry: Entry, stay: Stay) -> bool:
        return entry.name == CHANGE and not self.readable(user, entry.seq, stay)

    def window(self, since: float, until: float) -> Window:
        """Where the log's end was at some moment between these times, as far as is certain."""
        first, last = bisect_right(self._there, since), bisect_right(self._begun, until)
        return Window(first, max(first, last))

    def surely_member(self, user: str, window: Window) -> bool:
        """Whether the user was a member at all of these positions."""
        return any(
            stay.joined <= window.first and (stay.left is None or stay.left > window.last)
            for stay in self.stays.get(user, [])
        )

    def surely_none(self, user: str, window: Window) -> bool:
        """Whether the user was a member at none of these positions."""
        return not any(
            stay.joined <= window.last and (stay.left is None or stay.left > window.first)
            for stay in self.stays.get(user, [])
        )

    def begun(self, pos: int) -> float:
        """A time before which the entry was not there."""
        return self._begun[pos - 1]

    def _times(self, sends: list[Send]) -> None:
        """Takes what is sure about when an entry was appended: after an earlier message was asked for, and before a
        later entry was seen or acknowledged."""
        invoked, there = [float("-inf")] * self.length, [entry.at or float("inf") for entry in self.entries]
        for send in sends:
            pos = self.at.get(int((send.answer or {}).get("seq", 0)))
            if pos is not None:
                invoked[pos - 1] = send.invoked
                there[pos - 1] = min(there[pos - 1], send.acked or float("inf"))
        self._begun = list(accumulate(invoked, max))
        self._there = list(reversed(list(accumulate(reversed(there), min))))

    def _apply(self, entry: Entry) -> None:
        if entry.n == 1:
            self._made(entry)
        elif entry.name == "message":
            self.at[entry.seq] = entry.n
            if entry.seq != len(self.at):
                self._wrong("hole", f"seq {entry.seq} is the message number {len(self.at)} of the log")
            sender = str(entry.data.get("sender"))
            if self.stay(sender, entry.n) is None:
                self._wrong("trespass", f"{sender} was no member when seq {entry.seq} was appended at {entry.n}")
        elif entry.name == CHANGE and entry.exact:
            self._changed(entry)
        elif entry.name == "member":
            self._members(entry)
        elif entry.name == "conversation":
            self._renamed(entry)
        elif entry.name == "reset":
            self._wrong("reset", f"the keeper has a reset at {entry.n}")

    def _made(self, entry: Entry) -> None:
        keeper, members = self.group.keeper, self.group.members
        if entry.name != "member" or entry.data.get("by") != keeper or entry.data.get("left"):
            self._wrong("invented", f"the first entry is {entry.key}, and not that {keeper} made the group")
        for user in {*members, keeper}:
            self.stays[user] = [Stay(1)]
            self.roles[user] = MEMBER
        self.roles[keeper] = OWNER
        self._count(entry)

    def _members(self, entry: Entry) -> None:
        by = str(entry.data.get("by"))
        for user, role in ((str(each["user"]), str(each.get("role", MEMBER))) for each in entry.data["users"]):
            if entry.data.get("left"):
                if user not in self.roles:
                    self._wrong("invented", f"{user} leaves at {entry.n} and is no member")
                    continue
                if by != user and not self._outranks(by, self.roles[user]):
                    self._wrong("trespass", f"{by} had no right to remove {user} at {entry.n}")
                del self.roles[user]
                self.stays[user][-1].left = entry.n
            elif user in self.roles:
                if self.roles.get(by) != OWNER:
                    self._wrong("trespass", f"{by} had no right to make {user} {role} at {entry.n}")
                self.roles[user] = role
            else:
                if by != user and self.roles.get(by) not in (OWNER, ADMIN):
                    self._wrong("trespass", f"{by} had no right to add {user} at {entry.n}")
                if by == user and not self._asked(("join",), user):
                    self._wrong("trespass", f"{user} came in at {entry.n} without an invitation")
                self.roles[user] = role
                self.stays.setdefault(user, []).append(Stay(entry.n))
        self._count(entry)

    def _outranks(self, by: str, role: str) -> bool:
        return self.roles.get(by) == OWNER or (self.roles.get(by) == ADMIN and role == MEMBER)

    def _count(self, entry: Entry) -> None:
        if entry.data.get("member_count") != len(self.roles):
            count = entry.data.get("member_count")
            self._wrong("stale", f"the entry at {entry.n} says {count} members, and there are {len(self.roles)}")

    def _renamed(self, entry: Entry) -> None:
        name = str(entry.data.get("name"))
        rename = self._renames.get(name)
        if rename is None:
            self._wrong("invented", f"nobody named the group {name!r}")
        elif self.roles.get(rename.sender) not in (OWNER, ADMIN):
            self._wrong("trespass", f"{rename.sender} had no right to rename the group at {entry.n}")
        self.name = name
        self.names.setdefault(name, entry.n)

    def _changed(self, entry: Entry) -> None:
        """Checks that somebody who had the right to it deleted the message, or edited it to this text."""
        message = entry.data
        sender = str(message.get("sender"))
        if message.get("deleted"):
            by = [each.sender for each in self._changes if each.what == "delete" and each.seq == entry.seq]
            if not any(user in self.roles if user == sender else self._may_moderate(user, sender) for user in by):
                self._wrong("trespass", f"nobody had the right to delete seq {entry.seq} at {entry.n}")

    def _may_moderate(self, by: str, sender: str) -> bool:
        return self._outranks(by, self.roles.get(sender, MEMBER))

    def _asked(self, what: tuple[str, ...], sender: str) -> bool:
        return any(each.what in what and each.sender == sender for each in self._changes)

    def _wrong(self, kind: str, text: str) -> None:
        self.found.append(Violation(kind, f"{self.group.id}: {text}", conversation=self.group.id))
