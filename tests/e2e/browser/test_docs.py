"""The pages of documentation in a browser: by day and by night, on a phone, with a keyboard, and without scripts."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from html_pages import read
from serving import Server

NARROW, WIDE = 320, 1280

CONTRAST = """() => {
  const rgb = color => color.match(/[\\d.]+/g).map(Number);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const color = rgb(getComputedStyle(node).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const light = color => {
    const linear = x => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4;
    const [r, g, b] = color.slice(0, 3).map(x => linear(x / 255));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || node.getClientRects().length === 0) continue;
    const [one, other] = [light(rgb(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => b - a);
    const ratio = (one + .05) / (other + .05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${node.tagName} ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  return [...new Set(found)];
}"""
"""Texts whose contrast is less than 4.5 to 1 (WCAG 2.2 §1.4.3)."""

TOO_WIDE = """() => [...document.querySelectorAll("main *, nav *")]
  .filter(node => node.getBoundingClientRect().right > innerWidth + 1).map(node => node.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def paths(server: Server) -> list[str]:
    """All pages."""
    overview = httpx.get(f"{server.url}/docs", trust_env=False).text
    return sorted({urlsplit(link).path for link in read(overview).links if link.startswith("/docs")})


@pytest.fixture
def watched(browser: Browser, server: Server) -> Iterator[Any]:
    """Opens a page of documentation; what it loads from elsewhere and what its console says is a failure."""
    contexts, problems = [], []

    def come(**options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith(server.url) else problems.append(f"loads {request.url}"),
        )
        page.on(
            "response",
            lambda answer: None if answer.status < 400 else problems.append(f"{answer.status} {answer.url}"),
        )
        return page

    yield come
    for context in contexts:
        context.close()
    assert problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_every_page_can_be_read_at_any_width_and_at_any_time_of_day(
    watched: Any, server: Server, paths: list[str], scheme: str, width: int
) -> None:
    page: Page = watched(viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert len(paths) > 20
    for path in paths:
        page.goto(server.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(TOO_WIDE) == [], path
        assert page.evaluate(CONTRAST) == [], path
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 21, 22)"
    assert dark == (scheme == "dark")


def test_a_command_is_copied_with_one_click(watched: Any, server: Server) -> None:
    page: Page = watched(permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{server.url}/docs/messages#send_message")
    block = page.locator("#send_message .docs-shell")
    command = block.locator("code").inner_text()
    block.get_by_role("button", name="Copy").click()
    expect(block.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == command
    assert "$S/v1/messages" in command


def test_the_pages_are_complete_without_scripts(watched: Any, server: Server) -> None:
    page: Page = watched(java_script_enabled=False, viewport={"width": NARROW, "height": 800})
    page.goto(f"{server.url}/docs")
    page.get_by_role("banner").get_by_role("link", name="Contents").click()
    contents = page.get_by_role("navigation", name="Contents")
    expect(contents).to_be_in_viewport()
    contents.get_by_role("link", name="Messages").click()
    expect(page.get_by_role("heading", level=1, name="Messages")).to_be_visible()
    expect(contents.get_by_role("link", name="Messages")).to_have_attribute("aria-current", "page")
    page.get_by_role("main").get_by_role("link", name="Deletes a message").first.click()
    expect(page.get_by_role("heading", name="Deletes a message")).to_be_in_viewport()
    expect(page.get_by_role("button")).to_have_count(0)


def test_the_keyboard_reaches_what_the_mouse_does(watched: Any, server: Server) -> None:
    page: Page = watched(viewport={"width": WIDE, "height": 800})
    page.goto(f"{server.url}/docs/events/message")
    reached: list[str] = []
    for _ in range(page.locator("a, button").count()):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        reached.append(focused.evaluate("node => node.href ?? node.textContent"))
        assert focused.evaluate("node => getComputedStyle(node).outlineStyle") == "solid", reached[-1]
    links = page.locator("a").evaluate_all("nodes => nodes.map(node => node.href)")
    assert set(reached) >= set(links)
