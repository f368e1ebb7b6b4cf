"""Messages that refer to others: answers, and mentions."""

from playwright.sync_api import expect

from e2e.browser.groups import Curl, message, pair, use
from e2e.browser.visitor import Enter, row, shows, texts
from serving import Server


def test_an_answer_quotes_its_original_as_it_stands_and_leads_to_it(enter: Enter, server: Server) -> None:
    alice, bob, group = pair(enter)
    alice.say("the original")
    shows(bob.page, ["the original"])
    use(bob.page, "the original", "Reply")
    expect(bob.page.locator(".mode")).to_contain_text(f"Reply to {alice.name}")
    bob.say("the answer")
    quote = alice.page.locator(".quote")
    expect(quote).to_contain_text("the original")
    curl = Curl(server, bob.name)
    for number in range(120):
        curl.say(group, f"later {number}")
    curl.say(group, "a late answer", reply_to=1)
    alice.page.reload()
    expect(quote).to_contain_text("the original")  # it is far from being loaded
    assert "the original" not in texts(alice.page)
    Curl(server, alice.name)("PATCH", f"/v1/conversations/{group}/messages/1", {"text": "the edited original"})
    expect(quote).to_contain_text("the edited original")
    quote.click()
    expect(message(alice.page, "the edited original")).to_be_in_viewport()
    bob.say("said meanwhile")
    expect(row(alice.page, "Pair")).to_contain_text("said meanwhile")
    assert "said meanwhile" not in texts(alice.page)
    scroller = alice.page.locator(".viewport .scroller")
    assert texts(alice.page)[1:3] == ["the answer", "later 0"]
    while texts(alice.page)[-1] != "said meanwhile":
        scroller.evaluate("node => { node.scrollTop = node.scrollHeight; }")
        alice.page.wait_for_timeout(20)
    assert texts(alice.page)[-3:] == ["later 119", "a late answer", "said meanwhile"]
    alice.page.locator(".quote").last.click()
    expect(message(alice.page, "the edited original")).to_be_in_viewport()
    Curl(server, alice.name)("DELETE", f"/v1/conversations/{group}/messages/1")
    expect(alice.page.locator(".quote").last).to_contain_text("Deleted message")


def test_an_answer_that_is_not_sent_yet_still_answers_after_a_look_elsewhere_a_reload_and_an_edit(enter: Enter) -> None:
    alice, bob, _ = pair(enter)
    for text in ("the question", "of mine"):
        alice.say(text)
    shows(bob.page, ["the question", "of mine"])
    bob.say("my own")
    use(bob.page, "the question", "Reply")
    composer, mode = bob.page.locator("#composer"), bob.page.locator(".mode")
    composer.fill("an answer")
    bob.page.get_by_role("button", name="Notes to yourself").click()
    expect(mode).to_be_hidden()
    row(bob.page, "Pair").click()
    expect(mode).to_contain_text("the question")
    bob.page.reload()
    expect(mode).to_contain_text("the question")
    expect(composer).to_have_value("an answer")
    use(bob.page, "my own", "Edit")
    expect(mode).to_contain_text("Edit your message")
    composer.press("Escape")
    expect(mode).to_contain_text("the question")
    other = bob.tab()
    row(other, "Pair").click()
    expect(other.locator(".mode")).to_contain_text("the question")
    composer.press("Enter")
    expect(alice.page.locator(".quote")).to_contain_text("the question")
    for page in (bob.page, other):
        expect(page.locator(".mode")).to_be_hidden()
    use(bob.page, "of mine", "Reply")
    expect(other.locator(".mode")).to_contain_text("of mine")
    composer.press("Escape")
    expect(other.locator(".mode")).to_be_hidden()
    bob.say("a plain one")
    expect(message(alice.page, "a plain one")).to_be_visible()
    expect(alice.page.locator(".quote")).to_have_count(1)


def test_an_answer_leads_to_its_original_from_where_one_has_scrolled_up_to(enter: Enter, server: Server) -> None:
    alice, bob, group = pair(enter)
    curl = Curl(server, bob.name)
    for number in range(190):
        curl.say(group, f"message {number}", **({"reply_to": 1} if number == 110 else {}))
    alice.page.reload()
    shows_first = "document.querySelector('.scroller .message .quote') !== null"
    scroller = alice.page.locator(".viewport .scroller")
    expect(message(alice.page, "message 189")).to_be_in_viewport()
    while not alice.page.evaluate(shows_first):
        scroller.evaluate("node => { node.scrollTop = 0; }")
        alice.page.wait_for_timeout(20)
    assert "message 189" not in texts(alice.page)
    expect(alice.page.locator(".quote")).to_contain_text("message 0")
    alice.page.locator(".quote").click()
    expect(message(alice.page, "message 0").first).to_be_in_viewport()


def test_what_is_written_while_an_old_message_is_shown_leads_back_to_the_newest(enter: Enter, server: Server) -> None:
    alice, bob, group = pair(enter)
    curl = Curl(server, bob.name)
    for number in range(90):
        curl.say(group, f"message {number}")
    curl.say(group, "about the first", reply_to=1)
    alice.page.reload()
    expect(alice.page.locator(".quote")).to_contain_text("message 0")
    alice.page.locator(".quote").click()
    expect(message(alice.page, "message 0").first).to_be_in_viewport()
    alice.say("back here")
    expect(message(alice.page, "back here")).to_be_in_viewport()
    expect(alice.page.locator(".message.queued")).to_have_count(0)
    assert texts(alice.page)[-2:] == ["about the first", "back here"]


def test_a_member_is_mentioned_by_completion_and_sees_it(enter: Enter, server: Server) -> None:
    alice, bob, group = pair(enter)
    composer = alice.page.locator("#composer")
    composer.press_sequentially("ask @bo")
    expect(alice.page.get_by_role("option", name=bob.name)).to_be_visible()
    composer.press("Tab")
    composer.press_sequentially("or @nobody, mail x@bob.example")
    composer.press("Enter")
    said = f"ask @{bob.name} or @nobody, mail x@bob.example"
    for page in (alice.page, bob.page):
        shows(page, [said])
        expect(page.locator(".mention")).to_have_text(f"@{bob.name}")
    expect(bob.page.locator(".mention")).to_have_class("mention me")
    curl = Curl(server, bob.name)
    assert curl.history(group)[0]["mentions"] == [bob.name]
    composer.press_sequentially(f"bye @{bob.name}")
    expect(alice.page.get_by_role("option")).to_have_count(1)
    composer.press("Enter")  # there is nothing to complete
    shows(alice.page, [said, f"bye @{bob.name}"])
    composer.press_sequentially("@")
    expect(alice.page.get_by_role("option")).to_have_count(1)
    composer.press("Escape")
    expect(alice.page.get_by_role("option")).to_have_count(0)
    curl.say(group, "bye")
    shows(alice.page, [said, f"bye @{bob.name}", "bye"])
    expect(alice.page.get_by_role("option")).to_have_count(0)  # it stays closed, whatever happens here
    composer.press("Enter")
    shows(alice.page, [said, f"bye @{bob.name}", "bye", "@"])
