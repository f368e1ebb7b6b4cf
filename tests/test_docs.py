"""What is written about the HTTP interface, and what there is."""

import re
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from starlette.applications import Starlette

import ssechat
from parts import SECRET, settings
from serving import ROOT
from ssechat.app import create_app
from ssechat.events import frames

pytestmark = pytest.mark.anyio

PAGES = {("GET", "/"), ("GET", "/docs")}
WEB = Path(ssechat.__file__).parent / "web"


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    (tmp_path / "jwt.key").write_text(SECRET)
    return create_app(settings("redis://127.0.0.1:9", data=tmp_path))


def requests(text: str) -> set[tuple[str, str]]:
    """The requests that a text names in its code: `GET /v1/server`."""
    return set(re.findall(r"\b(GET|POST|PUT|PATCH|DELETE) (/[^\s?`<]*)", text))


def routes(app: Starlette) -> set[tuple[str, str]]:
    """All that the app answers to."""
    return {(method, path) for method, path, _ in app.state.api.table.routes if path != "/web/"}


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
    names = {value for name, value in vars(frames).items() if name.isupper() and isinstance(value, str)}
    assert set(re.findall(r"<tr><td><code>(.*?)</code></td>", table[1])) == names


async def test_the_readme_has_every_request_that_there_is_and_no_other(app: Starlette) -> None:
    section = (ROOT / "README.md").read_text().partition("## The API")[2].partition("\n## ")[0]
    rows = "\n".join(line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `"))
    assert requests(rows) == routes(app) - {("GET", "/")}


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
