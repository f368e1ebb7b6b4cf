"""An answer as a test saw it."""

from collections.abc import Iterable
from email.parser import BytesParser
from typing import NamedTuple, Self


class Answer(NamedTuple):
    """The request line and the whole answer."""

    method: str
    target: str
    """The path as it was sent, percent-encoded; without the query."""
    status: int
    headers: dict[str, str]
    """By name in lower case; of one that comes twice, the last."""
    body: bytes | None
    """None: it is not known, or streams."""

    @classmethod
    def of(cls, method: str, target: str, status: int, headers: Iterable[tuple[str, str]], body: bytes | None) -> Self:
        named = {name.lower(): value for name, value in headers}
        return cls(method, target.partition("?")[0], status, named, body)

    @classmethod
    def parse(cls, request: bytes, raw: bytes) -> Self | None:
        """An answer in bytes of HTTP/1.1, all that came for the request; None: it is incomplete, or chunked."""
        head, complete, body = raw.partition(b"\r\n\r\n")
        status_line, _, lines = head.partition(b"\r\n")
        words = status_line.split(b" ", 2)
        if not complete or len(words) < 2 or not words[1].isdigit() or words[1] == b"100":
            return None
        headers = {name.lower(): value for name, value in BytesParser().parsebytes(lines, headersonly=True).items()}
        method, _, rest = request.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        length = headers.get("content-length")
        if length is None and "transfer-encoding" in headers:
            return None
        if length is not None and method != "HEAD" and len(body) < int(length):
            return None
        whole = b"" if method == "HEAD" or length is None else body[: int(length)]
        return cls.of(method, rest.partition(" ")[0], int(words[1]), headers.items(), whole)
