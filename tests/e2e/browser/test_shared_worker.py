"""The stream of all tabs in a shared worker, as a visitor's own browser has it."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from e2e.api import Person
from e2e.browser.test_tabs import Stopper, stop
from e2e.browser.visitor import NETWORK_GONE, Enter, Visitor, banner, fresh, row, shows
from serving import Server

__all__ = ["stop"]


def two_tabs(bob: Visitor, sender: Person) -> list[Page]:
    """Two tabs of bob's that show the sender's message "one"."""
    sender.say("one", bob.name)
    bob.open(sender.user)
    other = bob.tab()
    other.locator(".conversation-row").click()
    shows(other, ["one"])
    return [bob.page, other]


def test_no_tab_holds_a_stream_and_all_have_every_message(enter: Enter, server: Server) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"), worker=True)
    with Person(server, alice) as sender:
        tabs = two_tabs(bob, sender)
        sender.say("two", bob.name)
        bob.say("three", tabs[1])
        for tab in tabs:
            shows(tab, ["one", "two", "three"])
        tabs[0].close()
        sender.say("four", bob.name)
        shows(tabs[1], ["one", "two", "three", "four"])
        assert bob.streams == []
        tabs[1].reload()
        shows(tabs[1], ["one", "two", "three", "four"])
        sender.say("five", bob.name)
        shows(tabs[1], ["one", "two", "three", "four", "five"])


@pytest.mark.alone("it finds the process of a page by its CPU")
def test_a_stopped_tab_costs_the_others_nothing(enter: Enter, server: Server, stop: Stopper) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"), worker=True)
    with Person(server, alice) as sender:
        tabs = two_tabs(bob, sender)
        stop(tabs[0])
        for number in range(3):
            sender.say(f"meanwhile {number}", bob.name)
        shows(tabs[1], ["one", "meanwhile 0", "meanwhile 1", "meanwhile 2"])
        stop.resume()
        sender.say("after", bob.name)
        for tab in tabs:
            shows(tab, ["one", "meanwhile 0", "meanwhile 1", "meanwhile 2", "after"])


def test_the_worker_comes_back_with_the_server_and_nothing_is_lost(enter: Enter, tmp_path: Path) -> None:
    alice = fresh("alice")
    with Server(tmp_path / "data", "--workers", "2") as first:
        bob = enter(fresh("bob"), url=first.url, worker=True)
        bob.expect_errors(NETWORK_GONE)
        with Person(first, alice) as sender:
            tabs = two_tabs(bob, sender)
        port = first.port
        first.stop()
        expect(banner(tabs[1])).to_contain_text("Reconnecting")
        bob.say("written while the server was down", tabs[1])
    with Server(tmp_path / "data", "--workers", "2", port=port) as second, Person(second, alice) as sender:
        sender.say("and on", bob.name)
        for tab in tabs:
            expect(tab.locator(".message .text")).to_have_count(3)
            expect(banner(tab)).to_be_hidden()
        assert bob.streams == []


def test_what_the_tabs_have_is_delivered_before_it_is_read(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"), worker=True)
    alice.write_to(bob.name)
    for text in ("one", "two"):
        alice.say(text)
        expect(alice.page.locator(".message.mine .state").last).to_have_text("Delivered")
    assert bob.streams == []
    bob.open(alice.name)
    expect(alice.page.locator(".message.mine .state").last).to_have_text("Read")


def test_who_signs_in_next_has_a_stream_of_their_own(enter: Enter, server: Server) -> None:
    alice, carol = fresh("alice"), fresh("carol")
    bob, dave = enter(fresh("bob"), worker=True), enter(fresh("dave"))
    bob.expect_errors("status of 401")
    with Person(server, alice) as sender, Person(server, carol) as third:
        two_tabs(bob, sender)
        bob.sign_out()
        expect(bob.page.get_by_label("Password", exact=True)).to_be_visible()
        bob.name = dave.name
        bob.fill_in("Sign in")
        third.say("to dave", dave.name)
        expect(row(bob.page, carol)).to_contain_text("to dave")
        expect(row(bob.page, alice)).to_have_count(0)
