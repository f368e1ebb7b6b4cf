"""Where the server's log goes: to stderr, a line each, with the process that wrote it.

No line has a token, a text or a path of a request in it. Our own lines hold none. But an exception's text may
quote what it choked on, and asyncio shows the arguments of what failed: of those only the place is logged.
"""

import json
import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal

from ssechat.texts.printable import indented

logger = logging.getLogger(__name__)

REQUEST_FIELDS = ("request_id", "method", "route", "status", "duration_ms")

SPEAKING = (AttributeError, ImportError, IndexError, NameError, RecursionError, TypeError, ZeroDivisionError)
"""Exceptions whose text is about the code, not about the data."""

MOST_FRAMES = 60
"""Frames of a traceback that are logged: the innermost ones."""


class TextFormatter(logging.Formatter):
    """For a person, on a terminal: nothing in a line can drive it, and no line looks like two."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s ssechat[%(process)d] %(levelname)s: %(message)s", "%Y-%m-%d %H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = indented(_message(record))
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:
        return "\n".join(map(indented, _trace(ei[1]))) if isinstance(ei, tuple) else ""


class JSONFormatter(logging.Formatter):
    """For a program: one object a line."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            "pid": record.process,
            **{name: value for name in REQUEST_FIELDS if (value := getattr(record, name, None)) is not None},
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = type(record.exc_info[1]).__qualname__
            line["trace"] = list(_trace(record.exc_info[1]))
        return json.dumps(line, separators=(",", ":"))  # ASCII: what else is in a line must not break it


def configure_logging(level: str, log_format: Literal["text", "json"] = "text") -> None:
    """Send what is logged at `level` and above to stderr; what ends a thread or the process as well."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # uvicorn narrates each worker's start and end at "info"; the parent says what a person needs to know.
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, logging.getLogger().level))
    for library in ("asyncio", "httpx", "httpcore"):
        logging.getLogger(library).setLevel(logging.WARNING)
    sys.excepthook = _on_end
    threading.excepthook = _on_thread_end


def _on_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What ends the process is a mistake at its start or its end, when there is no request to be quoted."""
    if not isinstance(error, KeyboardInterrupt):
        logger.critical("%s: %s", kind.__name__, error, exc_info=(kind, error, trace))


def _on_thread_end(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
        logger.critical("a thread ended", exc_info=ended.exc_value)


def _message(record: logging.LogRecord) -> str:
    """What it says; of what the event loop says only the first line, up to the arguments that it quotes."""
    if record.name == "asyncio":
        return record.message.partition("\n")[0].partition("(")[0].rstrip()
    return record.message.rstrip()


def _trace(error: BaseException, seen: frozenset[int] = frozenset()) -> Iterator[str]:
    """Where it came from, innermost last, its causes before it; the text only of exceptions about the code."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and id(cause) not in seen:
        yield from _trace(cause, seen | {id(error)})
        yield "which led to:"
    for frame in traceback.extract_tb(error.__traceback__, limit=-MOST_FRAMES):
        yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'
    said = f": {error}" if isinstance(error, SPEAKING) else ""
    yield f"{type(error).__module__}.{type(error).__qualname__}{said}"
