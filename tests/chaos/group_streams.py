"""Whether each inbox has exactly the entries of its owner's time in each group. Pure functions, as in the checker."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import pairwise

from .group_log import Log
from .history import Device
from .inboxes import CHANGE, Entry, entries_of, entry_of
from .violation import Violation


@dataclass(slots=True)
class Placed:
    """Where a user's inbox has the entries of one group's log."""

    numbers: dict[int, int] = field(default_factory=dict)
    """Position in the log → number in the inbox."""
    newest: dict[int, int] = field(default_factory=dict)
    """seq → position of the last change of the message that the user must get."""
    skipped: int = 0
    """Entries that the inbox must have, and that none of the user's devices got."""
    uncertain: int = 0
    """How many of them it may lack."""
    found: list[Violation] = field(default_factory=list)


def place(user: str, has: Sequence[Entry], log: Log) -> Placed:
    """Compares the entries of a group in a user's inbox with the group's log."""
    if user not in log.stays and not has:
        return Placed()
    placed = Placed(uncertain=log.uncertain(user))
    due = list(log.expected(user))
    due_at, has_at = ([at for at, each in enumerate(some) if not each.skippable] for some in (due, has))
    different = list(_different([due[at] for at in due_at], [has[at] for at in has_at], user, log))
    if different:
        placed.found += different
        return placed
    ends = [(-1, -1), *zip(due_at, has_at, strict=True), (len(due), len(has))]
    for (due_from, has_from), (due_to, has_to) in pairwise(ends):
        if due_from >= 0:
            placed.numbers[due[due_from].n] = has[has_from].n
        _place_changes(due[due_from + 1 : due_to], has[has_from + 1 : has_to], user, log, placed)
    for entry in due:
        if entry.name == CHANGE:
            placed.newest[entry.seq] = entry.n
    return placed


def _different(due: Sequence[Entry], has: Sequence[Entry], user: str, log: Log) -> Iterator[Violation]:
    """Compares the entries that no replay may skip."""
    one, other = [entry.key for entry in due], [entry.key for entry in has]
    if one == other:
        return
    lacks: list[Entry] = []
    more: list[Entry] = []
    for what, due_from, due_to, has_from, has_to in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if what != "equal":
            lacks += due[due_from:due_to]
            more += has[has_from:has_to]
    about = {"conversation": log.group.id, "device": f"{user}/0"}
    for entry in lacks:
        if any(entry.key == each.key for each in more):
            text = f"{user} has {entry.key} of {log.group.id} (at {entry.n} of the log) in another place"
            yield Violation("misordered", text, **about)
        else:
            yield Violation("missed", f"{user} has no {entry.key} of {log.group.id}, at {entry.n} of the log", **about)
    for entry in more:
        if entry.key not in (each.key for each in lacks):
            kind, why = "surplus", "not of the user's time there"
            if other.count(entry.key) > 1 and entry.key in one and entry.name == "message":
                kind, why = "doubled", "there more than once"
            yield Violation(kind, f"{user} has {entry.key} of {log.group.id} as number {entry.n}: {why}", **about)


def _place_changes(due: Sequence[Entry], has: Sequence[Entry], user: str, log: Log, placed: Placed) -> None:
    """Between two entries that no replay may skip: what was seen must be some of what there was, in the same order."""
    at = 0
    for entry in has:
        while at < len(due) and not _may_be(due[at], entry):
            at, placed.skipped = at + 1, placed.skipped + 1
        if at == len(due):
            text = f"{user} has a change of seq {entry.seq} of {log.group.id} as number {entry.n} that is not due there"
            placed.found.append(Violation("surplus", text, conversation=log.group.id, device=f"{user}/0"))
            return
        placed.numbers[due[at].n] = entry.n
        at += 1
    placed.skipped += len(due) - at


def _may_be(due: Entry, seen: Entry) -> bool:
    """Whether this entry of the log may be what was seen: then it was seen as it was or as it became later."""
    return (due.name == "" or due.seq == seen.seq) and due.n <= seen.version


def device(each: Device, inbox: Mapping[int, Entry], places: Mapping[str, Placed]) -> Iterator[Violation]:
    """Whether a device has all that the user's inbox has from the number on at which the device began."""
    entries = [entry_of(event) for event in entries_of(each)]
    numbers = {entry.n for entry in entries}
    start = _start(each)
    if start is None:
        return
    versions: dict[tuple[str, int], int] = defaultdict(int)
    for entry in entries:
        versions[entry.conversation, entry.seq] = max(versions[entry.conversation, entry.seq], entry.version)
    for n, entry in inbox.items():
        if n > start and n not in numbers and not entry.skippable and entry.conversation in places:
            text = f"another device of {each.user} has {entry.key} of {entry.conversation} under {n}, {each.name} not"
            yield Violation("missed", text, device=each.name, conversation=entry.conversation)
    for conversation, placed in places.items():
        for seq, pos in placed.newest.items():
            if placed.numbers.get(pos, start + 1) > start and versions[conversation, seq] < pos:
                text = f"{each.name} has version {versions[conversation, seq]} of seq {seq} of {conversation}"
                text += f", and {pos} is of the user's time there"
                yield Violation("stale", text, device=each.name, conversation=conversation)
    yield from _backwards(each)


def after_a_loss(each: Device, inbox: Mapping[int, Entry]) -> Iterator[Violation]:
    """Whether a device that was there before a loss of data has what is left, from its last reset on."""
    resets = [
        at for at, event in enumerate(each.events) if event.name == "reset" and "conversation_id" not in event.data
    ]
    events = each.events[resets[-1] :] if resets else each.events
    start = (events[0].n or 0) if resets else _start(each)
    if start is None:
        return
    ids = {event.n or 0: event.id for event in events if event.durable}
    for n, id_ in ids.items():
        if (n not in inbox and n > max(inbox, default=0)) or (n in inbox and inbox[n].id != id_):
            text = f"{each.name} has id {id_}, which is no more, and was not told"
            yield Violation("lost", text, device=each.name)
    for n, entry in inbox.items():
        if n > start and n not in ids and not entry.skippable and entry.name != "reset":
            text = f"{entry.key} of {entry.conversation} is left under {n}, and {each.name} has it not"
            yield Violation("missed", text, device=each.name, conversation=entry.conversation)


def _start(each: Device) -> int | None:
    """The number after which the device must have everything."""
    if each.from_start:
        return 0
    return next((event.n for event in each.events if event.name == "hello"), None)


def _backwards(each: Device) -> Iterator[Violation]:
    """Whether an older version came after a newer one."""
    versions: dict[tuple[str, int], int] = {}
    for event in each.events:
        if event.name == "reset":
            versions.clear()
        if event.durable and "version" in event.data:
            about = event.conversation, int(event.data["seq"])
            version = int(event.data["version"])
            if version < versions.get(about, 0):
                text = f"{each.name} got version {version} of seq {about[1]} of {about[0]} after {versions[about]}"
                yield Violation("backwards", text, device=each.name, conversation=about[0])
            versions[about] = max(version, versions.get(about, 0))


def count(user: str, inbox: Mapping[int, Entry], places: Sequence[Placed]) -> Iterator[Violation]:
    """Whether the numbers of the inbox that no device got are those of the changes that a replay may have skipped."""
    length = max(inbox, default=0)
    unseen = length - len(inbox)
    skipped = sum(placed.skipped for placed in places)
    uncertain = sum(placed.uncertain for placed in places)
    if unseen > skipped:
        text = f"the ids of {user} skip {unseen} numbers, and {skipped} changes explain them"
        yield Violation("hole", text, device=f"{user}/0")
    elif unseen < skipped - uncertain:
        text = f"{user} lacks {skipped - unseen} entries of changes of the user's time, if later ones supersede them"
        yield Violation("missed", text, device=f"{user}/0")
