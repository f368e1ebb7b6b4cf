"""The pictures in deploy/, which README.md shows: a group talks, one of it at a desk and one with a phone.

`SCREENSHOT=1 bash tests/run tests/e2e/browser/test_screenshot.py` makes the files anew; for the reactions, the machine
needs a font with emoji, such as Debian's fonts-noto-color-emoji. Without SCREENSHOT the test makes the pictures, and
looks whether the files have as many pixels: files that every run changed would be in every commit.
"""

import base64
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.browser.groups import Curl, details, make_group, message, use
from e2e.browser.visitor import NETWORK_GONE, PHONE, Enter, Visitor, banner, row, shows
from serving import ROOT, Server

FOLDER = ROOT / "deploy"
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
    """A page that is as large as pictures beside each other."""
    page = browser.new_page()
    yield page
    page.close()


def picture(page: Page) -> bytes:
    """A screenshot of a page, without a blinking cursor, or the frame of what has the focus."""
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(0, 0)
    return page.screenshot(animations="disabled", caret="hide")


def keep(canvas: Page, name: str, *pictures: bytes) -> None:
    """Makes a file of pictures beside each other, if that is wanted; else it must be as large as they are."""
    sizes = [size(one) for one in pictures]
    width = sum(width for width, _ in sizes) + 24 * (len(sizes) + 1)
    canvas.set_viewport_size({"width": width, "height": max(height for _, height in sizes) + 2 * 24})
    images = [base64.b64encode(one).decode() for one in pictures]
    canvas.set_content(BESIDE + "".join(f'<img src="data:image/png;base64,{image}">' for image in images))
    made = canvas.screenshot()
    file = FOLDER / name
    if os.environ.get("SCREENSHOT"):
        file.write_bytes(made)
    assert size(file.read_bytes()) == size(made)
    assert max(len(made), file.stat().st_size) < MAX_BYTES


def test_the_pictures_show_a_group_that_talks(enter: Enter, server: Server, canvas: Page) -> None:
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
    expect(message(alice.page, "At noon?").locator(".state")).to_contain_text("Read by")  # it is drawn anew
    use(alice.page, "At noon?", "Edit")
    alice.say(SAID[3])
    for visitor in (alice, bob):
        shows(visitor.page, SAID)
        expect(visitor.page.locator(".reaction")).to_have_count(2)
    for user in (carol, dan):
        user("PUT", f"/v1/conversations/{group}/read", {"up_to": 4})
    expect(alice.page.locator(".message.mine .state").last).to_have_text("Read by 3 of 3")
    keep(canvas, "screenshot.png", picture(alice.page), picture(bob.page))
    keep(canvas, "screenshot-dark.png", in_the_dark(alice, Curl(server, "alice"), group))
    keep(canvas, "screenshot-phone.png", *on_a_phone(bob, carol, dan, group))
    keep(canvas, "screenshot-offline.png", *with_and_without_a_line(alice, bob))


def in_the_dark(alice: Visitor, api: Curl, group: str) -> bytes:
    """A group and its details beside it, in the dark scheme."""
    page = alice.page
    page.set_viewport_size({"width": 1184, "height": 640})
    page.emulate_media(color_scheme="dark")
    api("PUT", f"/v1/conversations/{group}/members/bob", {"role": "admin"})
    panel = details(page)
    expect(panel.locator(".role")).to_have_text(["Owner", "Admin"])
    return picture(page)


def with_and_without_a_line(alice: Visitor, bob: Visitor) -> list[bytes]:
    """Reactions to choose from at a desk; a phone that is offline, and keeps what is written on it."""
    page, phone = alice.page, bob.page
    for each in (page, phone):
        each.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Close the details").click()
    page.set_viewport_size(DESK["viewport"])
    message(page, SAID[1]).focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="React", exact=True).click()
    expect(page.get_by_role("dialog", name="Choose a reaction")).to_be_visible()
    phone.get_by_role("button", name="Close", exact=True).tap()
    row(phone, "Friday lunch").tap()
    expect(message(phone, SAID[3])).to_be_visible()
    bob.expect_errors(NETWORK_GONE)
    bob.context.set_offline(True)
    expect(banner(phone)).to_be_visible()
    bob.say("In a tunnel just now. Keep me a seat!")
    expect(phone.locator(".message.queued")).to_have_count(1)
    return [page.screenshot(animations="disabled", caret="hide"), picture(phone)]


def on_a_phone(bob: Visitor, carol: Curl, dan: Curl, group: str) -> list[bytes]:
    """The list of conversations, one of two people, and the settings, on a phone in the dark scheme."""
    page = bob.page
    page.emulate_media(color_scheme="dark")
    dan("POST", "/v1/messages", {"to": "bob", "text": "Did you see the boat?"})
    carol("POST", "/v1/messages", {"to": "bob", "text": "I have the tickets. Shall I bring yours on Friday?"})
    carol.say(group, "See you there, @bob!", mentions=["bob"])
    page.get_by_role("button", name="Back to conversations").tap()
    expect(page.locator(".conversation-row")).to_have_count(3)
    listed = picture(page)
    row(page, "carol").tap()
    shows(page, ["I have the tickets. Shall I bring yours on Friday?"])
    bob.say("Yes, please!")
    bob.say("🎉")
    shows(page, ["I have the tickets. Shall I bring yours on Friday?", "Yes, please!", "🎉"])
    carol("PUT", "/v1/conversations/dm:bob:carol/read", {"up_to": 3})
    expect(page.locator(".message.mine .state.read")).to_have_count(2)
    talk = picture(page)
    page.get_by_role("button", name="Back to conversations").tap()
    page.locator(".account").tap()
    page.get_by_role("menuitem", name="Settings").tap()
    expect(page.get_by_role("dialog").get_by_role("button", name="Save")).to_be_enabled()
    return [listed, talk, picture(page)]
