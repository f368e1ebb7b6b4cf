"""The pages under `/docs` say what the server does: each operation, event, error and limit is there, once."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from pydantic import TypeAdapter
from starlette.applications import Starlette

import ssechat
from app_client import code
from contract.codes import of_all_sources
from html_pages import Page, read
from parts import SECRET, parse_frames, settings
from serving import ROOT
from ssechat.app import create_app
from ssechat.events import frames
from ssechat.events.kinds import KINDS
from ssechat.http.contract import openapi
from ssechat.http.contract.events import EVENTS
from ssechat.http.contract.operation import Operation
from ssechat.http.docs.book import Book
from ssechat.http.docs.topics import topics_of
from ssechat.settings import Settings
from ssechat.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio

SOURCES = Path(ssechat.__file__).parent
LARGEST = 64 * 1024


def app_of(folder: Path, **more: Any) -> Starlette:
    """An app without a Redis: pages need none."""
    (folder / "jwt.key").write_text(SECRET)
    return create_app(settings("redis://127.0.0.1:9", data=folder, **more))


def client_of(app: Starlette) -> httpx.AsyncClient:
    """A client of it."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://chat")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Starlette:
    """One app for all: its pages are made once."""
    return app_of(tmp_path_factory.mktemp("docs"))


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


def operations(app: Starlette) -> list[Operation]:
    """All operations of the app."""
    return [route.operation for route in app.state.api.table.routes if route.operation is not None]


async def text_of(client: httpx.AsyncClient, path: str) -> str:
    """A page."""
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), path
    return answer.text


async def all_pages(client: httpx.AsyncClient) -> dict[str, str]:
    """All pages that links lead to, from `/docs` on."""
    found: dict[str, str] = {}
    waiting = ["/docs"]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = await text_of(client, path)
            links = [urlsplit(urljoin(path, link)).path for link in read(found[path]).links]
            waiting += [link for link in links if link.startswith("/docs")]
    return found


def sections(html: str) -> dict[str, str]:
    """The sections of operations on a page, by id."""
    parts = re.split(r'<section id="(\w+)" class="docs-operation">', html)[1:]
    return {name: part.partition("</section>")[0] for name, part in zip(parts[::2], parts[1::2], strict=True)}


def shown(html: str) -> str:
    """HTML as the text that a browser shows, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", html)).split())


def said(text: str) -> str:
    """A text of the contract as it is shown."""
    return " ".join(text.replace("`", "").split())


async def test_every_operation_stands_on_one_page_with_all_that_it_takes_and_answers(
    app: Starlette, client: httpx.AsyncClient
) -> None:
    found: dict[str, str] = {}
    for path, html in (await all_pages(client)).items():
        for name, section in sections(html).items():
            assert name not in found, f"{name} is on {path} again"
            found[name] = section
    listed = operations(app)
    routes = {(method, path) for method, path, *_ in app.state.api.table.routes if path != "/web/"}
    assert set(found) == {each.id for each in listed}
    assert {(each.method, each.path) for each in listed} == routes
    document = (await client.get("/openapi.json")).json()
    for each in listed:
        section = found[each.id]
        text = shown(section)
        assert f"{each.method} {each.path}" in text
        assert said(each.about) in text
        for status, answer in each.answers.items():
            assert f"<code>{status}</code>" in section
            assert said(answer.what) in text
            assert all(f"<code>{header.name}</code>" in section for header in answer.headers)
        for problem in each.problems:
            assert f"/docs/errors#{problem.code}" in section
        for name in each.events:
            assert f'href="/docs/events/{name}"' in section
        described = document["paths"][each.path][each.method.lower()]
        for parameter in described.get("parameters", ()):
            assert f"<dt><code>{parameter['name']}</code></dt>" in section
            assert said(parameter.get("description", "")) in text
        if each.body is not None:
            for name, field in each.body.model_fields.items():
                assert f"<dt><code>{field.alias or name}</code></dt>" in section
                assert said(field.description or "") in text


async def test_the_overview_leads_to_every_operation_and_event(app: Starlette, client: httpx.AsyncClient) -> None:
    links = set(read(await text_of(client, "/docs")).links)
    for topic in topics_of(operations(app)):
        assert {f"/docs/{topic.name}", *(f"/docs/{topic.name}#{each.id}" for each in topic.operations)} <= links
    names = frames.OF_A_STREAM | {kind.name for kind in KINDS}
    assert {event.name for event in EVENTS} == names
    assert {link for link in links if link.startswith("/docs/events/")} == {f"/docs/events/{name}" for name in names}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
async def test_the_page_of_an_event_has_a_frame_as_it_comes_and_each_field_of_its_data(
    client: httpx.AsyncClient, event: Any
) -> None:
    html = await text_of(client, f"/docs/events/{event.name}")
    [block] = read(html).blocks
    [frame] = parse_frames(block.text.encode())
    assert frame["event"] == event.name
    assert ("id" in frame, "retry" in frame) == (event.has_id, event.has_retry)
    data = TypeAdapter(event.data).validate_json(frame["data"])
    assert said(event.says) in shown(html)
    assert said(event.do) in shown(html)
    for name in type(data).model_fields:
        assert f"<dt><code>{name}</code></dt>" in html


async def test_the_page_of_an_event_names_the_operations_that_cause_it(
    app: Starlette, client: httpx.AsyncClient
) -> None:
    causes = {event.name: {each.id for each in operations(app) if event.name in each.events} for event in EVENTS}
    assert causes["message.updated"] == {"edit_message", "react", "take_reaction_back"}
    for name, ids in causes.items():
        html = await text_of(client, f"/docs/events/{name}")
        section = html.partition('<h2 id="causes">')[2].partition('<p class="docs-neighbours">')[0]
        assert set(re.findall(r'href="/docs/\w+#(\w+)"', section)) - {"order"} == ids


async def test_the_pages_have_every_reason_why_a_stream_ends_or_begins_anew(client: httpx.AsyncClient) -> None:
    metrics = Metrics()
    named = {}
    for name in ("bye", "reset"):
        what = (await text_of(client, f"/docs/events/{name}")).partition("<h1>")[2].partition("</p>")[0]
        named[name] = set(re.findall(r"<code>(\w+)</code>", what))
    assert named["bye"] >= set(metrics.closes) - {"gone"}  # "gone": the reader disconnected, and gets no event
    assert named["reset"] >= set(metrics.resets)


async def test_the_page_of_errors_has_every_code_that_there_is_and_no_other(client: httpx.AsyncClient) -> None:
    html = await text_of(client, "/docs/errors")
    there_are = of_all_sources()
    assert there_are > {"name_taken", "malformed", "quota_exceeded", "unavailable", "not_found", "busy"}
    assert set(re.findall(r"<h3><code>(\w+)</code>", html)) == there_are
    assert there_are <= set(read(html).ids), "each has an anchor"
    assert "unknown_user-401" in read(html).ids, "one code with two statuses"


async def test_an_error_of_a_few_operations_leads_to_them(client: httpx.AsyncClient) -> None:
    html = await text_of(client, "/docs/errors")
    section = html.partition('<section id="last_owner">')[2].partition("</section>")[0]
    assert set(re.findall(r'href="/docs/members#(\w+)"', section)) == {"put_member", "remove_member"}


async def test_the_page_of_limits_has_the_numbers_of_this_server(tmp_path: Path) -> None:
    app = app_of(tmp_path, inbox_limit=4321, body_limit=5432, sign_ups_per_address=17, session_days=12.5)
    async with client_of(app) as client:
        html = await text_of(client, "/docs/limits")
        limits = (await client.get("/v1/limits")).json()
        assert {"inbox_events": 4321, "body_bytes": 5432}.items() <= limits.items()
        for name, number in limits.items():
            if name != "quotas":
                assert f"<dt><code>{name}</code></dt>\n<dd>{number:,}<br>" in html
        for quota in limits["quotas"]:
            row = (
                f"<dt><code>{quota['name']}</code></dt>\n<dd>{quota['limit']:,} in {quota['window_seconds']:,} seconds"
            )
            assert row in html
        assert "12.5 days" in html
        for path in ("/docs/guarantees", "/docs/first-steps"):
            assert "last 4,321 events" in shown(await text_of(client, path))


async def test_every_link_leads_to_a_page_and_to_a_place_on_it(client: httpx.AsyncClient) -> None:
    pages = {path: read(html) for path, html in (await all_pages(client)).items()}
    files: set[str] = set()
    for path, page in pages.items():
        for link in page.links:
            target = urlsplit(urljoin(path, link))
            assert not target.netloc, f"{link} on {path} leads elsewhere"
            if target.fragment:
                assert target.fragment in pages[target.path].ids, f"{link} on {path}"
            elif target.path not in pages:
                files.add(target.path)
        files |= set(page.loads)
    assert files >= {"/", "/openapi.json", "/openapi-3.2.json", "/web/docs.css", "/web/docs.js"}
    for file in files:
        assert (await client.get(file)).status_code == 200, file
    assert "/docs" in (await client.get("/")).text, "the chat's page leads here"


async def test_every_page_that_there_is_can_be_reached(app: Starlette, client: httpx.AsyncClient) -> None:
    book = next(route for route in app.state.api.table.routes if route.path == "/docs").endpoint.__self__._book
    assert set(await all_pages(client)) == {f"/docs/{name}" if name else "/docs" for name in book.names}


def outline(page: Page) -> None:
    """Checks the headings: one of the first level, and none that skips a level."""
    levels = [heading.level for heading in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    assert all(heading.text.strip() for heading in page.headings)


async def test_every_page_is_well_formed_small_and_complete_without_scripts_or_other_hosts(
    client: httpx.AsyncClient,
) -> None:
    titles = set()
    for path, html in (await all_pages(client)).items():
        page = read(html)
        assert page.landmarks == ["header", "main", "nav", "footer"]
        assert page.inline == []
        assert page.scripts == [{"type": "module", "src": "/web/docs.js"}]
        assert all(load.startswith("/web/") for load in page.loads)
        outline(page)
        assert html.count("<h1>") == 1
        assert len(html.encode()) < LARGEST
        assert html.count('aria-current="page"') == 1, path
        titles.add(html.partition("<title>")[2].partition("</title>")[0])
        policy = (await client.get(path)).headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
    assert len(titles) == len(await all_pages(client))


async def test_a_page_that_the_reader_has_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/docs/messages")
    again = await client.get("/docs/messages", headers={"if-none-match": f'"x", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert (await client.get("/docs/messages", headers={"if-none-match": '"x"'})).content == first.content
    elsewhere = await client.get("/docs/messages", headers={"host": "other"})
    assert elsewhere.headers["etag"] != first.headers["etag"]


async def test_commands_have_the_address_that_the_reader_has(client: httpx.AsyncClient) -> None:
    async def address(**headers: str) -> str:
        html = (await client.get("/docs/messages", headers={k.replace("_", "-"): v for k, v in headers.items()})).text
        found: list[str] = re.findall(r"^S=(.*)$", read(html).blocks[0].text, re.MULTILINE)
        return found[0]

    assert await address() == "http://chat"
    assert await address(host="[::1]:8000") == "http://[::1]:8000"
    assert await address(x_forwarded_proto="https", x_forwarded_host="chat.example") == "https://chat.example"
    for odd in ("a;b", "$(id)", "a b", "a&b", "a<b", "[::1", "a:b", ""):
        assert await address(host=odd) == "http://127.0.0.1:8000", odd


async def test_proxies_that_are_not_trusted_do_not_say_what_the_address_is(tmp_path: Path) -> None:
    async with client_of(app_of(tmp_path, trusted_proxies=("192.0.2.1",))) as client:
        given = {"x-forwarded-proto": "https", "x-forwarded-host": "evil.example"}
        assert "evil" not in (await client.get("/docs/messages", headers=given)).text


@pytest.mark.parametrize("path", ["/docs/nothing", "/docs/events/nothing", "/docs/events%2Fmessage", "/docs/layout"])
async def test_a_page_that_there_is_not_is_an_error_that_leads_on(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert code(answer) == (404, "not_found")
    assert "GET /docs lists" in answer.json()["detail"]


async def test_no_path_of_a_page_becomes_a_label(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    counted: dict[tuple[str, str, int], int] = app.state.api._metrics.requests
    async with client_of(app) as client:
        for path in ("/docs/messages", "/docs/events/bye", "/docs/secret", "/docs/events/secret"):
            await client.get(path)
    assert {route for _, route, _ in counted} == {"/docs/{page}", "/docs/events/{event}"}


async def test_a_page_is_made_once_and_nobody_else_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, began, made = threading.Event(), threading.Event(), []
    render = Book._render

    def slowly(book: Book, template: str, name: str, **context: Any) -> str:
        made.append(name)
        began.set()
        assert now.wait(10)
        return render(book, template, name, **context)

    monkeypatch.setattr(Book, "_render", slowly)
    async with client_of(app_of(tmp_path)) as client:
        readers = [asyncio.create_task(client.get("/docs/errors")) for _ in range(3)]
        assert await asyncio.to_thread(began.wait, 10)
        assert (await client.get("/v1/limits")).status_code == 200
        assert not any(reader.done() for reader in readers)
        now.set()
        assert {(await reader).status_code for reader in readers} == {200}
    assert made == ["errors"]


async def test_the_document_for_programs_is_made_once_and_nobody_else_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, began, made = threading.Event(), threading.Event(), []
    document = openapi.document

    def slowly(operations: Any, version: Any, *, cookie: str) -> dict[str, Any]:
        made.append(version)
        began.set()
        assert now.wait(10)
        return document(operations, version, cookie=cookie)

    async with client_of(app_of(tmp_path)) as client:
        monkeypatch.setattr(openapi, "document", slowly)
        readers = [asyncio.create_task(client.get("/openapi.json")) for _ in range(3)]
        assert await asyncio.to_thread(began.wait, 10)
        assert (await client.get("/v1/limits")).status_code == 200
        assert not any(reader.done() for reader in readers)
        now.set()
        assert {(await reader).status_code for reader in readers} == {200}
    assert made == ["3.1"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "sign up people who do not exist yet"),
        ({"signup": "closed"}, "of people who have accounts here: this server takes no sign-ups"),
        ({"jwt_secret": SECRET}, "tokens of the system that signs people in here"),
    ],
)
async def test_the_pages_say_how_people_get_in_here(tmp_path: Path, given: dict[str, str], says: str) -> None:
    async with client_of(app_of(tmp_path, **given)) as client:
        html = await text_of(client, "/docs/messages")
        assert says in shown(html)
        steps = read(await text_of(client, "/docs/first-steps"))
        assert ("/v1/users" in read(html).blocks[0].text) == (given == {})
        assert any("/v1/users" in block.text for block in steps.blocks) == (given == {})


def requests(text: str) -> set[tuple[str, str]]:
    """The requests that a text names in code, such as `GET /v1/server`."""
    return set(re.findall(r"\b(GET|POST|PUT|PATCH|DELETE) (/[^\s?`<]*)", text))


async def test_the_readme_names_no_request_that_there_is_not(app: Starlette) -> None:
    section = (ROOT / "src" / "README.md").read_text().partition("## The API")[2].partition("\n## ")[0]
    rows = "\n".join(line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `"))
    routes = {(each.method, each.path) for each in operations(app)}
    assert {("POST", "/v1/messages"), ("GET", "/v1/events")} <= requests(rows) <= routes


async def test_what_the_pages_promise_in_numbers_is_so(client: httpx.AsyncClient) -> None:
    limits, promises = [shown(await text_of(client, f"/docs/{name}")) for name in ("limits", "guarantees")]
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert defaults["ping_seconds"] == 15
    assert "A ping comes after 15 to 30 seconds. A read time-out of 60 seconds is long enough." in limits
    assert f"Who reads nothing for {defaults['slow_seconds']} seconds gets bye (slow)" in limits
    assert f"One who reads nothing for {defaults['slow_seconds']} seconds gets bye (slow)" in promises
