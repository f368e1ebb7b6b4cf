"""What axe-core finds on the screens of reading and writing, and what a page must bear: zoom, colours, directions."""

from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from e2e.browser.groups import Curl, details, make_group, message
from e2e.browser.visitor import PHONE, Enter, Visitor, fresh, row, shows
from serving import ROOT, Server

AXE = ROOT / "tests" / "web" / "node_modules" / "axe-core" / "axe.min.js"
RUN = """async () => {
    const { violations } = await axe.run({ resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html, any, all, none }) =>
        `${id}: ${html.slice(0, 200)} ${[...any, ...all, ...none].map(({ message }) => message).join("; ")}`));
}"""
SAID = (
    "Where do we eat? **Now** or *later*? See https://a.example/menu",
    "- a\n- b\n\n> quoted\n```\ncode = 1\n```",
    "שלום עולם",
    "👍",
    "long " * 600,
)
LOOKS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": PHONE,
    "forced": {"forced_colors": "active"},
    "zoomed": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2, "reduced_motion": "reduce"},
}


def findings(page: Page) -> list[str]:
    """What axe-core finds; it is injected, as the page's own policy lets no other script in."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    page.wait_for_function("document.getAnimations().every((one) => one.playState !== 'running')")
    found: list[str] = page.evaluate(RUN)
    return found


def talk(enter: Enter, server: Server, **options: Any) -> tuple[Visitor, Curl, str]:
    """Somebody with a group open in which all sorts of things have been said."""
    alice = enter(fresh("alice"), bypass_csp=True, **options)
    bob = Curl(server, fresh("bob"))
    group = make_group(alice, "Friday lunch", bob.user, topic="Where, and when?")
    for text in SAID:
        bob.say(group, text)
    bob.say(group, "an answer", reply_to=1)
    bob("PUT", f"/v1/conversations/{group}/messages/1/reactions/{quote('👍')}", {})
    alice.say("mine")
    alice.say("mine, too")
    shows(alice.page, [*SAID, "an answer", "mine", "mine, too"])
    return alice, bob, group


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_on_the_screens_of_reading_and_writing(enter: Enter, server: Server, look: str) -> None:
    alice, bob, _ = talk(enter, server, **LOOKS[look])
    page, keys = alice.page, alice.page.keyboard
    assert findings(page) == [], "a conversation"
    message(page, SAID[0]).focus()
    keys.press("Enter")
    assert findings(page) == [], "the tools of a message"
    keys.press("Escape")
    keys.press("Control+f")
    keys.type("eat")
    expect(page.locator(".thread-search .count")).to_have_text("1 of 1")
    assert findings(page) == [], "the search"
    keys.press("Escape")
    keys.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()
    assert findings(page) == [], "the switcher"
    keys.press("Escape")
    page.locator("#composer").fill(f"@{bob.user[:3]}")
    page.locator("#composer").press("End")
    assert findings(page) == [], "the names that complete"
    alice.expect_errors("status of 404")
    page.evaluate("location.hash = '#/g:nothing'")
    expect(page.get_by_text("There is no such group")).to_be_visible()
    assert findings(page) == [], "an address of nobody"


@pytest.mark.parametrize("look", ["phone", "zoomed"])
def test_nothing_is_wider_than_a_small_or_magnified_window(enter: Enter, server: Server, look: str) -> None:
    alice, _, _ = talk(enter, server, **LOOKS[look])
    page = alice.page
    wider = """() => [document.documentElement, ...document.querySelectorAll("main, main *")]
        .filter((node) => node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).overflowX === "auto"
            && node.localName !== "pre" && node.clientWidth).map((node) => node.outerHTML.slice(0, 120))"""
    assert page.evaluate(wider) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator("#composer")).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("button", name="Group details")).to_be_in_viewport(ratio=1)
    moves = "() => getComputedStyle(document.querySelector('.mine:not(.last) .meta')).transitionDuration"
    assert page.evaluate(moves) == ("0s" if "reduced_motion" in LOOKS[look] else "0.1s")


def test_forced_colours_show_what_is_selected(enter: Enter, server: Server) -> None:
    alice, _, _ = talk(enter, server, **LOOKS["forced"])
    style = "node => [getComputedStyle(node).outlineStyle, parseFloat(getComputedStyle(node).outlineWidth)]"
    assert row(alice.page, "Friday lunch").evaluate(style) == ["solid", 3]
    alice.page.keyboard.press("Control+k")
    alice.page.keyboard.type("fri")
    assert alice.page.get_by_role("option").first.evaluate(style) == ["solid", 3]


def test_each_text_has_its_own_direction(enter: Enter, server: Server) -> None:
    alice, _, _ = talk(enter, server)
    direction = "node => getComputedStyle(node).direction"
    assert message(alice.page, "שלום").locator(".content").evaluate(direction) == "rtl"
    assert message(alice.page, "mine, too").locator(".content").evaluate(direction) == "ltr"
    alice.page.locator("#composer").fill("שלום")
    assert alice.page.locator("#composer").evaluate(direction) == "rtl"
    details(alice.page)
