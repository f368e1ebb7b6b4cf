"""The page as the browser keeps it: it comes up where the server cannot be reached, and can be installed."""

import json
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from e2e.browser.groups import confirm
from e2e.browser.visitor import NETWORK_GONE, Enter, Visitor, banner, fresh, row, shows, until
from serving import ROOT, Server

CACHES = """async () => {
  await navigator.serviceWorker.ready;
  return caches.keys();
}"""
"""The caches' names, once the service worker has begun. To open one that goes meanwhile would make it again."""

KEPT = """async (name) => (await (await caches.open(name)).keys()).map(({ url }) => url)"""
"""What is in a cache."""

STORED = """async () => {
  const opened = await new Promise((resolve) => {
    const request = indexedDB.open("ssechat");
    request.onsuccess = () => resolve(request.result);
  });
  const outbox = await new Promise((resolve) => {
    const request = opened.transaction("outbox").objectStore("outbox").getAll();
    request.onsuccess = () => resolve(request.result);
  });
  opened.close();
  return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, outbox]);
}"""
"""All that the browser stores but for the cookie, which scripts cannot read."""


def one_cache(page: Page, *, after: str = "") -> tuple[str, list[str]]:
    """The only cache, with the paths in it, once there is only one, and it is another than the one before."""
    names: list[str] = []

    def is_new() -> bool:
        names[:] = page.evaluate(CACHES)
        return len(names) == 1 and names != [after]

    until(page, is_new)
    (name,) = names
    return name, sorted(urlsplit(url).path for url in page.evaluate(KEPT, name))


def loaded(page: Page, kind: str) -> str:
    """The path of the page's script or style."""
    where, name = {"js": ("script[src]", "src"), "css": ("link[rel=stylesheet]", "href")}[kind]
    path: str = page.locator(where).get_attribute(name) or ""
    return path


def test_without_the_server_a_reload_shows_the_page_and_what_is_written_goes_out_when_it_is_back(
    enter: Enter, tmp_path: Path
) -> None:
    with Server(tmp_path / "data", "--workers", "2") as first:
        alice = enter(fresh("alice"), url=first.url, kept=True, worker=True)
        bob = enter(fresh("bob"), url=first.url)
        alice.write_to(bob.name)
        alice.say("before")
        bob.open(alice.name)
        shows(bob.page, ["before"])
        one_cache(alice.page)
        for person in (alice, bob):
            person.expect_errors(NETWORK_GONE)
        port = first.port
        first.stop()
        alice.page.reload()
        expect(banner(alice.page)).to_contain_text("Reconnecting")
        expect(alice.page.get_by_role("heading", name=bob.name, exact=True)).to_be_visible()
        alice.say("written without a server")
        expect(alice.page.locator(".message.queued")).to_have_count(1)
        alice.page.reload()
        expect(alice.page.locator(".message.queued .text")).to_have_text("written without a server")
        expect(row(alice.page, bob.name)).to_contain_text("written without a server")
        alice.say("and another")
        expect(alice.page.locator(".message.queued")).to_have_count(2)
        alice.page.evaluate("window.neverReloaded = true")
    with Server(tmp_path / "data", "--workers", "2", port=port):
        alice.page.evaluate("dispatchEvent(new Event('online'))")  # else it may wait for long after so many tries
        everything = ["before", "written without a server", "and another"]
        shows(bob.page, everything)
        shows(alice.page, everything)
        expect(banner(alice.page)).to_be_hidden()
        bob.say("after")
        shows(alice.page, [*everything, "after"])
        assert alice.page.evaluate("window.neverReloaded") is True


def test_offline_a_reload_shows_the_page_and_says_so(enter: Enter) -> None:
    alice = enter(fresh("alice"), kept=True)
    one_cache(alice.page)
    alice.expect_errors(NETWORK_GONE)
    alice.context.set_offline(True)
    alice.page.reload()
    expect(banner(alice.page)).to_contain_text("offline")
    expect(alice.page.get_by_text("Loading conversations…")).to_be_visible()
    alice.page.get_by_role("button", name="Notes to yourself").click()
    alice.say("a thought")
    expect(alice.page.locator(".message.queued")).to_have_count(1)
    alice.context.set_offline(False)
    shows(alice.page, ["a thought"])
    expect(banner(alice.page)).to_be_hidden()


def test_the_browser_keeps_the_page_s_own_files_and_nothing_of_anybody(enter: Enter, tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--workers", "1") as first:
        alice, bob = enter(fresh("alice"), url=first.url, kept=True), enter(fresh("bob"), url=first.url)
        alice.write_to(bob.name)
        alice.say("a secret")
        shows(alice.page, ["a secret"])
        alice.page.reload()
        shows(alice.page, ["a secret"])
        _, paths = one_cache(alice.page)
        more = [path for path in paths if path not in ("/", loaded(alice.page, "js"), loaded(alice.page, "css"))]
        assert [path.rpartition("/")[2].partition("-")[0] for path in more] == [
            "icon",
            "manifest.webmanifest",
            "worker",
        ]
        alice.page.locator("#composer").fill("half a secret")
        alice.context.route("**/v1/messages", lambda route: route.abort())
        alice.page.get_by_role("button", name="Notes to yourself").click()
        alice.say("an unsent secret")
        until(alice.page, lambda: alice.page.evaluate(STORED).count("secret") == 2)
        assert {alice.name, bob.name} <= set(re.findall(r"\w+", alice.page.evaluate(STORED)))
        alice.expect_errors(NETWORK_GONE)
        alice.sign_out()
        confirm(alice.page, "Sign out")
        expect(alice.page.get_by_label("Password", exact=True)).to_be_visible()
        assert one_cache(alice.page)[1] == paths
        for told in (alice.name, bob.name, "secret"):
            assert told not in alice.page.evaluate(STORED)
        for person in (alice, bob):
            person.expect_errors(NETWORK_GONE)
        first.stop()
        alice.page.reload()
        expect(alice.page.get_by_text("The server can't be reached.")).to_be_visible()
        assert alice.name not in alice.page.content()


def test_who_has_been_signed_out_elsewhere_does_not_come_up_again_without_the_server(
    enter: Enter, tmp_path: Path
) -> None:
    with Server(tmp_path / "data", "--workers", "1") as first:
        alice = enter(fresh("alice"), url=first.url, kept=True)
        one_cache(alice.page)
        alice.expect_errors(f"{NETWORK_GONE}|status of 401")
        alice.page.get_by_role("button", name="Notes to yourself").click()
        alice.context.clear_cookies()
        alice.say("not sent")
        expect(alice.page.get_by_label("Password", exact=True)).to_be_visible()
        first.stop()
        alice.page.reload()
        expect(alice.page.get_by_text("The server can't be reached.")).to_be_visible()
        assert "not sent" not in alice.page.content()


def version(folder: Path, style: str) -> dict[str, str]:
    """The environment of a server of another version, whose page has more style."""
    shutil.copytree(ROOT / "src", folder, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "ssechat" / "web" / "app.min.css").open("a") as file:
        file.write(style)
    # Coverage, which a whole run measures, would ask for this copy's source when it is gone.
    return {"PYTHONPATH": f"{folder}:{ROOT / 'tests'}", "COVERAGE_PROCESS_CONFIG": ""}


def test_a_new_version_is_shown_at_the_next_visit_and_what_the_old_one_kept_is_gone(
    enter: Enter, tmp_path: Path
) -> None:
    with Server(tmp_path / "data", "--workers", "1") as first:
        alice = enter(fresh("alice"), url=first.url, kept=True)
        alice.expect_errors(NETWORK_GONE)
        before, old_files = one_cache(alice.page)
        old = loaded(alice.page, "css")
        assert old in old_files
        alice.page.evaluate("window.neverReloaded = true")
        port = first.port
    other = version(tmp_path / "other", "body { --version: two }")
    with Server(tmp_path / "data", "--workers", "1", port=port, extra_environment=other) as second:
        expect(banner(alice.page)).to_be_hidden(timeout=60_000)
        assert alice.page.evaluate("window.neverReloaded") is True, "a page that is used is left alone"
        alice.page.reload()
        expect(alice.page.get_by_role("navigation", name="Conversations")).to_be_visible()
        new = loaded(alice.page, "css")
        assert new != old
        _, files = one_cache(alice.page, after=before)
        assert new in files
        assert old not in files
        second.stop()
        alice.page.reload()
        expect(banner(alice.page)).to_contain_text("Reconnecting")
        assert loaded(alice.page, "css") == new
        assert alice.page.evaluate("getComputedStyle(document.body).getPropertyValue('--version')") == "two"


def test_the_page_can_be_installed(enter: Enter) -> None:
    alice = enter(fresh("alice"), kept=True)
    one_cache(alice.page)
    browser = alice.context.new_cdp_session(alice.page)
    manifest: dict[str, Any] = browser.send("Page.getAppManifest")
    assert manifest["errors"] == []
    said = json.loads(manifest["data"])
    assert (said["name"], said["display"], said["start_url"], said["scope"]) == ("ssechat", "standalone", "/", "/")
    wrong = browser.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [each for each in wrong if each["errorId"] != "in-incognito"] == []
    sizes = {}
    for icon in said["icons"]:
        sizes[icon["src"]] = alice.page.evaluate(
            """async (source) => {
              const image = new Image();
              image.src = source;
              await image.decode();
              return `${image.naturalWidth}x${image.naturalHeight}`;
            }""",
            icon["src"],
        )
    for icon in said["icons"]:
        assert icon["sizes"] in ("any", sizes[icon["src"]])
    assert any(icon.get("purpose") == "maskable" for icon in said["icons"])


def test_a_page_without_service_workers_works_as_any_page(enter: Enter, server: Server) -> None:
    """Plain HTTP has none, but on the machine itself: this address is the machine, and does not count as such."""
    alice: Visitor = enter(fresh("alice"), url=server.url.replace("127.0.0.1", "0.0.0.0"), kept=True)
    assert alice.page.evaluate("isSecureContext || 'serviceWorker' in navigator") is False
    alice.page.get_by_role("button", name="Notes to yourself").click()
    alice.say("a thought")
    shows(alice.page, ["a thought"])
    alice.page.reload()
    shows(alice.page, ["a thought"])
