"""Headers of pages and their files."""

_ALWAYS = (
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)

PAGE_HEADERS = (
    *_ALWAYS,
    # File names have no version: the browser revalidates each time, and mostly gets 304.
    (b"cache-control", b"no-cache"),
)

FOREVER = (*_ALWAYS, (b"cache-control", b"public, max-age=31536000, immutable"))
"""Of a file whose name has a hash of what is in it."""
