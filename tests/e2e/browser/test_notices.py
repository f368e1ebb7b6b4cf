"""Notifications of messages that come while nobody looks."""

from typing import Any

from playwright.sync_api import Page, expect

from e2e.api import Person
from e2e.browser.groups import Curl, make_group
from e2e.browser.visitor import Enter, Visitor, fresh, row, until
from serving import Server

FAKE = """
window.told = [];
window.looking = true;
window.asked = 0;
document.hasFocus = () => window.looking;
window.Notification = class extends EventTarget {
    static permission = PERMISSION;
    static async requestPermission() {
        window.asked++;
        return (Notification.permission = "granted");
    }
    constructor(title, { body, tag }) {
        super();
        window.told.push([title, body]);
        window.last = this;
    }
    close() {}
};
"""


def come(enter: Enter, permission: str) -> Visitor:
    """Somebody whose browser keeps what it was told to show, and who looks when the test says so."""
    bob = enter(fresh("bob"))
    bob.context.add_init_script(FAKE.replace("PERMISSION", f"'{permission}'"))
    bob.page.reload()
    expect(bob.page.get_by_role("navigation", name="Conversations")).to_be_visible()
    return bob


def look(page: Page, looking: bool) -> None:
    page.evaluate("looking => { window.looking = looking; dispatchEvent(new Event('focus')); }", looking)


def told(page: Page) -> list[Any]:
    shown: list[Any] = page.evaluate("window.told")
    return shown


def test_notifications_are_offered_once_a_message_was_missed_and_asked_for_by_a_button(
    enter: Enter, server: Server
) -> None:
    bob, alice = come(enter, "default"), fresh("alice")
    page = bob.page
    offer = page.get_by_role("region", name="Notifications")
    with Person(server, alice) as sender:
        sender.say("while he looks", bob.name)
        expect(row(page, alice)).to_be_visible()
        expect(offer).to_be_hidden()
        look(page, False)
        sender.say("missed", bob.name)
        expect(offer).to_be_visible()
        assert (page.evaluate("window.asked"), told(page)) == (0, [])
        offer.get_by_role("button", name="Turn on").click()
        expect(offer).to_be_hidden()
        assert page.evaluate("window.asked") == 1
        sender.say("**told** of", bob.name)
        until(page, lambda: told(page) == [[alice, "told of"]])
        page.evaluate("window.last.dispatchEvent(new Event('click'))")
        expect(page.get_by_role("heading", name=alice, exact=True)).to_be_visible()


def test_whoever_declines_is_not_offered_notifications_again(enter: Enter, server: Server) -> None:
    bob, alice = come(enter, "default"), fresh("alice")
    offer = bob.page.get_by_role("region", name="Notifications")
    with Person(server, alice) as sender:
        look(bob.page, False)
        sender.say("one", bob.name)
        offer.get_by_role("button", name="No", exact=True).click()
        bob.page.reload()
        look(bob.page, False)
        sender.say("two", bob.name)
        expect(row(bob.page, alice)).to_contain_text("two")
        expect(offer).to_be_hidden()


def test_nobody_is_notified_of_muted_conversations_or_while_another_tab_is_watched(
    enter: Enter, server: Server
) -> None:
    bob = come(enter, "granted")
    page = bob.page
    alice = Curl(server, fresh("alice"))
    make_group(bob, "Loud", alice.user)
    group = page.evaluate("decodeURIComponent(location.hash.slice(2))")
    quiet = alice.make_group("Quiet", bob.name)
    bob.open("Quiet")
    page.get_by_role("button", name="Mute", exact=True).click()
    expect(page.get_by_role("button", name="Unmute")).to_be_visible()
    look(page, False)
    alice.say(quiet, "not told")
    alice.say(group, "told")
    until(page, lambda: told(page) == [[f"{alice.user} in Loud", "told"]])
    other = bob.tab()
    expect(row(other, "Loud")).to_be_visible()
    look(other, True)
    alice.say(group, "seen in the other tab")
    expect(row(page, "Loud")).to_contain_text("seen in the other tab")
    look(other, False)
    alice.say(group, "told again")
    until(page, lambda: len(told(page)) > 1)
    assert told(page)[1:] == [[f"{alice.user} in Loud", "told again"]]
