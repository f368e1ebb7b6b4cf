"""The tone of a message that comes while nobody looks at its conversation."""

from playwright.sync_api import Page, expect

from e2e.browser.groups import Curl
from e2e.browser.visitor import Enter, Visitor, fresh, row, until
from serving import Server

COUNTED = """
window.tones = 0;
window.looking = true;
document.hasFocus = () => window.looking;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...when) {
    if (this.context.state === "running") window.tones++;
    return start.apply(this, when);
};
"""


JUST_SOUNDED = """user => new Promise((held) => {
    navigator.locks.request(`ssechat:sound:${user}`, () => {
        held();
        return new Promise((release) => { window.release = release; });
    });
})"""
"""Does what a tab does that has sounded, until `window.release()`."""


def look(page: Page, looking: bool) -> None:
    page.evaluate("looking => { window.looking = looking; dispatchEvent(new Event('focus')); }", looking)


def tones(*pages: Page) -> int:
    return sum(page.evaluate("window.tones") for page in pages)


def turn(page: Page, name: str) -> None:
    """Turns the sound on or off, in the settings."""
    page.locator(".account").click()
    page.get_by_role("menuitem", name="Settings").click()
    page.get_by_role("switch", name=name).click()
    page.keyboard.press("Escape")


def quiet(page: Page) -> None:
    """Waits until a tone may follow the last one."""
    none = "({ held }) => !held.some(({ name }) => name.startsWith('ssechat:sound'))"
    until(page, lambda: page.evaluate(f"() => navigator.locks.query().then({none})"))


def come(enter: Enter) -> Visitor:
    alice = enter(fresh("alice"))
    alice.context.add_init_script(COUNTED)
    alice.page.reload()
    expect(alice.page.get_by_role("navigation", name="Conversations")).to_be_visible()
    return alice


def test_one_tab_sounds_once_turned_on_where_nobody_looks_and_the_conversation_is_not_muted(
    enter: Enter, server: Server
) -> None:
    alice, bob = come(enter), Curl(server, fresh("bob"))
    page = alice.page
    loud, still = bob.make_group("Loud", alice.name), bob.make_group("Still", alice.name)
    alice.open("Still")
    page.get_by_role("button", name="Mute", exact=True).click()
    expect(page.get_by_role("button", name="Unmute")).to_be_visible()
    bob.say(loud, "before")
    expect(row(page, "Loud")).to_contain_text("before")
    assert tones(page) == 0
    turn(page, "Sound")
    until(page, lambda: tones(page) == 1)  # so one knows how it sounds
    other = alice.tab()
    other.locator(".account").click()
    other.keyboard.press("Escape")
    expect(row(other, "Loud")).to_be_visible()
    look(other, False)
    bob.say(loud, "heard")
    until(page, lambda: tones(page, other) == 2)
    quiet(page)
    bob.say(still, "muted")
    expect(row(other, "Still")).to_contain_text("muted")
    alice.open("Loud")
    bob.say(loud, "seen")
    expect(row(other, "Loud")).to_contain_text("seen")
    look(page, False)
    bob.say(loud, "heard again")
    until(page, lambda: tones(page, other) == 3)
    quiet(page)
    page.evaluate(JUST_SOUNDED, alice.name)
    bob.say(loud, "too soon")
    expect(row(other, "Loud")).to_contain_text("too soon")
    page.evaluate("window.release()")
    look(page, True)
    turn(page, "Sound")
    look(page, False)
    bob.say(loud, "off")
    expect(row(other, "Loud")).to_contain_text("off")
    assert tones(page, other) == 3
