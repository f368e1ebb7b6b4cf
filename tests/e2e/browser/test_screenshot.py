"""The picture in README.md: two users chat, one on a desktop and one on a phone, in the light theme.

`SCREENSHOT=1 bash tests/run tests/e2e/browser/test_screenshot.py` makes the file anew. Without it the test makes the
picture, and looks whether the file has as many pixels: a file that every run changed would be in every commit.
"""

import base64
import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.browser.visitor import PHONE, Enter, Visitor, row, shows
from serving import ROOT

FILE = ROOT / "deploy" / "screenshot.png"
MAX_BYTES = 150_000
LOOKS: dict[str, Any] = {"color_scheme": "light", "locale": "en-GB", "timezone_id": "UTC"}
DESK: dict[str, Any] = {"viewport": {"width": 820, "height": 500}, **LOOKS}
HAND: dict[str, Any] = {**PHONE, "viewport": {"width": 340, "height": 500}, **LOOKS}
SAID = (
    "Hi Bob, does this work without WebSockets?",
    "It does: one stream to receive, POST to send.",
    "And curl can take part, too.",
)
BESIDE = """<body style="margin: 0; padding: 24px; display: flex; gap: 24px; background: #d9d6cc">
<style>img { display: block; border-radius: 12px; box-shadow: 0 1px 6px rgb(0 0 0 / 25%) }</style>"""


def size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels (PNG, third edition, §11.2.1)."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


@pytest.fixture
def canvas(browser: Browser) -> Iterator[Page]:
    """A page as wide as both pictures beside each other."""
    page = browser.new_page(viewport={"width": 820 + 340 + 3 * 24, "height": 500 + 2 * 24})
    yield page
    page.close()


def picture(visitor: Visitor) -> bytes:
    """A screenshot of this user's page, without a blinking cursor."""
    visitor.page.locator("#composer").blur()
    return visitor.page.screenshot(animations="disabled", caret="hide")


def test_the_picture_in_the_readme_shows_two_people_who_chat(enter: Enter, canvas: Page) -> None:
    alice, carol, bob = enter("alice", **DESK), enter("carol", **LOOKS), enter("bob", **HAND)
    carol.write_to("alice")
    carol.say("See you on Friday!")
    expect(row(alice.page, "carol")).to_be_visible()
    alice.open("carol")
    alice.write_to("bob")
    alice.say(SAID[0])
    row(bob.page, "alice").tap()
    for text in SAID[1:]:
        bob.say(text)
    for visitor in (alice, bob):
        shows(visitor.page, SAID)
    images = [base64.b64encode(picture(visitor)).decode() for visitor in (alice, bob)]
    canvas.set_content(BESIDE + "".join(f'<img src="data:image/png;base64,{image}">' for image in images))
    made = canvas.screenshot()
    assert len(made) < MAX_BYTES
    if os.environ.get("SCREENSHOT"):
        FILE.write_bytes(made)
    assert size(FILE.read_bytes()) == size(made)
    assert FILE.stat().st_size < MAX_BYTES
