"""Headers of pages and their files."""

from ssechat.http.exchange import Header


def _policy(images: bytes) -> Header:
    rest = b"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    return b"content-security-policy", b"default-src 'self'; img-src %b; %b" % (images, rest)


_ALWAYS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)

OF_EVERY_PAGE: tuple[Header, ...] = (
    *_ALWAYS,
    # File names have no version: the browser revalidates each time, and mostly gets 304.
    (b"cache-control", b"no-cache"),
)

PAGE_HEADERS = (_policy(b"'self' data:"), *OF_EVERY_PAGE)
PICTURE_HEADERS = (_policy(b"'self' data: https:"), *OF_EVERY_PAGE)
"""The same, where the page shows the pictures of people."""
FOREVER = (_policy(b"'self' data:"), *_ALWAYS, (b"cache-control", b"public, max-age=31536000, immutable"))
"""Of a file whose name has a hash of what is in it."""
