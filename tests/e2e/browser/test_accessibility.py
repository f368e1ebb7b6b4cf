"""What the page must bear: zoom, forced colours, little motion, directions of texts; and where its focus goes."""

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from e2e.browser.groups import details, message
from e2e.browser.screens import talk
from e2e.browser.test_screens import OUTSIDE
from e2e.browser.visitor import PHONE, Enter, row
from serving import Server

LOOKS: dict[str, dict[str, Any]] = {
    "phone": PHONE,
    "forced": {"forced_colors": "active"},
    "zoomed": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2, "reduced_motion": "reduce"},
}


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


BORDERS = "node => ['borderLeftWidth', 'borderRightWidth'].map((name) => getComputedStyle(node)[name])"


@pytest.mark.parametrize("look", ["desk", "phone"])
def test_where_one_reads_from_right_to_left_the_page_is_mirrored(enter: Enter, server: Server, look: str) -> None:
    """No language of the page is read so yet: its style does not stand in the way of one."""
    alice, bob, group = talk(enter, server, **LOOKS.get(look, {"viewport": {"width": 1180, "height": 760}}))
    page = alice.page
    bob.say(group, "yours")
    bob.say(group, "yours, too")
    expect(message(page, "yours, too")).to_be_visible()
    page.evaluate("document.documentElement.dir = 'rtl'")
    assert page.evaluate(OUTSIDE) == []
    column = edges(page.locator(".viewport .messages"))
    for text, mine in (("mine", True), ("yours", False)):
        one = message(page, text).first
        left, right = edges(one.locator(".bubble"))
        assert (left - column[0] < 1, column[1] - right < 1) == (mine, not mine)
        rounded = one.locator(".bubble").evaluate("node => getComputedStyle(node).borderBottomLeftRadius")
        assert (rounded == "6px") is mine
        time = edges(one.locator(".meta"))  # beside the bubble, as the message is not the last one of its group
        assert time[0] >= right if mine else time[1] <= left
        assert column[0] <= time[0] < time[1] <= column[1]
    send, composer = edges(page.get_by_role("button", name="Send", exact=True)), edges(page.locator("#composer"))
    assert send[1] < composer[0]
    if look == "phone":
        page.get_by_role("button", name="Back to conversations").click()
        expect(page.get_by_role("searchbox")).to_be_visible()
        assert page.evaluate(OUTSIDE) == []
        return
    panel = details(page)
    sidebar, main = page.locator(".sidebar"), page.locator(".conversation")
    assert edges(panel)[1] <= edges(main)[0] < edges(main)[1] <= edges(sidebar)[0]
    assert [one.evaluate(BORDERS) for one in (panel, sidebar)] == [["0px", "1px"], ["1px", "0px"]]
    assert page.evaluate(OUTSIDE) == []


def edges(locator: Locator) -> tuple[float, float]:
    """Where an element begins and ends, in pixels from the left."""
    box = locator.bounding_box()
    assert box is not None
    return box["x"], box["x"] + box["width"]


FOCUSED = """() => {
    const at = document.activeElement;
    const dialog = document.querySelector("dialog[open]");
    return !dialog || at === document.body || dialog.contains(at) ? "" : at.outerHTML;
}"""
"""What has the focus outside a dialog that is open. Behind its last control are the browser's own."""
UNSEEN = """() => {
    const at = document.activeElement;
    const outlined = (node) => node && getComputedStyle(node).outlineStyle !== "none" && node.getClientRects().length;
    const shown = [at, at.closest(".input"), at.matches(".message") && at.querySelector(".bubble")].some(outlined);
    return at === document.body || shown ? "" : at.outerHTML.slice(0, 200);
}"""
"""What has the focus, and does not show it."""


def press(page: Page, *names: str) -> None:
    """Opens something by the keyboard: presses the buttons and items of these names, one after the other."""
    for name in names:
        button = page.get_by_role("button", name=name, exact=True).or_(page.get_by_role("menuitem", name=name)).last
        button.focus()
        page.keyboard.press("Enter")


def test_a_dialog_keeps_the_focus_and_gives_it_back_where_it_was(enter: Enter, server: Server) -> None:
    alice, bob, _ = talk(enter, server)
    page, keys, panel = alice.page, alice.page.keyboard, details(alice.page)
    panel.get_by_role("button", name="Create link").click()
    expect(panel.get_by_role("button", name="Revoke")).to_be_visible()
    menu, dialog = f"What to do with {bob.user}", page.get_by_role("dialog")
    for path in (
        ("New group",),
        ("Name and topic",),
        ("Revoke",),
        (menu, "Remove"),
        ("Leave group",),
        ("End group for all",),
        (alice.name, "Settings"),
    ):
        press(page, *path)
        expect(dialog, path[-1]).to_be_visible()
        for back in (False, True):
            for _ in range(16):
                keys.press("Shift+Tab" if back else "Tab")
                assert page.evaluate(FOCUSED) == "", path
                assert page.evaluate(UNSEEN) == "", path
        keys.press("Escape")
        expect(dialog).to_have_count(0)
        expect(page.get_by_role("button", name=path[0], exact=True), path[-1]).to_be_focused()
    press(page, menu)
    expect(page.get_by_role("menuitem").first).to_be_focused()
    keys.press("ArrowUp")
    expect(page.get_by_role("menuitem").last).to_be_focused()
    keys.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(page.get_by_role("button", name=menu)).to_be_focused()
    page.locator("#composer").focus()
    keys.press("Control+k")
    expect(dialog).to_be_visible()
    keys.press("Escape")
    expect(page.locator("#composer")).to_be_focused()


@pytest.mark.parametrize("look", ["phone", "zoomed"])
def test_details_that_cover_the_conversation_give_the_focus_back(enter: Enter, server: Server, look: str) -> None:
    alice, _, _ = talk(enter, server, **LOOKS[look])
    page = alice.page
    details(page)
    expect(page.get_by_role("heading", name="Group details")).to_be_focused()
    expect(page.get_by_role("main").get_by_role("heading", name="Friday lunch")).to_have_count(1)
    expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Group details")).to_be_focused()


def test_whatever_tab_leads_to_shows_that_it_has_the_focus(enter: Enter, server: Server) -> None:
    alice, _, _ = talk(enter, server)
    page = alice.page
    details(page)
    page.get_by_role("searchbox").focus()
    seen: list[str] = []
    for _ in range(50):
        page.keyboard.press("Tab")
        assert page.evaluate(UNSEEN) == ""
        seen.append(page.evaluate("document.activeElement.outerHTML"))
    assert len(set(seen)) > 15
