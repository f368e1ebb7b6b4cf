"""Headers of pages and their files."""

PAGE_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    # File names have no version: the browser revalidates each time, and mostly gets 304.
    (b"cache-control", b"no-cache"),
)
