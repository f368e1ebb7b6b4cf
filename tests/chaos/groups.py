"""Checks a history of groups: who had to get what is decided by the log, which the keeper of each group saw. Pure
functions, as in the checker.

Each entry of the log is due to those who were members at its position: from the entry of the join to that of the leave.
What was done at one time by the clock was done at one of some positions; only what is certain of all of them counts.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from . import group_streams
from .claims import at_risk
from .group_log import Log
from .group_states import Contents, last_words
from .group_streams import Placed
from .history import Change, Device, History, Send
from .inboxes import Entry, auditors, joined
from .violation import Violation

RIGHTS = ("not_a_member", "not_allowed", "removed")
ABOUT_MESSAGES = ("edit", "delete", "react", "unreact")


class Groups:
    """The groups of a history: their logs, and the inboxes of all who have devices."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.found: list[Violation] = []
        devices: dict[str, list[Device]] = defaultdict(list)
        for device in auditors(history):
            devices[device.user].append(device)
        self.devices = devices
        self.inboxes: dict[str, dict[int, Entry]] = {}
        for user, some in devices.items():
            self.inboxes[user], wrong = joined(some)
            self.found += wrong if history.groups else []
        self._sends: dict[str, list[Send]] = defaultdict(list)
        self._changes: dict[str, list[Change]] = defaultdict(list)
        for send in history.sends:
            self._sends[send.conversation].append(send)
        for change in history.changes:
            self._changes[change.conversation].append(change)
        self.logs = {
            group.id: Log(
                group,
                self.inboxes.get(group.keeper, {}),
                [send for send in self._sends[group.id] if not at_risk(history, send)],
                self._changes[group.id],
            )
            for group in history.groups.values()
        }
        self.places: dict[str, dict[str, Placed]] = {}
        for user, inbox in self.inboxes.items():
            of_groups: dict[str, list[Entry]] = defaultdict(list)
            for n in sorted(inbox):
                of_groups[inbox[n].conversation].append(inbox[n])
            places = {group: group_streams.place(user, of_groups[group], log) for group, log in self.logs.items()}
            self.places[user] = places

    def explains(self, device: Device, numbers: range) -> bool:
        """Whether changes of messages that a replay may have skipped explain that a device lacks these numbers."""
        if device not in self.devices.get(device.user, ()):
            return not numbers or bool(self.history.groups)  # what was there, a loss of data may have taken away
        inbox, places = self.inboxes[device.user], self.places[device.user]
        skipped = sum(placed.skipped for placed in places.values())
        return all(inbox[n].skippable if n in inbox else skipped > 0 for n in numbers)

    def owed(self, device: Device) -> Iterator[tuple[Send, float | None]]:
        """The acknowledged actions in groups that the device must have seen, and when it had."""
        places, since = self.places.get(device.user, {}), device.since
        if since is None or device not in self.devices.get(device.user, ()):
            return
        start = next((event.n or 0 for event in device.events if event.name == "hello"), 0)
        numbers: dict[int, float] = {}
        versions: dict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
        for event in device.events:
            if event.durable and event.n is not None:
                numbers.setdefault(event.n, event.at)
                version = int(event.data.get("version", 10**12))
                versions[event.conversation, int(event.data.get("seq", 0))].append((version, event.at))
        for send in (*self.history.sends, *self.history.changes):
            log = self.logs.get(send.conversation)
            if log is None or send.acked is None or send.invoked <= since or at_risk(self.history, send):
                continue
            pos, seq = _position(log, send)
            stay = log.stay(device.user, pos)
            if stay is None or (seq and not log.readable(device.user, seq, stay)):
                continue
            n = places[send.conversation].numbers.get(pos)
            if not device.from_start and (n is None or n <= start):
                continue  # what changed nothing is acknowledged with what was there before
            if isinstance(send, Change) and seq:
                times = [at for version, at in versions[send.conversation, seq] if version >= pos]
                yield send, min(times, default=None)
            elif n is not None:
                yield send, numbers.get(n)

    def check(self) -> Iterator[Violation]:
        """All violations."""
        yield from self.found
        for user, inbox in self.inboxes.items():
            places = self.places[user]
            wrong = [found for placed in places.values() for found in placed.found]
            yield from wrong
            if not wrong and self.logs:
                yield from group_streams.count(user, inbox, list(places.values()))
            for device in self.history.devices:
                if device in self.devices[user]:
                    yield from group_streams.device(device, inbox, places)
                elif device.user == user and self.logs:
                    yield from group_streams.after_a_loss(device, inbox)
        for log in self.logs.values():
            yield from log.found
            yield from self._stored(log)
            yield from self._states(log)
            if not self.history.losses:
                for action in (*self._sends[log.group.id], *self._changes[log.group.id]):
                    yield from _rights(log, action)

    def _stored(self, log: Log) -> Iterator[Violation]:
        """Whether each acknowledged message is in the log, once, where its answer says."""
        for send in self._sends[log.group.id]:
            if send.answer is None or at_risk(self.history, send):
                continue
            pos = log.at.get(int(send.answer["seq"]))
            entry = None if pos is None else log.entries[pos - 1]
            about = {"client_msg_id": send.client_msg_id, "conversation": log.group.id}
            if entry is None:
                yield Violation("lost", f"{send.client_msg_id} was acknowledged, and is not in {log.group.id}", **about)
            elif entry.data.get("client_msg_id", send.client_msg_id) != send.client_msg_id:
                text = f"{send.client_msg_id} was acknowledged as seq {entry.seq}, which is {entry.data}"
                yield Violation("altered", text, **about)
            elif send.attempts[0].outcome == "201" and send.answer["version"] != pos:
                text = f"{send.client_msg_id} was answered version {send.answer['version']}, and is at {pos}"
                yield Violation("altered", text, **about)

    def _states(self, log: Log) -> Iterator[Violation]:
        group = log.group.id
        contents = Contents(log, self._sends[group], self._changes[group])
        for devices in self.devices.values():
            for device in devices:
                for event in device.events:
                    if event.durable and event.conversation == group and "seq" in event.data:
                        yield from contents.shown(device.user, event.data, event.at, device.name)
        for action in (*self._sends[group], *self._changes[group]):
            for attempt in action.attempts:
                if attempt.acknowledged and "seq" in (attempt.answer or {}) and not at_risk(self.history, action):
                    yield from contents.shown(action.sender, attempt.answer or {}, attempt.ended, action.client_msg_id)
        for got in self.history.fetched:
            if got.conversation == group:
                newest = self._newest(got.user, group)
                yield from contents.fetched(got, newest)
                if got.user == log.group.keeper and not self.history.losses:
                    final = {int(message["seq"]): message for message in got.messages}
                    yield from last_words(log, self._changes[group], final)

    def _newest(self, user: str, group: str) -> dict[int, dict[str, Any]]:
        """What the user has of each message after all events."""
        newest: dict[int, dict[str, Any]] = {}
        for device in self.devices[user]:
            for event in device.events:
                if event.durable and event.conversation == group and "version" in event.data:
                    known = newest.setdefault(int(event.data["seq"]), event.data)
                    if event.data["version"] > known["version"]:
                        newest[int(event.data["seq"])] = event.data
        return newest


def _position(log: Log, send: Send) -> tuple[int, int]:
    """Where the log has what was acknowledged, and the seq of its message; 0 where that is not known, or none."""
    answer = send.answer or {}
    if not isinstance(send, Change):
        return log.at.get(int(answer.get("seq", 0)), 0), int(answer.get("seq", 0))
    if send.what in ABOUT_MESSAGES:
        return int(answer.get("version", 0)), send.seq
    if send.what == "rename":
        return log.names.get(send.text, 0), 0
    if len(send.users) != 1 or send.what not in ("add", "join", "remove", "leave"):
        return 0, 0
    window, comes = log.window(send.invoked, send.acked or 0.0), send.what in ("add", "join")
    stays = log.stays.get(send.users[0], [])
    ends = [stay.joined if comes else stay.left or 0 for stay in stays]
    some = [pos for pos in ends if window.first < pos <= window.last]
    # If there was nothing to do before that, it may have been acknowledged for that.
    idle = any(stay.joined <= window.first and not (stay.left or log.length + 1) <= window.first for stay in stays)
    return (some[0], 0) if len(some) == 1 and idle != comes else (0, 0)


def _rights(log: Log, action: Send) -> Iterator[Violation]:
    """Whether what was acknowledged or refused is what the rights at that time say, where they are certain."""
    what = action.what if isinstance(action, Change) else "send"
    name, user = f"{action.client_msg_id} ({what} by {action.sender})", action.sender
    about = {"client_msg_id": action.client_msg_id, "conversation": action.conversation}
    if action.acked is not None:
        window = log.window(action.invoked, action.acked)
        if what not in ("send", "leave", "join", "make") and log.surely_none(user, window):
            yield Violation("trespass", f"{name} was acknowledged, and {user} was no member", **about)
        for each in action.users if isinstance(action, Change) else ():
            if what in ("add", "join") and log.surely_none(each, window):
                yield Violation("lost", f"{name} was acknowledged, and {each} was no member then", **about)
            if what in ("remove", "leave") and log.surely_member(each, window):
                yield Violation("lost", f"{name} was acknowledged, and {each} was a member all the time", **about)
    if action.refused is None:
        return
    last = action.attempts[-1]
    window = log.window(last.began, last.ended)
    if action.refused == "not_a_member" and log.surely_member(user, window) and what != "role":
        yield Violation("refused", f"{name} was refused as one of no member's", **about)
    if action.refused in RIGHTS and user == log.group.keeper and what != "role":
        yield Violation("refused", f"{name}, the keeper, was refused: {action.refused}", **about)
    if action.refused == "unknown_message" and log.surely_member(user, window):
        seq = action.seq if isinstance(action, Change) else 0
        if all(log.readable(user, seq, stay) for stay in log.stays[user]):
            yield Violation("refused", f"{name} was refused, and there is seq {seq}", **about)
