"""Ticks on one's own messages change as the others get and read them, in two browsers at once."""

from playwright.sync_api import Locator, Page, expect

from e2e.browser.groups import Curl, make_group
from e2e.browser.visitor import PHONE, Enter, fresh, row, shows
from serving import Server


def mark(page: Page) -> Locator:
    """The mark on the newest of one's own messages."""
    return page.locator(".message.mine .state").last


def test_a_tick_is_sent_then_delivered_then_read_and_a_phone_of_the_same_person_shows_it(enter: Enter) -> None:
    alice, bob = fresh("alice"), fresh("bob")
    desk, other = enter(alice), enter(bob)
    other.page.goto("about:blank")  # bob is away
    desk.write_to(bob)
    desk.say("one")
    expect(mark(desk.page)).to_have_text("Sent")
    phone = enter(alice, sign_up=False, **PHONE, color_scheme="dark")
    phone.fill_in("Sign in")
    phone.open(bob)
    expect(mark(phone.page)).to_have_text("Sent")
    other.page.goto(other.url)
    expect(row(other.page, alice)).to_contain_text("one")
    for device in (desk, phone):
        expect(mark(device.page)).to_have_text("Delivered")
        expect(mark(device.page)).to_have_class("state delivered")
    desk.say("two")
    expect(mark(desk.page)).to_have_text("Delivered")
    other.open(alice)
    for device in (desk, phone):
        expect(device.page.locator(".message.mine .state.read")).to_have_count(2)
        expect(mark(device.page)).to_have_text("Read")
    # The tick is not told by its colour alone, and stands out from the bubble in both schemes.
    for device in (desk, phone):
        assert device.page.evaluate(CONTRAST) >= 3
    desk.page.reload()
    expect(desk.page.locator(".message.mine .state.read")).to_have_count(2)
    other.say("three")
    shows(desk.page, ["one", "two", "three"])
    desk.say("four")
    expect(mark(desk.page)).to_have_text("Read")


CONTRAST = """() => {
  const light = (color) => {
    const [r, g, b] = color.match(/[0-9.]+/g).slice(0, 3).map((one) => {
      const part = one / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const tick = document.querySelector(".message.mine .state.read");
  const [a, b] = [tick, tick.closest(".bubble")].map((one) => getComputedStyle(one));
  const [one, other] = [light(a.color), light(b.backgroundColor)].sort((x, y) => y - x);
  return (one + 0.05) / (other + 0.05);
}"""
"""The contrast of a tick with what is behind it (WCAG 2, SC 1.4.11)."""


def test_in_a_group_the_mark_says_by_how_many_and_opens_the_names(enter: Enter, server: Server) -> None:
    alice, bob, carol = enter(fresh("alice")), enter(fresh("bob")), Curl(server, fresh("carol"))
    group = make_group(alice, "Hike", bob.name, carol.user)
    alice.say("at noon?")
    expect(mark(alice.page)).to_have_text("Delivered to 1 of 2")
    bob.open("Hike")
    expect(mark(alice.page)).to_have_text("Read by 1 of 2")
    expect(mark(alice.page)).to_have_class("state sent")
    mark(alice.page).click()
    names = alice.page.get_by_role("dialog", name="Read by 1 of 2")
    expect(names.locator("section")).to_have_text([f"Read{bob.name}", f"Not delivered yet{carol.user}"])
    alice.page.keyboard.press("Escape")
    expect(names).to_have_count(0)
    carol("PUT", f"/v1/conversations/{group}/read", {"up_to": 1})
    expect(mark(alice.page)).to_have_text("Read by 2 of 2")
    expect(mark(alice.page)).to_have_class("state read")
    # Who joins later is not asked for what was written before.
    dave = Curl(server, fresh("dave"))
    Curl(server, alice.name)("PUT", f"/v1/conversations/{group}/members/{dave.user}", {})
    expect(alice.page.locator(".about")).to_contain_text("4 members")
    alice.say("and swim")
    expect(alice.page.locator(".message.mine .state")).to_have_text(["Read by 2 of 2", "Read by 1 of 3"])
    # With the keyboard: Tab leads from the message to its mark.
    alice.page.locator(".message.mine").last.focus()
    alice.page.keyboard.press("Tab")
    expect(mark(alice.page)).to_be_focused()
    alice.page.keyboard.press("Enter")
    expect(alice.page.get_by_role("dialog", name="Read by 1 of 3")).to_be_visible()


def test_who_has_switched_receipts_off_is_not_seen_to_read(enter: Enter, server: Server) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    Curl(server, bob.name)("PATCH", "/v1/me", {"receipts": False})
    alice.write_to(bob.name)
    alice.say("one")
    bob.open(alice.name)
    bob.say("yes")
    shows(alice.page, ["one", "yes"])
    expect(mark(alice.page)).to_have_text("Sent")
    expect(mark(bob.page)).to_have_text("Sent")
    Curl(server, bob.name)("PATCH", "/v1/me", {"receipts": True})
    expect(mark(bob.page)).to_have_text("Read")
    alice.page.reload()
    expect(mark(alice.page)).to_have_text("Read")
