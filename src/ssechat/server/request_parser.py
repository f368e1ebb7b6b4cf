"""Splits the bytes of a connection into requests, one at a time.

The parser is httptools (llhttp). It is fed in pieces that stop where a request can end, so that it never parses beyond
the current request; the bytes behind it are returned. Requests that httptools accepts and a proxy could read
differently are refused (RFC 9112 §3.2, §6.1, §11.2).
"""

import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

HEADERS_LIMIT = 65536
"""Upper bound of the bytes of request line and headers, and of the framing of a chunked body: sizes, extensions,
trailers."""

MAX_HEADERS = 256
"""Upper bound of the number of headers of a request: in memory a header takes ten times its bytes."""

FRAMING_PER_BYTE = 8
"""Additional bytes of framing that are allowed per byte of a chunked body: the smallest chunk has six."""

END = b"\r\n\r\n"
"""The end of request headers, and of a chunked body: httptools accepts no other line ends."""

LOOKED_AT = frozenset((b"host", b"content-length", b"transfer-encoding", b"expect"))
"""Headers that concern the framing of the request."""

_HOST = re.compile(rb"(?:\[[0-9A-Za-z:.%~_-]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::[0-9]*)?").fullmatch
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}").match
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?@]+)([/?].*)?", re.DOTALL).fullmatch


class RequestRefused(Exception):
    """The bytes are not a valid request; the rest of the connection cannot be parsed."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


@dataclass(slots=True)
class RequestHeaders:
    """A request's line and headers."""

    method: str
    target: bytes
    """The request target, as sent."""
    path: str
    """The path, percent-decoded."""
    raw_path: bytes
    query: bytes
    version: str
    """`1.1` or `1.0`."""
    headers: list[tuple[bytes, bytes]]
    """Names in lower case."""
    length: int | None
    """Bytes of the body; None if it is chunked."""
    keep_alive: bool
    expects_continue: bool


class Receiver(Protocol):
    """The callbacks for a request, in the order of the calls."""

    def on_headers(self, head: RequestHeaders) -> None:
        """Called when the headers are complete."""

    def on_body(self, part: bytes) -> None:
        """Called with each part of the body."""

    def on_end(self) -> None:
        """Called when the request is complete."""


class RequestParser:
    """Parses the requests of one connection."""

    __slots__ = (
        "_framing",
        "_headers",
        "_in_chunk",
        "_in_trailers",
        "_left",
        "_line",
        "_parser",
        "_receiver",
        "_refusal",
        "_tail",
        "_target",
        "begun",
        "in_headers",
        "whole",
    )

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._parser = HttpRequestParser(self)
        self._refusal: RequestRefused | None = None
        self.proceed()

    def proceed(self) -> None:
        """Prepares for the next request. It must be called after a complete request is answered."""
        self.begun = False
        """Whether a part of a request has arrived."""
        self.in_headers = True
        self.whole = False
        """Whether the request is complete: `feed` parses nothing more."""
        self._framing = 0
        self._left = 0
        self._tail = b""
        self._line = b""
        """The part of a chunk's size line that has arrived."""
        self._in_chunk = 0
        """Bytes of the current chunk that are still to come."""
        self._in_trailers = False
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []

    def close(self) -> None:
        """Breaks the reference cycle between this object and httptools."""
        del self._parser, self._receiver

    @property
    def under_way(self) -> bool:
        """Whether a request has begun and is incomplete."""
        return self.begun and not self.whole

    def feed(self, data: bytes) -> bytes:
        """Parses data up to the end of a request; returns the bytes behind it.

        Raises:
            RequestRefused: the bytes are not a valid request; nothing more may be fed.
        """
        at = self._feed_at_once(data)
        size = len(data)
        while at < size and not self.whole:
            end = self._end_of_piece(data, at)
            self._feed(data[at:end] if at or end < size else data)
            at = end
        return data[at:]

    def _feed_at_once(self, data: bytes) -> int:
        """Parses complete headers, and the body if it is complete, too; returns the offset of the rest."""
        if self.begun or self._framing:
            return 0
        end = data.find(END) + len(END)
        if not len(END) <= end <= HEADERS_LIMIT:
            return 0
        self._parse(data[:end])
        if self.in_headers:  # the data was line ends before a request
            self._framing, self._tail = end, data[end + 1 - len(END) : end]
        elif 0 < self._left <= len(data) - end:
            at, end = end, end + self._left
            self._parse(data[at:end])
        return end

    def _end_of_piece(self, data: bytes, at: int) -> int:
        if self._left:
            return min(at + self._left, len(data))
        before = self._tail
        if not self.in_headers and not self._in_trailers:
            begin, at = at, self._end_of_chunks(data, at)
            before = (before + data[begin:at])[1 - len(END) :]
        if before:
            across = (before + data[at : at + len(END) - 1]).find(END)
            if across >= 0:
                return at + across + len(END) - len(before)
        found = data.find(END, at)
        return len(data) if found < 0 else found + len(END)

    def _end_of_chunks(self, data: bytes, at: int) -> int:
        """Returns the offset of the trailers, or the end of the data.

        Without it, a chunked body of line ends would cost a call for every four bytes: pieces stop at each blank line.
        """
        while at < len(data):
            if self._in_chunk:
                step = min(self._in_chunk, len(data) - at)
                self._in_chunk -= step
                at += step
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._line += data[at:]
                return len(data)
            size = _SIZE(self._line + data[at:end])
            self._line = b""
            at = end + 1
            if size is None or int(size[0], 16) == 0:  # httptools refuses an invalid size
                self._in_trailers = True
                return at
            self._in_chunk = int(size[0], 16) + len(b"\r\n")
        return at

    def _feed(self, piece: bytes) -> None:
        if self._left:
            self._parse(piece)
            return
        self._framing += len(piece)
        if self.in_headers and self._framing > HEADERS_LIMIT:
            raise RequestRefused(
                431, "head_too_large", f"The request line and the headers may have {HEADERS_LIMIT // 1024} KiB at most."
            )
        self._tail = piece[1 - len(END) :] if len(piece) >= len(END) else (self._tail + piece)[1 - len(END) :]
        self._parse(piece)
        if self._framing > HEADERS_LIMIT:
            raise RequestRefused(
                400, "too_much_framing", "Send the body in larger chunks, with shorter extensions and trailers."
            )

    def _parse(self, piece: bytes) -> None:
        try:
            self._parser.feed_data(piece)
        except HttpParserUpgrade:
            self._parse_without_upgrade()
        except HttpParserError:
            refusal, self._refusal = self._refusal, None
            raise refusal or RequestRefused(400, "malformed", "This is not an HTTP/1.1 request.") from None

    def _parse_without_upgrade(self) -> None:
        """Parses the headers again without `Upgrade`, which is ignored (RFC 9110 §7.8).

        With it httptools would treat the body as another protocol. A piece ends with the headers, so no bytes
        behind them are lost.
        """
        lines = [b"%b %b HTTP/%b" % (self._parser.get_method(), self._target, self._parser.get_http_version().encode())]
        for name, value in self._headers:
            if name == b"connection":
                others = [option for option in value.split(b",") if option.strip().lower() != b"upgrade"]
                value = b",".join(others)
            if name != b"upgrade":
                lines.append(b"%b: %b" % (name, value))
        self._parser = HttpRequestParser(self)
        self._parse(b"\r\n".join(lines) + END)

    # Callbacks of httptools.

    def on_message_begin(self) -> None:
        if self.whole:
            raise AssertionError("httptools parsed beyond the current request")
        self.begun = True
        self._target = b""
        self._headers = []

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.in_headers:  # trailers are dropped (RFC 9110 §6.5.1)
            # RFC 9110 §5.5; httptools keeps the whitespace behind the value.
            self._headers.append((name.lower(), value.rstrip(b" \t")))
            if len(self._headers) > MAX_HEADERS:
                self._refusal = RequestRefused(
                    431, "head_too_large", f"A request may have {MAX_HEADERS} headers at most."
                )
                raise self._refusal

    def on_headers_complete(self) -> None:
        if self._parser.should_upgrade():
            if self._parser.get_method() != b"CONNECT":
                return
            self._refusal = RequestRefused(400, "no_proxy", "This server is not a proxy: it does not support CONNECT.")
            raise self._refusal
        try:
            head = self._head()
        except RequestRefused as refusal:
            self._refusal = refusal
            raise
        self.in_headers = False
        self._left = head.length or 0
        self._framing = 0
        self._tail = b""
        self._receiver.on_headers(head)

    def on_body(self, part: bytes) -> None:
        if self._left:
            self._left -= len(part)
        else:
            self._framing -= len(part) * (1 + FRAMING_PER_BYTE)
        self._receiver.on_body(part)

    def on_message_complete(self) -> None:
        if self.in_headers:
            return  # the headers are being parsed again
        self.whole = True
        self._receiver.on_end()

    def _head(self) -> RequestHeaders:
        """
        Raises:
            RequestRefused: the request can be read in more than one way.
        """
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise RequestRefused(400, "unknown_version", "This server speaks HTTP/1.1.")
        length: int | None = 0
        host, coding, expects_continue = None, None, False
        for name, value in self._headers:
            if name not in LOOKED_AT:
                continue
            if name == b"host":
                if host is not None:
                    raise RequestRefused(400, "invalid_host", "A request must have one Host header; send it once.")
                host = value.strip()
            elif name == b"content-length":
                length = int(value.strip().lstrip(b"0") or b"0")  # httptools has checked the digits
            elif name == b"transfer-encoding":
                coding = value if coding is None else b"%b,%b" % (coding, value)
            else:
                expects_continue = value.strip().lower() == b"100-continue" and version == "1.1"
        if coding is not None:
            if version == "1.0":
                raise RequestRefused(
                    400, "invalid_framing", "HTTP/1.0 has no Transfer-Encoding; send a Content-Length."
                )
            if coding.strip().lower() != b"chunked":
                raise RequestRefused(
                    501, "unknown_transfer_encoding", "The only transfer coding that this server supports is chunked."
                )
            length = None
        method = self._parser.get_method().decode()
        raw_path, query = self._split_target(method)
        path = raw_path.decode("ascii")
        if (host is None and version == "1.1") or (host is not None and not _HOST(host)):
            raise RequestRefused(400, "invalid_host", "A request has one valid Host header: the name of the server.")
        return RequestHeaders(
            method=method,
            target=self._target,
            path=unquote(path) if "%" in path else path,
            raw_path=raw_path,
            query=query,
            version=version,
            headers=self._headers,
            length=length,
            keep_alive=version == "1.1" and self._parser.should_keep_alive(),
            expects_continue=expects_continue,
        )

    def _split_target(self, method: str) -> tuple[bytes, bytes]:
        """Returns the path and the query of the target (RFC 9112 §3.2). The host of an absolute form replaces Host."""
        target = self._target
        if not target.startswith(b"/") and not (target == b"*" and method == "OPTIONS"):
            absolute = _ABSOLUTE(target)
            if absolute is None or not _HOST(absolute[1]):
                raise RequestRefused(400, "invalid_target", "A request's path must begin with a slash.")
            self._headers = [pair for pair in self._headers if pair[0] != b"host"]
            self._headers.insert(0, (b"host", absolute[1]))
            target = absolute[2] or b"/"
        path, _, query = target.partition(b"?")
        if b"#" in target or not target.isascii():
            raise RequestRefused(400, "invalid_target", "A request's path must be ASCII and have no fragment.")
        return path or b"/", query
