"""The address of a server."""

import ipaddress
import re
from urllib.request import getproxies, proxy_bypass

import httpx

from ssechat.errors import SettingsError
from ssechat.problem_details import shortened


def server_address(text: str) -> httpx.URL:
    """Parses the address of a server.

    Raises:
        SettingsError: it is not an http or https address.
    """
    example = "an address such as http://127.0.0.1:8000"
    try:
        url = httpx.URL(text)
        host = url.raw_host.decode()
        host.encode("idna")  # as the resolver does
    except (httpx.InvalidURL, UnicodeError) as error:
        raise SettingsError(f"this is not {example}: {_address_error(error)}") from None
    if url.userinfo:
        raise SettingsError("an address has no user name and password: a token says who you are")
    if url.scheme not in ("http", "https") or not host or url.query or url.fragment or re.search(r"[\s%]", host):
        raise SettingsError(f"{shortened(repr(text))} is not {example}")
    if url.port is not None and not 0 < url.port < 65536:
        raise SettingsError(f"{url.port} is not a port: give one from 1 to 65535")
    return url


def _address_error(error: Exception) -> str:
    """The error in an address, without the address itself: it may have a password in it."""
    return "its port is not valid" if "port" in str(error).lower() else "its host name is not valid"


def is_local(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.rstrip(".")
        return name == "localhost" or name.endswith(".localhost")  # RFC 6761 §6.3
    return address.is_loopback or address.is_unspecified


def is_proxied(url: httpx.URL) -> bool:
    """Whether a proxy of the environment lies between: it is not for servers on this machine."""
    return not is_local(url.host) and url.scheme in getproxies() and not proxy_bypass(url.host)
