"""The documentation of the HTTP API matches the routes and events."""

import ast
import re
from html import unescape
from itertools import pairwise
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from starlette.applications import Starlette

import ssechat
from parts import SECRET, settings
from serving import ROOT
from ssechat import errors
from ssechat.app import create_app
from ssechat.errors import RequestError
from ssechat.events import frames
from ssechat.events.kinds import KINDS
from ssechat.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio

PAGES = {("GET", "/"), ("GET", "/docs")}
SOURCES = Path(ssechat.__file__).parent
WEB = SOURCES / "web"
ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, RequestError)}


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    (tmp_path / "jwt.key").write_text(SECRET)
    return create_app(settings("redis://127.0.0.1:9", data=tmp_path))


def requests(text: str) -> set[tuple[str, str]]:
    """The requests that a text names in code, such as `GET /v1/server`."""
    return set(re.findall(r"\b(GET|POST|PUT|PATCH|DELETE) (/[^\s?`<]*)", text))


def routes(app: Starlette) -> set[tuple[str, str]]:
    """All routes of the app."""
    return {(method, path) for method, path, *_ in app.state.api.table.routes if path != "/web/"}


async def test_the_page_has_every_request_that_there_is_and_no_other(app: Starlette) -> None:
    table = re.search(r"<tbody>(.*?)</tbody>", (WEB / "docs.html").read_text(), re.S)
    assert table is not None
    rows = re.findall(r"<tr><td><code>(.*?)</code></td><td>.{5,}?</td></tr>", table[1])
    assert len(rows) == table[1].count("<tr>")
    assert requests("\n".join(map(unescape, rows))) == routes(app) - PAGES
    assert len(rows) == len(routes(app) - PAGES)


def test_the_page_has_every_event_that_there_is_and_no_other() -> None:
    table = re.search(r'<tbody id="events">(.*?)</tbody>', (WEB / "docs.html").read_text(), re.S)
    assert table is not None
    names = frames.OF_A_STREAM | {kind.name for kind in KINDS}
    assert set(re.findall(r"<tr><td><code>(.*?)</code></td>", table[1])) == names


def test_the_page_has_every_reason_why_a_stream_ends_or_begins_anew() -> None:
    text = (WEB / "docs.html").read_text()
    rows = dict(re.findall(r"<tr><td><code>(bye|reset)</code></td><td>(.*?)</td></tr>", text))
    metrics = Metrics()
    named = {name: set(re.findall(r"<code>(\w+)</code>(?::| and )", row)) for name, row in rows.items()}
    assert named["bye"] >= set(metrics.closes) - {"gone"}  # "gone": the reader disconnected, and gets no event
    assert named["reset"] >= set(metrics.resets)


def codes_of(source: str) -> set[str]:
    """The error codes in the responses of a module.

    They stand behind a status (`400, "malformed"`), or are the first argument of an error of ours.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(code)), *_]) if name in ERRORS:
                found.add(code)
            case ast.Call(func=ast.Attribute(attr="__init__"), args=[ast.Constant(value=str(code)), *_]):
                found.add(code)
        listed = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else ()
        if isinstance(node, ast.Dict):
            pairs = [(key, value.elts[0]) for key, value in zip(node.keys, node.values, strict=True)
                     if isinstance(value, ast.Tuple) and value.elts]  # fmt: skip
        else:
            pairs = list(pairwise(listed))
        for before, after in pairs:
            match before, after:
                case ast.Constant(value=int(status)), ast.Constant(value=str(code)) if 400 <= status < 600:
                    found.add(code)
    return {code for code in found if re.fullmatch(r"[a-z_]+", code)}


def test_the_page_has_every_code_of_an_error_that_there_is_and_no_other() -> None:
    table = re.search(r'<tbody id="errors">(.*?)</tbody>', (WEB / "docs.html").read_text(), re.S)
    assert table is not None
    there_are = set().union(*(codes_of(path.read_text()) for path in SOURCES.rglob("*.py")))
    assert there_are > {"name_taken", "malformed", "quota_exceeded", "unavailable", "not_found", "busy"}
    fallback = {"bad_request"}  # for a status that no error of the server has
    assert set(re.findall(r"<tr><td><code>(.*?)</code></td>", table[1])) == there_are | fallback


async def test_the_readme_names_no_request_that_there_is_not(app: Starlette) -> None:
    section = (ROOT / "README.md").read_text().partition("## The API")[2].partition("\n## ")[0]
    rows = "\n".join(line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `"))
    assert {("POST", "/v1/messages"), ("GET", "/v1/events")} <= requests(rows) <= routes(app)


async def test_every_link_of_the_pages_leads_somewhere(app: Starlette) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://chat") as client:
        seen: set[str] = set()
        for page in ("/", "/docs"):
            answer = await client.get(page)
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            links = {urljoin(page, link) for link in re.findall(r'(?:href|src)="([^"]*)"', answer.text)}
            assert links
            seen |= links
        for link in seen:
            assert (await client.get(link)).status_code == 200, link
        assert "/docs" in seen
        assert "<script" not in (await client.get("/docs")).text
