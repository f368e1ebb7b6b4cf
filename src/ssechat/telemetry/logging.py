"""The server's log: lines on stderr, each with the pid of its writer.

No line holds a token, a text or a request's path. The server's own messages have none. An exception's text may quote
the data that raised it, and asyncio quotes the arguments of a call that failed: of those only the place is logged.
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
"""Exceptions whose text concerns the code, not the data: it is logged."""

MAX_FRAMES = 60
"""The number of a traceback's frames that are logged, counted from the innermost."""


class TextFormatter(logging.Formatter):
    """Lines for a terminal: no control character reaches it, and no record looks like two."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s ssechat[%(process)d] %(levelname)s: %(message)s", "%Y-%m-%d %H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = indented(_message(record))
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:
        return "\n".join(map(indented, _trace(ei[1]))) if isinstance(ei, tuple) else ""


class JSONFormatter(logging.Formatter):
    """Lines for a program: one JSON object a line."""

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
        return json.dumps(line, separators=(",", ":"))  # in ASCII, so that no other line separator can break a line


def configure_logging(level: str, log_format: Literal["text", "json"]) -> None:
    """Sends records of `level` and above to stderr, and the exceptions that end a thread or the process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # uvicorn logs each worker's start and end at "info"; the parent process already logs them.
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, logging.getLogger().level))
    for library in ("asyncio", "httpx", "httpcore"):
        logging.getLogger(library).setLevel(logging.WARNING)
    sys.excepthook = _on_end
    threading.excepthook = _on_thread_end


def _on_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Logs the exception that ends the process, with its text: at its start or end there is no request to quote."""
    if not isinstance(error, KeyboardInterrupt):
        logger.critical("%s: %s", kind.__name__, error, exc_info=(kind, error, trace))


def _on_thread_end(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
        logger.critical("a thread ended", exc_info=ended.exc_value)


def _message(record: logging.LogRecord) -> str:
    """The record's message; of the event loop's messages only the first line, up to the arguments that it quotes."""
    if record.name == "asyncio":
        return record.message.partition("\n")[0].partition("(")[0].rstrip()
    return record.message.rstrip()


def _trace(error: BaseException, seen: frozenset[int] = frozenset()) -> Iterator[str]:
    """The lines of a traceback, innermost frame last, after those of its cause; the text only of `SPEAKING` errors."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and id(cause) not in seen:
        yield from _trace(cause, seen | {id(error)})
        yield "which led to:"
    for frame in traceback.extract_tb(error.__traceback__, limit=-MAX_FRAMES):
        yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'
    said = f": {error}" if isinstance(error, SPEAKING) else ""
    yield f"{type(error).__module__}.{type(error).__qualname__}{said}"
