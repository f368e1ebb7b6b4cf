"""Invitation links: made, followed, revoked."""

from playwright.sync_api import Page, expect

from e2e.browser.groups import Curl, confirm, count, details, make_group
from e2e.browser.visitor import Enter, fresh, row, shows
from serving import Server


def link(page: Page, **chosen: str) -> str:
    """Makes an invitation link in the details of the open group."""
    panel = details(page)
    for label, option in chosen.items():
        panel.get_by_label(label.replace("_", " ")).select_option(option)
    with page.expect_response(
        lambda answer: answer.request.method == "POST" and answer.url.endswith("/invites")
    ) as made:
        panel.get_by_role("button", name="Create link").click()
    url = f"{page.url.partition('#')[0]}#join={made.value.json()['secret']}"
    made_link = panel.get_by_label("Invitation link", exact=True)
    expect(made_link).to_have_value(url)
    expect(made_link).to_be_focused()
    expect(made_link).to_be_in_viewport()
    return url


def test_who_follows_a_link_is_asked_and_then_in_the_group(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    make_group(alice, "Open house")
    alice.say("welcome")
    url = link(alice.page)
    assert url.startswith(f"{alice.url}/#join=g:")
    requests: list[str] = []
    bob.page.on("request", lambda request: requests.append(request.url))
    bob.page.goto(url)
    asked = bob.page.get_by_role("dialog")
    expect(asked).to_contain_text("Join")
    assert bob.page.url == f"{bob.url}/"
    asked.get_by_role("button", name="Cancel").click()
    expect(row(bob.page, "Open house")).to_have_count(0)
    bob.page.goto(url)
    confirm(bob.page, "Join")
    expect(bob.page.get_by_role("heading", name="Open house", exact=True)).to_be_visible()
    shows(bob.page, ["welcome"])
    expect(count(alice.page, "Open house")).to_contain_text("2 members")
    expect(details(alice.page).locator(".invite-list")).to_contain_text("used once")
    bob.page.goto(url)  # a member is not asked again
    expect(bob.page.get_by_role("heading", name="Open house", exact=True)).to_be_visible()
    expect(asked).to_have_count(0)
    secret = url.partition("#join=")[2]
    assert not [sent for sent in requests if secret.partition(".")[2] in sent]


def test_who_has_no_account_makes_one_and_is_asked_then(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"), sign_up=False)
    make_group(alice, "Newcomers")
    url = link(alice.page)
    bob.page.goto(url)
    invited = bob.page.get_by_role("status").filter(visible=True)
    expect(invited).to_contain_text("invitation")
    assert bob.page.url == f"{bob.url}/"
    bob.page.reload()  # as a phone does after a look into the password manager
    expect(invited).to_contain_text("invitation")
    bob.sign_up()
    asked = bob.page.get_by_role("dialog")
    expect(asked).to_contain_text("Join")
    bob.page.evaluate("hash => { location.hash = hash; }", url.partition("/#")[2])  # the link is followed again
    bob.page.wait_for_timeout(300)
    expect(asked).to_have_count(1)
    bob.expect_errors("status of 401")
    bob.page.evaluate("fetch('/v1/session', { method: 'DELETE' })")
    expect(asked).to_have_count(0)
    bob.fill_in()
    expect(asked).to_contain_text("Join")
    bob.page.reload()
    confirm(bob.page, "Join")
    expect(bob.page.get_by_role("heading", name="Newcomers", exact=True)).to_be_visible()
    expect(asked).to_have_count(0)
    bob.page.reload()
    expect(bob.page.get_by_role("heading", name="Newcomers", exact=True)).to_be_visible()
    expect(asked).to_have_count(0)


def test_a_link_that_is_revoked_or_used_up_says_so(enter: Enter, server: Server) -> None:
    alice, bob, carol = enter(fresh("alice")), enter(fresh("bob")), Curl(server, fresh("carol"))
    bob.expect_errors("status of 40[34]")
    make_group(alice, "Closed")
    once = link(alice.page, Can_be_used="once")
    carol("POST", "/v1/invites/join", {"secret": once.partition("#join=")[2]})
    bob.page.goto(once)
    confirm(bob.page, "Join")
    alert = bob.page.get_by_role("dialog").get_by_role("alert").filter(visible=True)
    expect(alert).to_contain_text("used")
    bob.page.keyboard.press("Escape")
    revoked = link(alice.page)
    invite = details(alice.page).locator(".invite-list li", has_text="used 0")
    invite.get_by_role("button", name="Revoke").click()
    confirm(alice.page, "Revoke")
    expect(invite).to_have_count(0)
    bob.page.goto(revoked)
    confirm(bob.page, "Join")
    expect(alert).to_be_visible()
    expect(row(bob.page, "Closed")).to_have_count(0)


def test_a_link_in_an_open_page_is_taken_out_of_the_url(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    make_group(alice, "Later")
    url = link(alice.page)
    bob.page.get_by_role("button", name="Notes to yourself").click()
    bob.page.evaluate("hash => { location.hash = hash; }", url.partition("/#")[2])
    expect(bob.page.get_by_role("dialog")).to_be_visible()
    bob.page.keyboard.press("Enter")
    expect(bob.page.get_by_role("heading", name="Later", exact=True)).to_be_visible()
    assert "join" not in bob.page.url
