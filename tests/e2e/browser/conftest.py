"""Fixtures: a real Chromium, and a server for it."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from e2e.browser.visitor import ARGUMENTS, CHROMIUM, PATIENCE, Enter, Visitor
from serving import Server


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """What drives browsers, once per module: its loop must be closed before other modules run theirs."""
    # The page's delay after a few failures is longer than Playwright's default timeout.
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """One Chromium per module."""
    assert CHROMIUM is not None, "there is no chromium on the PATH; `bash tests/run` installs it"
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield chromium
    chromium.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for the tests that do not disturb it."""
    with Server(tmp_path_factory.mktemp("browser") / "data", "--workers", "2") as running:
        yield running


@pytest.fixture
def enter(browser: Browser, server: Server) -> Iterator[Enter]:
    """Opens browsers of new users, signed up; any error in a console is a failure at the end."""
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
