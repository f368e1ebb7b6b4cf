"""A browser of one user, and queries of the page."""

import itertools
import json
import re
import shutil
import time
from collections.abc import Callable, Sequence
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Route, expect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PASSWORD = "correct horse"
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 760}, "is_mobile": True, "has_touch": True}
NETWORK_GONE = r"net::ERR_|status of 50[23]"
PATIENCE = 15_000
"""Upper bound of a wait, in milliseconds."""

_numbers = itertools.count(1)


def fresh(name: str) -> str:
    """A user id that no other test has."""
    return f"{name}{next(_numbers)}"


WAIT_FOR_THE_WORKER = """
const { setTimeout } = window;
window.setTimeout = (call, after, ...more) => setTimeout(call, after === 3_000 ? 60_000 : after, ...more);
"""
"""A page does without a shared worker that takes 3 seconds to start (worker_link.js), as it may on a busy machine."""


class Visitor:
    """A user with a browser of their own; any error in its console is a failure."""

    def __init__(
        self, browser: Browser, url: str, name: str, *, worker: bool = False, kept: bool = False, **options: Any
    ) -> None:
        """`worker`: whether a shared worker may hold the stream. Playwright neither sees nor stops its requests.
        `kept`: whether a service worker may keep the page."""
        self.url = url
        self.name = name
        self.streams: list[Page] = []
        self._expected = [r"status of 401 .*/v1/session$", "Service Worker registration blocked by Playwright"]
        self._problems: list[str] = []
        options["service_workers"] = "allow" if kept else "block"
        self.context: BrowserContext = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE)
        self.context.add_init_script(WAIT_FOR_THE_WORKER if worker else "delete window.SharedWorker")
        self.page = self.tab()

    def tab(self) -> Page:
        """Opens another tab in this user's browser."""
        page = self.context.new_page()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._problems.append(str(error)))
        page.on("request", lambda request: self.streams.append(page) if "/v1/events" in request.url else None)
        page.goto(self.url)
        return page

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._problems.append(f"{message.text} {message.location.get('url')}")

    def expect_errors(self, pattern: str) -> None:
        """Ignores console errors that the test provokes."""
        self._expected.append(pattern)

    def close(self) -> None:
        """Closes the browser, and checks that its console had no error."""
        self.context.close()
        wrong = [text for text in self._problems if not any(re.search(known, text) for known in self._expected)]
        assert wrong == [], wrong

    def sign_up(self) -> None:
        """Creates an account."""
        self.fill_in("New here")
        expect(self.page.get_by_role("navigation", name="Conversations")).to_be_visible(timeout=PATIENCE)

    def fill_in(self, tab: str | None = None, password: str = PASSWORD) -> None:
        """Fills the form and presses Enter."""
        if tab is not None:
            self.page.get_by_role("button", name=tab, exact=True).first.click()
        self.page.get_by_label("Name", exact=True).fill(self.name)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_label("Password", exact=True).press("Enter")

    def find(self, name: str) -> None:
        """Starts a conversation by name."""
        field = self.page.get_by_role("searchbox")
        field.fill(name)
        field.press("Enter")

    def write_to(self, other: str) -> None:
        """Starts a conversation with an existing user."""
        self.write_to_named(other, other)

    def write_to_named(self, other: str, called: str) -> None:
        """Starts a conversation with an existing user, who has chosen this name."""
        self.find(other)
        expect(self.page.get_by_role("heading", name=called, exact=True)).to_be_visible(timeout=PATIENCE)

    def sign_out(self, page: Page | None = None) -> None:
        """Signs out, by the menu of the account. Requests that are under way then are refused."""
        self.expect_errors("status of 401")
        (page or self.page).locator(".account").click()
        (page or self.page).get_by_role("menuitem", name="Sign out").click()

    def say(self, text: str, page: Page | None = None) -> None:
        """Types a message, and presses Enter; on a phone, taps the button."""
        page = page or self.page
        composer = page.locator("#composer")
        composer.fill(text)
        if page.evaluate("matchMedia('(pointer: coarse)').matches"):
            page.get_by_role("button", name="Send", exact=True).tap()
        else:
            composer.press("Enter")

    def open(self, other: str) -> None:
        """Opens a conversation from the list."""
        row(self.page, other).click()
        expect(self.page.get_by_role("heading", name=other, exact=True)).to_be_visible(timeout=PATIENCE)


def row(page: Page, other: str) -> Locator:
    """The row of a conversation in the list."""
    return page.locator(".conversation-row", has=page.locator(".title", has_text=re.compile(f"^{re.escape(other)}$")))


def texts(page: Page) -> list[str]:
    """The exact texts that the open conversation shows."""
    shown: list[str] = page.locator(".message .text").evaluate_all("nodes => nodes.map(node => node.textContent)")
    return shown


def oldest(page: Page) -> int:
    """The seq of the first message that the page shows."""
    return int(page.locator(".message[data-seq]").first.get_attribute("data-seq") or 0)


def until(page: Page, condition: Callable[[], object], milliseconds: float = PATIENCE) -> None:
    """Waits for a condition that the page brings about."""
    deadline = time.monotonic() + milliseconds / 1000
    while not condition():
        assert time.monotonic() < deadline, f"not so within {milliseconds} ms; shown: {texts(page)}"
        page.wait_for_timeout(20)


def shows(page: Page, expected: Sequence[str]) -> None:
    """Waits until the conversation shows exactly these texts, all of them sent."""
    until(page, lambda: texts(page) == list(expected) and page.locator(".queued, .failed").count() == 0)


def body_of(route: Route) -> dict[str, Any]:
    """The JSON body of a request."""
    body: dict[str, Any] = json.loads(route.request.post_data or "{}")
    return body


def banner(page: Page) -> Locator:
    """The line that shows a lost connection."""
    return page.locator(".banner")


Enter = Callable[..., Visitor]
