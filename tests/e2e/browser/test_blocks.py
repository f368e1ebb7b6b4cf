"""Blocking somebody in the page: it holds at once, on all devices, and the other one is told nothing."""

from playwright.sync_api import Page, expect

from e2e.browser.groups import Curl
from e2e.browser.visitor import PHONE, Enter, Visitor, fresh, row, shows
from serving import Server


def choose(visitor: Visitor, item: str) -> None:
    """Opens the menu of the conversation, and chooses something."""
    visitor.page.get_by_role("button", name="More", exact=True).click()
    visitor.page.get_by_role("menuitem", name=item).click()


def confirm(page: Page, action: str) -> None:
    """Presses the button of the open dialog."""
    page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_block_holds_at_once_on_all_devices_until_it_is_taken_back(enter: Enter) -> None:
    alice, bob = fresh("alice"), fresh("bob")
    desk, other = enter(alice), enter(bob)
    phone = enter(alice, sign_up=False, **PHONE)
    phone.fill_in("Sign in")
    other.write_to(alice)
    other.say("hi")
    phone.open(bob)
    desk.open(bob)
    shows(desk.page, ["hi"])
    desk.page.locator("#composer").focus()
    choose(desk, f"Block {bob}")
    confirm(desk.page, "Cancel")
    expect(desk.page.locator("#composer")).to_be_visible()
    choose(desk, f"Block {bob}")
    confirm(desk.page, "Block")
    for device in (desk, phone):
        expect(device.page.get_by_text(f"You blocked {bob}.")).to_be_visible()
        expect(device.page.locator("#composer")).to_be_hidden()
        expect(device.page.locator(".message .text")).to_have_text(["hi"])
    expect(row(desk.page, bob).get_by_title("Blocked")).to_be_visible()
    # The other one sees that it cannot be sent, and neither why nor more.
    other.expect_errors("status of 403")
    expect(other.page.locator("#composer")).to_be_visible()
    other.say("hello?")
    expect(other.page.locator(".message.failed, .failed").first).to_be_visible()
    expect(other.page.get_by_text("cannot write to each other").first).to_be_visible()
    expect(other.page.get_by_text("blocked").locator("visible=true")).to_have_count(0)
    desk.page.reload()
    expect(desk.page.get_by_text(f"You blocked {bob}.")).to_be_visible()
    phone.page.get_by_role("button", name=f"Unblock {bob}").click()
    confirm(phone.page, "Unblock")
    for device in (desk, phone):
        expect(device.page.locator("#composer")).to_be_visible()
    expect(row(desk.page, bob).get_by_title("Blocked")).to_have_count(0)
    other.page.get_by_role("button", name="Try again").first.click()
    shows(desk.page, ["hi", "hello?"])


def test_who_was_never_written_to_can_be_blocked_and_the_list_of_the_blocked_unblocks(
    enter: Enter, server: Server
) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    alice.write_to(bob.name)
    choose(alice, "Blocked people")
    dialog = alice.page.get_by_role("dialog", name="Blocked people")
    expect(dialog).to_contain_text("You have blocked nobody")
    dialog.get_by_role("button", name="Close").click()
    choose(alice, f"Block {bob.name}")
    confirm(alice.page, "Block")
    expect(alice.page.get_by_text(f"You blocked {bob.name}.")).to_be_visible()
    alice.page.reload()
    expect(alice.page.get_by_text(f"You blocked {bob.name}.")).to_be_visible()
    choose(alice, "Blocked people")
    expect(dialog.get_by_role("listitem")).to_have_text([f"B{bob.name}Unblock"])
    # Somebody who is blocked by another program meanwhile comes into the list.
    carol = enter(fresh("carol"))
    curl = Curl(server, alice.name)
    curl("PUT", f"/v1/blocks/{carol.name}")
    expect(dialog.get_by_role("listitem")).to_have_count(2)
    dialog.get_by_role("button", name=f"Unblock {bob.name}").click()
    expect(dialog.get_by_role("listitem")).to_have_count(1)
    curl("DELETE", f"/v1/blocks/{carol.name}")
    expect(dialog).to_contain_text("You have blocked nobody")
    dialog.get_by_role("button", name="Close").click()
    expect(alice.page.locator("#composer")).to_be_visible()


def test_who_has_blocked_one_is_named_where_one_would_add_them(enter: Enter, server: Server) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    Curl(server, bob.name)("PUT", f"/v1/blocks/{alice.name}")
    alice.expect_errors("status of 403")
    alice.page.get_by_role("button", name="New group").first.click()
    dialog = alice.page.get_by_role("dialog", name="New group")
    dialog.get_by_label("Name").fill("Lunch")
    dialog.get_by_label("People").fill(bob.name)
    dialog.get_by_label("People").press("Enter")
    dialog.get_by_role("button", name="Create group").click()
    expect(dialog).to_contain_text(f"You cannot add '{bob.name}' to a group.")
