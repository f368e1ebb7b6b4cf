"""The X-Forwarded headers of trusted proxies: the client's address, the requested host and the scheme.

They are parsed only on use: a send with a bearer token needs none of them.
"""

import ipaddress

from starlette.types import Scope

from ssechat.http.headers import header
from ssechat.texts.networks import parse_network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

CACHED_PEERS = 4096
"""Upper bound of cached peer addresses. Behind a proxy there are few peers; without one every client is a peer."""

UNKNOWN = "unknown"
"""The client address of a request over a Unix socket."""


class TrustedProxies:
    """The proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are trusted; those of other peers are ignored.

    `Forwarded` (RFC 7239) is not read: a proxy that sets only one of the two headers would pass the client's other one.
    """

    def __init__(self, networks: tuple[str, ...]) -> None:
        """
        Raises:
            ValueError: a text is neither an address nor a network.
        """
        self._networks = tuple(parse_network(text) for text in networks)
        self._known: dict[str, bool] = {}

    def scheme(self, scope: Scope) -> str:
        """Returns the scheme that the client uses: `https` or `http`."""
        if header(scope, b"x-forwarded-proto") is not None and self._peer_is_trusted(scope):
            given = _values(scope, b"x-forwarded-proto")
            if given[-1] in ("http", "https"):
                return given[-1]
        return str(scope["scheme"])

    def host(self, scope: Scope) -> str | None:
        """Returns the host that the client requested, if a trusted proxy sends it in `X-Forwarded-Host`."""
        if header(scope, b"x-forwarded-host") is None or not self._peer_is_trusted(scope):
            return None
        return _values(scope, b"x-forwarded-host")[-1]

    def client(self, scope: Scope) -> str:
        """Returns the client's address: the last one in `X-Forwarded-For` that is not a trusted proxy.

        The list is read from the right, where the nearest proxy has appended its peer. Addresses left of the first
        untrusted one come from the client.
        """
        if scope.get("client") is None:
            return UNKNOWN
        found = _peer(scope)
        if found is None:
            return UNKNOWN
        for text in reversed(_values(scope, b"x-forwarded-for")):
            if not self._trusts(found):
                break
            address = _address(text)
            if address is None:
                break
            found = address
        return str(found)

    def _peer_is_trusted(self, scope: Scope) -> bool:
        """Whether the peer of this connection is a trusted proxy."""
        if scope.get("client") is None:
            return False
        peer: str = scope["client"][0]
        known = self._known.get(peer)
        if known is None:
            address = _peer(scope)
            known = address is not None and self._trusts(address)
            if len(self._known) >= CACHED_PEERS:
                self._known.clear()
            self._known[peer] = known
        return known

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _peer(scope: Scope) -> Address | None:
    """Returns the address of the connection's peer. The kernel appends the interface to a link-local address (RFC 4007
    §11)."""
    return _address(scope["client"][0].partition("%")[0])


def _address(text: str) -> Address | None:
    """Parses `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` and `[2001:db8::1]:80`; returns None for any other text.

    An address with a zone is refused: the zone is any text, and has a meaning on one machine only.
    """
    if "%" in text:
        return None
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A dual-stack socket shows an IPv4 peer as ::ffff:192.0.2.1 (RFC 4291 §2.5.5.2).
    return getattr(address, "ipv4_mapped", None) or address


def _values(scope: Scope, name: bytes) -> list[str]:
    """Returns the members of a list header, over all its lines in order (RFC 9110 §5.3)."""
    lines = (value.decode("latin-1") for each, value in scope["headers"] if each == name)
    return [part.strip() for line in lines for part in line.split(",")]
