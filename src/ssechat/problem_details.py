"""Turns error responses of a server into a sentence for a user and a number of seconds to wait."""

import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

# Seconds: the longest wait that a server can ask for.
MAX_RETRY_AFTER = 3600.0
# Characters of a server's text that are shown to a user.
MAX_QUOTE = 300


def shortened(text: str) -> str:
    """The text as one line of at most `MAX_QUOTE` characters."""
    line = " ".join(text[: 2 * MAX_QUOTE].split())
    return line if len(line) <= MAX_QUOTE else line[: MAX_QUOTE - 1] + "…"


def problem_text(response: httpx.Response) -> str:
    """A sentence from an error response: the detail, fields and code of a problem (RFC 9457); otherwise the status and
    the plain text of a proxy."""
    status = shortened(f"{response.status_code} {response.reason_phrase}")
    if response.has_redirect_location:
        return f"the server answered {status}: use {shortened(response.headers['location'])} instead"
    problem = problem_of(response)
    if not (problem.get("detail") or problem.get("title")):
        return f"the server answered {status}{_plain_text(response)}"
    text = shortened(str(problem.get("detail") or problem.get("title")))
    for field in _fields(problem):
        if field not in text:
            text = shortened(f"{text.rstrip('.')}; {field}")
    return (
        f"{text} ({response.status_code} {shortened(str(problem['code']))})"
        if "code" in problem
        else f"{text} ({status})"
    )


def problem_of(response: httpx.Response) -> dict[str, Any]:
    """The problem (RFC 9457) in a response; empty if it has none."""
    try:
        return json_object(response.content) or {}
    except httpx.ResponseNotRead:
        return {}


def json_object(text: str | bytes) -> dict[str, Any] | None:
    """The object that a text is in JSON; None if it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _fields(problem: Mapping[str, Any]) -> list[str]:
    """The invalid fields of a problem, each as `name: message`."""
    fields = problem.get("fields")
    return [
        ": ".join(filter(None, (shortened(str(each.get("field") or "")), shortened(str(each.get("message") or "")))))
        for each in (fields if isinstance(fields, list) else [])
        if isinstance(each, dict)
    ]


def _plain_text(response: httpx.Response) -> str:
    """The body if it is plain text; of an HTML page nothing."""
    if response.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/plain":
        return ""
    with contextlib.suppress(httpx.ResponseNotRead):
        return f": {shortened(response.content[: 4 * MAX_QUOTE].decode(errors='replace'))}".rstrip(": ")
    return ""


def retry_after(response: httpx.Response) -> float | None:
    """The seconds of a Retry-After header, which holds a number or a date (RFC 9110 §10.2.3); None if it is missing."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), MAX_RETRY_AFTER)
    try:
        when = parsedate_to_datetime(value)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return min(max(0.0, (when - datetime.now(UTC)).total_seconds()), MAX_RETRY_AFTER)
    except (ValueError, OverflowError):
        return None
