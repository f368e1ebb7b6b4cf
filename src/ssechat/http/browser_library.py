"""The browser's client library in one file, which `tests/web/build.js` makes of `web/`."""

import hashlib
from importlib import resources

LIBRARY = "ssechat.min.js"
"""Its name in `web/`."""


def library_name() -> str:
    """Its name with a hash of what is in it: what is served under that name never changes."""
    content = resources.files("ssechat").joinpath("web", LIBRARY).read_bytes()
    return f"ssechat-{hashlib.sha256(content).hexdigest()[:16]}.js"
