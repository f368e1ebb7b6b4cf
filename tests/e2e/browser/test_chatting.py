"""Two users chat in real browsers."""

import re

from playwright.sync_api import expect

from e2e.api import Person
from e2e.browser.groups import use
from e2e.browser.visitor import PHONE, Enter, fresh, oldest, row, shows, texts, until
from serving import Server
from ssechat.texts.characters import is_blank

IN_PAGE = 100
"""The most messages that the page has elements for, however many are loaded."""


def test_two_people_sign_up_and_chat(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    alice.write_to(bob.name)
    alice.say("hi")
    alice.say("are you there?")
    expect(row(bob.page, alice.name)).to_contain_text("are you there?")
    expect(row(bob.page, alice.name).locator(".badge")).to_contain_text("2")
    expect(bob.page).to_have_title(re.compile(r"^\(2\)"))
    bob.open(alice.name)
    shows(bob.page, ["hi", "are you there?"])
    expect(row(bob.page, alice.name).locator(".badge")).to_have_count(0)
    expect(bob.page).not_to_have_title(re.compile(r"^\("))
    bob.say("yes")
    shows(alice.page, ["hi", "are you there?", "yes"])
    shows(bob.page, ["hi", "are you there?", "yes"])
    bob.page.reload()
    shows(bob.page, ["hi", "are you there?", "yes"])


def test_who_is_writing_is_shown_until_the_message_is_there(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    alice.write_to(bob.name)
    alice.say("hi")
    bob.open(alice.name)
    line = bob.page.locator(".typing")
    expect(line).to_be_hidden()
    alice.page.locator("#composer").press_sequentially("how are")
    expect(line).to_have_text(f"{alice.name} is writing …")
    expect(alice.page.locator(".typing")).to_be_hidden()
    alice.page.locator("#composer").press_sequentially(" you?")
    alice.page.keyboard.press("Enter")
    shows(bob.page, ["hi", "how are you?"])
    expect(line).to_be_hidden()


def test_text_arrives_to_the_letter(enter: Enter) -> None:
    written = [
        "data: x\n\nevent: message\nid: 1-1\ndata: {}\n\n: comment",
        "<img src=x onerror=alert(1)><script>alert(2)</script>&amp;</div>",
        "👩‍👩‍👧‍👦 🇪🇺 👋🏽 🎉",
        "שלום עולם، مرحبا بالعالم (abc) 123",
        "  indented\n\ttabbed  and   spaced",
        "line\u2028separator\u2029paragraph",
        "a\u0301e\u0300 ﷽ \U0001f469 \u200d x",
        "${alert(1)} {{7*7}} %00 \\u0000 \\n",
    ]
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    alice.write_to(bob.name)
    for text in written:
        alice.say(text)
    shows(alice.page, written)
    expect(row(bob.page, alice.name)).to_be_visible()
    bob.open(alice.name)
    shows(bob.page, written)
    bob.page.reload()
    shows(bob.page, written)
    assert bob.page.locator(".text :not(a)").count() == 0
    assert bob.page.locator(".content").nth(3).evaluate("node => getComputedStyle(node).direction") == "rtl"


def test_the_page_and_the_server_agree_on_which_texts_show_nothing(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    found = alice.page.evaluate("""async () => {
        const { showsNothing } = await import("/web/format.js");
        const points = Array.from({ length: 0x110000 }, (_, point) => point);
        const isHalf = (point) => point >= 0xd800 && point <= 0xdfff;
        return points.filter((point) => !isHalf(point) && showsNothing(String.fromCodePoint(point)));
    }""")
    points = (point for point in range(0x110000) if not 0xD800 <= point <= 0xDFFF)
    assert found == [point for point in points if is_blank(chr(point))]
    alice.page.get_by_role("button", name="Notes to yourself").click()
    button = alice.page.get_by_role("button", name="Send", exact=True)
    alice.say(" \n\u200b\ufeff")
    expect(button).to_be_disabled()
    alice.page.locator("#composer").fill("x")
    expect(button).to_be_enabled()
    alice.say("seen")
    shows(alice.page, ["seen"])


def test_only_web_addresses_become_links_and_the_text_stays_whole(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.page.get_by_role("button", name="Notes to yourself").click()
    text = (
        "see https://example.org/a_(b)?c=d&e#f, (http://example.com/x). javascript:alert(1) "
        "https:///nothing data:text/html,x ftp://example.org HTTPS://EXAMPLE.NET/Ü"
    )
    alice.say(text)
    shows(alice.page, [text])
    links = alice.page.locator(".text a")
    assert links.all_text_contents() == [
        "https://example.org/a_(b)?c=d&e#f",
        "http://example.com/x",
        "HTTPS://EXAMPLE.NET/Ü",
    ]
    for link in links.all():
        assert link.get_attribute("rel") == "noopener noreferrer"
        assert link.get_attribute("target") == "_blank"


def test_scrolling_back_shows_each_message_once_and_does_not_jump(enter: Enter, server: Server) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"))
    said = [f"message {number}\n" * (1 + number % 3) for number in range(130)]
    with Person(server, alice) as sender:
        for text in said:
            sender.say(text, bob.name)
        bob.open(alice)
        until(bob.page, lambda: len(texts(bob.page)) >= 50)
        page = bob.page
        page.get_by_role("button", name="To the newest message").click()
        expect(page.locator(".message").last).to_be_in_viewport()
        scroller = page.locator(".viewport .scroller")
        place = """node => {
            const edge = node.getBoundingClientRect().top;
            const seen = [...node.querySelectorAll('.message')].find(one => one.getBoundingClientRect().bottom > edge);
            return [seen.dataset.seq, seen.getBoundingClientRect().top - edge];
        }"""
        while (first := oldest(page)) > 1:
            here = texts(page)
            assert len(here) <= IN_PAGE
            assert here == said[first - 1 : first - 1 + len(here)]
            scroller.evaluate("node => { node.scrollTop = 5; }")
            seq, top = scroller.evaluate(place)
            until(page, lambda: oldest(page) < first)
            seq_after, top_after = scroller.evaluate(place)
            assert seq_after == seq
            assert abs(top_after - top) < 2
        assert texts(page) == said[: len(texts(page))]
        sender.say("live while scrolled up", bob.name)
        expect(row(page, alice)).to_contain_text("live while scrolled up")
        assert "live while scrolled up" not in texts(page)
        assert scroller.evaluate("node => node.scrollHeight - node.clientHeight - node.scrollTop") > 1000
        page.get_by_role("button", name="To the newest message").click()
        expect(page.locator(".message").last).to_be_in_viewport()
        assert texts(page)[-50:] == [*said, "live while scrolled up"][-50:]
        page.locator(".message").last.focus()
        page.keyboard.press("Home")
        expect(page.locator("[data-seq='1']")).to_be_focused()
        page.keyboard.press("End")
        expect(page.locator(f"[data-seq='{len(said) + 1}']")).to_be_focused()
        page.keyboard.press("Home")
        expect(page.locator("[data-seq='1']")).to_be_focused()
        for _ in range(3):
            scroller.evaluate("node => { node.scrollTop += 1500; }")
            page.wait_for_timeout(50)
        page.locator("[data-seq='80']").focus()
        for number in range(79, 0, -1):
            page.evaluate("() => new Promise(requestAnimationFrame)")
            page.keyboard.press("ArrowUp")
            expect(page.locator(f"[data-seq='{number}']")).to_be_focused()
        for pixels in range(0, 2000, 37):  # wherever it stands, the edges leave each other in peace
            scroller.evaluate("(node, pixels) => { node.scrollTop = pixels; }", pixels)
        page.wait_for_timeout(100)
        stands = oldest(page), scroller.evaluate("node => node.scrollTop")
        page.wait_for_timeout(200)
        assert stands == (oldest(page), scroller.evaluate("node => node.scrollTop"))


def test_a_conversation_opens_at_the_first_unread_message(enter: Enter, server: Server) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"))
    said = [f"message {number}" for number in range(80)]
    with Person(server, alice) as sender:
        for text in said[:10]:
            sender.say(text, bob.name)
        bob.open(alice)
        shows(bob.page, said[:10])
        expect(row(bob.page, alice).locator(".badge")).to_have_count(0)
        bob.page.get_by_role("button", name="Notes to yourself").click()
        for text in said[10:]:
            sender.say(text, bob.name)
        expect(row(bob.page, alice).locator(".badge")).to_contain_text("70")
        bob.page.reload()
        bob.open(alice)
        line = bob.page.locator(".separator.unread")
        expect(line).to_be_in_viewport()
        expect(line.locator("+ .message .text")).to_have_text("message 10")
        expect(bob.page.get_by_role("heading", name=alice)).to_be_in_viewport(ratio=1)
        expect(bob.page.locator("#composer")).to_be_in_viewport(ratio=1)
        expect(row(bob.page, alice).locator(".badge")).to_contain_text("70")  # not read yet
        bob.page.get_by_role("button", name="To the newest message").click()
        expect(row(bob.page, alice).locator(".badge")).to_have_count(0)


def test_on_a_phone_the_list_and_the_conversation_take_turns(enter: Enter, server: Server) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"), **PHONE)
    page = bob.page
    with Person(server, alice) as sender:
        sender.say("hi " + "w" * 500, bob.name)
    row(page, alice).tap()
    expect(page.get_by_role("navigation", name="Conversations")).to_be_hidden()
    composer = page.locator("#composer")
    expect(composer).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    composer.fill("many\nlines\n" * 20)
    expect(page.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)
    expect(page.locator("header.bar", has=page.get_by_role("heading", name=alice))).to_be_in_viewport(ratio=1)
    page.set_viewport_size({"width": 390, "height": 400})  # the keyboard opens
    expect(composer).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="Back to conversations").tap()
    expect(page.get_by_role("navigation", name="Conversations")).to_be_visible()
    expect(composer).to_be_hidden()
    row(page, alice).tap()
    expect(composer).to_have_value("many\nlines\n" * 20)  # the draft is kept
    page.go_back()
    expect(page.get_by_role("navigation", name="Conversations")).to_be_visible()


def test_a_refused_message_is_kept_with_the_reason(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.expect_errors(r"status of 4(13|22)")
    alice.page.get_by_role("button", name="Notes to yourself").click()
    too_long = "x" * 100_000
    alice.say(too_long)
    failure = alice.page.locator(".failure")
    expect(failure).to_contain_text("Not sent: ")
    assert texts(alice.page) == [too_long]
    alice.say("short")  # a refused message does not block the next one
    expect(alice.page.locator(".message.sent")).to_have_count(1)
    alice.page.reload()
    expect(failure).to_contain_text("Not sent: ")
    failure.get_by_role("button", name="Try again").click()
    expect(failure).to_be_visible()
    failure.get_by_role("button", name="Edit").click()
    shows(alice.page, ["short"])
    expect(alice.page.locator("#composer")).to_have_value(too_long)
    alice.say("y" * 100_000)
    failure.get_by_role("button", name="Delete").click()
    shows(alice.page, ["short"])


def test_a_refused_message_that_is_written_again_ends_the_edit_of_another(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.expect_errors(r"status of 4(13|22)")
    alice.page.get_by_role("button", name="Notes to yourself").click()
    too_long, composer = "x" * 100_000, alice.page.locator("#composer")
    alice.say("short")
    alice.say(too_long)
    expect(alice.page.locator(".failure")).to_contain_text("Not sent: ")
    composer.fill("begun")
    use(alice.page, "short", "Edit")
    expect(composer).to_have_value("short")
    alice.page.locator(".failure").get_by_role("button", name="Edit").click()
    expect(alice.page.locator(".mode")).to_be_hidden()
    expect(composer).to_have_value(f"{too_long}\nbegun")
    alice.page.reload()
    expect(composer).to_have_value(f"{too_long}\nbegun")  # it is the draft
    alice.say("long")
    shows(alice.page, ["short", "long"])


def test_enter_in_an_input_method_does_not_send(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.page.get_by_role("button", name="Notes to yourself").click()
    composer = alice.page.locator("#composer")
    composer.fill("にほん")
    composer.dispatch_event("keydown", {"key": "Enter", "isComposing": True})
    composer.press("Shift+Enter")
    composer.press_sequentially("x")
    expect(composer).to_have_value("にほん\nx")
    composer.press("Enter")
    shows(alice.page, ["にほん\nx"])


def test_what_is_read_as_it_comes_is_never_shown_as_unread(enter: Enter, server: Server) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"))
    with Person(server, alice) as sender:
        sender.say("one", bob.name)
        bob.open(alice)
        shows(bob.page, ["one"])
        expect(row(bob.page, alice).locator(".badge")).to_have_count(0)
        bob.page.evaluate(
            """() => {
              window.badges = 0;
              new MutationObserver(() => {
                window.badges += document.querySelectorAll(".conversation-row .badge").length;
              }).observe(document.querySelector(".conversations"), { childList: true, subtree: true });
            }"""
        )
        for text in ("two", "three"):
            sender.say(text, bob.name)
            expect(row(bob.page, alice)).to_contain_text(text)
    assert bob.page.evaluate("window.badges") == 0
