"""The page at `/`, in a real Chromium: what a person sees, whatever happens to the server."""

import itertools
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jwt
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Route, expect, sync_playwright

from e2e.api import Person
from serving import Server

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PASSWORD = "correct horse"
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 760}, "is_mobile": True, "has_touch": True}
NETWORK_GONE = r"net::ERR_|status of 50[23]"
PATIENCE = 15_000
"""Milliseconds after which something that should have happened has not."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")

_numbers = itertools.count(1)


def fresh(name: str) -> str:
    """A user id that no other test has."""
    return f"{name}{next(_numbers)}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for this module: Playwright's loop must be gone before other modules run theirs."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for the tests that leave it alone."""
    with Server(tmp_path_factory.mktemp("browser") / "data", "--workers", "2") as running:
        yield running


class Visitor:
    """A person with a browser of their own; any error in its console is a failure."""

    def __init__(self, browser: Browser, url: str, name: str, **options: Any) -> None:
        self.url = url
        self.name = name
        self.streams: list[Page] = []
        self._expected = [r"status of 401 .*/v1/session$"]
        self._problems: list[str] = []
        self.context: BrowserContext = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE)
        self.page = self.tab()

    def tab(self) -> Page:
        """Another tab of this person's browser."""
        page = self.context.new_page()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._problems.append(str(error)))
        page.on("request", lambda request: self.streams.append(page) if "/v1/events" in request.url else None)
        page.goto(self.url)
        return page

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._problems.append(f"{message.text} {message.location.get('url')}")

    def expect_errors(self, pattern: str) -> None:
        """What this test provokes is no failure."""
        self._expected.append(pattern)

    def close(self) -> None:
        """Leaves; there must have been nothing wrong."""
        self.context.close()
        wrong = [text for text in self._problems if not any(re.search(known, text) for known in self._expected)]
        assert wrong == []

    def sign_up(self) -> None:
        """Makes an account."""
        self.fill_in("New here")
        expect(self.page.get_by_role("navigation", name="Conversations")).to_be_visible(timeout=PATIENCE)

    def fill_in(self, tab: str | None = None, password: str = PASSWORD) -> None:
        """Fills in the form and presses Enter."""
        if tab is not None:
            self.page.get_by_role("button", name=tab, exact=True).first.click()
        self.page.get_by_label("Name", exact=True).fill(self.name)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_label("Password", exact=True).press("Enter")

    def find(self, name: str) -> None:
        """Begins a conversation by name."""
        field = self.page.get_by_role("searchbox")
        field.fill(name)
        field.press("Enter")

    def write_to(self, other: str) -> None:
        """Begins a conversation with somebody who exists."""
        self.find(other)
        expect(self.page.get_by_role("heading", name=other, exact=True)).to_be_visible(timeout=PATIENCE)

    def say(self, text: str, page: Page | None = None) -> None:
        """Writes and presses Enter."""
        composer = (page or self.page).locator("#composer")
        composer.fill(text)
        composer.press("Enter")

    def open(self, other: str) -> None:
        """Opens a conversation from the list."""
        row(self.page, other).click()
        expect(self.page.get_by_role("heading", name=other, exact=True)).to_be_visible(timeout=PATIENCE)


def row(page: Page, other: str) -> Locator:
    """A conversation in the list."""
    return page.locator(".conversation-row", has=page.locator(".title", has_text=re.compile(f"^{re.escape(other)}$")))


def texts(page: Page) -> list[str]:
    """What the open conversation shows, to the letter."""
    shown: list[str] = page.locator(".message .text").evaluate_all("nodes => nodes.map(node => node.textContent)")
    return shown


def until(page: Page, condition: Callable[[], object], milliseconds: float = PATIENCE) -> None:
    """Waits for something that the page does by itself."""
    deadline = time.monotonic() + milliseconds / 1000
    while not condition():
        assert time.monotonic() < deadline, f"not so within {milliseconds} ms; shown: {texts(page)}"
        page.wait_for_timeout(20)


def shows(page: Page, expected: Sequence[str]) -> None:
    """Waits until the conversation shows exactly these texts, all of them sent."""
    until(page, lambda: texts(page) == list(expected) and page.locator(".queued, .failed").count() == 0)


def body_of(route: Route) -> dict[str, Any]:
    """The JSON that a request carries."""
    body: dict[str, Any] = json.loads(route.request.post_data or "{}")
    return body


def banner(page: Page) -> Locator:
    """The line that says that the connection is gone."""
    return page.locator(".banner")


Enter = Callable[..., Visitor]


@pytest.fixture
def enter(browser: Browser, server: Server) -> Iterator[Enter]:
    """Lets people in, signed up; at the end none of their consoles may have an error."""
    visitors: list[Visitor] = []

    def come(name: str, *, url: str = server.url, sign_up: bool = True, **options: Any) -> Visitor:
        visitor = Visitor(browser, url, name, **options)
        visitors.append(visitor)
        if sign_up:
            visitor.sign_up()
        return visitor

    yield come
    for visitor in visitors:
        visitor.close()


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


def test_messages_before_and_after_a_restart_arrive_without_a_reload(enter: Enter, tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--workers", "2") as first:
        alice, bob = enter(fresh("alice"), url=first.url), enter(fresh("bob"), url=first.url)
        alice.write_to(bob.name)
        alice.say("before")
        bob.open(alice.name)
        shows(bob.page, ["before"])
        for person in (alice, bob):
            person.expect_errors(NETWORK_GONE)
            person.page.evaluate("window.neverReloaded = true")
        port = first.port
        first.stop()
        expect(banner(bob.page)).to_contain_text("Reconnecting")
        expect(banner(alice.page)).to_contain_text("Reconnecting")
        alice.say("written while the server was down")
        alice.say("and another")
        expect(alice.page.locator(".queued")).to_have_count(2)
        alice.page.wait_for_timeout(300)
    with Server(tmp_path / "data", "--workers", "2", port=port):
        everything = ["before", "written while the server was down", "and another"]
        shows(bob.page, everything)
        shows(alice.page, everything)
        expect(banner(bob.page)).to_be_hidden()
        expect(banner(alice.page)).to_be_hidden()
        bob.say("after")
        shows(alice.page, [*everything, "after"])
        for person in (alice, bob):
            assert person.page.evaluate("window.neverReloaded") is True


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
        scroller = page.locator(".viewport .scroller")
        place = """node => {
            const edge = node.getBoundingClientRect().top;
            const seen = [...node.querySelectorAll('.message')].find(one => one.getBoundingClientRect().bottom > edge);
            return [seen.dataset.seq, seen.getBoundingClientRect().top - edge];
        }"""
        while len(texts(page)) < len(said):
            known = len(texts(page))
            assert texts(page) == said[-known:]
            scroller.evaluate("node => { node.scrollTop = 5; }")
            seq, top = scroller.evaluate(place)
            expect(page.locator(".message").nth(known)).to_be_attached(timeout=PATIENCE)
            seq_after, top_after = scroller.evaluate(place)
            assert seq_after == seq
            assert abs(top_after - top) < 2
        assert texts(page) == said
        sender.say("live while scrolled up", bob.name)
        until(page, lambda: texts(page)[-1] == "live while scrolled up")
        assert scroller.evaluate("node => node.scrollHeight - node.clientHeight - node.scrollTop") > 1000
        page.get_by_role("button", name="To the newest message").click()
        expect(page.locator(".message").last).to_be_in_viewport()
        assert texts(page) == [*said, "live while scrolled up"]


def test_eight_tabs_share_one_stream_and_another_takes_over(enter: Enter, server: Server) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"))
    with Person(server, alice) as sender:
        sender.say("one", bob.name)
        bob.open(alice)
        tabs = [bob.page] + [bob.tab() for _ in range(7)]
        for tab in tabs[1:]:
            tab.locator(".conversation-row").first.click()
        for tab in tabs:
            shows(tab, ["one"])
        sender.say("two", bob.name)
        for tab in tabs:
            shows(tab, ["one", "two"])
        assert len(bob.streams) == 1
        bob.say("from the last tab", tabs[-1])
        for tab in tabs:
            shows(tab, ["one", "two", "from the last tab"])
        for closed in range(3):  # each time, the one that holds the stream
            holder = bob.streams[-1]
            tabs.remove(holder)
            holder.close()
            sender.say(f"after {closed + 1}", bob.name)
            expected = ["one", "two", "from the last tab", *(f"after {number + 1}" for number in range(closed + 1))]
            for tab in tabs:
                shows(tab, expected)
            assert len(bob.streams) == closed + 2


def test_a_tab_that_hangs_does_not_keep_the_stream_from_the_others(enter: Enter, server: Server) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"))
    with Person(server, alice) as sender:
        sender.say("one", bob.name)
        bob.open(alice)
        other = bob.tab()
        other.locator(".conversation-row").click()
        shows(other, ["one"])
        assert bob.streams == [bob.page]
        hang = "setTimeout(() => { const end = Date.now() + 9000; while (Date.now() < end); }, 50)"
        bob.page.evaluate(hang)
        other.wait_for_timeout(200)
        other.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # a person looks at it
        sender.say("two", bob.name)
        shows(other, ["one", "two"])
        assert bob.streams == [bob.page, other]
        shows(bob.page, ["one", "two"])
        sender.say("three", bob.name)
        for tab in (bob.page, other):
            shows(tab, ["one", "two", "three"])
        assert bob.streams == [bob.page, other]


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
        expect(row(bob.page, alice).locator(".badge")).to_contain_text("70")  # not seen yet
        bob.page.get_by_role("button", name="To the newest message").click()
        expect(row(bob.page, alice).locator(".badge")).to_have_count(0)


def test_tabs_without_web_locks_have_a_stream_each(enter: Enter, server: Server) -> None:
    alice, bob = fresh("alice"), enter(fresh("bob"), sign_up=False)
    bob.context.add_init_script("Object.defineProperty(navigator, 'locks', { value: undefined })")
    bob.page.reload()
    bob.sign_up()
    other = bob.tab()
    with Person(server, alice) as sender:
        sender.say("one", bob.name)
        bob.open(alice)
        other.locator(".conversation-row").click()
        for tab in (bob.page, other):
            shows(tab, ["one"])
        bob.say("two")
        for tab in (bob.page, other):
            shows(tab, ["one", "two"])
    assert {*bob.streams} == {bob.page, other}


def test_a_persons_other_device_sees_what_was_sent(enter: Enter) -> None:
    bob = enter(fresh("bob"))
    desk = enter(fresh("alice"))
    phone = enter(desk.name, sign_up=False, **PHONE)
    phone.fill_in("Sign in")
    desk.write_to(bob.name)
    desk.say("from the desk")
    row(phone.page, bob.name).click()
    shows(phone.page, ["from the desk"])
    phone.say("from the phone")
    shows(desk.page, ["from the desk", "from the phone"])
    expect(row(desk.page, bob.name).locator(".badge")).to_have_count(0)


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
    page.set_viewport_size({"width": 390, "height": 400})  # the keyboard comes up
    expect(composer).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="Back to conversations").tap()
    expect(page.get_by_role("navigation", name="Conversations")).to_be_visible()
    expect(composer).to_be_hidden()
    row(page, alice).tap()
    expect(composer).to_have_value("many\nlines\n" * 20)  # what was begun is still there
    page.go_back()
    expect(page.get_by_role("navigation", name="Conversations")).to_be_visible()


def test_an_unsent_message_survives_a_reload_and_is_sent_once(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.expect_errors(NETWORK_GONE)
    alice.page.get_by_role("button", name="Notes to yourself").click()

    sent: list[str] = []

    def lose_the_answer(route: Route) -> None:
        sent.append(body_of(route)["client_msg_id"])
        route.fetch()
        route.abort()

    alice.context.route("**/v1/messages", lose_the_answer)
    for other in ("events*", "conversations*", "conversations/**"):  # nothing else tells that it has arrived
        alice.context.route(f"**/v1/{other}", lambda route: route.abort())
    alice.page.reload()
    alice.say("only once")
    until(alice.page, lambda: len(sent) >= 2)
    expect(alice.page.locator(".queued")).to_have_count(1)
    alice.context.unroute_all(behavior="ignoreErrors")
    alice.page.reload()
    shows(alice.page, ["only once"])
    assert len(set(sent)) == 1
    expect(alice.page.locator(".sent")).to_have_count(1)


def test_a_busy_server_is_asked_again_when_it_said_and_order_is_kept(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.expect_errors(r"status of (429|503)")
    alice.page.get_by_role("button", name="Notes to yourself").click()
    asked: list[tuple[float, str, str]] = []

    def answer(route: Route) -> None:
        body = body_of(route)
        asked.append((time.monotonic(), body["text"], body["client_msg_id"]))
        if len(asked) <= 2:
            status = 429 if len(asked) == 1 else 503
            route.fulfill(status=status, headers={"Retry-After": "1"}, json={"code": "busy", "detail": "Later."})
        else:
            route.continue_()

    alice.context.route("**/v1/messages", answer)
    alice.say("first")
    alice.say("second")
    shows(alice.page, ["first", "second"])
    assert [text for _, text, _ in asked] == ["first", "first", "first", "second"]
    assert len({name for _, _, name in asked[:3]}) == 1
    assert all(later[0] - sooner[0] >= 0.99 for sooner, later in itertools.pairwise(asked[:3]))


def test_a_refused_message_is_kept_with_the_reason(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.expect_errors(r"status of 4(13|22)")
    alice.page.get_by_role("button", name="Notes to yourself").click()
    too_long = "x" * 100_000
    alice.say(too_long)
    failure = alice.page.locator(".failure")
    expect(failure).to_contain_text("Not sent: ")
    assert texts(alice.page) == [too_long]
    alice.say("short")  # one refused message does not hold up the next
    expect(alice.page.locator(".sent")).to_have_count(1)
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


def test_the_form_says_what_is_wrong(enter: Enter) -> None:
    taken = enter(fresh("alice"))
    alice = enter(taken.name, sign_up=False)
    alice.expect_errors(r"status of (401|404|409)")
    page = alice.page
    alert = page.get_by_role("alert").filter(visible=True)
    alice.fill_in("New here", "short")
    expect(alert).to_contain_text("8 characters")
    alice.fill_in("New here")
    expect(alert).to_contain_text(re.compile("taken|exists|already", re.IGNORECASE))
    alice.fill_in("Sign in", "wrong password")
    expect(alert).to_be_visible()
    page.get_by_role("button", name="Show password").click()
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "text")
    alice.fill_in(password=PASSWORD)
    expect(page.get_by_role("navigation", name="Conversations")).to_be_visible()
    alice.find("nobody-of-this-name")
    expect(alert).to_contain_text("nobody-of-this-name")


def test_signing_out_ends_all_tabs_of_the_browser(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    other = alice.tab()
    expect(other.get_by_role("navigation", name="Conversations")).to_be_visible()
    alice.page.get_by_role("button", name="Sign out").click()
    for tab in (alice.page, other):
        expect(tab.get_by_label("Password", exact=True)).to_be_visible()
    alice.page.reload()
    expect(alice.page.get_by_label("Password", exact=True)).to_be_visible()


def test_a_session_that_was_ended_elsewhere_leads_back_to_the_form(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    alice.page.evaluate("fetch('/v1/session', { method: 'DELETE' })")
    expect(alice.page.get_by_role("status")).to_contain_text("signed out")
    alice.fill_in()
    expect(alice.page.get_by_role("navigation", name="Conversations")).to_be_visible()


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


def test_offline_is_told_and_what_was_written_goes_out_later(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    alice.expect_errors(NETWORK_GONE)
    alice.write_to(bob.name)
    alice.context.set_offline(True)
    expect(banner(alice.page)).to_contain_text("offline")
    alice.say("later")
    alice.context.set_offline(False)
    expect(banner(alice.page)).to_be_hidden()
    bob.open(alice.name)
    shows(bob.page, ["later"])
    bob.say("welcome back")
    shows(alice.page, ["later", "welcome back"])


def test_without_sign_up_there_is_no_way_to_it(enter: Enter, tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--workers", "1", "--signup", "closed") as closed:
        alice = enter("alice", url=closed.url, sign_up=False)
        expect(alice.page.get_by_role("button", name="Sign in")).to_be_visible()
        expect(alice.page.get_by_role("button", name="New here")).to_have_count(0)


def test_an_existing_systems_token_is_enough(enter: Enter, tmp_path: Path) -> None:
    secret = "a secret of an existing system, long enough"
    alice, bob = fresh("alice"), fresh("bob")
    token = jwt.encode({"sub": bob, "exp": time.time() + 600}, secret, algorithm="HS256")
    extra = {"SSECHAT_JWT_SECRET": secret}
    with Server(tmp_path / "data", "--workers", "1", extra_environment=extra) as external:
        visitor = enter(bob, url=external.url, sign_up=False)
        page = visitor.page
        visitor.expect_errors(f"{NETWORK_GONE}|status of 401")
        page.get_by_label("Access token", exact=True).fill("nonsense")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("alert").filter(visible=True)).to_contain_text("does not count")
        page.get_by_label("Access token", exact=True).fill(token)
        page.get_by_role("button", name="Continue").click()
        other = jwt.encode({"sub": alice, "exp": time.time() + 600}, secret, algorithm="HS256")
        with Person(external, alice, other) as sender:
            sender.say("one", bob)
            visitor.open(alice)
            shows(page, ["one"])
        page.reload()
        shows(page, ["one"])
        port = external.port
        external.stop()
        expect(banner(page)).to_contain_text("Reconnecting")
    with Server(tmp_path / "data", "--workers", "1", port=port, extra_environment=extra) as external:
        expect(banner(page)).to_be_hidden(timeout=PATIENCE)
        with Person(external, alice, other) as sender:
            sender.say("two", bob)
        shows(page, ["one", "two"])
        assert "?ticket=" not in page.url


def test_after_a_time_too_long_to_replay_everything_is_there(enter: Enter, tmp_path: Path) -> None:
    options = ("--workers", "1", "--inbox-limit", "100")
    alice = fresh("alice")
    said = [f"message {number}" for number in range(170)]
    with Server(tmp_path / "data", *options) as first:
        bob = enter(fresh("bob"), url=first.url)
        bob.expect_errors(NETWORK_GONE)
        with Person(first, alice) as sender:
            for text in said[:20]:
                sender.say(text, bob.name)
        bob.open(alice)
        shows(bob.page, said[:20])
        port = first.port
        bob.context.route("**/v1/events*", lambda route: route.abort())
        first.stop()
    with Server(tmp_path / "data", *options, port=port) as second:
        with Person(second, alice) as sender:
            for text in said[20:]:
                sender.say(text, bob.name)
            expect(banner(bob.page)).to_contain_text("Reconnecting")
            assert texts(bob.page) == said[:20]
            bob.context.unroute_all(behavior="ignoreErrors")
            with bob.page.expect_request("**/v1/conversations/*/messages*"):  # too much to replay: it is loaded
                bob.page.get_by_role("button", name="Try now").click()
            shows(bob.page, said)
            sender.say("and on", bob.name)
            shows(bob.page, [*said, "and on"])
        expect(banner(bob.page)).to_be_hidden()


def test_another_person_signing_in_takes_over_all_tabs(enter: Enter) -> None:
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    other = alice.tab()
    expect(other.get_by_role("heading", name=alice.name)).to_be_visible()
    other.get_by_role("button", name="Sign out").click()
    expect(alice.page.get_by_label("Password", exact=True)).to_be_visible()
    alice.name = bob.name
    alice.fill_in("Sign in")
    for tab in (alice.page, other):
        expect(tab.get_by_role("heading", name=bob.name)).to_be_visible()
