"""Origins of web pages, normalised so that they can be compared (RFC 6454 §4 to §6)."""

import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator

DEFAULT_PORTS = {"http": 80, "https": 443}

NEVER_AN_ORIGIN = frozenset({"about", "blob", "data", "file", "ftp", "javascript", "mailto", "ws", "wss"})
"""Schemes that never stand in an `Origin` header: browsers send `null`, or another scheme."""

MAX_LENGTH = 512
"""Characters of an origin or a host with its port. A host name has at most 253 (RFC 1035 §2.3.4)."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_PORT = re.compile(r"[0-9]{1,5}")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def canonical_origin(text: str) -> str:
    """`HTTPS://App.Example:443` → `https://app.example`, as browsers write it in `Origin`.

    Raises:
        ValueError: no page has this origin; the message is a sentence that says why.
    """
    if text == "*":
        raise ValueError("* would let any page use this server with its visitors' cookies; list each origin")
    scheme, separator, authority = text.partition("://")
    scheme = scheme.lower()
    if not separator or _SCHEME.fullmatch(scheme) is None:
        raise ValueError(f"{_quoted(text)} is not an origin such as https://app.example")
    if scheme in NEVER_AN_ORIGIN:
        raise ValueError(f"{_quoted(text)}: no page has an origin of {scheme}:")
    if len(text) > MAX_LENGTH:
        raise ValueError(f"{_quoted(text)} is too long for an origin")
    if any(mark in authority for mark in "/?#\\"):
        origin = f"{scheme}://{re.split(r'[/?#]', authority)[0]}"
        raise ValueError(f"{_quoted(text)}: an origin has no path, not even a final /; give {_quoted(origin)}")
    if "@" in authority:
        raise ValueError(f"{_quoted(text)}: an origin has no user name and password")
    return f"{scheme}://{canonical_host(authority, scheme)}"


def canonical_host(authority: str, scheme: str) -> str:
    """`App.Example.:443` → `app.example` under https: normalises a `Host` header, or the part of an origin after `://`.

    Raises:
        ValueError: it is neither a host name nor an address, with or without a port; the message is a sentence.
    """
    bare, bracket, rest = authority.rpartition("]")
    name, colon, port = rest.partition(":")
    name = bare + bracket + name
    if len(authority) > MAX_LENGTH or (colon and port and (_PORT.fullmatch(port) is None or not 0 < int(port) < 65536)):
        raise ValueError(f"{_quoted(authority)} has no valid port")
    host = _host(name.lower())
    if not port or int(port) == DEFAULT_PORTS.get(scheme):
        return host
    return f"{host}:{int(port)}"


def _host(name: str) -> str:
    if name.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(name[1:-1] if name.endswith(']') and '%' not in name else '')}]"
        except ValueError:
            raise ValueError(f"{_quoted(name)} is not an IPv6 address") from None
    name = name.removesuffix(".")
    if not name.isascii():
        raise ValueError(f"{_quoted(name)} has characters beyond ASCII; give it as browsers send it (xn--…)")
    if "*" in name:
        raise ValueError(f"{_quoted(name)}: wildcards are not supported; list each origin")
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{_quoted(name)} is not a host name")
    # A host whose last label is a number must be an IPv4 address (WHATWG URL §3.5).
    if _NUMBER.fullmatch(name.rpartition(".")[2]) is not None:
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise ValueError(f"{_quoted(name)} is not an IPv4 address") from None
    return name


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 100 else text[:99] + "…")


class Origins(Collection[str]):
    """The allowed origins besides the server's own. `in` compares normalised origins."""

    def __init__(self, allowed: Iterable[str]) -> None:
        """
        Raises:
            ValueError: as `canonical_origin` does.
        """
        self._allowed = frozenset(map(canonical_origin, allowed))

    def __contains__(self, origin: object) -> bool:
        if origin in self._allowed or not self._allowed or not isinstance(origin, str):
            return origin in self._allowed
        try:
            return canonical_origin(origin) in self._allowed
        except ValueError:
            return False

    def __iter__(self) -> Iterator[str]:
        return iter(self._allowed)

    def __len__(self) -> int:
        return len(self._allowed)


def is_same_origin(origin: str, host: str, scheme: str) -> bool:
    """Whether `origin` is the origin of this server, whose `Host` header is `host`.

    If the client uses https, a page of the same host that came over http is another origin: an attacker on the network
    could have changed it, and some browsers send it the cookie. The reverse is allowed, for a front that speaks https
    and does not say so. A missing port is the default port of the page's scheme.
    """
    page_scheme, _, authority = origin.partition("://")
    page_scheme = page_scheme.lower()
    if page_scheme not in DEFAULT_PORTS or (scheme == "https" and page_scheme != "https"):
        return False
    if authority == host and host:
        return True
    try:
        return canonical_origin(origin) == f"{page_scheme}://{canonical_host(host, page_scheme)}"
    except ValueError:
        return False
