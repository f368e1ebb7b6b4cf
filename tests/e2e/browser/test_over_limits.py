"""What the page says when the server takes no more, for now."""

import json

from playwright.sync_api import Route, expect

from e2e.browser.visitor import Enter, fresh, shows


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
