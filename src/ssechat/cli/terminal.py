"""Events and messages as lines for people, safe to print on a terminal."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ssechat.texts.printable import indented


def message_line(message: Mapping[str, Any]) -> str:
    """A message as a line: `14:03 dm:alice:bob #7  alice: hi`."""
    place = f"{_clock(message.get('created_at'))}{message.get('conversation_id')} #{message.get('seq')}"
    text = message.get("text")
    text = text if isinstance(text, str) else "(deleted)"
    sender = message.get("sender")
    return indented(f"{place}  {sender}: {text}" if sender else f"{place}  {text}")


def event_line(event: str, data: Any) -> str:
    """An event as a line; only a message whose text has newlines takes more than one."""
    if isinstance(data, dict) and "seq" in data and "sender" in data and event.startswith("message"):
        change = {"message.updated": "  (edited)", "message.deleted": "  (deleted)"}.get(event, "")
        return message_line(data) + change
    if event == "reset" and isinstance(data, dict):
        where = data.get("conversation_id", "your inbox")
        return indented(
            f"reset ({data.get('reason')}): events of {where} are missing here; none is missing after this line"
        )
    return indented(f"{event}  {json.dumps(data, ensure_ascii=False, sort_keys=True)}")


def _clock(created_at: Any) -> str:
    """The local time of an RFC 3339 timestamp, or of seconds since the epoch, and a space; empty for anything else."""
    try:
        when = (
            datetime.fromisoformat(created_at)
            if isinstance(created_at, str)
            else datetime.fromtimestamp(float(created_at)).astimezone()
        )
        return f"{when.astimezone():%H:%M} "
    except (TypeError, ValueError, OverflowError, OSError):
        return ""
