"""The files of the page and of the browser's client library, as they are served: read once, compressed once.

`tests/web/build.js` makes some of others (`app.min.js`). What it makes, and the icon, is also served under a name with
a hash of what is in it (`app-0123456789abcdef.js`), which browsers need not ask for again.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from ssechat.http.exchange import Header, Request, Response
from ssechat.http.page_headers import FOREVER, PAGE_HEADERS, PICTURE_HEADERS
from ssechat.http.responses import is_known

MADE = ".min."
"""What names of files have that are made of others."""

ICON = "icon.svg"
MANIFEST = "manifest.webmanifest"

WORKER = "sw.js"
"""The service worker, which keeps the page: `sw.min.js`, after the names of what it keeps."""

ITS_SCOPE = (b"service-worker-allowed", b"/")
"""Lets a script below `/web/` decide about the page at `/`."""

TYPES: Mapping[str, bytes] = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".json": b"application/json",
    ".png": b"image/png",
    ".svg": b"image/svg+xml",
    ".webmanifest": b"application/manifest+json",
}
"""Media types by the end of the name: those of a machine's own table differ."""

FOR_ANY_PAGE = "feeds.min.js"
"""What pages of any origin may load: they may read public feeds, too."""

ANY_ORIGIN = (b"access-control-allow-origin", b"*")

INCOMPRESSIBLE = frozenset((".png",))

OTHER_VERSION = re.compile(r"(app|requests|worker)-[0-9a-f]{16}\.(js|css)").fullmatch
"""A name that the page, or the library, of another version has for a file of ours."""


def hash_of(content: bytes) -> str:
    """What stands in names for the content."""
    return hashlib.sha256(content).hexdigest()[:16]


def hashed_name(name: str, content: bytes) -> str:
    """The name of a file with a hash: what is served under it never changes."""
    stem, _, suffix = name.replace(MADE, ".").rpartition(".")
    return f"{stem}-{hash_of(content)}.{suffix}"


class WebFile:
    """A file, and its answers."""

    def __init__(self, name: str, body: bytes, headers: tuple[Header, ...]) -> None:
        suffix = Path(name).suffix
        self.body = body
        self._type = (b"content-type", TYPES.get(suffix, b"application/octet-stream"))
        self._headers = headers
        self._compressible = suffix not in INCOMPRESSIBLE

    @cached_property
    def _tag(self) -> str:
        return hash_of(self.body)

    @cached_property
    def _compressed(self) -> bytes:
        return gzip.compress(self.body, 9, mtime=0)

    def answer(self, request: Request) -> Response:
        """The file, compressed for who takes that; 304 for who has it. It is sent whole: with ranges a page would have
        four more statuses."""
        headers = (*self._headers, (b"vary", b"Accept-Encoding")) if self._compressible else self._headers
        compressed = self._compressible and takes_gzip(request.header(b"accept-encoding"))
        # Another encoding has another entity tag (RFC 9110 §8.8.3.3).
        tag = f'"{self._tag}-gzip"' if compressed else f'"{self._tag}"'
        headers = (*headers, (b"etag", tag.encode()))
        if is_known(request, tag):
            return Response(304, b"", headers)
        if not compressed:
            return Response(200, self.body, (self._type, *headers))
        return Response(200, self._compressed, (self._type, (b"content-encoding", b"gzip"), *headers))


class WebFiles:
    """All files of `web/`, by their names."""

    def __init__(self, folder: Path | None = None, *, pictures: bool = False) -> None:
        """`folder`: one in place of the package's own. `pictures`: whether the page may load those of people, from any
        host."""
        headers = PICTURE_HEADERS if pictures else PAGE_HEADERS
        contents = _contents(folder)
        self._files = {name: WebFile(name, body, (*headers, *_opened(name))) for name, body in contents.items()}
        page = contents["index.html"].decode()
        hashed: dict[str, str] = {}
        for name, body in contents.items():
            if MADE in name or name == ICON:
                hashed[name] = hashed_name(name, body)
                self._files[hashed[name]] = WebFile(name, body, (*FOREVER, *_opened(name)))
                page = page.replace(f'"/web/{name}"', f'"/web/{hashed[name]}"')
        self.page = WebFile("index.html", page.encode(), headers)
        """The page at `/`, which names the others with their hashes."""
        kept: dict[str, Any] = {
            "page": "/",
            "loads": [f"/web/{hashed[name]}" for name in ("app.min.css", "app.min.js")],
            "more": [f"/web/{name}" for name in (hashed["worker.min.js"], hashed[ICON], MANIFEST)],
        }
        # What is kept has headers, too: among them those of the page.
        script = contents["sw.min.js"]
        parts = (json.dumps(kept).encode(), page.encode(), contents[MANIFEST], repr(headers).encode(), script)
        kept["version"] = hash_of(b"".join(parts))
        script = b"self.SHELL=%b;\n%b" % (json.dumps(kept).encode(), script)
        self._files[WORKER] = WebFile(WORKER, script, (*headers, ITS_SCOPE))

    def named(self, name: str) -> WebFile | None:
        """The file of this name below `/web/`; None if there is none."""
        known = self._files.get(name)
        # While a server is replaced by another version, the page of the one asks the other for its script.
        if known is None and (other := OTHER_VERSION(name)):
            known = self._files.get(f"{other[1]}{MADE}{other[2]}")
        return known


def _opened(name: str) -> tuple[Header, ...]:
    return (ANY_ORIGIN,) if name == FOR_ANY_PAGE else ()


def _contents(folder: Path | None) -> dict[str, bytes]:
    if folder is None:
        with resources.as_file(resources.files("ssechat").joinpath("web")) as own:
            return _contents(own)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def takes_gzip(accepted: str | None) -> bool:
    """Whether a client takes gzip, by its Accept-Encoding (RFC 9110 §12.5.3)."""
    weights: dict[str, bool] = {}
    for part in (accepted or "").lower().split(","):
        coding, *parameters = (each.strip() for each in part.split(";"))
        weights[coding] = not any(re.fullmatch(r"q\s*=\s*0(\.0*)?", each) for each in parameters)
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))
