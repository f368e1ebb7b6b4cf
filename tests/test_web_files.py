"""The files of the page and of the library as they are served: compressed once, and for ever under hashed names."""

import gzip
import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app_client import client_of, code
from redises import RedisProcess
from serving import ROOT
from ssechat.http.browser_library import library_name
from ssechat.http.web_files import MANIFEST, WebFiles, takes_gzip

pytestmark = pytest.mark.anyio

WEB = ROOT / "src" / "ssechat" / "web"
LARGEST = 60 * 1024
"""What the page's script may have, compressed."""


@pytest.fixture
async def client(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(redis.url, tmp_path) as client:
        yield client


async def raw(
    client: httpx.AsyncClient, path: str, coding: str = "gzip", method: str = "GET", **headers: str
) -> tuple[httpx.Response, bytes]:
    """The answer, and its body as it is on the wire."""
    given = {"accept-encoding": coding, **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with client.stream(method, path, headers=given) as response:
        return response, b"".join([part async for part in response.aiter_raw()])


async def hashed_names(client: httpx.AsyncClient) -> list[str]:
    """What the page loads."""
    return re.findall(r'"(/web/app-[0-9a-f]{16}\.\w+)"', (await client.get("/")).text)


async def test_the_page_is_served_with_headers_that_keep_it_safe(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    script = await client.get("/web/client.js")
    assert script.headers["content-type"].startswith("text/javascript")
    style, made = await hashed_names(client)
    for response in (page, script, await client.get(style), await client.get(made)):
        assert "default-src 'self'" in response.headers["content-security-policy"]
        assert "unsafe" not in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
    assert code(await client.get("/web/nothing.js")) == (404, "not_found")


async def test_the_library_in_one_file_is_cached_for_ever_under_the_name_with_its_hash(
    client: httpx.AsyncClient,
) -> None:
    hashed = await client.get(f"/web/{library_name()}")
    plain = await client.get("/web/ssechat.min.js")
    assert hashed.text == plain.text
    assert hashed.headers["content-type"].startswith("text/javascript")
    assert "immutable" in hashed.headers["cache-control"]
    assert plain.headers["cache-control"] == "no-cache"
    assert code(await client.get("/web/ssechat-0123456789abcdef.js")) == (404, "not_found")


async def test_the_page_loads_one_script_and_one_style_that_are_cached_for_ever(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.headers["cache-control"] == "no-cache"
    assert len(re.findall(r"<script|rel=\"stylesheet\"", page.text)) == 2
    style, script = await hashed_names(client)
    for name, made in ((style, "app.min.css"), (script, "app.min.js")):
        answer = await client.get(name)
        assert answer.content == (WEB / made).read_bytes()
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert (await client.get(f"/web/{made}")).headers["cache-control"] == "no-cache"


async def test_the_page_s_script_names_its_worker_as_the_server_does(client: httpx.AsyncClient) -> None:
    _, script = await hashed_names(client)
    (worker,) = re.findall(r'"\./(worker-[0-9a-f]{16}\.js)"', (await client.get(script)).text)
    answer = await client.get(f"/web/{worker}")
    assert answer.content == (WEB / "worker.min.js").read_bytes()
    assert "immutable" in answer.headers["cache-control"]


async def test_the_page_of_another_version_gets_this_version_s_script_but_not_for_ever(
    client: httpx.AsyncClient,
) -> None:
    for name in ("app-0123456789abcdef.js", "app-0123456789abcdef.css", "worker-0123456789abcdef.js"):
        answer = await client.get(f"/web/{name}")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-cache"
    for name in ("app-0123456789abcdef.png", "app-0123.js", "store-0123456789abcdef.js"):
        assert code(await client.get(f"/web/{name}")) == (404, "not_found")


async def test_who_takes_gzip_gets_it_and_others_the_same_uncompressed(client: httpx.AsyncClient) -> None:
    for path in ("/", *await hashed_names(client), "/web/client.js", "/web/icon.svg"):
        packed, small = await raw(client, path, "gzip, deflate, br")
        plain, large = await raw(client, path, "identity")
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert gzip.decompress(small) == large
        assert packed.headers["content-length"] == str(len(small))
        assert plain.headers["content-length"] == str(len(large))
        assert packed.headers["content-type"] == plain.headers["content-type"]
        for answer in (packed, plain):
            assert answer.headers["vary"] == "Accept-Encoding"
        assert packed.headers["etag"] != plain.headers["etag"], "other bytes have another entity tag"
        assert (await raw(client, path, "gzip"))[1] == small


async def test_a_file_that_the_client_has_in_that_encoding_is_not_sent_again(client: httpx.AsyncClient) -> None:
    for coding, other in (("gzip", "identity"), ("identity", "gzip")):
        tag = (await raw(client, "/", coding))[0].headers["etag"]
        for known in (tag, f"W/{tag}", f'"else", {tag}', "*"):
            again, body = await raw(client, "/", coding, if_none_match=known)
            assert (again.status_code, body) == (304, b"")
            assert again.headers["etag"] == tag
            assert again.headers["vary"] == "Accept-Encoding"
            assert again.headers["cache-control"] == "no-cache"
            assert "content-encoding" not in again.headers
        assert (await raw(client, "/", other, if_none_match=tag))[0].status_code == 200


async def test_a_head_request_has_the_headers_of_what_get_brings(client: httpx.AsyncClient) -> None:
    for path in ("/", "/web/app.min.js"):
        for coding in ("gzip", "identity"):
            asked, got = await raw(client, path, coding, "HEAD"), await raw(client, path, coding)
            assert asked[1] == b""
            kept = [{**each.headers, "x-request-id": ""} for each, _ in (asked, got)]
            assert kept[0] == kept[1]


async def shell(client: httpx.AsyncClient) -> dict[str, Any]:
    """What the service worker keeps."""
    names: dict[str, Any] = json.loads(
        (await client.get("/web/sw.js")).text.partition(";")[0].removeprefix("self.SHELL=")
    )
    return names


async def test_the_service_worker_may_keep_the_page_and_names_what_that_consists_of(client: httpx.AsyncClient) -> None:
    worker = await client.get("/web/sw.js")
    assert worker.headers["content-type"].startswith("text/javascript")
    assert worker.headers["service-worker-allowed"] == "/"
    assert worker.headers["cache-control"] == "no-cache"
    assert worker.text.endswith((WEB / "sw.min.js").read_text())
    kept = await shell(client)
    assert (kept["page"], kept["loads"]) == ("/", await hashed_names(client))
    for path in (kept["page"], *kept["loads"], *kept["more"]):
        answer = await client.get(path)
        assert answer.status_code == 200
        hashed = re.search(r"-[0-9a-f]{16}\.\w+$", path) is not None
        assert ("immutable" in answer.headers["cache-control"]) is hashed
    assert [path.partition("-")[0] for path in kept["more"]] == [
        "/web/worker",
        "/web/icon",
        "/web/manifest.webmanifest",
    ]


def test_another_file_or_header_is_another_version_and_the_same_ones_are_the_same(tmp_path: Path) -> None:
    def script(files: WebFiles) -> bytes:
        worker = files.named("sw.js")
        assert worker is not None
        return worker.body

    assert script(WebFiles()) == script(WebFiles()) != script(WebFiles(pictures=True))
    for name in ("app.min.css", "app.min.js", "worker.min.js", "sw.min.js", "index.html", "icon.svg", MANIFEST):
        folder = tmp_path / name
        shutil.copytree(WEB, folder)
        with (folder / name).open("a") as file:
            file.write("\n")
        assert script(WebFiles(folder)) != script(WebFiles()), name


async def test_the_page_can_be_installed_with_icons_that_there_are(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text
    assert f'<link rel="manifest" href="/web/{MANIFEST}">' in page
    answer = await client.get(f"/web/{MANIFEST}")
    assert answer.headers["content-type"] == "application/manifest+json"
    manifest = answer.json()
    assert {"id", "name", "short_name", "start_url", "scope", "display", "theme_color", "background_color"} < set(
        manifest
    )
    purposes = set()
    for icon in manifest["icons"]:
        picture = await client.get(icon["src"])
        assert picture.headers["content-type"] == icon["type"]
        purposes.add(icon.get("purpose", "any"))
        if icon["type"] == "image/png":
            width, height = (int.from_bytes(picture.content[at : at + 4], "big") for at in (16, 20))
            assert icon["sizes"] == f"{width}x{height}"
            assert "content-encoding" not in picture.headers
    assert purposes == {"any", "maskable"}
    (touch,) = re.findall(r'rel="apple-touch-icon" href="([^"]+)"', page)
    assert (await client.get(touch)).headers["content-type"] == "image/png"


async def test_the_page_is_small(client: httpx.AsyncClient) -> None:
    style, script = await hashed_names(client)
    assert len((await raw(client, script))[1]) < LARGEST
    assert sum([len((await raw(client, path))[1]) for path in ("/", style, script)]) < 80 * 1024


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        (None, False), ("", False), ("identity", False), ("br, deflate", False), ("gzip", True), ("GZip", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True), ("gzip;q=0", False), ("gzip; q=0.000", False), ("gzip;q=0.001", True),
        ("*", True), ("*;q=0", False), ("gzip;q=0, *", False), ("*;q=0, gzip", True), ("x-gzip", True),
        ("gzipped", False), (";;,,;q=", False), ("deflate, gzip ;q=0.5", True),
    ],
)  # fmt: skip
async def test_accept_encoding_says_who_takes_gzip(accepted: str | None, takes: bool) -> None:
    assert takes_gzip(accepted) is takes
