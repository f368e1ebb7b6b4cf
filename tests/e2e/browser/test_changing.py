"""Messages that change: edits, deletions and reactions, seen by others at once."""

from playwright.sync_api import expect

from e2e.browser.groups import Curl, confirm, details, make_group, message, pair, use
from e2e.browser.visitor import NETWORK_GONE, PHONE, Enter, fresh, row, shows
from serving import Server

TOMBSTONE = "This message was deleted"


def test_an_edit_is_seen_by_others_at_once_and_marked(enter: Enter) -> None:
    alice, bob, _ = pair(enter)
    alice.say("frist")
    for page in (alice.page, bob.page):
        shows(page, ["frist"])
    composer = alice.page.locator("#composer")
    composer.press("ArrowUp")
    expect(composer).to_have_value("frist")
    composer.fill("first")
    composer.press("Enter")
    for page in (alice.page, bob.page):
        shows(page, ["first"])
        expect(page.locator(".edited")).to_contain_text("edited")
        expect(row(page, "Pair")).to_contain_text("first")
        page.reload()
        shows(page, ["first"])
        expect(page.locator(".edited")).to_be_visible()
    expect(composer).to_have_value("")


def test_an_edit_that_is_given_up_leaves_what_was_being_written(enter: Enter) -> None:
    alice, _, _ = pair(enter)
    alice.say("stays")
    shows(alice.page, ["stays"])
    composer = alice.page.locator("#composer")
    composer.fill("half a")
    use(alice.page, "stays", "Edit")
    expect(composer).to_have_value("stays")
    composer.fill("changed")
    composer.press("Escape")
    expect(composer).to_have_value("half a")
    composer.press("End")
    composer.press_sequentially(" sentence")
    composer.press("Enter")
    shows(alice.page, ["stays", "half a sentence"])


def test_an_edit_that_fails_is_kept_with_the_reason(enter: Enter) -> None:
    alice, bob, _ = pair(enter)
    alice.say("one")
    shows(alice.page, ["one"])
    alice.expect_errors(f"{NETWORK_GONE}|status of 409")
    alice.page.locator("#composer").press("ArrowUp")
    alice.page.locator("#composer").fill("two")
    alice.context.set_offline(True)
    alice.page.locator("#composer").press("Enter")
    alert = alice.page.locator(".composer").get_by_role("alert")
    expect(alert).to_contain_text("can't be reached")
    expect(alice.page.locator("#composer")).to_have_value("two")
    alice.context.set_offline(False)
    expect(alice.page.locator(".banner")).to_be_hidden()
    alice.page.locator("#composer").press("Enter")
    shows(bob.page, ["two"])
    expect(alice.page.locator(".mode")).to_be_hidden()
    alice.page.locator("#composer").press("ArrowUp")
    other = alice.tab()
    other.locator(".conversation-row").click()
    use(other, "two", "Delete")
    confirm(other, "Delete")
    shows(alice.page, [TOMBSTONE])
    alice.page.locator("#composer").fill("three")
    alice.page.locator("#composer").press("Enter")
    expect(alert).to_contain_text("deleted")


def test_a_message_is_deleted_after_a_question_and_leaves_a_tombstone(enter: Enter) -> None:
    alice, bob, _ = pair(enter)
    for text in ("keep", "away with it"):
        alice.say(text)
    shows(bob.page, ["keep", "away with it"])
    use(alice.page, "away with it", "Delete")
    alice.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    shows(bob.page, ["keep", "away with it"])
    use(alice.page, "away with it", "Delete")
    confirm(alice.page, "Delete")
    for page in (alice.page, bob.page):
        shows(page, ["keep", TOMBSTONE])
        expect(row(page, "Pair")).to_contain_text("Message deleted")
        page.reload()
        shows(page, ["keep", TOMBSTONE])
    message(alice.page, TOMBSTONE).locator(".bubble").hover()
    expect(alice.page.get_by_role("toolbar", name="Message")).to_have_count(0)


def test_an_admin_deletes_the_messages_of_members_and_members_only_their_own(enter: Enter, server: Server) -> None:
    alice, bob, group = pair(enter)
    bob.say("rude")
    shows(alice.page, ["rude"])
    alice.say("please not")
    shows(bob.page, ["rude", "please not"])
    message(bob.page, "please not").locator(".bubble").hover()
    tools = bob.page.get_by_role("toolbar", name="Message")
    expect(tools.get_by_role("button", name="Reply")).to_be_visible()
    expect(tools.get_by_role("button", name="Delete")).to_be_hidden()
    expect(tools.get_by_role("button", name="Edit")).to_be_hidden()
    use(alice.page, "rude", "Delete")
    confirm(alice.page, "Delete")
    for page in (alice.page, bob.page):
        shows(page, [TOMBSTONE, "please not"])
    assert [one.get("deleted") for one in Curl(server, bob.name).history(group)] == [True, None]


def test_a_reaction_is_chosen_from_a_few_and_clicking_it_toggles(enter: Enter, server: Server) -> None:
    alice, bob, group = pair(enter)
    alice.say("lunch?")
    shows(bob.page, ["lunch?"])
    use(bob.page, "lunch?", "React")
    bob.page.get_by_role("dialog", name="Choose a reaction").get_by_role("button", name="🎉").click()
    for page, pressed in ((bob.page, "true"), (alice.page, "false")):
        reaction = page.locator(".reaction")
        expect(reaction).to_have_text("🎉1")
        expect(reaction).to_have_attribute("aria-pressed", pressed)
        expect(reaction).to_have_attribute("title", "you" if page is bob.page else bob.name)
    bob.say("yes")
    message(bob.page, "yes").locator(".bubble").hover()  # the tools follow the pointer again
    expect(message(bob.page, "yes").get_by_role("toolbar")).to_be_visible()
    bob.page.locator("#composer").click()
    expect(bob.page.get_by_role("toolbar")).to_have_count(0)
    alice.page.locator(".reaction").click()
    for page in (bob.page, alice.page):
        expect(page.locator(".reaction")).to_have_text("🎉2")
        expect(page.locator(".reaction")).to_have_attribute("aria-pressed", "true")
    bob.page.reload()
    expect(bob.page.locator(".reaction")).to_have_text("🎉2")
    bob.page.locator(".reaction").click()
    expect(alice.page.locator(".reaction")).to_have_text("🎉1")  # it has been drawn anew
    alice.page.locator(".reaction").click()
    for page in (bob.page, alice.page):
        expect(page.locator(".reaction")).to_have_count(0)
    assert "reactions" not in Curl(server, bob.name).history(group)[0]


def test_a_click_counts_though_what_it_presses_is_to_be_drawn_anew(enter: Enter, server: Server) -> None:
    alice, bob, group = pair(enter)
    alice.say("lunch?")
    shows(bob.page, ["lunch?"])
    path = f"/v1/conversations/{group}/messages/1/reactions/%F0%9F%8E%89"
    curl = Curl(server, alice.name)
    curl("PUT", path, {})
    reaction = bob.page.locator(".reaction")
    expect(reaction).to_have_text("🎉1")
    reaction.hover()
    bob.page.mouse.down()
    curl("DELETE", path)
    bob.page.wait_for_timeout(200)
    bob.page.mouse.up()
    expect(reaction).to_have_attribute("title", "you")
    expect(reaction).to_have_text("🎉1")
    bob.page.mouse.down()  # whatever is still pressed, what comes is shown
    curl.say(group, "at noon")
    shows(bob.page, ["lunch?", "at noon"])
    bob.page.mouse.up()


def test_one_of_many_takes_back_a_reaction_that_the_message_does_not_name(enter: Enter, server: Server) -> None:
    alice, bob, group = pair(enter)
    alice.say("all in favour?")
    shows(bob.page, ["all in favour?"])
    crowd = [Curl(server, fresh(f"crowd{number}-")) for number in range(4)]
    maker = Curl(server, alice.name)
    maker("POST", f"/v1/conversations/{group}/members", {"users": [one.user for one in crowd]})
    path = f"/v1/conversations/{group}/messages/1/reactions/%F0%9F%91%8D"
    for one in crowd:
        one("PUT", path, {})
    reaction = bob.page.locator(".reaction")
    expect(reaction).to_contain_text("4")
    reaction.click()
    expect(reaction).to_contain_text("5")
    bob.page.reload()
    expect(reaction).to_contain_text("5")
    reaction.click()
    expect(reaction).to_contain_text("4")
    expect(reaction).to_have_attribute("aria-pressed", "false")


def test_the_keyboard_alone_reacts_answers_edits_and_deletes(enter: Enter) -> None:
    alice, bob, _ = pair(enter)
    for text in ("one", "two"):
        alice.say(text)
    shows(bob.page, ["one", "two"])
    keys = alice.page.keyboard
    composer = alice.page.locator("#composer")

    def to_messages() -> None:
        composer.focus()
        keys.press("Shift+Tab")  # the tools of the newest message are behind it
        while not alice.page.evaluate("document.activeElement.matches('li.message')"):
            keys.press("Shift+Tab")

    to_messages()
    keys.press("ArrowUp")
    expect(message(alice.page, "one")).to_be_focused()
    keys.press("Enter")
    keys.press("Enter")  # React
    keys.press("ArrowRight")
    keys.press("Enter")
    expect(bob.page.locator(".reaction")).to_have_text("❤️1")
    keys.press("Escape")
    expect(composer).to_be_focused()
    to_messages()
    keys.press("Enter")
    keys.press("Tab")
    keys.press("Enter")  # Reply
    expect(composer).to_be_focused()
    alice.say("three")
    expect(bob.page.locator(".quote")).to_contain_text("two")
    shows(alice.page, ["one", "two", "three"])
    to_messages()
    keys.press("End")
    expect(message(alice.page, "three")).to_be_focused()
    keys.press("Enter")
    for _ in range(3):
        keys.press("Tab")
    keys.press("Enter")  # Delete
    expect(alice.page.get_by_role("dialog")).to_be_visible()
    keys.press("Tab")
    confirm(alice.page, "Delete")
    shows(bob.page, ["one", "two", TOMBSTONE])


def test_direct_messages_change_too_and_so_do_ones_notes(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"), **PHONE)
    alice.write_to(bob.name)
    alice.say("hi")
    row(bob.page, alice.name).tap()
    message(bob.page, "hi").locator(".bubble").tap()
    bob.page.get_by_role("button", name="React").tap()
    bob.page.get_by_role("button", name="👍").tap()
    expect(alice.page.locator(".reaction")).to_have_text("👍1")
    message(bob.page, "hi").locator(".bubble").tap()
    bob.page.get_by_role("button", name="Reply").tap()
    bob.say("hello")
    expect(alice.page.locator(".quote")).to_contain_text("hi")
    expect(bob.page.get_by_role("toolbar")).to_have_count(0)
    use(alice.page, "hi", "Delete")
    confirm(alice.page, "Delete")
    shows(bob.page, [TOMBSTONE, "hello"])
    expect(bob.page.locator(".quote")).to_contain_text("Deleted message")
    alice.page.get_by_role("button", name="Notes to yourself").click()
    alice.say("milk")
    shows(alice.page, ["milk"])
    alice.page.locator("#composer").press("ArrowUp")
    alice.page.locator("#composer").fill("milk and bread")
    alice.page.locator("#composer").press("Enter")
    shows(alice.page, ["milk and bread"])


def test_the_tools_of_a_message_at_the_upper_edge_are_below_it(enter: Enter) -> None:
    alice = enter(fresh("alice"), **PHONE)
    make_group(alice, "Edge")
    said = list(map(str, range(21)))
    for text in said:
        alice.say(text)
    shows(alice.page, said)
    first = alice.page.locator(".message").first
    first.evaluate("node => { node.closest('.scroller').scrollTop = node.offsetTop; }")
    box = first.locator(".bubble").bounding_box()
    assert box is not None
    alice.page.touchscreen.tap(box["x"] + 20, box["y"] + 20)
    bar = alice.page.get_by_role("toolbar", name="Message")
    expect(bar).to_be_visible()
    tools = bar.bounding_box()
    assert tools is not None
    assert box["y"] < tools["y"] < box["y"] + box["height"] + 10


def test_all_tabs_follow_changes_and_a_reset_forgets_versions(enter: Enter) -> None:
    alice, bob, _ = pair(enter)
    other = bob.tab()
    other.locator(".conversation-row").click()
    alice.say("one")
    for page in (alice.page, bob.page, other):
        shows(page, ["one"])
    alice.page.locator("#composer").press("ArrowUp")
    alice.page.locator("#composer").fill("two")
    alice.page.locator("#composer").press("Enter")
    details(alice.page).get_by_role("button", name="Name and topic").click()
    alice.page.get_by_role("dialog").get_by_label("Name").fill("Renamed")
    confirm(alice.page, "Save")
    for page in (bob.page, other):
        shows(page, ["two"])
        expect(row(page, "Renamed")).to_be_visible()
    assert len(bob.streams) == 1
