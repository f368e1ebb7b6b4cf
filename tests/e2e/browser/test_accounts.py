"""The settings of an account: the profile, the password and the sessions, on all of a user's devices."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from e2e.browser.groups import make_group
from e2e.browser.visitor import PASSWORD, PHONE, Enter, Visitor, fresh, row
from serving import Server


def settings(page: Page) -> Locator:
    """Opens the settings by the keyboard."""
    page.locator(".account").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # the first item of the menu has the focus
    sheet = page.get_by_role("dialog", name="Settings")
    expect(sheet).to_be_visible()
    return sheet


def rename(page: Page, name: str) -> None:
    sheet = settings(page)
    field = sheet.get_by_label("Display name")
    expect(sheet.get_by_role("button", name="Save")).to_be_enabled()
    field.fill(name)
    field.press("Enter")
    expect(sheet.get_by_text("Saved.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)


def test_a_name_that_is_changed_on_one_device_is_shown_on_the_other_and_to_others_with_the_id(enter: Enter) -> None:
    alice, bob = fresh("alice"), fresh("bob")
    desk, other = enter(alice), enter(bob)
    phone = enter(alice, sign_up=False, **PHONE)
    phone.fill_in("Sign in")
    expect(phone.page.locator(".account .called")).to_have_text(alice)
    rename(desk.page, "Алиса  Лидделл")
    for device in (desk, phone):
        expect(device.page.locator(".account .called")).to_have_text("Алиса Лидделл")
        expect(device.page.locator(".account .handle")).to_have_text(alice)
    other.write_to_named(alice, "Алиса Лидделл")
    expect(other.page.locator(".conversation .about")).to_have_text(re.compile(f"^{alice}( · offline)?$"))
    other.say("hi")
    expect(row(other.page, "Алиса Лидделл").locator(".handle")).to_have_text(alice)
    group = make_group(desk, "Hike", bob)
    assert group
    desk.open("Hike")
    desk.say("in the group")
    row(other.page, "Hike").click()
    expect(other.page.locator(".bubble .name")).to_have_text(f"Алиса Лидделл{alice}")
    rename(desk.page, "")
    expect(phone.page.locator(".account .called")).to_have_text(alice)
    expect(phone.page.locator(".account .handle")).to_have_count(0)


def test_what_cannot_be_a_profile_is_said_at_its_field(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.expect_errors(r"status of 422")
    sheet = settings(alice.page)
    expect(sheet.get_by_role("button", name="Save")).to_be_enabled()
    sheet.get_by_label("Display name").fill("x" * 65)
    sheet.get_by_role("button", name="Save").click()
    expect(sheet.locator("#display-name-error")).to_have_text("give 64 characters at most")
    expect(sheet.get_by_label("Display name")).to_be_focused()
    sheet.get_by_label("Display name").fill("Ann")
    sheet.get_by_label("Picture (URL)").fill("http://pictures.example/ann.png")
    sheet.get_by_role("button", name="Save").click()
    expect(sheet.locator("#avatar-url-error")).to_contain_text("https://")
    sheet.get_by_label("Picture (URL)").fill("")
    expect(sheet.get_by_label("Let others see what you have read")).to_be_checked()
    sheet.get_by_label("Let others see what you have read").uncheck()
    sheet.get_by_role("button", name="Save").click()
    expect(sheet.get_by_text("Saved.")).to_be_visible()
    alice.page.reload()
    sheet = settings(alice.page)
    expect(sheet.get_by_label("Display name")).to_have_value("Ann")
    expect(sheet.get_by_label("Let others see what you have read")).not_to_be_checked()


def test_a_session_that_is_ended_elsewhere_is_signed_out_at_once(enter: Enter) -> None:
    alice = fresh("alice")
    desk, phone = enter(alice), enter(alice, sign_up=False, **PHONE)
    phone.expect_errors(r"status of 401")
    phone.fill_in("Sign in")
    expect(phone.page.get_by_role("navigation", name="Conversations")).to_be_visible()
    sheet = settings(desk.page)
    sessions = sheet.locator(".sessions li")
    expect(sessions).to_have_count(2)
    expect(sessions.first).to_contain_text("This one")
    expect(sessions.last).to_contain_text("Chrome on")
    sessions.last.get_by_role("button").click()
    desk.page.get_by_role("dialog", name=re.compile("^Sign Chrome")).get_by_role(
        "button", name="Sign out", exact=True
    ).click()
    expect(sessions).to_have_count(1)
    expect(phone.page.get_by_text("You have been signed out. Sign in to go on.")).to_be_visible()
    expect(sheet).to_be_visible()


def test_another_password_signs_the_other_devices_out(enter: Enter) -> None:
    alice, new = fresh("alice"), "battery staple"
    desk, phone = enter(alice), enter(alice, sign_up=False)
    desk.expect_errors(r"status of 403")
    phone.expect_errors(r"status of 401")
    phone.fill_in("Sign in")
    expect(phone.page.get_by_role("navigation", name="Conversations")).to_be_visible()
    sheet = settings(desk.page)
    old, wanted = sheet.get_by_label("Old password"), sheet.get_by_label("New password")
    change = sheet.get_by_role("button", name="Change password")
    wanted.fill(new)
    change.click()
    expect(sheet.locator("#old-password-error")).to_contain_text("Please enter")
    old.fill("wrong horse")
    wanted.fill("short")
    change.click()
    expect(sheet.locator("#new-password-error")).to_contain_text("at least 8")
    wanted.fill(new)
    change.click()
    expect(sheet.locator("#old-password-error")).to_have_text("The old password is wrong.")
    expect(phone.page.get_by_role("navigation", name="Conversations")).to_be_visible()
    old.fill(PASSWORD)
    change.click()
    expect(sheet.get_by_text("Your password is changed")).to_be_visible()
    expect(sheet.locator(".sessions li")).to_have_count(1)
    expect(phone.page.get_by_text("You have been signed out. Sign in to go on.")).to_be_visible()
    phone.page.get_by_label("Name", exact=True).fill(alice)
    phone.page.get_by_label("Password", exact=True).fill(new)
    phone.page.get_by_label("Password", exact=True).press("Enter")
    expect(phone.page.get_by_role("navigation", name="Conversations")).to_be_visible()
    old.fill(new)
    wanted.fill(PASSWORD)
    with desk.page.expect_request("**/v1/me/sessions"):  # each change has the list loaded again
        change.click()
    expect(sheet.locator(".sessions li")).to_have_count(1)


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a directory and pictures."""
    folder: Path = tmp_path_factory.mktemp("open") / "data"
    with Server(folder, "--workers", "1", "--directory", "on", "--avatars", "on") as running:
        yield running


PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


def test_people_are_found_by_the_first_letters_of_their_names_and_shown_with_their_pictures(
    browser: Browser, open_server: Server
) -> None:
    asked: list[Route] = []

    def picture(route: Route) -> None:
        asked.append(route)
        route.fulfill(status=200, content_type="image/png", body=PIXEL)

    alice, zoe = (Visitor(browser, open_server.url, fresh(name)) for name in ("alice", "zoe"))
    for visitor in (alice, zoe):
        visitor.context.route("https://pictures.example/**", picture)
        visitor.sign_up()
    sheet = settings(zoe.page)
    expect(sheet.get_by_role("button", name="Save")).to_be_enabled()
    sheet.get_by_label("Display name").fill("Zoë")
    sheet.get_by_label("Picture (URL)").fill("https://pictures.example/zoe.png")
    expect(sheet.locator(".face img")).to_have_attribute("src", "https://pictures.example/zoe.png")
    sheet.get_by_role("button", name="Save").click()
    expect(sheet.get_by_text("Saved.")).to_be_visible()
    alice.page.get_by_role("searchbox").fill(zoe.name[:3].upper())
    found = alice.page.locator(".found-people button")
    expect(found).to_have_count(1)
    expect(found).to_contain_text(f"Zoë{zoe.name}")
    found.click()
    expect(alice.page.get_by_role("heading", name="Zoë")).to_be_visible()
    image = alice.page.locator(".conversation .bar .avatar img")
    expect(image).to_have_attribute("referrerpolicy", "no-referrer")
    expect(image).to_have_js_property("complete", True)
    assert asked
    assert not any("referer" in route.request.headers for route in asked)
    for visitor in (alice, zoe):
        visitor.close()


def test_no_picture_of_a_stranger_is_loaded_unless_the_server_says_so(enter: Enter, server: Server) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    asked: list[str] = []

    def abort(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    alice.context.route("https://**", abort)
    sheet = settings(bob.page)
    expect(sheet.get_by_role("button", name="Save")).to_be_enabled()
    sheet.get_by_label("Display name").fill("Bob Builder")
    sheet.get_by_label("Picture (URL)").fill("https://pictures.example/bob.png")
    sheet.get_by_role("button", name="Save").click()
    expect(sheet.get_by_text("Saved.")).to_be_visible()
    alice.write_to_named(bob.name, "Bob Builder")
    expect(alice.page.locator(".conversation .bar .avatar")).to_have_text("BB")
    assert alice.page.locator("img[src^='https:']").count() == 0
    assert asked == []
