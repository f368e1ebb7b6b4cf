"""Tabs over plain HTTP, where a page has no Web Locks: this machine's own address that is not the loopback's."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from e2e.api import Person
from e2e.browser.relay import Relay
from e2e.browser.test_firefox import PLAIN_HOST, fox
from e2e.browser.visitor import Enter, Visitor, banner, fresh, shows, texts, until
from serving import Server

__all__ = ["fox"]

STREAM = "/v1/events"


@pytest.fixture
def relay(server: Server) -> Iterator[Relay]:
    """What the browser asks of the server, workers included. It comes before browsers, and so goes after them."""
    with Relay(server.port) as relay:
        yield relay


def plain(relay: Relay, host: str = "0.0.0.0") -> str:
    """The URL of a page that is no secure context; Firefox goes to no such address."""
    return relay.url.replace("127.0.0.1", host)


def streams(relay: Relay) -> int:
    """How many streams were asked for."""
    return sum(STREAM in target for target in relay.asked)


def has(tab: Page, *said: str) -> None:
    """Waits until a tab shows these texts, each once."""
    until(tab, lambda: sorted(texts(tab)) == sorted(said))


def tabs_of(bob: Visitor, sender: Person, count: int) -> list[Page]:
    """So many tabs of bob's, once all show the sender's message "one"."""
    assert bob.page.evaluate("[isSecureContext, !navigator.locks, !crypto.subtle]") == [False, True, True]
    sender.say("one", bob.name)
    bob.open(sender.user)
    tabs = [bob.page, *(bob.tab() for _ in range(count - 1))]
    for tab in tabs[1:]:
        tab.locator(".conversation-row").first.click()
    for tab in tabs:
        shows(tab, ["one"])
    return tabs


def test_ten_tabs_share_the_worker_s_stream_over_reloads_and_the_death_of_tabs(
    relay: Relay, enter: Enter, server: Server
) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"), url=plain(relay), worker=True)
    with Person(server, alice) as sender:
        tabs = tabs_of(bob, sender, 10)
        said = ["one", "two", "from the last tab"]
        sender.say(said[1], bob.name)
        for tab in tabs:
            shows(tab, said[:2])
        before = len(relay.asked)
        bob.say(said[2], tabs[-1])
        for tab in tabs:
            shows(tab, said)
        assert relay.asked[before:].count("/v1/messages") == 1
        tabs[3].reload()
        with pytest.raises(Error, match="crash"):
            tabs[4].goto("chrome://crash")
        tabs.pop(4)
        tabs.pop(0).close()
        for number in range(20):
            said.append(f"meanwhile {number}")
            sender.say(said[-1], bob.name)
        for tab in tabs:
            shows(tab, said)
        assert streams(relay) == 1
    assert bob.streams == []


def test_the_message_of_a_tab_that_is_killed_is_sent_once_by_another(
    relay: Relay, enter: Enter, server: Server
) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"), url=plain(relay), worker=True)
    with Person(server, alice) as sender:
        writer, other = tabs_of(bob, sender, 2)
        writer.route("**/v1/messages", lambda _: None)  # no answer
        bob.say("from the tab that is killed", writer)
        expect(other.locator(".message.queued")).to_have_count(1)
        with pytest.raises(Error, match="crash"):
            writer.goto("chrome://crash")
        shows(other, ["one", "from the tab that is killed"])
        other.reload()
        shows(other, ["one", "from the tab that is killed"])
        assert relay.asked.count("/v1/messages") == 1


def test_a_worker_that_is_killed_is_missed_and_nothing_is_lost(
    relay: Relay, enter: Enter, server: Server, browser: Browser
) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"), url=plain(relay), worker=True)
    with Person(server, alice) as sender:
        tabs = tabs_of(bob, sender, 4)
        devtools = browser.new_browser_cdp_session()
        found = devtools.send("Target.getTargets", {"filter": [{"type": "shared_worker"}]})["targetInfos"]
        for each in found:
            devtools.send("Target.closeTarget", {"targetId": each["targetId"]})
        began = time.monotonic()
        sender.say("two", bob.name)
        for tab in tabs:
            shows(tab, ["one", "two"])
            expect(banner(tab)).to_be_hidden()
        assert time.monotonic() - began < 9
        holder = bob.streams[-1]
        tabs.append(bob.tab())  # which begins a worker anew
        tabs[-1].locator(".conversation-row").first.click()
        shows(tabs[-1], ["one", "two"])
        tabs.remove(holder)
        holder.close()
        sender.say("three", bob.name)
        for tab in tabs:
            shows(tab, ["one", "two", "three"])


def test_tabs_without_a_worker_share_the_stream_of_the_last_one(relay: Relay, enter: Enter, server: Server) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"), url=plain(relay))
    with Person(server, alice) as sender:
        tabs = tabs_of(bob, sender, 7)
        assert bob.streams == tabs
        sender.say("two", bob.name)
        bob.say("three", tabs[0])
        for tab in tabs:
            has(tab, "one", "two", "three")
        assert bob.streams == tabs
        tabs.pop().close()
        sender.say("four", bob.name)
        for tab in tabs:
            has(tab, "one", "two", "three", "four")


def test_tabs_in_firefox_share_the_worker_s_stream(fox: Browser, server: Server, relay: Relay) -> None:
    alice, bob = fresh("alice"), Visitor(fox, plain(relay, PLAIN_HOST), fresh("bob"), worker=True)
    bob.sign_up()
    with Person(server, alice) as sender:
        tabs = tabs_of(bob, sender, 7)
        bob.say("two", tabs[2])
        tabs.pop(0).close()
        tabs[0].reload()
        sender.say("three", bob.name)
        for tab in tabs:
            shows(tab, ["one", "two", "three"])
        assert streams(relay) == 1
    bob.close()
