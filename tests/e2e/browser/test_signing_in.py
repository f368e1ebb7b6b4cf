"""The sign-in form."""

import re
import time
from pathlib import Path

import jwt
from playwright.sync_api import expect

from e2e.api import Person
from e2e.browser.visitor import NETWORK_GONE, PASSWORD, PATIENCE, Enter, banner, fresh, shows
from serving import Server


def test_the_form_says_what_is_wrong(enter: Enter) -> None:
    taken = enter(fresh("alice"))
    alice = enter(taken.name, sign_up=False)
    alice.expect_errors(r"status of (401|404|409)")
    page = alice.page
    alert = page.get_by_role("alert").filter(visible=True)
    alice.fill_in("New here", "short")
    expect(alert).to_contain_text("8 characters")
    alice.fill_in("New here")
    expect(alert).to_contain_text(re.compile("taken|exists|already", re.IGNORECASE))
    alice.fill_in("Sign in", "wrong password")
    expect(alert).to_be_visible()
    page.get_by_role("button", name="Show password").click()
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "text")
    alice.fill_in(password=PASSWORD)
    expect(page.get_by_role("navigation", name="Conversations")).to_be_visible()
    alice.find("nobody-of-this-name")
    expect(alert).to_contain_text("nobody-of-this-name")


def test_capitals_make_no_other_person_and_the_page_shows_the_one_name(enter: Enter) -> None:
    bob, alice = enter(fresh("bob")), enter(fresh("Alice"))
    name = alice.name.lower()
    expect(alice.page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    again = enter(alice.name.upper(), sign_up=False)
    again.fill_in("Sign in")
    expect(again.page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    alice.find(bob.name.upper())
    expect(alice.page.get_by_role("heading", name=bob.name, exact=True)).to_be_visible()
    alice.say("hi")
    bob.open(name)
    shows(bob.page, ["hi"])
    # Opened from the list, and by a URL typed by hand.
    again.find("".join(chr(ord(letter) + 0xFEE0) for letter in bob.name))
    expect(again.page.get_by_role("heading", name=bob.name, exact=True)).to_be_visible()
    again.page.goto(f"{again.url}/#/dm:{bob.name.upper()}:{alice.name}")
    shows(again.page, ["hi"])


def test_a_session_that_was_ended_elsewhere_leads_back_to_the_form(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.expect_errors("status of 401")  # any request of the page may get it
    alice.page.evaluate("fetch('/v1/session', { method: 'DELETE' })")
    expect(alice.page.get_by_role("status")).to_contain_text("signed out")
    alice.fill_in()
    expect(alice.page.get_by_role("navigation", name="Conversations")).to_be_visible()


def test_without_sign_up_there_is_no_way_to_it(enter: Enter, tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--workers", "1", "--signup", "closed") as closed:
        alice = enter("alice", url=closed.url, sign_up=False)
        expect(alice.page.get_by_role("button", name="Sign in")).to_be_visible()
        expect(alice.page.get_by_role("button", name="New here")).to_have_count(0)


def test_an_existing_systems_token_is_enough(enter: Enter, tmp_path: Path) -> None:
    secret = "a secret of an existing system, long enough"
    alice, bob = fresh("alice"), fresh("bob")
    token = jwt.encode({"sub": bob, "exp": time.time() + 600}, secret, algorithm="HS256")
    extra = {"SSECHAT_JWT_SECRET": secret}
    with Server(tmp_path / "data", "--workers", "1", extra_environment=extra) as external:
        visitor = enter(bob, url=external.url, sign_up=False)
        page = visitor.page
        visitor.expect_errors(f"{NETWORK_GONE}|status of 401")
        page.get_by_label("Access token", exact=True).fill("nonsense")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("alert").filter(visible=True)).to_contain_text("is not valid here")
        page.get_by_label("Access token", exact=True).fill(token)
        page.get_by_role("button", name="Continue").click()
        other = jwt.encode({"sub": alice, "exp": time.time() + 600}, secret, algorithm="HS256")
        with Person(external, alice, other) as sender:
            sender.say("one", bob)
            visitor.open(alice)
            shows(page, ["one"])
        page.reload()
        shows(page, ["one"])
        port = external.port
        external.stop()
        expect(banner(page)).to_contain_text("Reconnecting")
    with Server(tmp_path / "data", "--workers", "1", port=port, extra_environment=extra) as external:
        expect(banner(page)).to_be_hidden(timeout=PATIENCE)
        with Person(external, alice, other) as sender:
            sender.say("two", bob)
        shows(page, ["one", "two"])
        assert "?ticket=" not in page.url


def test_whoever_signs_out_is_asked_to_sign_in_and_whoever_is_taken_for_new_is_told_of_it(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.expect_errors("status of 409")
    alice.sign_out()
    expect(alice.page.get_by_role("button", name="Sign in", exact=True).first).to_have_attribute("aria-pressed", "true")
    alice.fill_in("New here")
    expect(alice.page.get_by_role("alert").filter(visible=True)).to_contain_text("sign in if it is yours")
