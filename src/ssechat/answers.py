"""What a server's refusal says, as a sentence for a person; and how long it asks to wait."""

import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

# An hour: whoever asks for a longer pause is mistaken, or no chat server.
LONGEST_ASKED = 3600.0
# Characters of what a server says that are told to a person.
LONGEST_QUOTE = 300


def shortened(text: str) -> str:
    """One line of a bounded length, whatever somebody else wrote."""
    line = " ".join(text[: 2 * LONGEST_QUOTE].split())
    return line if len(line) <= LONGEST_QUOTE else line[: LONGEST_QUOTE - 1] + "…"


def problem_text(answer: httpx.Response) -> str:
    """What a refusal says, as a sentence: a problem's detail, fields and code (RFC 9457); else the status, and what a
    front says of it in plain text."""
    status = shortened(f"{answer.status_code} {answer.reason_phrase}")
    if answer.has_redirect_location:
        return f"the server answered {status}: use {shortened(answer.headers['location'])} instead"
    try:
        problem = json.loads(answer.content)
    except (ValueError, RecursionError, httpx.ResponseNotRead):
        problem = None
    if not isinstance(problem, dict) or not (problem.get("detail") or problem.get("title")):
        return f"the server answered {status}{_plain_text(answer)}"
    text = shortened(str(problem.get("detail") or problem.get("title")))
    for field in _fields(problem):
        if field not in text:
            text = shortened(f"{text.rstrip('.')}; {field}")
    return (
        f"{text} ({answer.status_code} {shortened(str(problem['code']))})"
        if "code" in problem
        else f"{text} ({status})"
    )


def _fields(problem: Mapping[str, Any]) -> list[str]:
    """What a problem says of each field at fault."""
    fields = problem.get("fields")
    return [
        ": ".join(filter(None, (shortened(str(each.get("field") or "")), shortened(str(each.get("message") or "")))))
        for each in (fields if isinstance(fields, list) else [])
        if isinstance(each, dict)
    ]


def _plain_text(answer: httpx.Response) -> str:
    """Of a page for browsers nothing: its markup is no sentence."""
    if answer.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/plain":
        return ""
    with contextlib.suppress(httpx.ResponseNotRead):
        return f": {shortened(answer.content[: 4 * LONGEST_QUOTE].decode(errors='replace'))}".rstrip(": ")
    return ""


def retry_after(answer: httpx.Response) -> float | None:
    """The seconds that Retry-After asks for, given as a number or as a date (RFC 9110 §10.2.3)."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_ASKED)
    try:
        when = parsedate_to_datetime(value)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return min(max(0.0, (when - datetime.now(UTC)).total_seconds()), LONGEST_ASKED)
    except (ValueError, OverflowError):
        return None
