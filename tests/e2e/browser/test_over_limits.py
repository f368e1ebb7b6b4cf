"""The page's messages for 429 and 503 responses."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from e2e.browser.visitor import Enter, banner, fresh, shows, until
from serving import Server


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts a server with other limits. Requested before `enter`, it stops when the browsers are closed: a page that
    reconnects to a server that has stopped has an error in its console."""
    with ExitStack() as running:
        yield lambda *options: running.enter_context(Server(tmp_path / "data", "--workers", "1", *options))


def test_a_message_that_waits_for_the_servers_storage_says_so_and_is_sent_later(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.expect_errors("status of 503")
    refused: list[str] = []

    def refuse(route: Route) -> None:
        refused.append(route.request.url)
        problem = {"status": 503, "code": "unavailable", "detail": "Repeat the request with the same client_msg_id."}
        headers = {"Retry-After": "1", "Content-Type": "application/problem+json"}
        route.fulfill(status=503, headers=headers, body=json.dumps(problem))

    alice.page.get_by_role("button", name="Notes to yourself").click()
    alice.page.route("**/v1/messages", refuse)
    alice.say("kept")
    waiting = alice.page.locator(".waiting")
    expect(waiting).to_have_text("Not sent yet: The server has trouble with its storage just now. Trying again…")
    alice.page.reload()
    expect(waiting).to_contain_text("trouble with its storage")
    alice.page.unroute("**/v1/messages")
    shows(alice.page, ["kept"])
    expect(waiting).to_have_count(0)
    assert refused


def test_a_sign_up_that_the_servers_storage_refuses_says_so_in_a_persons_words(enter: Enter) -> None:
    alice = enter(fresh("alice"), sign_up=False)
    alice.expect_errors("status of 503")
    problem = {"status": 503, "code": "unavailable", "detail": "Repeat the request with the same client_msg_id."}
    alice.page.route("**/v1/users", lambda route: route.fulfill(status=503, body=json.dumps(problem)))
    alice.fill_in("New here")
    alert = alice.page.get_by_role("alert").filter(visible=True)
    expect(alert).to_have_text("The server has trouble with its storage just now. Please try again in a moment.")


def test_whoever_has_too_many_streams_is_told_so_and_can_still_write(
    limited: Callable[..., Server], enter: Enter
) -> None:
    server = limited("--streams-per-user", "1")
    here = enter(fresh("alice"), url=server.url)
    here.page.get_by_role("button", name="Notes to yourself").click()
    here.say("one")
    shows(here.page, ["one"])
    there = enter(here.name, url=server.url, sign_up=False)
    there.expect_errors("ERR_INCOMPLETE_CHUNKED_ENCODING .*/v1/events")
    there.fill_in("Sign in")
    expect(banner(there.page)).to_contain_text("open in too many places")
    there.page.get_by_role("button", name="Notes to yourself").first.click()
    there.say("two")
    shows(there.page, ["one", "two"])
    shows(here.page, ["one", "two"])
    there.page.get_by_role("button", name="Try now").click()
    there.page.wait_for_timeout(500)
    expect(banner(there.page)).to_contain_text("open in too many places")
    here.page.goto("about:blank")

    def lets_in() -> bool:
        there.page.get_by_role("button", name="Try now").dispatch_event("click")
        there.page.wait_for_timeout(1200)  # a second click within one second does nothing
        return banner(there.page).is_hidden()

    until(there.page, lets_in)
    there.say("three")
    shows(there.page, ["one", "two", "three"])


def test_whoever_guesses_too_often_is_told_when_to_come_back(limited: Callable[..., Server], enter: Enter) -> None:
    server = limited("--failed-sign-ins-per-account", "1")
    alice = enter(fresh("alice"), url=server.url, sign_up=False)
    alice.expect_errors("status of (401|429)")
    alert = alice.page.get_by_role("alert").filter(visible=True)
    alice.fill_in("Sign in", "wrong password")
    expect(alert).to_have_text("The name or the password is wrong.")
    alice.fill_in(password="wrong again")
    expect(alert).to_have_text("Too many wrong passwords for this name; try again in 60 minutes.")


def test_whoever_writes_too_much_has_every_message_sent_in_order_a_little_later(
    limited: Callable[..., Server], enter: Enter
) -> None:
    # Six changes at once, and then one in 10 s.
    server = limited("--deliveries-per-user", "12")
    alice = enter(fresh("alice"), url=server.url)
    alice.expect_errors("status of 429")
    alice.page.get_by_role("button", name="Notes to yourself").click()
    texts = [f"note {number}" for number in range(8)]
    for text in texts:
        alice.say(text)
    waiting = alice.page.locator(".waiting").first
    expect(waiting).to_contain_text("Not sent yet: You have sent too much; try again in", timeout=20_000)
    alice.page.reload()
    until(alice.page, lambda: alice.page.locator(".queued").count() == 0, 90_000)
    shows(alice.page, texts)
    expect(alice.page.get_by_text("Not sent:")).to_have_count(0)
