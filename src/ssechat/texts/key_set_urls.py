"""Checks the URL of a key set: whoever can change what is fetched from it can sign in as anybody."""

import ipaddress
from urllib.parse import urlsplit

MAX_LENGTH = 2048


def check_key_set_url(url: str, *, plain_allowed: bool) -> None:
    """Checks that keys can be fetched from a URL safely: with https, or from this machine.

    `plain_allowed` allows http to other machines, too.

    Raises:
        ValueError: the message is a sentence for people, without the URL.
    """
    example = "https://id.example/realms/chat/protocol/openid-connect/certs"
    if len(url) > MAX_LENGTH or not url.isprintable() or not url.isascii() or " " in url:
        raise ValueError(f"this is not a URL such as {example}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"this is not a URL such as {example}") from None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise ValueError(f"this is not a URL such as {example}")
    if "@" in parts.netloc:
        raise ValueError("a key set is public: leave the user name and the password out of its URL")
    if "#" in url:
        raise ValueError("leave the # and what follows out")
    if parts.scheme == "http" and not plain_allowed and not is_this_machine(host):
        raise ValueError(
            "keys over http:// can be changed on the way, and others could sign in as anybody: give https://, or "
            "--jwks-http on where nobody else is on the network"
        )


def is_this_machine(host: str) -> bool:
    """Whether a host of a URL is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        name = host.rstrip(".")
        return name == "localhost" or name.endswith(".localhost")  # RFC 6761 §6.3
