"""Origins of pages, in the one spelling in which they can be compared (RFC 6454 §4 to §6)."""

import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator

DEFAULT_PORTS = {"http": 80, "https": 443}

NEVER_AN_ORIGIN = frozenset({"about", "blob", "data", "file", "ftp", "javascript", "mailto", "ws", "wss"})
"""Schemes whose pages have no origin, or that no page has: browsers send `null`, or another scheme."""

LONGEST = 512
"""Characters. A host has 253 at most (RFC 1035 §2.3.4)."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_PORT = re.compile(r"[0-9]{1,5}")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def canonical_origin(text: str) -> str:
    """`HTTPS://App.Example:443` → `https://app.example`, as browsers write it in `Origin`.

    Raises:
        ValueError: no page has this origin; the text is a sentence that says why.
    """
    if text == "*":
        raise ValueError("* would let any page use this server with its visitors' cookies; name each origin")
    scheme, separator, authority = text.partition("://")
    scheme = scheme.lower()
    if not separator or _SCHEME.fullmatch(scheme) is None:
        raise ValueError(f"{_shown(text)} is not an origin such as https://app.example")
    if scheme in NEVER_AN_ORIGIN:
        raise ValueError(f"{_shown(text)}: no page has an origin of {scheme}:")
    if len(text) > LONGEST:
        raise ValueError(f"{_shown(text)} is too long for an origin")
    if any(mark in authority for mark in "/?#\\"):
        origin = f"{scheme}://{re.split(r'[/?#]', authority)[0]}"
        raise ValueError(f"{_shown(text)}: an origin has no path, not even a final /; give {_shown(origin)}")
    if "@" in authority:
        raise ValueError(f"{_shown(text)}: an origin has no name and password")
    return f"{scheme}://{canonical_host(authority, scheme)}"


def canonical_host(authority: str, scheme: str) -> str:
    """`App.Example.:443` → `app.example` under https: what stands in `Host`, or behind the scheme of an origin.

    Raises:
        ValueError: it is neither a name nor an address, with a port or without; the text is a sentence.
    """
    bare, bracket, rest = authority.rpartition("]")
    name, colon, port = rest.partition(":")
    name = bare + bracket + name
    if len(authority) > LONGEST or (colon and port and (_PORT.fullmatch(port) is None or not 0 < int(port) < 65536)):
        raise ValueError(f"{_shown(authority)} has a port that is none")
    host = _host(name.lower())
    if not port or int(port) == DEFAULT_PORTS.get(scheme):
        return host
    return f"{host}:{int(port)}"


def _host(name: str) -> str:
    if name.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(name[1:-1] if name.endswith(']') and '%' not in name else '')}]"
        except ValueError:
            raise ValueError(f"{_shown(name)} is not an IPv6 address") from None
    name = name.removesuffix(".")
    if not name.isascii():
        raise ValueError(f"{_shown(name)} has letters beyond ASCII; give it as browsers send it (xn--…)")
    if "*" in name:
        raise ValueError(f"{_shown(name)}: a * stands for nothing here; name each origin")
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{_shown(name)} is not the name of a host")
    # What ends in a number is an address, or nothing (WHATWG URL §3.5).
    if _NUMBER.fullmatch(name.rpartition(".")[2]) is not None:
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise ValueError(f"{_shown(name)} is not an IPv4 address") from None
    return name


def _shown(text: str) -> str:
    return repr(text if len(text) <= 100 else text[:99] + "…")


class Origins(Collection[str]):
    """Those origins whose pages may use this server besides its own; contains them in any spelling."""

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
    """Whether a page of this origin came from the server that is `host` (as in the header) to its client.

    Under https a page of the same host that came over http did not: whoever is on the way could have written it, and
    not all browsers keep the cookie from it. The other way round nothing is wrong: a front that does not say that it
    speaks https shuts nobody out, and a port that is not named is the page's scheme's.
    """
    its_scheme, _, authority = origin.partition("://")
    its_scheme = its_scheme.lower()
    if its_scheme not in DEFAULT_PORTS or (scheme == "https" and its_scheme != "https"):
        return False
    if authority == host and host:
        return True
    try:
        return canonical_origin(origin) == f"{its_scheme}://{canonical_host(host, its_scheme)}"
    except ValueError:
        return False
