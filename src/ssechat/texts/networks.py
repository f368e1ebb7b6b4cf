"""Networks of IP addresses, as a person writes them."""

import ipaddress

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_network(text: str) -> Network:
    """`10.0.0.0/8`, or the network of a single address.

    Raises:
        ValueError: it is neither; the text is a sentence.
    """
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither an IP address nor a network such as 10.0.0.0/8") from None
