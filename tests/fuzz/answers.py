"""A strict incremental parser of responses: any oddity is a fault of the server."""

import re
from dataclasses import dataclass, field

STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [\x20-\x7e]*\Z")
HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t\x20-\x7e\x80-\xff]*)\Z")

KNOWN = frozenset(
    (
        "access-control-allow-credentials", "access-control-allow-headers",
        "access-control-allow-methods", "access-control-allow-origin", "access-control-expose-headers",
        "access-control-max-age", "allow", "cache-control", "connection", "content-encoding", "content-length",
        "content-security-policy", "content-type", "date", "etag", "ratelimit",
        "ratelimit-policy", "referrer-policy", "retry-after", "service-worker-allowed", "set-cookie",
        "transfer-encoding", "vary",
        "www-authenticate", "x-accel-buffering", "x-content-type-options", "x-request-id",
    )
)  # fmt: skip
"""The header names of the server's responses. Any other name came from the request."""

HEADERS_LIMIT = 16_384


class NotHTTP(Exception):
    """The bytes are not a response."""


@dataclass(slots=True)
class Answer:
    """One response."""

    status: int
    headers: dict[str, bytes]
    body: bytes = b""

    @property
    def id(self) -> str:
        """The id of its request; empty if the response has none."""
        return self.headers.get("x-request-id", b"").decode("latin-1")

    @property
    def is_stream(self) -> bool:
        """Whether it is an event stream."""
        return self.status == 200 and self.headers.get("content-type", b"").startswith(b"text/event-stream")


@dataclass(slots=True)
class Answers:
    """The responses on one connection."""

    bodiless: frozenset[str]
    """The ids of requests whose responses have no body (HEAD)."""
    whole: list[Answer] = field(default_factory=list)
    stream: Answer | None = None
    """The event stream, after which no response follows."""
    _rest: bytes = b""
    _open: Answer | None = None
    _left: int = 0

    def feed(self, data: bytes) -> None:
        """Parses more bytes.

        Raises:
            NotHTTP: the bytes are not a response.
        """
        self._rest += data
        while self._rest and (self._read_body() if self._open is not None else self._read_head()):
            pass

    def end(self) -> None:
        """The connection has ended.

        Raises:
            NotHTTP: it ended in the middle of a response.
        """
        if self.stream is None and (self._rest or self._open is not None):
            raise NotHTTP(f"ends in the middle of an answer: {self._rest[:80]!r}")

    def _read_head(self) -> bool:
        head, found, rest = self._rest.partition(b"\r\n\r\n")
        if not found:
            if len(head) > HEADERS_LIMIT or not b"HTTP/1.1 "[: len(head)] == head[:9]:
                raise NotHTTP(f"no head: {head[:80]!r}")
            return False
        first, *lines = head.split(b"\r\n")
        status = STATUS.match(first)
        if status is None:
            raise NotHTTP(f"no status: {first[:80]!r}")
        headers: dict[str, bytes] = {}
        for line in lines:
            pair = HEADER.match(line)
            if pair is None or (name := pair[1].decode().lower()) not in KNOWN:
                raise NotHTTP(f"not a header of ours: {line[:80]!r}")
            headers[name] = pair[2]
        self._rest = rest
        self._begin(Answer(int(status[1]), headers))
        return True

    def _begin(self, answer: Answer) -> None:
        if answer.status < 200:
            return
        length = answer.headers.get("content-length", b"")
        chunked = answer.headers.get("transfer-encoding") == b"chunked"
        if answer.id in self.bodiless or answer.status in (204, 304):
            self._left = 0
        elif answer.is_stream and not length:
            self.stream = self._open = answer
            self._left = -1 if chunked else -2
            return
        elif length.isdigit() and not chunked:
            self._left = int(length)
        elif chunked:
            self._left = -1
        else:
            raise NotHTTP(f"an answer without an end: {answer.headers}")
        self._open = answer
        if self._left == 0:
            self._finish()

    def _read_body(self) -> bool:
        assert self._open is not None
        if self._left == -2:  # a stream without chunked coding ends with the connection
            self._open.body += self._rest
            self._rest = b""
            return False
        if self._left == -1:
            return self._read_chunk()
        part, self._rest = self._rest[: self._left], self._rest[self._left :]
        self._open.body += part
        self._left -= len(part)
        if self._left == 0:
            self._finish()
        return True

    def _read_chunk(self) -> bool:
        assert self._open is not None
        size, found, rest = self._rest.partition(b"\r\n")
        if not found and len(size) < 10:
            return False
        if not re.fullmatch(rb"[0-9a-f]{1,8}", size):
            raise NotHTTP(f"no chunk: {self._rest[:80]!r}")
        length = int(size, 16)
        if len(rest) < length + 2:
            return False
        if rest[length : length + 2] != b"\r\n":
            raise NotHTTP(f"a chunk that is too long: {rest[length : length + 20]!r}")
        self._open.body += rest[:length]
        self._rest = rest[length + 2 :]
        if length == 0:
            self.stream = None
            self._finish()
        return True

    def _finish(self) -> None:
        assert self._open is not None
        self.whole.append(self._open)
        self._open = None
