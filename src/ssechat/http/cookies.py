"""The cookie with a session's token, for browsers."""

from collections.abc import Sequence

from ssechat.http.exchange import Response
from ssechat.identity.tokens import COOKIE

HOST_PREFIX = "__Host-"
"""A browser accepts a cookie with this prefix only from the host itself, over https and for all paths: a sub-domain
cannot set it (RFC 6265bis §4.1.3.2)."""

MAX_COOKIES = 16
"""Upper bound of the cookies of one kind that are tried."""


class SessionCookie:
    """Set, read and removed with the prefix under https and without it under http."""

    def __init__(self, names: Sequence[str]) -> None:
        """The cookie is set under the first of the names, and read under all: the others are those of former keys, and
        of keys that another worker may sign with already. All begin with `COOKIE`."""
        self._name = names[0]
        self._others = names[1:]
        self._ranks = {name: rank for rank, name in enumerate(names)}

    def read(self, line: str) -> tuple[list[str], list[str]]:
        """Returns the tokens in a `Cookie` header: those with the `__Host-` prefix, and those without, which an
        attacker may have set.

        The second list is valid under http only. The header can hold several cookies of one name, for other paths and
        domains, without saying which is which; the caller tries all of them.
        """
        guarded: dict[str, int] = {}
        plain: dict[str, int] = {}
        for part in line.split(";"):
            if COOKIE in part:  # a cheap check first: the header may hold many other cookies
                name, _, token = part.strip().partition("=")
                bare = name.removeprefix(HOST_PREFIX)
                found, rank = plain if bare == name else guarded, self._ranks.get(bare)
                if rank is not None and token and len(found) < MAX_COOKIES:
                    found.setdefault(token, rank)
        return sorted(guarded, key=guarded.__getitem__), sorted(plain, key=plain.__getitem__)

    def put(self, response: Response, token: str, seconds: int, *, https: bool) -> None:
        """Sets the cookie for `seconds`, out of reach of scripts, and deletes those of its other names."""
        _add(response, HOST_PREFIX + self._name if https else self._name, token, seconds, https)
        self._delete(response, self._others, https=https)

    def remove(self, response: Response, *, https: bool) -> None:
        """Deletes the cookie, including one that was set before the server had https."""
        self._delete(response, (self._name, *self._others), https=https)

    def _delete(self, response: Response, names: Sequence[str], *, https: bool) -> None:
        for name in names:
            _add(response, name, '""', 0, False)
            if https:
                _add(response, HOST_PREFIX + name, '""', 0, True)


def _add(response: Response, name: str, value: str, seconds: int, secure: bool) -> None:
    attributes = f"HttpOnly; Max-Age={seconds}; Path=/; SameSite=lax{'; Secure' if secure else ''}"
    response.headers += ((b"set-cookie", f"{name}={value}; {attributes}".encode("latin-1")),)
