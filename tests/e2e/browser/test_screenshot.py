"""The picture in README.md: a group talks, one of it on a desktop and one on a phone, in the light theme.

`SCREENSHOT=1 bash tests/run tests/e2e/browser/test_screenshot.py` makes the file anew; for the reactions, the machine
needs a font with emoji, such as Debian's fonts-noto-color-emoji. Without SCREENSHOT the test makes the picture, and
looks whether the file has as many pixels: a file that every run changed would be in every commit.
"""

import base64
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.browser.groups import Curl, make_group, message, use
from e2e.browser.visitor import PHONE, Enter, Visitor, row, shows
from serving import ROOT, Server

FILE = ROOT / "deploy" / "screenshot.png"
MAX_BYTES = 150_000
LOOKS: dict[str, Any] = {"color_scheme": "light", "locale": "en-GB", "timezone_id": "UTC"}
DESK: dict[str, Any] = {"viewport": {"width": 820, "height": 500}, **LOOKS}
HAND: dict[str, Any] = {**PHONE, "viewport": {"width": 340, "height": 500}, **LOOKS}
SAID = (
    "Where do we eat, @bob?",
    "The noodle bar by the river!",
    "I'm in. (This is curl.)",
    "At half past twelve, then. I'll book.",
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


def test_the_picture_in_the_readme_shows_a_group_that_talks(enter: Enter, server: Server, canvas: Page) -> None:
    alice, bob = enter("alice", **DESK), enter("bob", **HAND)
    carol, dan = Curl(server, "carol"), Curl(server, "dan")
    group = make_group(alice, "Friday lunch", "bob", "carol", "dan", topic="Where, and when?")
    carol("POST", "/v1/messages", {"to": "alice", "text": "See you on Friday!"})
    alice.open("carol")
    alice.open("Friday lunch")
    row(bob.page, "Friday lunch").tap()
    alice.say(SAID[0])
    message(bob.page, SAID[0]).locator(".bubble .text").tap()
    bob.page.get_by_role("toolbar", name="Message").get_by_role("button", name="Reply").tap()
    bob.say(SAID[1])
    shows(alice.page, SAID[:2])
    for user, emoji in ((carol, "👍"), (dan, "👍"), (dan, "🍜")):
        user("PUT", f"/v1/conversations/{group}/messages/2/reactions/{quote(emoji)}")
    carol.say(group, SAID[2])
    shows(bob.page, SAID[:3])
    alice.say("At noon?")
    shows(bob.page, [*SAID[:3], "At noon?"])
    use(alice.page, "At noon?", "Edit")
    alice.say(SAID[3])
    for visitor in (alice, bob):
        shows(visitor.page, SAID)
        expect(visitor.page.locator(".reaction")).to_have_count(2)
        visitor.page.mouse.move(0, 0)
    images = [base64.b64encode(picture(visitor)).decode() for visitor in (alice, bob)]
    canvas.set_content(BESIDE + "".join(f'<img src="data:image/png;base64,{image}">' for image in images))
    made = canvas.screenshot()
    assert len(made) < MAX_BYTES
    if os.environ.get("SCREENSHOT"):
        FILE.write_bytes(made)
    assert size(FILE.read_bytes()) == size(made)
    assert FILE.stat().st_size < MAX_BYTES
