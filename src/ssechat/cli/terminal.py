"""What the client commands print: events and messages as lines that are safe on a terminal."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ssechat.texts.printable import indented


def message_line(message: Mapping[str, Any]) -> str:
    """A message for a person: `14:03 dm:alice:bob #7  alice: hi`."""
    place = f"{_clock(message.get('created_at'))}{message.get('conversation_id')} #{message.get('seq')}"
    text = message.get("text")
    said = text if isinstance(text, str) else "(deleted)"
    sender = message.get("sender")
    return indented(f"{place}  {sender}: {said}" if sender else f"{place}  {said}")


def event_line(event: str, data: Any) -> str:
    """An event for a person, on one line but for the newlines of a message's own text."""
    if isinstance(data, dict) and "seq" in data and "sender" in data and event.startswith("message"):
        change = {"message.updated": "  (edited)", "message.deleted": "  (deleted)"}.get(event, "")
        return message_line(data) + change
    if event == "reset" and isinstance(data, dict):
        where = data.get("conversation_id", "your inbox")
        return indented(f"reset ({data.get('reason')}): events of {where} are missing here; what follows is complete")
    return indented(f"{event}  {json.dumps(data, ensure_ascii=False, sort_keys=True)}")


def _clock(created_at: Any) -> str:
    """The local time of an RFC 3339 timestamp, or of seconds since the epoch, with a space behind it."""
    try:
        when = (
            datetime.fromisoformat(created_at)
            if isinstance(created_at, str)
            else datetime.fromtimestamp(float(created_at)).astimezone()
        )
        return f"{when.astimezone():%H:%M} "
    except (TypeError, ValueError, OverflowError, OSError):
        return ""
