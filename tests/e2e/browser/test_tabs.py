"""Tabs that share one stream, and several devices of a user."""

import time
from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import Error, Page, Route, expect

from e2e.api import Person
from e2e.browser.visitor import PHONE, Enter, Visitor, banner, fresh, row, shows, texts, until
from serving import Server


def another_tab(bob: Visitor, sender: Person) -> Page:
    """A second tab of bob's, once both show the sender's message "one"."""
    sender.say("one", bob.name)
    bob.open(sender.user)
    other = bob.tab()
    other.locator(".conversation-row").click()
    shows(other, ["one"])
    return other


def test_ten_tabs_share_one_stream_and_another_takes_over(enter: Enter, server: Server) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"))
    with Person(server, alice) as sender:
        sender.say("one", bob.name)
        bob.open(alice)
        tabs = [bob.page] + [bob.tab() for _ in range(9)]
        for tab in tabs[1:]:
            tab.locator(".conversation-row").first.click()
        for tab in tabs:
            shows(tab, ["one"])
        sender.say("two", bob.name)
        for tab in tabs:
            shows(tab, ["one", "two"])
        assert len(bob.streams) == 1
        bob.say("from the last tab", tabs[-1])
        for tab in tabs:
            shows(tab, ["one", "two", "from the last tab"])
        for closed in range(3):  # closes the tab that holds the stream each time
            holder = bob.streams[-1]
            tabs.remove(holder)
            holder.close()
            sender.say(f"after {closed + 1}", bob.name)
            expected = ["one", "two", "from the last tab", *(f"after {number + 1}" for number in range(closed + 1))]
            for tab in tabs:
                shows(tab, expected)
            assert len(bob.streams) == closed + 2


def test_when_the_tab_with_the_stream_is_killed_another_takes_over_and_sends_what_it_had_not(
    enter: Enter, server: Server
) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"))
    with Person(server, alice) as sender:
        other = another_tab(bob, sender)
        bob.page.route("**/v1/messages", lambda _: None)  # no answer
        bob.say("from the tab that is killed")
        expect(other.locator(".message.queued")).to_have_count(1)
        assert bob.streams == [bob.page]
        with pytest.raises(Error, match="crash"):
            bob.page.goto("chrome://crash")  # ends its process
        sender.say("two", bob.name)
        shown = ["from the tab that is killed", "one", "two"]
        until(other, lambda: sorted(texts(other)) == shown and other.locator(".queued").count() == 0)
        assert bob.streams == [bob.page, other]
        expect(banner(other)).to_be_hidden()


def test_a_tab_that_hangs_does_not_keep_the_stream_from_the_others(enter: Enter, server: Server) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"))
    with Person(server, alice) as sender:
        other = another_tab(bob, sender)
        assert bob.streams == [bob.page]
        hang = "setTimeout(() => { const end = Date.now() + 9000; while (Date.now() < end); }, 50)"
        bob.page.evaluate(hang)
        other.wait_for_timeout(200)
        other.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # the tab becomes visible
        sender.say("two", bob.name)
        shows(other, ["one", "two"])
        assert bob.streams == [bob.page, other]
        shows(bob.page, ["one", "two"])
        sender.say("three", bob.name)
        for tab in (bob.page, other):
            shows(tab, ["one", "two", "three"])
        assert bob.streams == [bob.page, other]


class Stopper:
    """Stops the renderer process of a page, as a system short of memory does."""

    def __init__(self) -> None:
        self._stopped: list[psutil.Process] = []

    def __call__(self, page: Page) -> None:
        renderers = [
            child
            for child in psutil.Process().children(recursive=True)
            if any(word == "--type=renderer" for word in child.cmdline())
        ]
        before = {child: sum(child.cpu_times()[:2]) for child in renderers}
        for _ in range(50):
            page.evaluate("{ const end = performance.now() + 300; while (performance.now() < end); }")
            used = {child: sum(child.cpu_times()[:2]) - before[child] for child in renderers}
            busiest, *others = sorted(renderers, key=used.__getitem__, reverse=True)
            if used[busiest] > 0.3 + 2 * max(map(used.__getitem__, others), default=0):  # others have some to do, too
                break
        else:
            raise AssertionError(f"no process of a page stands out: {used}")
        busiest.suspend()
        self._stopped.append(busiest)

    def resume(self) -> None:
        """Resumes all processes."""
        while self._stopped:
            self._stopped.pop().resume()


@pytest.fixture
def stop() -> Iterator[Stopper]:
    """Stops pages; they are resumed before they are closed."""
    stopper = Stopper()
    yield stopper
    stopper.resume()


@pytest.mark.alone("it measures how soon, and finds the process of a page by its CPU")
def test_a_stopped_tab_is_noticed_within_five_seconds_and_replaced_with_nothing_lost_or_doubled(
    enter: Enter, server: Server, stop: Stopper
) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"))
    with Person(server, alice) as sender:
        sender.say("one", bob.name)
        bob.open(alice)
        tabs = [bob.page, bob.tab(), bob.tab()]
        for tab in tabs[1:]:
            tab.locator(".conversation-row").click()
            shows(tab, ["one"])
        assert bob.streams == [bob.page]
        stop(bob.page)
        began = time.monotonic()
        sender.say("two", bob.name)
        # The first that asks shows it; the other one may hear of the new holder before.
        until(tabs[1], lambda: any("Reconnecting" in banner(tab).inner_text() for tab in tabs[1:]))
        assert time.monotonic() - began < 5
        for tab in tabs[1:]:
            shows(tab, ["one", "two"])
        assert time.monotonic() - began < 9
        assert len(bob.streams) == 2
        assert bob.streams[1] in tabs[1:]
        sender.say("three", bob.name)
        for tab in tabs[1:]:
            shows(tab, ["one", "two", "three"])
            expect(banner(tab)).to_be_hidden()


@pytest.mark.parametrize("comes_back_to", ["what was said meanwhile", "what is said now"])
def test_a_tab_that_wakes_up_is_fenced_off_and_misses_nothing(
    enter: Enter, server: Server, stop: Stopper, comes_back_to: str
) -> None:
    alice, carol, bob = fresh("alice"), fresh("carol"), enter(fresh("bob"))
    with Person(server, alice) as sender, Person(server, carol) as third:
        other = another_tab(bob, sender)
        stop(bob.page)
        until(other, lambda: len(bob.streams) == 2)
        for number in range(5):
            sender.say(f"meanwhile {number}", bob.name)
            third.say(f"elsewhere {number}", bob.name)
        said = ["one", *(f"meanwhile {number}" for number in range(5))]
        shows(other, said)
        stop.resume()
        if comes_back_to == "what is said now":
            sender.say("now", bob.name)
            said.append("now")
        for tab in (bob.page, other):
            shows(tab, said)
            expect(row(tab, carol)).to_contain_text("elsewhere 4")
            expect(row(tab, carol).locator(".badge")).to_contain_text("5")
            expect(banner(tab)).to_be_hidden()
        sender.say("after", bob.name)
        for tab in (bob.page, other):
            shows(tab, [*said, "after"])
        assert bob.streams == [bob.page, other]


def test_a_busy_tab_keeps_the_stream(enter: Enter, server: Server) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"))
    with Person(server, alice) as sender:
        other = another_tab(bob, sender)
        for _ in range(3):
            bob.page.evaluate("{ const end = performance.now() + 800; while (performance.now() < end); }")
        sender.say("two", bob.name)
        for tab in (bob.page, other):
            shows(tab, ["one", "two"])
        assert bob.streams == [bob.page]


def test_a_message_does_not_wait_behind_a_stopped_tab(enter: Enter, server: Server, stop: Stopper) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"))
    with Person(server, alice) as sender:
        sender.say("one", bob.name)
        bob.open(alice)
        held: list[Route] = []
        bob.context.route("**/v1/messages", lambda route: route.continue_() if held else held.append(route))
        bob.say("from the stopped tab")
        until(bob.page, lambda: held)
        stop(bob.page)
        other = bob.tab()
        other.locator(".conversation-row").click()
        bob.say("from the other", other)
        shows(other, ["one", "from the stopped tab", "from the other"])


def test_a_persons_other_device_sees_what_was_sent(enter: Enter) -> None:
    bob = enter(fresh("bob"))
    desk = enter(fresh("alice"))
    phone = enter(desk.name, sign_up=False, **PHONE)
    phone.fill_in("Sign in")
    desk.write_to(bob.name)
    desk.say("from the desk")
    row(phone.page, bob.name).click()
    shows(phone.page, ["from the desk"])
    phone.say("from the phone")
    shows(desk.page, ["from the desk", "from the phone"])
    expect(row(desk.page, bob.name).locator(".badge")).to_have_count(0)


def test_a_draft_is_the_same_in_all_tabs_and_gone_from_all_when_it_is_sent(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.page.get_by_role("button", name="Notes to yourself").click()
    other = alice.tab()
    other.get_by_role("button", name="Notes to yourself").first.click()
    alice.page.locator("#composer").fill("a long thought")
    expect(other.locator("#composer")).to_have_value("a long thought")
    alice.say("a longer thought", other)
    for tab in (other, alice.page):
        shows(tab, ["a longer thought"])
        expect(tab.locator("#composer")).to_have_value("")
    alice.page.reload()
    shows(alice.page, ["a longer thought"])
    expect(alice.page.locator("#composer")).to_have_value("")
    alice.page.locator("#composer").press("ArrowUp")  # an edit is not disturbed
    expect(alice.page.locator("#composer")).to_have_value("a longer thought")
    other.locator("#composer").fill("and another")
    expect(alice.page.locator("#composer")).to_have_value("a longer thought")
    alice.page.keyboard.press("Escape")
    expect(alice.page.locator("#composer")).to_have_value("and another")


def test_signing_out_ends_all_tabs_of_the_browser(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.expect_errors("status of 401")  # a tab may take over the stream before it hears of the sign-out
    other = alice.tab()
    expect(other.get_by_role("navigation", name="Conversations")).to_be_visible()
    alice.sign_out()
    for tab in (alice.page, other):
        expect(tab.get_by_label("Password", exact=True)).to_be_visible()
    alice.page.reload()
    expect(alice.page.get_by_label("Password", exact=True)).to_be_visible()


def test_who_signs_in_again_after_a_session_has_ended_is_back_in_all_tabs(enter: Enter, server: Server) -> None:
    alice = enter(fresh("alice"))
    alice.expect_errors("status of 401")
    other = alice.tab()
    expect(other.get_by_role("navigation", name="Conversations")).to_be_visible()
    assert alice.page.evaluate("fetch('/v1/session', { method: 'DELETE' }).then(({ status }) => status)") == 204
    for tab in (alice.page, other):
        expect(tab.get_by_text("You have been signed out. Sign in to go on.")).to_be_visible()
    alice.fill_in()
    for tab in (alice.page, other):
        expect(tab.get_by_role("navigation", name="Conversations")).to_be_visible()


@pytest.mark.parametrize("next_one", [None, "bob"])
def test_a_page_out_of_the_back_forward_cache_shows_nothing_of_who_has_signed_out(
    enter: Enter, next_one: str | None
) -> None:
    alice = enter(fresh("alice"))
    alice.page.get_by_role("button", name="Notes to yourself").click()
    alice.say("a secret")
    shows(alice.page, ["a secret"])
    alice.context.add_init_script(
        "addEventListener('storage', (event) => window.deaf && event.stopImmediatePropagation())"
    )
    kept, name = alice.tab(), alice.name
    kept.locator(".conversation-row").click()
    shows(kept, ["a secret"])
    # As in the cache, it has no stream, and hears nothing of what the other tab does.
    kept.evaluate("window.deaf = true; dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    alice.sign_out()
    expect(alice.page.get_by_label("Password", exact=True)).to_be_visible()
    if next_one:
        alice.name = fresh(next_one)
        alice.sign_up()
    assert "a secret" in kept.inner_text("body")
    kept.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    assert "a secret" not in kept.inner_text("body")
    if next_one:
        expect(kept.get_by_role("heading", name=alice.name)).to_be_visible()
    else:
        expect(kept.get_by_label("Password", exact=True)).to_be_visible()
    assert name not in kept.inner_text("body")


def test_another_person_signing_in_takes_over_all_tabs(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    alice.expect_errors("status of 401")
    other = alice.tab()
    expect(other.get_by_role("heading", name=alice.name)).to_be_visible()
    alice.sign_out(other)
    expect(alice.page.get_by_label("Password", exact=True)).to_be_visible()
    alice.name = bob.name
    alice.fill_in("Sign in")
    for tab in (alice.page, other):
        expect(tab.get_by_role("heading", name=bob.name)).to_be_visible()
