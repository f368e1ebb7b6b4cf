"""A real Chromium, and a server for it."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from e2e.browser.visitor import ARGUMENTS, CHROMIUM, PATIENCE, Enter, Visitor
from serving import Server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for this module: Playwright's loop must be gone before other modules run theirs."""
    # A page that has failed to connect a few times waits longer than Playwright does by itself.
    expect.set_options(timeout=PATIENCE)
    assert CHROMIUM is not None, "there is no chromium on the PATH; `bash tests/run` installs it"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for the tests that leave it alone."""
    with Server(tmp_path_factory.mktemp("browser") / "data", "--workers", "2") as running:
        yield running


@pytest.fixture
def enter(browser: Browser, server: Server) -> Iterator[Enter]:
    """Lets people in, signed up; at the end none of their consoles may have an error."""
    visitors: list[Visitor] = []

    def come(name: str, *, url: str = server.url, sign_up: bool = True, **options: Any) -> Visitor:
        visitor = Visitor(browser, url, name, **options)
        visitors.append(visitor)
        if sign_up:
            visitor.sign_up()
        return visitor

    yield come
    for visitor in visitors:
        visitor.close()
