"""The cookie that carries a session's token in browsers."""

from ssechat.http.exchange import Response

HOST_PREFIX = "__Host-"
"""Browsers take a cookie of such a name from its very host only, over https, for all paths: nobody beside it, such as
a page of a sub-domain, can plant one (RFC 6265bis §4.1.3.2)."""

MAX_COOKIES = 16
"""Cookies of one name that are tried."""


class SessionCookie:
    """Set, read and removed under one name, with the prefix under https and without it under http."""

    def __init__(self, name: str) -> None:
        self._plain = name
        self._guarded = HOST_PREFIX + name

    def read(self, line: str) -> tuple[list[str], list[str]]:
        """The tokens in a `Cookie` header: those that nobody can have planted, and those that somebody may have.

        The second count under http only. There may be several of one name, for other paths and domains, and which is
        whose is not said; so all are given, for who asks to try them.
        """
        guarded: list[str] = []
        plain: list[str] = []
        for part in line.split(";"):
            if self._plain in part:  # of the others there may be many
                name, _, token = part.strip().partition("=")
                found = guarded if name == self._guarded else plain if name == self._plain else None
                if found is not None and token and token not in found and len(found) < MAX_COOKIES:
                    found.append(token)
        return guarded, plain

    def put(self, response: Response, token: str, seconds: int, *, https: bool) -> None:
        """Has the browser keep it, for so many seconds, where no script can read it."""
        _add(response, self._guarded if https else self._plain, token, seconds, https)

    def remove(self, response: Response, *, https: bool) -> None:
        """Has the browser forget it, and what it may have from before there was https."""
        _add(response, self._plain, '""', 0, False)
        if https:
            _add(response, self._guarded, '""', 0, True)


def _add(response: Response, name: str, value: str, seconds: int, secure: bool) -> None:
    attributes = f"HttpOnly; Max-Age={seconds}; Path=/; SameSite=lax{'; Secure' if secure else ''}"
    response.headers += ((b"set-cookie", f"{name}={value}; {attributes}".encode("latin-1")),)
