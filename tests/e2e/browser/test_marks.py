"""What is read and muted is the same on all of a user's devices, at once."""

from playwright.sync_api import Locator, Page, expect

from e2e.browser.groups import Curl, make_group
from e2e.browser.visitor import PHONE, Enter, fresh, row, shows
from serving import Server


def badge(page: Page, name: str) -> Locator:
    """The count of unread messages in a row of the list."""
    return row(page, name).locator(".badge:not(.mentioned)")


def test_two_browsers_of_one_person_show_the_same_counts_and_marks(enter: Enter, server: Server) -> None:
    alice, bob = fresh("alice"), fresh("bob")
    desk, other = enter(alice), enter(bob)
    phone = enter(alice, sign_up=False, **PHONE)
    phone.fill_in("Sign in")
    other.write_to(alice)
    for text in ("one", "two", "three"):
        other.say(text)
    for device in (desk, phone):
        expect(badge(device.page, bob)).to_contain_text("3")
        expect(device.page).to_have_title("(3) ssechat")
    desk.open(bob)
    for device in (desk, phone):
        expect(badge(device.page, bob)).to_have_count(0)
    expect(phone.page).to_have_title("ssechat")
    phone.page.reload()
    expect(row(phone.page, bob)).to_contain_text("three")
    expect(badge(phone.page, bob)).to_have_count(0)
    desk.page.get_by_role("button", name="Mute").click()
    expect(desk.page.get_by_role("button", name="Unmute")).to_be_visible()
    desk.page.get_by_role("button", name="Notes to yourself").click()
    expect(row(phone.page, bob).locator(".muted")).to_be_visible()
    other.say("four")
    for device in (desk, phone):
        expect(badge(device.page, bob)).to_contain_text("1")
        expect(device.page).not_to_have_title("(1) ssechat")


def test_a_mention_shows_until_it_is_read_or_deleted(enter: Enter, server: Server) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    group = make_group(alice, "Hike", bob.name)
    bob.open("Hike")
    bob.say(f"@{alice.name} are you coming?")
    shows(alice.page, [f"@{alice.name} are you coming?"])
    expect(badge(alice.page, "Hike")).to_have_count(0)
    alice.page.get_by_role("button", name="Notes to yourself").click()
    mark = row(alice.page, "Hike").locator(".badge.mentioned")
    bob.say(f"@{alice.name}?")
    expect(mark).to_be_visible()
    curl = Curl(server, bob.name)
    curl("DELETE", f"/v1/conversations/{group}/messages/2")
    expect(mark).to_have_count(0)
