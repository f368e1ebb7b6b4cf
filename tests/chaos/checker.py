"""Checks a history against the guarantees. A pure function: no clock, no network, no server.

violation.py has the kinds of violations; groups.py checks what is of groups, feeds.py what is of a feed.
Where a fault loses data by design, claims.py says what that excuses.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from . import feeds
from .claims import at_risk, excuse, explained, owed
from .groups import Groups
from .history import CONNECT, LOST, READS_AGAIN, STUCK, Device, Event, History, Send
from .violation import KINDS, Violation

__all__ = ["KINDS", "LATE_SECONDS", "Violation", "check", "message_key"]

REFUSALS = ("not_a_member", "not_allowed", "removed", "unknown_message", "deleted")
"""Codes that end an action in a group; groups.py checks whether the rights explain them."""

LATE_SECONDS = 10.0
"""Seconds in which an acknowledged message must reach a device without a fault."""


Key = tuple[str, str, str]
"""The identity of a send: conversation, sender, client_msg_id."""


def check(history: History, late_seconds: float = LATE_SECONDS) -> list[Violation]:
    """Returns all violations in the history."""
    sends = {_key(send): send for send in history.sends}
    safe = [send for send in history.sends if not at_risk(history, send)]
    groups = Groups(history)
    claims = list(_claims(history, groups))
    return [
        *_answers(history),
        *_one_message_each(history, safe),
        *_acknowledged_order(safe),
        *(found for device in history.devices for found in _device(device, sends, history, groups)),
        *(found for each in claims for found in _delivered(*each)),
        *_agreement(history, {_key(send) for send in safe}),
        *(found for device, due, got in claims for found in _replays(device, due, got)),
        *(found for each in claims for found in _lateness(*each, history, late_seconds)),
        *groups.check(),
        *feeds.check(history),
    ]


def _key(send: Send) -> Key:
    return send.conversation, send.sender, send.client_msg_id


def message_key(event: Event) -> Key:
    """The key of the send of a delivered message."""
    data = event.data
    return str(data.get("conversation_id")), str(data.get("sender")), str(data.get("client_msg_id"))


def _of(send: Send) -> dict[str, str]:
    return {"client_msg_id": send.client_msg_id, "conversation": send.conversation}


def _answers(history: History) -> Iterator[Violation]:
    for send in (*history.sends, *history.changes):
        if not send.over:
            yield Violation("stuck", f"{send.client_msg_id} was never acknowledged", **_of(send))
        answers = [attempt.answer for attempt in send.attempts if attempt.acknowledged]
        as_sent = send.conversation in history.members and not at_risk(history, send)
        if as_sent and any(answer != answers[0] for answer in answers):
            yield Violation("altered", f"{send.client_msg_id} was answered with different messages", **_of(send))
        for attempt in send.attempts:
            code = (attempt.answer or {}).get("code")
            by_right = send.conversation in history.groups and code in REFUSALS
            if attempt.outcome not in ("200", "201", "204", "503", "lost", "timeout") and not by_right:
                yield Violation("refused", f"{send.client_msg_id} was answered {attempt.outcome}", **_of(send))


def _one_message_each(history: History, safe: list[Send]) -> Iterator[Violation]:
    """Checks that one client_msg_id has one seq on all devices."""
    seqs: dict[Key, set[int]] = {_key(send): {send.answer["seq"]} if send.answer else set() for send in safe}
    for device in history.devices:
        for event in device.messages:
            seqs.get(message_key(event), set()).add(event.data["seq"])
    for (conversation, _, name), found in seqs.items():
        if len(found) > 1:
            text = f"{name} became {len(found)} messages: seq {sorted(found)}"
            yield Violation("doubled", text, client_msg_id=name, conversation=conversation)


def _acknowledged_order(safe: list[Send]) -> Iterator[Violation]:
    """Checks that a send that began after an acknowledgement has a higher seq."""
    conversations: dict[str, list[Send]] = defaultdict(list)
    for send in safe:
        if send.answer is not None:
            conversations[send.conversation].append(send)
    for sends in conversations.values():
        sends.sort(key=lambda send: -int((send.answer or {})["seq"]))
        earliest: Send | None = None
        for send in sends:
            if earliest is not None and send.invoked > (earliest.acked or 0):
                text = (
                    f"{send.client_msg_id} began after {earliest.client_msg_id} was acknowledged, and has a lower seq"
                )
                yield Violation("misordered", text, **_of(send))
            if earliest is None or (send.acked or 0) < (earliest.acked or 0):
                earliest = send


def _device(device: Device, sends: dict[Key, Send], history: History, groups: Groups) -> Iterator[Violation]:
    """Checks the events of one device, from one reset to the next: the ids of all, and the direct messages."""
    n = 0 if device.from_start else None
    last: dict[str, int] = {}
    seen: set[Key] = set()
    resets = explained(history, device)
    for event in device.events:
        if event.name == "reset":
            if not any(event is reset for reset in resets):
                yield Violation("reset", f"{device.name} was reset: {event.data}", device=device.name)
            again = event.data.get("conversation_id")
            last = {conversation: seq for conversation, seq in last.items() if again not in (None, conversation)}
            seen = {key for key in seen if again not in (None, key[0])}
        if not event.durable:
            n = event.n if event.n is not None else n
            continue
        conversation, _, name = key = message_key(event)
        about = {"client_msg_id": name, "device": device.name, "conversation": conversation}
        what = name if event.name == "message" else event.name
        where = f"{what} (seq {event.data.get('seq')}, id {event.id}) on {device.name}"
        number = event.n or 0
        if n is not None and (number <= n or not groups.explains(device, range(n + 1, number))):
            yield Violation("hole" if number > n else "doubled", f"{where} comes after id {n}", **about)
        n = number
        if conversation in history.groups:
            continue
        if key in seen:
            yield Violation("doubled", f"{where} is there for the second time", **about)
        elif (before := last.get(conversation)) is not None and event.data["seq"] != before + 1:
            kind = "misordered" if event.data["seq"] <= before else "hole"
            yield Violation(kind, f"{where} comes after seq {before}", **about)
        seen.add(key)
        last[conversation] = max(event.data["seq"], last.get(conversation, 0))
        send = sends.get(key)
        if send is None or send.text != event.data.get("text"):
            yield Violation("invented", f"{where} is not what anybody sent", **about)
        elif send.answer is not None and send.answer != event.data and not at_risk(history, send):
            yield Violation("altered", f"{where} is not as it was acknowledged", **about)


def _delivered(device: Device, owed: list[Send], got: dict[Key, float]) -> Iterator[Violation]:
    """Checks that a device has all messages that it is owed."""
    for send in owed:
        if _key(send) not in got:
            text = f"{send.client_msg_id} was acknowledged, and {device.name} never got it"
            yield Violation("lost", text, device=device.name, **_of(send))


def _claims(history: History, groups: Groups) -> Iterator[tuple[Device, list[Send], dict[Key, float]]]:
    """Yields each device, the sends that it is owed, and the time when it first got each message, or was excused."""
    for device in history.devices:
        got: dict[Key, float] = {}
        for event in device.messages:
            got.setdefault(message_key(event), event.at)
        due = owed(history, device)
        for send in due:
            at = excuse(history, device, send)
            if at is not None:
                got[_key(send)] = min(at, got.get(_key(send), at))
        for send, at in groups.owed(device):
            due.append(send)
            if at is not None:
                got[_key(send)] = at
        yield device, due, got


def _agreement(history: History, safe: set[Key]) -> Iterator[Violation]:
    """Checks that devices of one user have the same ids, and devices of members of a conversation the same messages."""
    ids: dict[tuple[str, int], tuple[str, str]] = {}
    holders: dict[tuple[str, int], tuple[Key, str]] = {}
    for device in history.devices:
        for event in device.events:
            if not event.durable:
                continue
            if history.losses and (event.name != "message" or message_key(event) not in safe):
                continue
            entry, name = ids.setdefault((device.user, event.n or 0), (event.id or "", device.name))
            key = message_key(event)
            about = {"client_msg_id": key[2], "device": device.name, "conversation": key[0]}
            if entry != event.id:
                yield Violation("disagree", f"{device.name} has id {event.id}, {name} has {entry}", **about)
            if key[0] in history.groups:
                continue
            other_key, other = holders.setdefault((key[0], event.data["seq"]), (key, device.name))
            if key != other_key:
                text = f"seq {event.data['seq']} is {key[2]} on {device.name} and {other_key[2]} on {other}"
                yield Violation("disagree", text, **about)
    for device in history.devices:
        have = {(message_key(event)[0], event.data["seq"]) for event in device.messages}
        if explained(history, device):
            continue  # claims.py decides what it is owed
        for (conversation, seq), (key, other) in holders.items():
            if (
                device.from_start
                and (conversation, seq) not in have
                and device.user in history.members.get(conversation, ())
            ):
                text = f"{other} has {key[2]} (seq {seq}), and {device.name} never got it"
                about = {"client_msg_id": key[2], "device": device.name, "conversation": conversation}
                yield Violation("disagree", text, **about)


def _replays(device: Device, owed: list[Send], had: dict[Key, float]) -> Iterator[Violation]:
    """Checks that a finished replay has all that was acknowledged before the connection."""
    owed = sorted(owed, key=lambda send: send.acked or 0)
    connected, settled = 0.0, 0
    for event in device.events:
        if event.name == CONNECT:
            connected = event.at
        elif event.name == "caught_up" or (
            event.name == "hello" and event.data.get("resumed") and not event.data["missed"]
        ):
            while settled < len(owed) and (owed[settled].acked or 0) < connected:
                send = owed[settled]
                settled += 1
                if had.get(_key(send), event.at + 1) > event.at:
                    text = f"{send.client_msg_id} was acknowledged before {device.name} connected; the replay lacks it"
                    yield Violation("replay", text, device=device.name, **_of(send))


def _lateness(
    device: Device, owed: list[Send], got: dict[Key, float], history: History, limit: float
) -> Iterator[Violation]:
    """Checks that a connected device gets acknowledged messages in time, except during a fault."""
    troubled = [(fault.at, fault.until) for fault in history.faults] + list(_absences(device, history.ended))
    for send in owed:
        start = send.acked or 0
        end = got.get(_key(send), history.ended)
        if end - start <= limit:
            continue
        moments = sorted({start, end, *(at for times in troubled for at in times if start < at < end)})
        for one, other in pairwise(moments):
            middle = (one + other) / 2
            if other - one > limit and not any(begin < middle < over for begin, over in troubled):
                text = f"nothing was wrong, and {device.name} was without {send.client_msg_id} for {other - one:.1f} s"
                yield Violation("late", text, device=device.name, **_of(send))
                break


def _absences(device: Device, ended: float) -> Iterator[tuple[float, float]]:
    """Yields the times when the device was not connected, or did not read."""
    away: float | None = float("-inf")
    for event in device.events:
        if event.name in (LOST, STUCK) and away is None:
            away = event.at
        elif event.name in ("hello", READS_AGAIN) and away is not None:
            yield away, event.at
            away = None
    if away is not None:
        yield away, ended
