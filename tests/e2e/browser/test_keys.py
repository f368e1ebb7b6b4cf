"""What the keys do, where the focus goes, and addresses that lead nowhere."""

from playwright.sync_api import expect

from e2e.api import Person
from e2e.browser.groups import Curl, confirm, make_group, message
from e2e.browser.visitor import NETWORK_GONE, PHONE, Enter, fresh, row, shows, texts
from serving import Server


def test_enter_on_a_phone_begins_a_line_and_the_button_sends(enter: Enter) -> None:
    alice = enter(fresh("alice"), **PHONE)
    alice.page.get_by_role("button", name="Notes to yourself").tap()
    composer = alice.page.locator("#composer")
    composer.tap()
    composer.press_sequentially("one\ntwo")
    expect(composer).to_have_value("one\ntwo")
    expect(composer).to_have_attribute("enterkeyhint", "enter")
    alice.page.get_by_role("button", name="Send", exact=True).tap()
    shows(alice.page, ["one\ntwo"])
    expect(composer).to_be_focused()
    composer.press_sequentially("by a keyboard")
    composer.press("Control+Enter")
    shows(alice.page, ["one\ntwo", "by a keyboard"])


def test_the_focus_goes_where_one_goes_on(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    page, composer = alice.page, alice.page.locator("#composer")
    expect(page.get_by_role("searchbox")).to_be_focused()
    alice.write_to(bob.name)
    expect(composer).to_be_focused()
    alice.say("hi")
    page.get_by_role("button", name="Notes to yourself").click()
    expect(composer).to_be_focused()
    row(page, bob.name).click()
    expect(composer).to_be_focused()
    page.reload()
    expect(composer).to_be_focused()
    alice.sign_out()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    alice.fill_in("Sign in")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_escape_gives_up_an_answer_wherever_the_focus_is(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.page.get_by_role("button", name="Notes to yourself").click()
    alice.say("said")
    shows(alice.page, ["said"])
    mode = alice.page.locator(".mode")
    alice.page.locator("#composer").press("ArrowUp")
    expect(mode).to_contain_text("Edit your message")
    alice.page.get_by_role("button", name="Cancel").focus()
    alice.page.keyboard.press("Escape")
    expect(mode).to_be_hidden()
    expect(alice.page.locator("#composer")).to_be_focused()


def test_ctrl_k_leads_to_any_conversation_and_to_somebody_new(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    make_group(alice, "Friday lunch")
    page, keys = alice.page, alice.page.keyboard
    field, options = page.get_by_role("combobox"), page.get_by_role("option")
    keys.press("Control+k")
    expect(field).to_be_focused()
    field.fill(bob.name)
    expect(options).to_contain_text(f"Write to {bob.name}")
    keys.press("Enter")
    expect(page.get_by_role("heading", name=bob.name, exact=True)).to_be_visible()
    expect(page.locator("#composer")).to_be_focused()
    alice.say("hi")
    keys.press("Control+k")
    keys.type("lunch")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Friday lunch", exact=True)).to_be_visible()
    keys.press("Control+k")
    expect(options.first).to_have_attribute("aria-selected", "true")
    expect(options.first).to_contain_text(bob.name)  # the one before this one
    keys.press("Escape")
    expect(field).to_have_count(0)
    keys.press("Control+k")
    alice.expect_errors("status of 404")
    field.fill("nobody-of-this-name")
    keys.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("nobody called")
    keys.press("Control+k")
    expect(page.get_by_role("dialog")).to_have_count(1)


def test_ctrl_f_finds_what_is_loaded_though_it_is_not_in_the_page(enter: Enter, server: Server) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"))
    with Person(server, alice) as sender:
        for number in range(190):
            sender.say(f"a **need**le: {number}" if number in (20, 60, 180) else f"hay {number}", bob.name)
    bob.open(alice)
    page, keys = bob.page, bob.page.keyboard
    scroller = page.locator(".viewport .scroller")
    while not (texts(page) or [""])[0].startswith("hay 0"):
        scroller.evaluate("node => { node.scrollTop = 0; }")
        page.wait_for_timeout(20)
    page.get_by_role("button", name="To the newest message").click()
    expect(page.locator("[data-seq='190']")).to_be_in_viewport()
    assert "hay 19" not in texts(page)
    keys.press("Control+f")
    field, count = page.get_by_label("Find in this conversation").last, page.locator(".thread-search .count")
    expect(field).to_be_focused()
    keys.type("NEED")
    for place, number in (("1", 180), ("2", 60), ("3", 20), ("1", 180)):
        expect(count).to_have_text(f"{place} of 3")
        expect(message(page, f": {number}").last).to_be_in_viewport()
        assert page.evaluate("[...CSS.highlights.get('found')].some(range => range.toString() === 'need')")
        keys.press("Enter")
    keys.press("Shift+Enter")
    expect(count).to_have_text("1 of 3")
    field.fill("nothing like that")
    expect(count).to_have_text("Nothing in what is loaded")
    keys.press("Escape")
    expect(field).to_be_hidden()
    expect(page.locator("#composer")).to_be_focused()


def test_a_name_that_nobody_has_is_not_offered_to_be_written_to(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.expect_errors("status of 404")
    field, offer = alice.page.get_by_role("searchbox"), alice.page.locator(".begin")
    field.fill("nobody-of-this-name")
    expect(offer).to_be_visible()
    field.press("Enter")
    expect(alice.page.get_by_role("alert").filter(visible=True)).to_contain_text("nobody called")
    expect(offer).to_be_hidden()
    field.press_sequentially("x")
    expect(offer).to_be_visible()


def test_addresses_of_nobody_say_so_and_greet_nobody(enter: Enter, server: Server) -> None:
    alice = enter(fresh("alice"))
    alice.expect_errors("status of 40[34]")
    page = alice.page
    others = Curl(server, fresh("carol")).make_group("Theirs")
    for address, said in (
        (f"dm:{alice.name}:nobody-of-this-name", "There is nobody called “nobody-of-this-name” here."),
        ("g:nothing", "There is no such group, or you are not in it."),
        ("g:", "There is no such group, or you are not in it."),
        (others, "There is no such group, or you are not in it."),
    ):
        page.evaluate("address => { location.hash = `#/${address}`; }", address)
        expect(page.get_by_text(said)).to_be_visible()
        expect(page.get_by_text("Say hello")).to_have_count(0)
        expect(page.get_by_role("heading", name="Not found")).to_be_visible()
        expect(page.locator(".conversation-row")).to_have_count(0)
        expect(page.locator("#composer")).to_be_hidden()
        page.reload()
        expect(page.get_by_text(said)).to_be_visible()
        expect(page.locator("#composer")).to_be_hidden()
        page.get_by_role("button", name="Back to conversations").last.click()
        expect(page.get_by_text("Choose a conversation")).to_be_visible()


def test_signing_out_asks_before_it_discards_and_says_when_it_fails(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.expect_errors(NETWORK_GONE)
    page = alice.page
    page.get_by_role("button", name="Notes to yourself").click()
    alice.context.set_offline(True)
    alice.sign_out()
    expect(page.locator(".toast")).to_contain_text("You are still signed in")
    alice.say("unsent")
    expect(page.locator(".message.queued")).to_have_count(1)
    alice.sign_out()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("A message has not been sent yet.")
    confirm(page, "Sign out")
    expect(dialog.get_by_role("alert")).to_contain_text("You are still signed in")
    confirm(page, "Cancel")
    expect(page.locator(".message.queued")).to_have_count(1)
