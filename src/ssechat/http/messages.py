"""Messages in requests and responses: their paths, and their ETags (RFC 9110 §8.8.3 and §13.1.1)."""

import re
from collections.abc import Callable, Iterable
from hashlib import blake2b

from ssechat.errors import NotFound
from ssechat.http.exchange import Request, Response
from ssechat.http.responses import json_response

SEQ = re.compile(r"[1-9][0-9]{0,15}\Z").match

ETAG = re.compile(r'(W/)?("[^"]*")[ \t]*(?:,|\Z)')
"""Begins with what is never repeated: a header of 60 KB of spaces would keep the worker for half a minute otherwise."""


def seq_of(request: Request) -> int:
    """The seq in the path.

    Raises:
        NotFound: `unknown_message`: it is none.
    """
    text = request.parameters["seq"]
    if SEQ(text) is None:
        raise NotFound("unknown_message", f"There is no message {text!r}: messages have the numbers from 1 on.")
    return int(text)


def message_response(message: bytes, status: int = 200) -> Response:
    """A message (JSON) with its ETag."""
    response = json_response(message, status)
    response.headers += ((b"etag", _etag(message).encode()),)
    return response


def if_match(request: Request) -> Callable[[bytes], bool] | None:
    """Whether a message (JSON) is one that `If-Match` names; None: the request has no such header."""
    header = request.header(b"if-match")
    if header is None:
        return None
    if header.strip() == "*":
        return lambda message: True
    named = {tag for weak, tag in ETAG.findall(header) if not weak}  # weak ones match nothing
    return lambda message: _etag(message) in named


def array(items: Iterable[bytes]) -> bytes:
    """Joins JSON values into an array; messages are stored as JSON, and need no parsing."""
    return b"[%b]" % b",".join(items)


def _etag(message: bytes) -> str:
    return f'"{blake2b(message, digest_size=16).hexdigest()}"'
