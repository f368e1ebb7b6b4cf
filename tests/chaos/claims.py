"""The messages that a device is owed, and the excuses after a data loss of Redis. Pure functions, as in the checker.

A fault that loses data has a beginning and an end. Messages in flight or acknowledged in between are at risk: they may
be lost, kept, or stored a second time in another place. If one is lost, the device must have got a `reset`, unless it
had seen nothing of the lost history: then the server cannot know.
"""

from .history import Device, Event, History, Send

IN_FLIGHT = 0.5
"""Seconds after a loss in which a device may still read what was sent before it."""


def owed(history: History, device: Device) -> list[Send]:
    """The acknowledged sends to direct conversations that the device must have got, unless excused."""
    since = device.since
    if since is None:
        return []
    return [
        send
        for send in history.sends
        if send.acked is not None
        and send.invoked > since
        and device.user in history.members.get(send.conversation, ())
        and not any(_hits(loss, send) and device.began > loss[1] for loss in history.losses)
    ]


def at_risk(history: History, send: Send) -> bool:
    """Whether a data loss may have affected the send."""
    return any(_hits(loss, send) for loss in history.losses)


def _hits(loss: tuple[float, float], send: Send) -> bool:
    since, until = loss
    return send.invoked < until and (send.acked is None or send.acked > since)


def explained(history: History, device: Device) -> list[Event]:
    """The resets of the device that a data loss explains: one per loss, of the inbox or of a conversation."""
    found, last = [], dict[str | None, float]()
    for reset in device.resets:
        scope = reset.data.get("conversation_id")
        if any(last.get(scope, 0.0) < until + IN_FLIGHT and until <= reset.at for _, until in history.losses):
            found.append(reset)
        last[scope] = reset.at
    return found


def excuse(history: History, device: Device, send: Send) -> float | None:
    """The time from which the device need not have the send; None without an excuse."""
    if not history.losses:
        return None
    found = (told(history, device, send), unaware(history, device, send))
    return min((at for at in found if at is not None), default=None)


def told(history: History, device: Device, send: Send) -> float | None:
    """The time of an explained reset, after which the device may lack the send."""
    for reset in explained(history, device):
        if reset.at >= send.invoked and reset.data.get("conversation_id") in (None, send.conversation):
            return reset.at
    return None


def unaware(history: History, device: Device, send: Send) -> float | None:
    """The time of the loss of the send, if the cursor of the device was then within the remaining history."""
    for since, until in history.losses:
        if _hits((since, until), send):
            left = _left(history, device.user)
            if any(event.data.get("client_msg_id") == send.client_msg_id for event in left):
                return None
            ids = [event.id for event in device.events if event.id is not None and event.at <= until]
            if not ids or ids[-1].startswith("0-") or ids[-1] in {event.id for event in left}:
                return until
    return None


def _left(history: History, user: str) -> list[Event]:
    """The remaining events of a user's inbox: those of a device that read all after the last loss."""
    last = max(until for _, until in history.losses)
    auditors = [each for each in history.devices if each.user == user and each.from_start and each.began > last]
    return [event for each in auditors for event in each.events]
