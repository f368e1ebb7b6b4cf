"""Parses networks of IP addresses."""

import ipaddress

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_network(text: str) -> Network:
    """Parses `10.0.0.0/8`, or a single address as a network of one.

    Raises:
        ValueError: the text is neither; the message is a sentence for people.
    """
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither an IP address nor a network such as 10.0.0.0/8") from None
