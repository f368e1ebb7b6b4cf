"""The list of conversations, with a server whose pages are shorter than requested."""

from playwright.sync_api import expect

from e2e.api import Person
from e2e.browser.visitor import Enter, fresh
from serving import Server


def test_all_conversations_are_listed_though_a_page_of_them_is_too_short_to_be_scrolled(
    enter: Enter, server: Server
) -> None:
    bob = enter(fresh("bob"))
    senders = [fresh("alice") for _ in range(8)]
    for name in senders:
        with Person(server, name) as sender:
            sender.say("x" * 65_000, bob.name)
    bob.page.reload()
    expect(bob.page.locator(".conversation-row")).to_have_count(8)
