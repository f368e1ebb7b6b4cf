"""What the client commands print: events and messages as lines that are safe on a terminal."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

# C0 and C1 controls but newline and tab, line and paragraph separators, overrides of the writing direction,
# and halves of surrogate pairs, which cannot be encoded.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# In what looks like a URL: what stands between the user's name and the last @.
_PASSWORD = re.compile(r"(:/+[^\s/:@]*):\S*@")


def without_passwords(text: str) -> str:
    """The text without the passwords of URLs in it, whatever the URL was given as."""
    return _PASSWORD.sub(r"\1:…@", text)


def printable(text: str) -> str:
    """The text with everything escaped by which it could drive a terminal (as in `\\x1b`)."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def one_line(text: str) -> str:
    """Printable text on one line, its newlines escaped."""
    return printable(text).replace("\n", "\\n")


def indented(text: str) -> str:
    """Printable text whose further lines are set in, so that none of them looks like an event of its own."""
    return printable(text).replace("\n", "\n    ")


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
