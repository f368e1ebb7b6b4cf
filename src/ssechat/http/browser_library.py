"""The browser's client library in one file, which `tests/web/build.js` makes of `web/`."""

from importlib import resources

from ssechat.http.web_files import hashed_name

LIBRARY = "ssechat.min.js"
"""Its name in `web/`."""


def library_name() -> str:
    """Its name with a hash of what is in it: what is served under that name never changes."""
    return hashed_name(LIBRARY, resources.files("ssechat").joinpath("web", LIBRARY).read_bytes())
