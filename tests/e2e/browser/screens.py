"""Tours of the page: each comes to a number of its screens, one after the other, and gives the name of each.

A tour is a generator: whoever takes it looks at the page of its visitor at each name.
"""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Page, expect

from e2e.browser.groups import Curl, details, make_group, message, read_only
from e2e.browser.visitor import Enter, Visitor, fresh, row, shows
from serving import Server

Screens = Iterator[tuple[str, Page]]

SAID = (
    "Where do we eat? **Now** or *later*? See https://a.example/menu",
    "- a\n- b\n\n> quoted\n```\ncode = 1\n```",
    "שלום עולם",
    "👍",
    "long " * 600,
)
TOKENS_ONLY = {"sign_in": False, "sign_up": False}
"""What a server says of itself that takes another system's tokens."""
PARTS = (
    "The boat leaves at nine, from the second bridge; bring something warm, it is windy on the water.",
    "And the tickets are in the shared folder.",
)


def come(enter: Enter, name: str, **options: Any) -> Visitor:
    """Somebody in whose page a test may inject scripts."""
    return enter(fresh(name), bypass_csp=True, **options)


def talk(enter: Enter, server: Server, **options: Any) -> tuple[Visitor, Curl, str]:
    """Somebody with a group open in which all sorts of things have been said."""
    alice = come(enter, "alice", **options)
    bob = Curl(server, fresh("bob"))
    group = make_group(alice, "Friday lunch", bob.user, topic="Where, and when?")
    for text in SAID:
        bob.say(group, text)
    bob.say(group, "an answer", reply_to=1)
    bob("PUT", f"/v1/conversations/{group}/messages/1/reactions/{quote('👍')}", {})
    alice.say("mine")
    alice.say("mine, too")
    shows(alice.page, [*SAID, "an answer", "mine", "mine, too"])
    return alice, bob, group


def entrance(enter: Enter, server: Server, **options: Any) -> Screens:
    """Signing up and in, what may be wrong with it, and the first screen of somebody new."""
    owner = Curl(server, fresh("olga"))
    invite = owner("POST", f"/v1/conversations/{owner.make_group('Open house')}/invites", {})
    alice = come(enter, "alice", sign_up=False, **options)
    alice.expect_errors("status of 40[19]")
    page = alice.page
    alert = page.get_by_role("alert").filter(visible=True)
    yield "sign-up", page
    alice.fill_in("New here", "short")
    expect(alert).to_contain_text("8 characters")
    yield "sign-up, short password", page
    page.get_by_label("Name", exact=True).fill("no spaces")
    page.get_by_label("Password", exact=True).fill("")
    page.get_by_role("button", name="Create account").click()
    expect(alert).to_contain_text("A name has only")
    page.get_by_role("button", name="Show password").click()
    yield "sign-up, odd name", page
    alice.fill_in("Sign in")
    expect(alert).to_be_visible()
    yield "sign-in, refused", page
    page.route("**/v1/server", lambda route: route.fulfill(json={**route.fetch().json(), **TOKENS_ONLY}))
    page.reload()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Please paste")).to_be_visible()
    page.get_by_role("button", name="Show access token").click()
    yield "sign-in, by a token", page
    page.unroute("**/v1/server")
    page.reload()
    page.goto(f"{server.url}/#join={invite['secret']}")
    expect(page.get_by_role("status").filter(visible=True)).to_contain_text("invitation")
    yield "sign-in, invited", page
    alice.sign_up()
    expect(page.get_by_role("dialog")).to_contain_text("Join")
    yield "invitation", page
    page.keyboard.press("Escape")
    expect(page.get_by_text("No conversations yet")).to_be_visible()
    yield "nothing yet", page
    page.locator(".account").click()
    yield "account menu", page
    page.keyboard.press("Escape")
    page.locator(".empty").get_by_role("button", name="New group").click()
    form = page.get_by_role("dialog")
    alice.expect_errors("status of 404")
    form.get_by_label("People").fill(owner.user)
    form.get_by_label("People").press("Enter")
    expect(form.locator(".chip button")).to_be_visible()
    form.get_by_label("People").fill("nobody-of-this-name")
    form.get_by_label("People").press("Enter")
    expect(form.get_by_role("alert").filter(visible=True)).to_contain_text("nobody called")
    yield "new group", page
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Notes to yourself").first.click()
    expect(page.get_by_text("Only you can read")).to_be_visible()
    yield "notes, empty", page


def listing(enter: Enter, server: Server, **options: Any) -> Screens:
    """The list of conversations, with all that a row can show, and what finds people."""
    alice = come(enter, "alice", **options)
    page = alice.page
    bob, carol, dora = (Curl(server, fresh(name)) for name in ("bob", "carol", "dora"))
    bob("PATCH", "/v1/me", {"display_name": "Robert Baumeister-Hohenzollern of Nowhere"})
    group = carol.make_group("Hike", alice.name, bob.user)
    quiet = carol.make_group("A group whose name is so long that no list has room for it", alice.name)
    alice_api = Curl(server, alice.name)
    for text in PARTS:
        bob("POST", "/v1/messages", {"to": alice.name, "text": text})
    carol.say(group, f"@{alice.name} are you coming?", mentions=[alice.name])
    carol.say(quiet, PARTS[0])
    alice_api("PUT", f"/v1/conversations/{quiet}/mute", {"muted": True})
    dora("POST", "/v1/messages", {"to": alice.name, "text": "שלום, מה שלומך?"})
    alice_api("PUT", f"/v1/blocks/{dora.user}")
    expect(page.locator(".conversation-row")).to_have_count(4)
    expect(row(page, "Hike").locator(".mentioned")).to_be_visible()
    expect(page.get_by_title("Blocked")).to_be_visible()
    expect(page.get_by_title("Muted").first).to_be_visible()
    yield "list", page
    found = Curl(server, fresh("robinson"))
    found("PATCH", "/v1/me", {"display_name": "Robinson Crusoe"})
    page.get_by_role("searchbox").fill("robin")
    expect(page.locator(".found-people button").first).to_be_visible()
    yield "people found", page
    alice.expect_errors("status of 404")
    alice.find("nobody-of-this-name")
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text("nobody called")
    yield "nobody found", page
    page.get_by_role("searchbox").press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option").first).to_be_visible()
    yield "switcher", page
    page.keyboard.type("nobody-of-this-name")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("nobody called")
    yield "switcher, nobody found", page
    page.keyboard.press("Escape")
    page.evaluate("location.hash = '#/g:nothing'")
    expect(page.get_by_text("There is no such group")).to_be_visible()
    yield "an address of nobody", page


def direct(enter: Enter, server: Server, **options: Any) -> Screens:
    """A conversation of two."""
    alice = come(enter, "alice", **options)
    page, bob = alice.page, Curl(server, fresh("bob"))
    bob("PATCH", "/v1/me", {"display_name": "Robert Baumeister"})
    alice.find(bob.user)
    expect(page.get_by_role("heading", name="Robert Baumeister")).to_be_visible()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    yield "direct, empty", page
    talked = f"dm:{':'.join(sorted((alice.name, bob.user)))}"
    alice.say("Have you seen the plan? It is on https://plans.example/a/very/long/path/that/goes/on?and=on&on=and")
    expect(page.locator(".message.sent")).to_have_count(1)
    bob("POST", "/v1/messages", {"conversation_id": talked, "text": PARTS[0], "reply_to": 1})
    bob("POST", "/v1/messages", {"conversation_id": talked, "text": PARTS[1]})
    bob("POST", "/v1/messages", {"conversation_id": talked, "text": "🎉"})
    bob("DELETE", f"/v1/conversations/{talked}/messages/3")
    bob("PUT", f"/v1/conversations/{talked}/messages/1/reactions/{quote('👍')}")
    bob("PUT", f"/v1/conversations/{talked}/read", {"up_to": 1})
    alice.say("Yes!")
    expect(page.locator(".message.sent.mine .state.read")).to_have_count(1)
    expect(page.locator(".message.sent.mine .state")).to_have_count(2)
    expect(page.locator(".reaction")).to_have_count(1)
    bob("POST", f"/v1/conversations/{talked}/typing", {})
    expect(page.locator(".typing")).to_be_visible()
    yield "direct", page
    page.get_by_role("button", name="More", exact=True).click()
    yield "direct, menu", page
    page.get_by_role("menuitem", name="Blocked people").click()
    expect(page.get_by_role("dialog")).to_contain_text("blocked nobody")
    yield "blocked people, none", page
    page.keyboard.press("Escape")
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="Block Robert").or_(page.get_by_role("menuitem", name="Block bob")).click()
    yield "block", page
    page.get_by_role("dialog").get_by_role("button", name="Block", exact=True).click()
    expect(page.locator("dialog[open]")).to_have_count(0)  # the event can come before the response, which closes it
    expect(page.locator(".blocked-note")).to_be_visible()
    expect(page.locator(".typing")).to_be_hidden()
    yield "direct, blocked", page
    page.get_by_role("button", name=f"Unblock {bob.user}").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    yield "unblock", page


def conversation(enter: Enter, server: Server, **options: Any) -> Screens:
    """A group: its messages, and what one does with them."""
    alice, bob, _ = talk(enter, server, **options)
    page, keys = alice.page, alice.page.keyboard
    yield "group", page
    page.locator(".viewport .scroller").evaluate("node => { node.scrollTop = 0; }")
    expect(page.get_by_role("button", name="To the newest message")).to_be_visible()
    yield "group, its beginning", page
    message(page, SAID[0]).focus()
    keys.press("Enter")
    expect(page.get_by_role("toolbar", name="Message")).to_be_visible()
    yield "message tools", page
    page.get_by_role("button", name="React", exact=True).click()
    expect(page.get_by_role("dialog", name="Choose a reaction")).to_be_visible()
    yield "emoji", page
    keys.press("Escape")
    page.get_by_role("button", name="Reply", exact=True).click()
    expect(page.locator(".mode")).to_contain_text("Reply to")
    yield "reply", page
    keys.press("Escape")
    page.get_by_role("button", name="To the newest message").click()
    page.locator("#composer").press("ArrowUp")
    expect(page.locator(".mode")).to_contain_text("Edit your message")
    yield "edit", page
    keys.press("Escape")
    message(page, "mine, too").focus()
    keys.press("Enter")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("Delete this message")
    yield "delete", page
    keys.press("Escape")
    page.locator(".message.mine button.state").last.click()
    expect(page.locator(".who-read")).to_be_visible()
    yield "who has read", page
    keys.press("Escape")
    keys.press("Control+f")
    keys.type("eat")
    expect(page.locator(".thread-search .count")).to_have_text("1 of 1")
    yield "search", page
    keys.type("nothing like that")
    expect(page.locator(".thread-search .count")).to_have_text("Nothing in what is loaded")
    yield "search, nothing found", page
    keys.press("Escape")
    page.locator("#composer").fill(f"@{bob.user[:3]}")
    page.locator("#composer").press("End")
    expect(page.get_by_role("option").first).to_be_visible()
    yield "names that complete", page
    page.locator("#composer").fill("one\ntwo\nthree\n" * 9)
    yield "a long draft", page


def group(enter: Enter, server: Server, **options: Any) -> Screens:
    """The details of a group, and what becomes of groups."""
    alice = come(enter, "alice", **options)
    page = alice.page
    bob, carol, dora = (Curl(server, fresh(name)) for name in ("bob", "carol", "dora"))
    carol("PATCH", "/v1/me", {"display_name": "Carolina Maria de la Cruz y Santiago"})
    topic = "Where, and when? Whoever is late brings cake; the list is on the fridge."
    hike = make_group(alice, "Friday lunch", bob.user, carol.user, dora.user, topic=topic)
    api = Curl(server, alice.name)
    api("PUT", f"/v1/conversations/{hike}/members/{bob.user}", {"role": "admin"})
    panel = details(page)
    expect(panel.locator(".members li")).to_have_count(4)
    expect(panel.locator(".role")).to_have_count(2)
    yield "details", page
    panel.get_by_role("button", name=f"What to do with {carol.user}").click()
    expect(page.get_by_role("menu")).to_be_visible()
    yield "member menu", page
    page.keyboard.press("Escape")
    panel.get_by_role("button", name="Create link").click()
    expect(panel.get_by_label("Invitation link", exact=True)).to_be_focused()
    expect(panel.locator(".invite-list li")).to_have_count(1)
    yield "link", page
    panel.get_by_role("button", name="Revoke").click()
    yield "revoke", page
    page.keyboard.press("Escape")
    alice.expect_errors("status of 404")
    panel.get_by_label("Add people").fill("nobody-of-this-name")
    panel.get_by_label("Add people").press("Enter")
    expect(panel.get_by_role("alert").filter(visible=True)).to_contain_text("nobody called")
    yield "add people, nobody found", page
    panel.get_by_role("button", name="Name and topic").click()
    yield "name and topic", page
    page.keyboard.press("Escape")
    choose_remove(page, carol.user)
    yield "remove", page
    page.keyboard.press("Escape")
    panel.get_by_role("button", name="Leave group").click()
    yield "leave", page
    page.keyboard.press("Escape")
    panel.get_by_role("button", name="End group for all").click()
    yield "end", page
    page.keyboard.press("Escape")
    theirs = bob.make_group("The boat", alice.name)
    bob.say(theirs, PARTS[0])
    page.evaluate("id => { location.hash = `#/${id}`; }", theirs)
    expect(page.get_by_role("heading", name="The boat", exact=True)).to_be_visible()
    shows(page, PARTS[:1])
    bob("DELETE", f"/v1/conversations/{theirs}/members/{alice.name}")
    expect(read_only(page)).to_contain_text("removed you")
    yield "removed", page
    details(page)
    yield "removed, details", page
    over = bob.make_group("Over", alice.name)
    bob.say(over, PARTS[1])
    page.evaluate("id => { location.hash = `#/${id}`; }", over)
    shows(page, PARTS[1:])
    bob("DELETE", f"/v1/conversations/{over}")
    expect(read_only(page)).to_contain_text("has ended")
    yield "ended", page


def choose_remove(page: Page, member: str) -> None:
    """Opens the question whether a member is to be removed."""
    details(page).get_by_role("button", name=f"What to do with {member}").click()
    page.get_by_role("menuitem", name="Remove").click()
    expect(page.get_by_role("dialog")).to_contain_text("Remove")


def settings(enter: Enter, server: Server, **options: Any) -> Screens:
    """The settings, part by part."""
    alice = come(enter, "alice", **options)
    alice.expect_errors("status of 422")
    page = alice.page
    dora = Curl(server, fresh("dora"))
    dora("PATCH", "/v1/me", {"display_name": "Dora Explorer"})
    Curl(server, alice.name)("PUT", f"/v1/blocks/{dora.user}")
    elsewhere = {"name": alice.name, "password": "correct horse"}
    for _ in range(2):
        page.request.post(f"{server.url}/v1/session", data=elsewhere, headers={"Cookie": ""})
    page.locator(".account").click()
    page.get_by_role("menuitem", name="Settings").click()
    sheet = page.get_by_role("dialog", name="Settings")
    expect(sheet.get_by_role("button", name="Save")).to_be_enabled()
    expect(sheet.locator(".sessions li").first).to_contain_text("Signed in")
    expect(sheet.get_by_role("button", name=f"Unblock {dora.user}")).to_be_visible()
    yield "settings", page
    sheet.get_by_label("Display name").fill("x" * 65)
    sheet.get_by_role("button", name="Save").click()
    expect(sheet.locator("#display-name-error")).to_be_visible()
    sheet.get_by_role("button", name="Change password").click()
    expect(sheet.locator("#old-password-error")).to_contain_text("Please enter")
    yield "settings, what is wrong", page
    page.get_by_role("button", name=f"Unblock {dora.user}").scroll_into_view_if_needed()
    yield "settings, their end", page
    sheet.locator(".sessions li").last.get_by_role("button").click()
    expect(page.locator("dialog[open]")).to_have_count(2)
    yield "settings, a session to end", page
    page.keyboard.press("Escape")
    sheet.get_by_role("button", name="Close").click()
    expect(sheet).to_have_count(0)


TOURS: dict[str, Callable[..., Screens]] = {
    tour.__name__: tour for tour in (entrance, listing, direct, conversation, group, settings)
}
