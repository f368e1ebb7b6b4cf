"""What every screen of the page bears: axe-core finds nothing in either scheme, and no window is too small for it.

A picture of each, in both schemes, is kept in `tests/.screens/`, or in the folder that `SCREENS` names: those of the
last run of each tour, and none of a run before.
"""

import os
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Page

from e2e.browser.axe import findings
from e2e.browser.feed_screens import feeds
from e2e.browser.feeds import BANNER, Admin, token_file
from e2e.browser.screens import TOURS as OF_THE_CHAT
from e2e.browser.trouble_screens import troubles
from e2e.browser.visitor import PHONE, Enter
from serving import ROOT, Server

TOURS = {**OF_THE_CHAT, troubles.__name__: troubles, feeds.__name__: feeds}

OUTSIDE = """() => {
    const top = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document;
    const shown = [...top.querySelectorAll("button, input, select, textarea, a[href], [role=option]")]
        .filter((node) => node.checkVisibility({ visibilityProperty: true, opacityProperty: true }));
    const out = shown.filter((node) => {
        const { left, right } = node.getBoundingClientRect();
        return left < -1 || right > innerWidth + 1;
    });
    const wide = [document.documentElement, ...document.querySelectorAll("main, main *, dialog, dialog *, aside *")]
        .filter((node) => node.clientWidth && node.scrollWidth > node.clientWidth + 1 && node.localName !== "pre"
            && ["auto", "scroll"].includes(getComputedStyle(node).overflowX));
    const page = document.documentElement.scrollWidth > innerWidth ? [document.documentElement] : [];
    return [...out, ...wide, ...page].map((node) => `outside: ${node.outerHTML.slice(0, 160)}`);
}"""
FOCUS = """() => {
    const dialog = [...document.querySelectorAll("dialog[open]")].at(-1);
    return !dialog || dialog.contains(document.activeElement) ? [] : [`focus: ${document.activeElement.outerHTML}`];
}"""
WINDOWS: dict[str, dict[str, Any]] = {
    "desk": {"viewport": {"width": 1180, "height": 760}},
    "phone": PHONE,
    "small": {**PHONE, "viewport": {"width": 320, "height": 568}},
    "zoomed": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
}
EAST = (22 - datetime.now(UTC).hour + 9) % 24 - 9
LATE = f"Etc/GMT{-EAST:+d}"
"""Where it is past ten in the evening: the time of day that takes most room."""

SCHEMES: dict[Literal["light", "dark"], tuple[str, ...]] = {"light": (), "dark": ("color-contrast",)}
"""The schemes, and which of axe-core's rules can find something in it that the others have not: all, in the first."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a directory, and a banner that is empty."""
    folder = tmp_path_factory.mktemp("screens")
    feeds = ("--admin-token-file", token_file(folder), "--banner", BANNER)
    with Server(folder / "data", "--workers", "2", "--directory", "on", *feeds) as running:
        Admin(running.url).make(BANNER)
        yield running


def emptied(window: str, tour: str) -> Path:
    """The folder for the pictures of a tour."""
    folder = Path(os.environ.get("SCREENS") or ROOT / "tests" / ".screens") / window / tour
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def keep(page: Page, file: Path) -> None:
    """Makes a picture of what is seen."""
    page.screenshot(path=file, animations="disabled", caret="hide")


@pytest.mark.parametrize("tour", TOURS)
@pytest.mark.parametrize("window", WINDOWS)
def test_every_screen_can_be_seen_named_and_reached(enter: Enter, server: Server, window: str, tour: str) -> None:
    wrong: list[str] = []
    folder = emptied(window, tour)
    for number, (name, page) in enumerate(TOURS[tour](enter, server, timezone_id=LATE, **WINDOWS[window])):
        found = [*page.evaluate(OUTSIDE), *page.evaluate(FOCUS)]
        for scheme, rules in SCHEMES.items():
            page.emulate_media(color_scheme=scheme)
            keep(page, folder / f"{number:02}-{re.sub(r'[^a-z0-9]+', '-', name)}-{scheme}.png")
            if window in ("desk", "phone"):
                found += [f"{scheme}: {one}" for one in findings(page, *rules)]
        page.emulate_media(color_scheme="light")
        wrong += [f"{name}: {one}" for one in found]
    assert wrong == [], "\n".join(wrong)
