"""Dots of those who are there: they come at once, survive a reload, and go when somebody has gone for good."""

import json
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Locator, Page, Request, expect

from e2e.browser.groups import details, make_group
from e2e.browser.test_accounts import settings
from e2e.browser.visitor import Enter, fresh, row, until

GONE = 60_000
"""Milliseconds until somebody who has gone must count as offline: half a minute, on a machine that is not busy."""


def dot(page: Page, name: str) -> Locator:
    """The dot in a row of the list."""
    return row(page, name).locator(".dot")


def about(page: Page) -> Locator:
    """The line below the heading of the open conversation."""
    return page.locator(".conversation .about")


def below(one: Locator, other: Locator) -> float:
    """Pixels by which one element is away from another, downwards or upwards; infinite while one is drawn anew."""
    boxes = (one.bounding_box(), other.bounding_box())
    return abs(boxes[0]["y"] - boxes[1]["y"]) if boxes[0] and boxes[1] else float("inf")


def note_losses(page: Page) -> None:
    """Counts in the page how often a dot of the list goes."""
    page.evaluate(
        """() => {
          window.lost = 0;
          new MutationObserver((changes) => {
            for (const { removedNodes, target } of changes) for (const node of removedNodes)
              if (node.querySelector?.(".dot") && !target.querySelector(".dot")) window.lost += 1;
          }).observe(document.querySelector(".conversations"), { childList: true, subtree: true });
        }"""
    )


def test_the_dot_comes_at_once_survives_reloads_and_goes_for_good(enter: Enter) -> None:
    alice, bob = fresh("alice"), fresh("bob")
    mine, other = enter(alice), enter(bob)
    mine.write_to(bob)
    mine.say("hello")
    expect(dot(mine.page, bob)).to_be_visible()
    expect(about(mine.page)).to_have_text("online")
    expect(dot(mine.page, bob)).to_have_text("Online")  # for those who do not see it
    expect(dot(other.page, alice)).to_be_visible()
    note_losses(mine.page)
    for _ in range(3):
        other.page.reload()
        expect(dot(other.page, alice)).to_be_visible()
    mine.page.reload()
    expect(dot(mine.page, bob)).to_be_visible()
    note_losses(mine.page)
    other.page.reload()
    expect(row(other.page, alice)).to_be_visible()
    other.page.close()
    expect(about(mine.page)).to_have_text("last seen just now", timeout=GONE)
    expect(dot(mine.page, bob)).to_have_count(0)
    assert mine.page.evaluate("window.lost") == 1
    other.page = other.tab()
    expect(dot(mine.page, bob)).to_be_visible()
    expect(about(mine.page)).to_have_text("online")


def test_members_of_a_group_have_dots_and_strangers_have_none(enter: Enter) -> None:
    alice, bob, carol = enter(fresh("alice")), enter(fresh("bob")), enter(fresh("carol"))
    make_group(alice, "Walk", bob.name, carol.name)
    alice.page.get_by_role("button", name="Group details").click()
    members = alice.page.locator(".members li")
    for other in (bob, carol):
        expect(members.filter(has_text=other.name).locator(".dot")).to_be_visible()
    expect(members.filter(has_text="(you)").locator(".dot")).to_have_count(0)
    # Nobody has written directly: in a conversation of the two nothing is known.
    alice.page.get_by_role("button", name="Close the details").click()
    alice.write_to(carol.name)
    expect(about(alice.page)).to_have_text("offline")
    alice.say("hi")
    expect(about(alice.page)).to_have_text("online")


def test_who_is_invisible_looks_offline_and_finds_the_switch_as_it_left_it(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    alice.write_to(bob.name)
    alice.say("hello")
    expect(dot(alice.page, bob.name)).to_be_visible()
    settings(bob.page)
    switch = bob.page.get_by_role("switch", name="Let others see when you are online")
    expect(switch).to_be_checked()
    switch.click()
    expect(switch).not_to_be_checked()
    expect(dot(alice.page, bob.name)).to_have_count(0, timeout=GONE)
    bob.page.reload()
    settings(bob.page)
    expect(switch).to_be_enabled()
    expect(switch).not_to_be_checked()
    switch.click()
    expect(switch).to_be_checked()
    expect(dot(alice.page, bob.name)).to_be_visible()


def watch_lists(pages: Page | BrowserContext) -> list[dict[str, object]]:
    """The lists that a page, or all of a browser, gives from now on, as it gives them."""
    given: list[dict[str, object]] = []

    def note(request: Request) -> None:
        if request.method == "PUT" and request.url.endswith("/v1/presence"):
            given.append(json.loads(request.post_data or ""))

    pages.on("request", note)
    return given


def watches(given: list[dict[str, object]], *users: str) -> Callable[[], bool]:
    """Whether the latest list has these users."""
    return lambda: given[-1:] != [] and given[-1]["watch"] == [*users]


def test_only_those_who_are_on_the_screen_are_watched(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    alice.write_to(bob.name)
    alice.say("hello")
    expect(dot(alice.page, bob.name)).to_be_visible()
    alice.page.get_by_role("button", name="Notes to yourself").click()
    lists = watch_lists(alice.page)
    alice.page.reload()
    until(alice.page, watches(lists, bob.name))
    alice.page.set_viewport_size({"width": 390, "height": 700})  # one column: only the notes are shown
    until(alice.page, watches(lists))
    alice.page.set_viewport_size({"width": 1280, "height": 700})
    until(alice.page, watches(lists, bob.name))
    alice.page.reload(wait_until="commit")
    alice.page.set_viewport_size({"width": 390, "height": 700})  # before the page has given a list again
    until(alice.page, watches(lists))


def test_a_duplicate_of_a_tab_has_its_own_list(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    lists = watch_lists(alice.context)
    alice.write_to(bob.name)
    alice.say("hello")
    until(alice.page, watches(lists, bob.name))
    with alice.page.expect_popup() as opened:
        alice.page.evaluate("window.open(location.href)")  # as a duplicate: with a copy of sessionStorage
    expect(dot(opened.value, bob.name)).to_be_visible()
    assert len({one["device"] for one in lists}) == 2


def test_a_menu_of_a_member_stays_open_while_dots_come(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    bob.page.goto("about:blank")
    make_group(alice, "Hike", bob.name)
    button = details(alice.page).get_by_role("button", name=f"What to do with {bob.name}")
    old = button.element_handle()
    button.click()
    item = alice.page.get_by_role("menuitem", name="Make admin")
    expect(item).to_be_visible()
    until(alice.page, lambda: below(item, button) < 200)
    bob.page = bob.tab()
    until(alice.page, lambda: not old.evaluate("node => node.isConnected"))
    expect(item).to_be_visible()
    alice.page.keyboard.press("Escape")
    expect(item).to_have_count(0)
    expect(button).to_be_focused()
    button.click()
    item.click()
    expect(details(alice.page).locator(".members")).to_contain_text("Admin")
