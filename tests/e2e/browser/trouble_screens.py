"""A tour of what the page shows while something is wrong, and of what it offers."""

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route, expect

from e2e.browser.groups import Curl
from e2e.browser.screens import Screens, come
from e2e.browser.test_notices import FAKE, look
from e2e.browser.visitor import NETWORK_GONE, Enter, banner, fresh
from serving import Server


def troubles(enter: Enter, server: Server, **options: Any) -> Screens:
    """Lost connections, refused and waiting messages, offers and notices."""
    alice = come(enter, "alice", **options)
    alice.expect_errors(f"{NETWORK_GONE}|status of 422")
    page, bob = alice.page, Curl(server, fresh("bob"))
    alice.context.add_init_script(FAKE.replace("PERMISSION", "'default'"))
    page.reload()
    expect(page.get_by_role("navigation", name="Conversations")).to_be_visible()
    look(page, False)
    bob("POST", "/v1/messages", {"to": alice.name, "text": "missed"})
    expect(page.get_by_role("region", name="Notifications")).to_be_visible()
    yield "offer", page
    page.get_by_role("button", name="No", exact=True).click()
    look(page, True)
    page.get_by_role("button", name="Notes to yourself").first.click()
    refuse(page, 422, "text_too_long", "The text is too long.")
    alice.say("refused")
    expect(page.locator(".failure")).to_be_visible()
    yield "refused message", page
    page.unroute("**/v1/messages")
    refuse(page, 503, "unavailable", "Later.")
    alice.say("waiting")
    page.locator(".failure").get_by_role("button", name="Delete").click()
    expect(page.locator(".waiting")).to_be_visible()
    yield "waiting message", page
    page.evaluate("location.hash = ''")
    alice.sign_out()
    expect(page.get_by_role("dialog")).to_contain_text("has not been sent")
    yield "sign-out, unsent", page
    page.keyboard.press("Escape")
    page.go_back()
    expect(page.locator(".waiting")).to_be_visible()
    alice.context.set_offline(True)
    expect(banner(page)).to_contain_text("offline")
    yield "offline", page
    alice.context.set_offline(False)
    for code, said in (("too_many", "open in too many places"), ("restarting", "Reconnecting")):
        alice.context.route("**/v1/events*", ended(code))
        page.reload()
        expect(banner(page)).to_contain_text(said)
        yield said.lower(), page
        alice.context.unroute("**/v1/events*")
    page.evaluate(
        "() => import('/web/views/toast.js').then(({ toast }) => toast('You are still signed in: try again.'))"
    )
    expect(page.locator(".toast")).to_be_visible()
    yield "toast", page
    alice.context.route("**/v1/server", lambda route: route.abort())
    page.unroute("**/v1/messages")
    page.evaluate("localStorage.removeItem('ssechat:known')")  # with it, the page comes up without a server
    page.reload()
    expect(page.get_by_text("The server can't be reached")).to_be_visible()
    yield "no server", page
    alice.context.unroute_all(behavior="ignoreErrors")


def ended(reason: str) -> Callable[[Route], None]:
    """Answers with a stream that ends at once."""
    body = f'event: bye\ndata: {{"reason":"{reason}"}}\n\n'
    return lambda route: route.fulfill(status=200, headers={"Content-Type": "text/event-stream"}, body=body)


def refuse(page: Page, status: int, code: str, detail: str) -> None:
    """Has the page's messages refused."""
    problem = json.dumps({"status": status, "code": code, "detail": detail})
    headers = {"Content-Type": "application/problem+json"}
    page.route("**/v1/messages", lambda route: route.fulfill(status=status, headers=headers, body=problem))
