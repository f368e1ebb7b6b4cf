"""What a device may claim, and what a Redis that lost data excuses. Pure, as the checker is.

A fault that loses data says since when and until when. What was under way or acknowledged in between is at risk:
it may be gone, or be there, or have come a second time in another place. Where it is gone a device must have been
told by a `reset`, unless it had seen nothing of the history that was lost: then there is nothing to tell it by.
"""

from .history import Device, Event, History, Send


def owed(history: History, device: Device) -> list[Send]:
    """The acknowledged sends that the device must have got, or be excused for."""
    since = device.since
    if since is None:
        return []
    return [
        send
        for send in history.sends
        if send.acked is not None
        and send.invoked > since
        and device.user in history.members[send.conversation]
        and not any(_hits(loss, send) and device.began > loss[1] for loss in history.losses)
    ]


def at_risk(history: History, send: Send) -> bool:
    """Whether a loss of data may have hit the send."""
    return any(_hits(loss, send) for loss in history.losses)


def _hits(loss: tuple[float, float], send: Send) -> bool:
    since, until = loss
    return send.invoked < until and (send.acked is None or send.acked > since)


def explained(history: History, device: Device) -> list[Event]:
    """The device's resets that a loss of data explains: for each loss one, of the inbox or of a conversation."""
    found, last = [], dict[str | None, float]()
    for reset in device.resets:
        scope = reset.data.get("conversation_id")
        if any(last.get(scope, 0.0) < until <= reset.at for _, until in history.losses):
            found.append(reset)
        last[scope] = reset.at
    return found


def excuse(history: History, device: Device, send: Send) -> float | None:
    """From when on the device need not have the send; None when there is no excuse."""
    if not history.losses:
        return None
    found = (told(history, device, send), unaware(history, device, send))
    return min((at for at in found if at is not None), default=None)


def told(history: History, device: Device, send: Send) -> float | None:
    """When the device was told by an explained reset that it may lack the send."""
    for reset in explained(history, device):
        if reset.at >= send.invoked and reset.data.get("conversation_id") in (None, send.conversation):
            return reset.at
    return None


def unaware(history: History, device: Device, send: Send) -> float | None:
    """When the send was lost, if it is gone and the device then stood where the history that is left still has it."""
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
    """What the user's inbox still has: what a device got that asked for all after the last loss."""
    last = max(until for _, until in history.losses)
    auditors = [each for each in history.devices if each.user == user and each.from_start and each.began > last]
    return [event for each in auditors for event in each.events]
