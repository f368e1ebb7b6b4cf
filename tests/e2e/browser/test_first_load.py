"""What the page costs who opens it for the first time, and who comes again."""

from playwright.sync_api import expect

from e2e.api import Person
from e2e.browser.relay import Relay
from e2e.browser.visitor import NETWORK_GONE, Enter, fresh, row, until
from serving import Server

REQUESTS = 15
BYTES = 150_000
AGAIN = 10_000
"""Upper bounds, exclusive; heads of answers count."""
STREAM = "/v1/events"
SETTLED = 1_500
"""Milliseconds within which a page that is there has asked for all that it needs, acks included."""


def test_the_first_visit_takes_few_requests_and_bytes_until_the_form_and_until_the_list(
    enter: Enter, server: Server
) -> None:
    name = fresh("bob")
    with Relay(server.port) as relay, Person(server, fresh("alice")) as alice:
        bob = enter(name, url=relay.url, sign_up=False, worker=True, kept=True)
        bob.expect_errors(NETWORK_GONE)  # at the end
        expect(bob.page.get_by_label("Password", exact=True)).to_be_visible()
        bob.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        form = [*relay.asked]
        assert len(form) < REQUESTS, form
        assert relay.received < BYTES
        bob.sign_up()
        expect(bob.page.get_by_text("No conversations yet")).to_be_visible()
        until(bob.page, lambda: STREAM in relay.asked)
        bob.page.wait_for_timeout(SETTLED)
        assert len(relay.asked) < REQUESTS, relay.asked
        alice.say("hello", name)
        expect(row(bob.page, alice.user)).to_contain_text("hello")
        assert relay.received < BYTES
        relay.asked.clear()
        relay.received = 0
        bob.page.reload()
        expect(row(bob.page, alice.user)).to_contain_text("hello")
        assert relay.received < AGAIN
        assert len(relay.asked) < REQUESTS, relay.asked
        assert not any("/web/app" in path or "/web/worker" in path for path in relay.asked)
