"""The cookie with a session's token, for browsers."""

from ssechat.http.exchange import Response

HOST_PREFIX = "__Host-"
"""A browser accepts a cookie with this prefix only from the host itself, over https and for all paths: a sub-domain
cannot set it (RFC 6265bis §4.1.3.2)."""

MAX_COOKIES = 16
"""Upper bound of the cookies of one name that are tried."""


class SessionCookie:
    """Set, read and removed under one name, with the prefix under https and without it under http."""

    def __init__(self, name: str) -> None:
        self._plain = name
        self._guarded = HOST_PREFIX + name

    def read(self, line: str) -> tuple[list[str], list[str]]:
        """Returns the tokens in a `Cookie` header: those with the `__Host-` prefix, and those without, which an
        attacker may have set.

        The second list is valid under http only. The header can hold several cookies of one name, for other paths and
        domains, without saying which is which; the caller tries all of them.
        """
        guarded: list[str] = []
        plain: list[str] = []
        for part in line.split(";"):
            if self._plain in part:  # a cheap check first: the header may hold many other cookies
                name, _, token = part.strip().partition("=")
                found = guarded if name == self._guarded else plain if name == self._plain else None
                if found is not None and token and token not in found and len(found) < MAX_COOKIES:
                    found.append(token)
        return guarded, plain

    def put(self, response: Response, token: str, seconds: int, *, https: bool) -> None:
        """Sets the cookie for `seconds`, out of reach of scripts."""
        _add(response, self._guarded if https else self._plain, token, seconds, https)

    def remove(self, response: Response, *, https: bool) -> None:
        """Deletes the cookie, including one that was set before the server had https."""
        _add(response, self._plain, '""', 0, False)
        if https:
            _add(response, self._guarded, '""', 0, True)


def _add(response: Response, name: str, value: str, seconds: int, secure: bool) -> None:
    attributes = f"HttpOnly; Max-Age={seconds}; Path=/; SameSite=lax{'; Secure' if secure else ''}"
    response.headers += ((b"set-cookie", f"{name}={value}; {attributes}".encode("latin-1")),)
