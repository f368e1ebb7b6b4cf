"""Whether what was shown of a group's messages is what was made of them, and only to those who may read it. Pure
functions, as in the checker."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from .group_log import Log, Stay
from .history import Change, Fetched, Send
from .violation import Violation

Message = dict[str, Any]


class Contents:
    """What the messages of one group may be, by what was asked for."""

    def __init__(self, log: Log, sends: Sequence[Send], changes: Sequence[Change]) -> None:
        self.log = log
        self._sends = {(send.sender, send.client_msg_id): send for send in sends}
        self._edits: dict[int, list[Change]] = defaultdict(list)
        self._deleted: set[int] = set()
        self._reacted: set[tuple[int, str]] = set()
        for change in changes:
            if change.what == "edit":
                self._edits[change.seq].append(change)
            elif change.what == "delete":
                self._deleted.add(change.seq)
            elif change.what == "react":
                self._reacted.add((change.seq, change.text))
        self._known: dict[tuple[int, int], tuple[Message, str]] = {}

    def shown(self, user: str, message: Message, at: float, where: str) -> Iterator[Violation]:
        """Checks a message as it was shown to a user at some time."""
        seq, about = int(message["seq"]), {"conversation": self.log.group.id, "device": where}
        name = f"seq {seq} of {self.log.group.id} as {where} got it"
        if message.get("deleted"):
            if not self._withheld(user, seq) and seq not in self._deleted:
                yield Violation("invented", f"{name} is deleted, and nobody did it", **about)
            if {"text", "data", "reactions"} & message.keys():
                yield Violation("leak", f"{name} is deleted, and still there: {sorted(message)}", **about)
            if self._withheld(user, seq):
                return
        else:
            yield from self._live(user, message, at, name, about)
        known, other = self._known.setdefault((seq, int(message["version"])), (message, where))
        if known != message:
            text = f"{name} at version {message['version']} is not what {other} has: {_difference(known, message)}"
            yield Violation("disagree", text, **about)

    def _live(self, user: str, message: Message, at: float, name: str, about: dict[str, str]) -> Iterator[Violation]:
        seq, version = int(message["seq"]), int(message["version"])
        send = self._sends.get((str(message.get("sender")), str(message.get("client_msg_id"))))
        about = {**about, "client_msg_id": str(message.get("client_msg_id"))}
        edits = [edit.text for edit in self._edits[seq] if edit.sender == message.get("sender") and edit.invoked <= at]
        if send is None or message.get("text") not in [send.text, *edits]:
            yield Violation("invented", f"{name} is not what anybody sent or edited", **about)
        elif version == self.log.at.get(seq) and message["text"] != send.text:
            yield Violation("altered", f"{name} is the first version, with another text", **about)
        for reaction in message.get("reactions", []):
            if (seq, reaction["emoji"]) not in self._reacted:
                yield Violation("invented", f"{name} has {reaction['emoji']!r}, and nobody reacted so", **about)
        stays = [each for each in self.log.stays.get(user, []) if self.log.begun(each.joined) <= at]
        if not stays or (stays[-1].left is not None and version > stays[-1].left):
            yield Violation("leak", f"{name} has version {version}; {_times(user, stays)}", **about)
        elif self.log.group.from_join and not any(stay.has(self.log.at.get(seq, 0)) for stay in stays):
            yield Violation("leak", f"{name} was sent before the join; {_times(user, stays)}", **about)

    def _withheld(self, user: str, seq: int) -> bool:
        """Whether there may be times when the user could not read the message as it stood then."""
        stays = self.log.stays.get(user, [])
        return any(stay.left is not None for stay in stays) or (
            self.log.group.from_join and not all(self.log.readable(user, seq, stay) for stay in stays)
        )

    def fetched(self, got: Fetched, newest: dict[int, Message]) -> Iterator[Violation]:
        """Compares what REST said at the end with what the user has after all events (`newest`)."""
        log, user = self.log, got.user
        present, name = user in log.roles, f"REST told {got.user} of {log.group.id}"
        about = {"conversation": log.group.id, "device": f"{user}/0"}
        stays = log.stays.get(user, [])
        if got.group is None:
            if stays:
                yield Violation("stale", f"{name} nothing, and the log has {_times(user, stays)}", **about)
            return
        wanted: dict[str, Any] = {"newest_seq": self._newest_seq(stays)}
        if present:
            wanted |= {"name": log.name, "role": log.roles[user], "member_count": len(log.roles)}
        else:
            wanted["left"] = True
        for what, value in wanted.items():
            if got.group.get(what) != value:
                yield Violation("stale", f"{name} that {what} is {got.group.get(what)!r}, not {value!r}", **about)
        if got.listed != present:
            yield Violation("stale", f"the list of {user} has {log.group.id}: {got.listed}", **about)
        if got.roles and got.roles != log.roles:
            yield Violation("stale", f"{name} other members or roles: {_difference(log.roles, got.roles)}", **about)
        yield from self._history(got, stays, newest)

    def _newest_seq(self, stays: Sequence[Stay]) -> int:
        until = stays[-1].left if stays else 0
        return max((seq for seq, pos in self.log.at.items() if until is None or pos <= until), default=0)

    def _history(self, got: Fetched, stays: Sequence[Stay], newest: dict[int, Message]) -> Iterator[Violation]:
        log, user = self.log, got.user
        about = {"conversation": log.group.id, "device": f"{user}/0"}
        messages = {int(message["seq"]): message for message in got.messages}
        if log.group.from_join:  # the last time that is over is kept, and the present one
            some = stays[-2:] if user in log.roles else stays[-1:]
            due = {seq for seq, pos in log.at.items() if any(stay.has(pos) for stay in some)}
        else:
            due = {seq for seq, pos in log.at.items() if pos <= (stays[-1].left or log.length)}
        if messages.keys() ^ due:
            text = f"REST showed {user} other messages of {log.group.id} than are due: {sorted(messages.keys() ^ due)}"
            yield Violation("stale", text, **about)
        for seq, message in messages.items():
            yield from self.shown(user, message, got.at, f"{user}/REST")
            have = newest.get(seq)
            if have is None or (message.get("deleted") and self._withheld(user, seq)):
                continue
            version = int(message["version"])
            told = (stay := log.stay(user, version)) is not None and log.readable(user, seq, stay)
            if int(have.get("version", version)) != version and (told or int(have["version"]) > version):
                text = f"after its events {user} has version {have['version']} of seq {seq} of {log.group.id}"
                yield Violation("stale", f"{text}, and REST has {version}", **about)


def _times(user: str, stays: Sequence[Stay]) -> str:
    return f"{user} was there " + (", ".join(f"{stay.joined}–{stay.left or ''}" for stay in stays) or "never")


def _difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    names = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
    return "; ".join(f"{name}: {str(one.get(name))[:60]} / {str(other.get(name))[:60]}" for name in sorted(names))


def last_words(log: Log, changes: Sequence[Change], final: dict[int, Message]) -> Iterator[Violation]:
    """Checks that the final text and reactions are those of the last that was asked for, where that is certain:
    where each request was answered."""
    asked: dict[tuple[int, str], list[Change]] = defaultdict(list)
    for change in changes:
        if change.what in ("edit", "react", "unreact"):
            asked[change.seq, change.what.removeprefix("un")].append(change)
    about = {"conversation": log.group.id}
    for (seq, what), some in asked.items():
        message = final.get(seq)
        if message is None or message.get("deleted") or not all(map(_certain, some)):
            continue
        done = [change for change in some if change.acked is not None]
        if what == "edit":
            newest = max((change.invoked for change in done), default=0.0)
            made = [change for change in done if change.text == message["text"]]
            if done and not any((change.acked or 0.0) >= newest for change in made):
                yield Violation("stale", f"seq {seq} of {log.group.id} lacks the last edit of it", **about)
            continue
        users: dict[str, set[str]] = defaultdict(set)
        for change in sorted(done, key=lambda each: each.invoked):
            (users[change.text].add if change.what == "react" else users[change.text].discard)(change.sender)
        due = {emoji: len(some) for emoji, some in users.items() if some}
        has = {each["emoji"]: each["count"] for each in message.get("reactions", [])}
        if due != has:
            yield Violation("stale", f"seq {seq} of {log.group.id} has reactions {has}, not {due}", **about)


def _certain(change: Change) -> bool:
    """Whether what came of it is certain: it was done once, at once, or never."""
    return len(change.attempts) == 1 and change.over
