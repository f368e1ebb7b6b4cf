"""The browser's client library in one file, which `tests/web/build.js` makes of `web/`; and its module of feeds."""

import gzip
from importlib import resources

from ssechat.http.web_files import FOR_ANY_PAGE, hashed_name

LIBRARY = "ssechat.min.js"
"""Its name in `web/`."""


def library_name() -> str:
    """Its name with a hash of what is in it: what is served under that name never changes."""
    return hashed_name(LIBRARY, resources.files("ssechat").joinpath("web", LIBRARY).read_bytes())


def size_of_feeds() -> int:
    """The bytes that a browser loads of the module that reads feeds, compressed."""
    return len(gzip.compress(resources.files("ssechat").joinpath("web", FOR_ANY_PAGE).read_bytes(), 9))
