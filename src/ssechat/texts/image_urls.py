"""Checks the URL of a picture that strangers show."""

import re
from urllib.parse import urlsplit

MAX_LENGTH = 2048
"""Bytes of the URL of a picture."""

_URL = re.compile(r"[!#-;=?-\[\]_a-z~]+")
"""What stands in a URL (RFC 3986 §2); quotation marks, angle brackets and backslashes do not."""


def check_image_url(url: str) -> None:
    """Checks that a picture can be fetched from a URL, with https, and that the URL has no more in it.

    Raises:
        ValueError: the message is a sentence for people, without the URL.
    """
    example = "https://example.org/me.png"
    if len(url) > MAX_LENGTH:
        raise ValueError(f"give a URL of {MAX_LENGTH} bytes at most")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"give a URL such as {example}") from None
    if not parts.scheme or not host or port == 0 or _URL.fullmatch(url) is None:
        raise ValueError(f"give a URL such as {example}, with other characters percent-encoded")
    if parts.scheme != "https":
        raise ValueError("give a URL that begins with https://: pages do not load others")
    if "@" in parts.netloc:
        raise ValueError("leave the user name and the password out of the URL: everybody sees it")
    if "#" in url:
        raise ValueError("leave the # and what follows out")
