"""The trace of one message or one device, in the order of time."""

from collections.abc import Iterator

from .checker import Violation
from .history import CONNECT, LOST, Change, History

NEIGHBOURS = 2
"""Events of the device shown before and after the violating one."""

STATES = (CONNECT, LOST, "hello", "caught_up", "reset", "bye")


def shortest_story(history: History, violations: list[Violation]) -> list[str]:
    """The shortest trace of a violation; empty without violations."""
    stories = [[f"{violation.kind}: {violation.text}", *tell(history, violation)] for violation in violations]
    return min(stories, key=len, default=[])


def tell(history: History, violation: Violation) -> list[str]:
    """The events of the violation's message and device, and the faults among them."""
    told = sorted(
        {*_of_the_message(history, violation), *_of_the_device(history, violation), *_of_the_stays(history, violation)}
    )
    if not told:
        return []
    first, last = told[0][0], told[-1][0]
    for fault in history.faults:
        if fault.until >= first - 1 and fault.at <= last:
            told.append((fault.at, f"fault {fault.kind} ({fault.detail}), over at {fault.until:.3f}"))
    return [f"{at:9.3f}  {what}" for at, what in sorted(told)]


def _of_the_message(history: History, violation: Violation) -> Iterator[tuple[float, str]]:
    name = violation.client_msg_id
    if name is None:
        return
    for send in (*history.sends, *history.changes):
        if send.client_msg_id == name and send.conversation == violation.conversation:
            what = "send"
            if isinstance(send, Change):
                what = f"{send.what} {' '.join(send.users) or send.seq or send.text},"
            yield send.invoked, f"{send.sender} begins to {what} {name} in {send.conversation}"
            for attempt in send.attempts:
                answer = attempt.answer or {}
                about = f": seq {answer['seq']}, version {answer.get('version')}" if "seq" in answer else ""
                yield attempt.ended, f"attempt of {attempt.began:.3f} → {attempt.outcome}{about}"
    for device in history.devices:
        for event in device.messages:
            if event.data.get("client_msg_id") == name and event.data.get("conversation_id") == violation.conversation:
                yield event.at, f"{device.name} gets {name}: id {event.id}, seq {event.data['seq']}"


def _of_the_stays(history: History, violation: Violation) -> Iterator[tuple[float, str]]:
    """When the device's user came to the group, and left it, as its first device saw it."""
    user = (violation.device or "").partition("/")[0]
    if violation.conversation not in history.groups or not user:
        return
    device = next((each for each in history.devices if each.user == user), None)
    for event in device.events if device else ():
        if event.name == "member" and event.conversation == violation.conversation:
            how = "left" if event.data.get("left") else "in"
            if user in (each["user"] for each in event.data["users"]):
                yield event.at, f"{user} is {how} the group: id {event.id}, by {event.data.get('by')}"


def _of_the_device(history: History, violation: Violation) -> Iterator[tuple[float, str]]:
    device = next((each for each in history.devices if each.name == violation.device), None)
    if device is None:
        return
    offending = [at for at, _ in _of_the_message(history, violation)]
    if not offending and violation.conversation in history.groups:
        return  # it is not about one moment
    first, last = min(offending, default=0.0), max(offending, default=history.ended)
    told = [event for event in device.events if event.name in (*STATES, "message")]
    before = [event for event in told if event.at < first][-NEIGHBOURS:]
    after = [event for event in told if event.at > last][:NEIGHBOURS]
    between = [event for event in told if first <= event.at <= last and event.name in STATES]
    for event in (*before, *between, *after):
        data = event.data.get("client_msg_id") or {key: value for key, value in event.data.items() if key != "text"}
        yield event.at, f"{device.name} {event.name} {event.id or ''} {data or ''}".rstrip()
