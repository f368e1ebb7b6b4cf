"""What a proxy in front says of a request: who sent it, to which host, and whether it came over https.

Asked for where it is needed and nowhere else: a send from `curl` needs neither.
"""

import ipaddress

from starlette.types import Scope

from ssechat.http.headers import header
from ssechat.texts.networks import parse_network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

CACHED_PEERS = 4096
"""Peers remembered as trusted or not. Behind a front there are few, without one they are everybody."""

UNKNOWN = "unknown"
"""The address of a request that came over no network."""


class TrustedProxies:
    """The proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed; everybody else's are ignored.

    `Forwarded` (RFC 7239) is not read: of two headers that say the same, one would be the unguarded one.
    """

    def __init__(self, networks: tuple[str, ...]) -> None:
        """
        Raises:
            ValueError: one is neither an address nor a network.
        """
        self._networks = tuple(parse_network(text) for text in networks)
        self._known: dict[str, bool] = {}

    def scheme(self, scope: Scope) -> str:
        """`https` or `http`, as the client sees it."""
        if header(scope, b"x-forwarded-proto") is not None and self._peer_is_trusted(scope):
            given = _values(scope, b"x-forwarded-proto")
            if given[-1] in ("http", "https"):
                return given[-1]
        return str(scope["scheme"])

    def host(self, scope: Scope) -> str | None:
        """Whom the client has asked, if a proxy says so that has put another `Host` into the request."""
        if header(scope, b"x-forwarded-host") is None or not self._peer_is_trusted(scope):
            return None
        return _values(scope, b"x-forwarded-host")[-1]

    def client(self, scope: Scope) -> str:
        """The address of who asked: the last one in the chain that is no trusted proxy.

        The chain is read from the right, where the proxy next to us has written what it saw; what stands
        before the first stranger is only what the stranger said.
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
    """Whose connection it is. The kernel says of a link-local address on which interface it is (RFC 4007 §11)."""
    return _address(scope["client"][0].partition("%")[0])


def _address(text: str) -> Address | None:
    """`192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` and `[2001:db8::1]:80`; None for all else.

    An address with a zone is none: what stands behind its % is any text, and means something on one machine only.
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
    # A socket for both kinds shows a peer of the older one as ::ffff:192.0.2.1 (RFC 4291 §2.5.5.2).
    return getattr(address, "ipv4_mapped", None) or address


def _values(scope: Scope, name: bytes) -> list[str]:
    """The members of a header that is a list, over all its lines in order (RFC 9110 §5.3)."""
    lines = (value.decode("latin-1") for each, value in scope["headers"] if each == name)
    return [part.strip() for line in lines for part in line.split(",")]
