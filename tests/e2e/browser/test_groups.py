"""Groups on the page: people come and go while others have it open."""

import re

from playwright.sync_api import Page, Route, expect

from e2e.browser.groups import Curl, choose, confirm, count, details, group_id, make_group, members, read_only
from e2e.browser.visitor import NETWORK_GONE, PHONE, Enter, fresh, row, shows, texts, until
from serving import Server


def listed(page: Page) -> list[str]:
    """The list of conversations, line by line."""
    lines: list[str] = page.locator(".conversation-row").all_inner_texts()
    return lines


def same_after_reload(page: Page) -> None:
    """Checks that a new page shows what this one shows after all its events."""
    expect(page.locator(".conversation-row .badge")).to_have_count(0)
    expected = (listed(page), texts(page))
    page.reload()
    until(page, lambda: (listed(page), texts(page)) == expected)


def test_three_people_and_curl_talk_in_a_group_and_one_is_removed_in_the_middle(enter: Enter, server: Server) -> None:
    alice, bob, carol = enter(fresh("alice")), enter(fresh("bob")), enter(fresh("carol"))
    curl = Curl(server, fresh("curl"))
    group = make_group(alice, "Hike", bob.name, carol.name, curl.user, topic="Saturday")
    for visitor in (bob, carol):
        expect(count(visitor.page, "Hike")).to_contain_text("4 members")
        visitor.open("Hike")
    said = ["by alice", "by bob", "by carol", "by curl"]
    for visitor, text in zip((alice, bob, carol), said, strict=False):
        visitor.say(text)
        shows(visitor.page, said[: said.index(text) + 1])
    curl.say(group, "by curl")
    for visitor in (alice, bob, carol):
        shows(visitor.page, said)
    expect(bob.page.locator(".message .name")).to_have_text([alice.name, carol.name, curl.user])
    bob.expect_errors("status of 403")  # what was being marked as read
    choose(alice.page, bob.name, "Remove")
    expect(read_only(bob.page)).to_contain_text(f"{alice.name} removed you")
    expect(bob.page.locator("#composer")).to_be_hidden()
    for visitor in (alice, carol):
        expect(count(visitor.page, "Hike")).to_contain_text("3 members")
    curl.say(group, "without bob")
    for visitor in (alice, carol):
        shows(visitor.page, [*said, "without bob"])
        same_after_reload(visitor.page)
    shows(bob.page, said)
    bob.page.get_by_role("button", name="Notes to yourself").click()
    expect(row(bob.page, "Hike")).to_have_count(0)
    bob.page.go_back()
    bob.page.reload()
    expect(read_only(bob.page)).to_contain_text("not a member")
    shows(bob.page, said)


def slowly(page: Page, user: str) -> None:
    """Has the page wait for a second for what the server says of a user."""

    def later(route: Route) -> None:
        page.wait_for_timeout(1000)
        route.continue_()

    page.route(f"**/v1/users/{user}", later)


def test_a_name_that_is_still_being_checked_belongs_to_the_group_that_is_made_meanwhile(enter: Enter) -> None:
    alice, bob, carol = enter(fresh("alice")), enter(fresh("bob")), enter(fresh("carol"))
    for user in (bob.name, carol.name):
        slowly(alice.page, user)
    make_group(alice, "Hike", bob.name)
    until(alice.page, lambda: len(members(alice.page)) == 2)
    add = details(alice.page).get_by_label("Add people")
    add.fill(carol.name)
    add.press("Enter")
    details(alice.page).get_by_role("button", name="Add", exact=True).click()
    until(alice.page, lambda: len(members(alice.page)) == 3)


def test_who_is_added_sees_the_group_at_once_and_only_what_is_said_from_then_on_is_unread(
    enter: Enter, server: Server
) -> None:
    bob, curl = enter(fresh("bob")), Curl(server, fresh("curl"))
    group = curl.make_group("Old friends")
    for number in range(3):
        curl.say(group, f"before {number}")
    curl("POST", f"/v1/conversations/{group}/members", {"users": [bob.name]})
    expect(count(bob.page, "Old friends")).to_contain_text("2 members")
    expect(row(bob.page, "Old friends").locator(".badge")).to_have_count(0)
    curl.say(group, "after")
    expect(row(bob.page, "Old friends").locator(".badge")).to_contain_text("1")
    expect(bob.page).to_have_title(re.compile(r"^\(1\)"))
    bob.open("Old friends")
    shows(bob.page, ["before 0", "before 1", "before 2", "after"])
    expect(row(bob.page, "Old friends").locator(".badge")).to_have_count(0)


def test_who_joins_a_group_without_history_reads_what_is_written_from_then_on(enter: Enter, server: Server) -> None:
    bob, curl = enter(fresh("bob")), Curl(server, fresh("curl"))
    group = curl.make_group("From now", history="from_join")
    before = curl.say(group, "before")
    curl("PUT", f"/v1/conversations/{group}/members/{bob.name}", {})
    curl.say(group, "after", reply_to=before)
    expect(row(bob.page, "From now").locator(".badge")).to_contain_text("1")
    bob.expect_errors("status of 404")  # of the message that it answers
    bob.open("From now")
    shows(bob.page, ["after"])
    expect(bob.page.locator(".quote")).to_contain_text("cannot read")


def test_who_comes_back_reads_on(enter: Enter, server: Server) -> None:
    bob, curl = enter(fresh("bob")), Curl(server, fresh("curl"))
    group = curl.make_group("Come and go", bob.name)
    curl.say(group, "one")
    bob.open("Come and go")
    shows(bob.page, ["one"])
    bob.expect_errors("status of 403")  # what was being marked as read
    curl("DELETE", f"/v1/conversations/{group}/members/{bob.name}")
    expect(read_only(bob.page)).to_be_visible()
    curl.say(group, "two")
    curl("PUT", f"/v1/conversations/{group}/members/{bob.name}", {})
    expect(read_only(bob.page)).to_be_hidden()
    bob.say("three")
    shows(bob.page, ["one", "two", "three"])


def test_name_topic_and_roles_are_seen_by_all_at_once(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    make_group(alice, "First", bob.name)
    bob.open("First")
    assert "people" in details(alice.page).inner_text().lower()
    expect(details(bob.page).get_by_role("button", name="Name and topic")).to_be_hidden()
    until(bob.page, lambda: members(bob.page) == [f"{alice.name} Owner", f"{bob.name} (you)"])
    choose(alice.page, bob.name, "Make admin")
    until(bob.page, lambda: members(bob.page) == [f"{alice.name} Owner", f"{bob.name} (you) Admin"])
    details(bob.page).get_by_role("button", name="Name and topic").click()
    form = bob.page.get_by_role("dialog")
    form.get_by_label("Name").fill("Second")
    form.get_by_label("Topic").fill("The topic")
    form.get_by_role("button", name="Save").click()
    for page in (alice.page, bob.page):
        expect(page.get_by_role("heading", name="Second", exact=True).first).to_be_visible()
        expect(page.locator(".about")).to_have_text("2 members · The topic")
        expect(row(page, "Second")).to_be_visible()


def test_people_are_added_on_the_page_and_a_name_that_nobody_has_is_told(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    alice.expect_errors("status of 404")
    make_group(alice, "Growing")
    panel = details(alice.page)
    panel.get_by_label("Add people").fill(f"{bob.name.upper()} nobody-of-this-name ")
    expect(panel.get_by_role("alert").filter(visible=True)).to_contain_text("nobody-of-this-name")
    panel.get_by_label("Add people").fill("")
    panel.get_by_role("button", name="Add", exact=True).click()
    expect(row(bob.page, "Growing")).to_be_visible()
    until(alice.page, lambda: members(alice.page) == [f"{alice.name} (you) Owner", bob.name])


def test_a_group_is_not_made_without_a_name_or_with_nobodys_and_the_form_says_why(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.expect_errors("status of 404")
    alice.page.get_by_role("button", name="New group").first.click()
    form = alice.page.get_by_role("dialog")
    alert = form.get_by_role("alert").filter(visible=True)
    form.get_by_role("button", name="Create group").click()
    expect(alert).to_have_text("Please give the group a name.")
    form.get_by_label("Name", exact=True).fill("Nobody's")
    form.get_by_label("People").fill("nobody-of-this-name")
    form.get_by_role("button", name="Create group").click()
    expect(alert).to_contain_text("nobody-of-this-name")
    form.get_by_label("People").fill("")
    form.get_by_role("button", name="Create group").click()
    expect(alice.page.get_by_role("heading", name="Nobody's", exact=True)).to_be_visible()


def test_a_group_that_is_called_like_somebody_does_not_stand_in_their_place(enter: Enter) -> None:
    alice, bob, eve = enter(fresh("alice")), enter(fresh("bob")), enter(fresh("eve"))
    alice.expect_errors("status of 404")
    make_group(eve, bob.name, alice.name)
    make_group(eve, "Nobody's name", alice.name)
    make_group(eve, "nobody-s", alice.name)
    expect(row(alice.page, "nobody-s")).to_be_visible()
    alice.find(bob.name)
    expect(alice.page.locator("main .about")).to_be_hidden()
    expect(alice.page.get_by_role("heading", name=bob.name, exact=True)).to_be_visible()
    alice.say("for you alone")
    expect(row(bob.page, alice.name)).to_contain_text("for you alone")
    for name in ("NOBODY'S name", "Nobody-S"):
        alice.find(name)
        expect(alice.page.locator("main .about")).to_have_text("2 members")
        expect(alice.page.locator("main h1")).to_have_text(name, ignore_case=True)


def test_the_last_owner_cannot_leave_and_the_servers_reason_is_shown(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    alice.expect_errors("status of 409")
    make_group(alice, "Mine", bob.name)
    details(alice.page).get_by_role("button", name="Leave group").click()
    confirm(alice.page, "Leave")
    expect(alice.page.get_by_role("dialog").get_by_role("alert")).to_contain_text("owner")
    alice.page.keyboard.press("Escape")
    choose(alice.page, bob.name, "Make owner")
    until(alice.page, lambda: f"{bob.name} Owner" in members(alice.page))
    details(alice.page).get_by_role("button", name="Leave group").click()
    confirm(alice.page, "Leave")
    expect(read_only(alice.page)).to_contain_text("You left")
    expect(count(bob.page, "Mine")).to_contain_text("1 member")


def test_an_ended_group_can_be_read_and_says_so(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    make_group(alice, "Over", bob.name)
    bob.open("Over")
    bob.say("goodbye")
    shows(alice.page, ["goodbye"])
    details(alice.page).get_by_role("button", name="End group for all").click()
    confirm(alice.page, "End group")
    for visitor in (alice, bob):
        expect(read_only(visitor.page)).to_contain_text("has ended")
        visitor.page.reload()
        shows(visitor.page, ["goodbye"])
        expect(read_only(visitor.page)).to_contain_text("has ended")
    details(alice.page).get_by_role("button", name="Leave group").click()  # its only owner
    expect(alice.page.get_by_role("dialog")).to_contain_text("not be in your list")
    confirm(alice.page, "Leave")
    expect(read_only(alice.page)).to_contain_text("You left")
    shows(alice.page, ["goodbye"])
    expect(count(bob.page, "Over")).to_contain_text("1 member")
    alice.page.get_by_role("button", name="Notes to yourself").click()
    expect(row(alice.page, "Over")).to_have_count(0)


def test_what_is_written_to_a_group_offline_is_sent_later_and_shows_in_all_tabs(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    bob.expect_errors(NETWORK_GONE)
    make_group(alice, "Tunnel", bob.name)
    bob.open("Tunnel")
    other = bob.tab()
    other.locator(".conversation-row").click()
    bob.context.set_offline(True)
    bob.say(f"@{alice.name} from the tunnel")
    expect(bob.page.locator(".message.queued")).to_have_count(1)
    alice.say("anybody there?")
    shows(alice.page, ["anybody there?"])
    bob.context.set_offline(False)
    for page in (alice.page, bob.page, other):
        shows(page, ["anybody there?", f"@{alice.name} from the tunnel"])
    expect(alice.page.locator(".mention.me")).to_have_text(f"@{alice.name}")
    assert len(bob.streams) >= 1


def test_what_is_refused_as_one_is_no_member_any_more_is_kept_with_the_reason(enter: Enter, server: Server) -> None:
    bob, curl = enter(fresh("bob")), Curl(server, fresh("curl"))
    group = curl.make_group("Gone", bob.name)
    bob.open("Gone")
    bob.expect_errors(f"{NETWORK_GONE}|status of 403")
    bob.context.set_offline(True)
    bob.say("too late")
    curl("DELETE", f"/v1/conversations/{group}/members/{bob.name}")
    bob.context.set_offline(False)
    expect(bob.page.locator(".failure")).to_contain_text("Not sent: ")
    expect(read_only(bob.page)).to_contain_text("removed you")


def test_on_a_phone_the_details_are_a_page_of_their_own(enter: Enter, server: Server) -> None:
    bob, curl = enter(fresh("bob"), **PHONE), Curl(server, fresh("curl"))
    group = curl.make_group("Pocket", bob.name)
    row(bob.page, "Pocket").tap()
    panel = details(bob.page)
    expect(bob.page.locator("#composer")).to_be_hidden()
    assert bob.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(panel.locator(".members li")).to_have_count(2)
    bob.page.go_back()
    expect(bob.page.locator("#composer")).to_be_visible()
    assert group_id(bob.page) == group
    bob.page.go_back()
    expect(row(bob.page, "Pocket")).to_be_visible()


def test_a_group_of_others_is_not_shown(enter: Enter, server: Server) -> None:
    bob, curl = enter(fresh("bob")), Curl(server, fresh("curl"))
    group = curl.make_group("Secret")
    bob.expect_errors("status of 40[34]")
    bob.page.goto(f"{bob.url}/#/{group}")
    expect(bob.page.get_by_role("alert").filter(visible=True)).to_be_visible()
    expect(bob.page.locator("#composer")).to_be_hidden()
    expect(bob.page.get_by_text("Secret")).to_have_count(0)


def test_a_dialog_closes_when_one_goes_back(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    make_group(alice, "Backwards")
    details(alice.page).get_by_role("button", name="Leave group").click()
    expect(alice.page.get_by_role("dialog")).to_be_visible()
    alice.page.go_back()
    expect(alice.page.get_by_role("dialog")).to_have_count(0)
    expect(alice.page.locator("#composer")).to_be_visible()
