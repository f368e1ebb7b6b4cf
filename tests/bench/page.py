"""What a key costs on the page while a conversation has many messages: Chromium, a real server, and a real keyboard."""

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from playwright.sync_api import Error, Page, sync_playwright

from .errors import BenchError
from .progress import Progress
from .server import Ssechat
from .tables import table

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PASSWORD = "correct horse"
SAID = "Message {number}: a sentence as people write them, with a few words more. " * 2
LINES_EACH = 3
"""One message in so many has several lines."""
SEVERAL = "".join(f"line {number}\n" for number in range(4))
PATIENCE = 60_000
"""Upper bound of a wait, in milliseconds."""


@dataclass(frozen=True, slots=True)
class PageOptions:
    """What is measured."""

    messages: tuple[int, ...]
    """Messages of the conversation that are loaded, in each measurement."""
    keys: int


@dataclass(frozen=True, slots=True)
class PageFigures:
    """One measurement; times are milliseconds of CPU of the page's main thread, which other programs disturb little."""

    messages: int
    in_page: int
    """Messages that the page has elements for."""
    elements: int
    """All elements of the page."""
    key: float
    """A key, with all that follows from it: script, style, layout, paint."""
    key_layout: float
    """The part of it that is style and layout, by the clock."""
    arrival: float
    """A message that arrives while one reads at the end."""
    heap: int
    """Bytes of the page's JavaScript."""


def measure_page(options: PageOptions, progress: Progress) -> list[PageFigures]:
    """Measures a page for each number of messages.

    Raises:
        BenchError: the server does not start, there is no Chromium, or the page does not show what it must.
    """
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise BenchError("there is no chromium on the PATH")
    try:
        with sync_playwright() as playwright, Ssechat(1) as server:
            host, port = server.address
            browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            url = f"http://{host}:{port}"
            figures = [_measure(browser.new_page(), url, count, options.keys, progress) for count in options.messages]
            browser.close()
            return figures
    except Error as error:
        raise BenchError(f"the page did not do what it must: {error.message}") from error


def _measure(page: Page, url: str, messages: int, keys: int, progress: Progress) -> PageFigures:
    reader, writer = f"reader{messages}", f"writer{messages}"
    page.set_default_timeout(PATIENCE)
    with _signed_up(url, writer) as writing:
        _signed_up_page(page, url, reader)
        progress.show(f"{messages:,} messages: writing")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: _say(writing, reader, _text(number)), range(messages)))
        page.goto(f"{url}/#/dm:{reader}:{writer}")
        page.reload()
        page.locator(".message").first.wait_for()
        _load_all(page, messages, progress)
        composer = page.locator("#composer")
        composer.click()
        progress.show(f"{messages:,} messages: typing")
        page.keyboard.type("warm up ")
        clock = _Clock(page)
        clock.start()
        for number in range(keys):
            page.keyboard.press("Space" if number % 6 == 5 else "abcdefgh"[number % 8])
            _painted(page)
        typed, layout = clock.milliseconds("ThreadTime"), clock.milliseconds("LayoutDuration", "RecalcStyleDuration")
        clock.start()
        for _ in range(keys):
            _painted(page)
        still = clock.milliseconds("ThreadTime")
        arrivals = 10
        clock.start()
        for number in range(arrivals):
            text = f"arrival {number}"
            _say(writing, reader, text)
            page.locator(f"[data-seq='{messages + 1 + number}']").wait_for(state="attached")
            _painted(page)
        arrived = clock.milliseconds("ThreadTime")
        shown, elements = page.evaluate(
            "[document.querySelectorAll('.message').length, document.querySelectorAll('*').length]"
        )
        return PageFigures(
            messages=messages,
            in_page=shown,
            elements=elements,
            key=max(0.0, typed - still) / keys,
            key_layout=layout / keys,
            arrival=arrived / arrivals,
            heap=int(clock.read()["JSHeapUsedSize"]),
        )


def _text(number: int) -> str:
    return f"{number}\n{SEVERAL}" if number % LINES_EACH == 0 else SAID.format(number=number)


@contextmanager
def _signed_up(url: str, name: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, headers={"Origin": url}, timeout=60) as client:
        client.post("/v1/users", json={"name": name, "password": PASSWORD}).raise_for_status()
        yield client


def _say(client: httpx.Client, to: str, text: str) -> None:
    client.post("/v1/messages", json={"to": to, "text": text}).raise_for_status()


def _signed_up_page(page: Page, url: str, name: str) -> None:
    page.goto(url)
    page.get_by_role("button", name="New here", exact=True).first.click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password", exact=True).press("Enter")
    page.get_by_role("navigation", name="Conversations").wait_for()


def _load_all(page: Page, messages: int, progress: Progress) -> None:
    """Scrolls up until the first message is there, and back to the end."""
    first = page.locator("[data-seq='1']")
    while not first.count():
        shown = page.locator(".message[data-seq]").first.get_attribute("data-seq")
        page.locator(".viewport .scroller").evaluate("node => { node.scrollTop = 0; }")
        progress.show(f"{messages:,} messages: loading, {shown} to go")
        page.wait_for_timeout(5)
    jump = page.get_by_role("button", name="To the newest message")
    if jump.is_visible():
        jump.click()
    page.locator(f"[data-seq='{messages}']").wait_for(state="attached")


def _painted(page: Page) -> None:
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


class _Clock:
    """The counters of the page's process, as the browser keeps them for a session of its developer tools."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable")
        self._before: dict[str, float] = {}

    def read(self) -> dict[str, float]:
        """All counters."""
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return {one["name"]: one["value"] for one in metrics}

    def start(self) -> None:
        """Counts from now on."""
        self._before = self.read()

    def milliseconds(self, *names: str) -> float:
        """How far counters of seconds have gone, in sum."""
        now = self.read()
        return sum(now[name] - self._before[name] for name in names) * 1000


def page_report(figures: Sequence[PageFigures]) -> str:
    """A table with a column per number of messages."""
    rows = [
        ["Messages that are loaded", *(f"{one.messages:,}" for one in figures)],
        ["of them in the page", *(f"{one.in_page:,}" for one in figures)],
        ["elements in the page", *(f"{one.elements:,}" for one in figures)],
        ["a key, ms of CPU", *(f"{one.key:.2f}" for one in figures)],
        ["    style and layout, ms by the clock", *(f"{one.key_layout:.2f}" for one in figures)],
        ["a message that arrives, ms of CPU", *(f"{one.arrival:.1f}" for one in figures)],
        ["JavaScript's memory, MB", *(f"{one.heap / 1e6:.1f}" for one in figures)],
    ]
    return table(rows)
