"""A real Chromium over TLS: how many connections it makes, and what they carry."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bench.fronting import NAME, Front
from e2e.api import Person
from e2e.browser.visitor import ARGUMENTS, CHROMIUM, Visitor, fresh, shows, until
from e2e.fronts.conftest import Apps
from e2e.fronts.wire import Wire

MESSAGES = 25
TABS = 10

OPEN_STREAM = """
cursor => new Promise((resolve, reject) => {
    window.texts = [];
    window.source = new EventSource("/v1/events?last_event_id=" + cursor);
    source.addEventListener("message", event => texts.push(JSON.parse(event.data).text));
    source.addEventListener("hello", () => resolve(true));
    source.addEventListener("error", () => reject(new Error("the stream failed")));
})
"""
SEND = """
async ([to, text]) => {
    const body = JSON.stringify({ to, text, client_msg_id: text });
    const headers = { "content-type": "application/json" };
    return (await fetch("/v1/messages", { method: "POST", headers, body })).status;
}
"""
TIMINGS = """
() => performance.getEntriesByType("resource").map(each => ({
    path: new URL(each.name).pathname, protocol: each.nextHopProtocol,
    connect: each.connectEnd - each.connectStart, secure: each.secureConnectionStart > 0 &&
        each.connectEnd > each.connectStart,
}))
"""


class Network:
    """What Chromium's own network tools say of a page's requests since it was loaded (DevTools Protocol, Network)."""

    def __init__(self, page: Page) -> None:
        self.answers: list[dict[str, Any]] = []
        self._session = page.context.new_cdp_session(page)
        self._session.on("Network.responseReceived", self._note)
        self._session.send("Network.enable")

    def _note(self, event: dict[str, Any]) -> None:
        if event["type"] == "Document":
            self.answers.clear()
        self.answers.append(event["response"])

    def of(self, path: str) -> list[dict[str, Any]]:
        """The answers to requests of a path."""
        return [answer for answer in self.answers if path in answer["url"]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Believes any certificate: what is asked here is how often it is shown one."""
    assert CHROMIUM is not None, "there is no chromium on the PATH; `bash tests/run` installs it"
    with sync_playwright() as playwright:
        arguments = [*ARGUMENTS, "--ignore-certificate-errors"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def wire(front: Front) -> Iterator[Wire]:
    """Counts what comes to the front."""
    with Wire(front.port) as wire:
        yield wire


@pytest.fixture
def visitor(browser: Browser, wire: Wire) -> Iterator[Visitor]:
    """Somebody signed up, through the wire and the front, with a browser of their own."""
    visitor = Visitor(browser, f"https://{NAME}:{wire.port}", fresh("alice"))
    visitor.sign_up()
    yield visitor
    visitor.close()


def test_a_browsers_stream_and_its_sends_share_one_connection(
    front: Front, wire: Wire, visitor: Visitor, apps: Apps
) -> None:
    network = Network(visitor.page)
    bob = fresh("bob")
    with Person(apps.first, bob) as person:
        assert person.http.get("/v1/session").status_code == 200
        visitor.page.reload()  # so that the network tools see the stream begin
        visitor.write_to(bob)
        before = wire.handshakes
        for number in range(MESSAGES):
            visitor.say(f"{number}")
        shows(visitor.page, [f"{number}" for number in range(MESSAGES)])
        person.say("and back", visitor.name)
        shows(visitor.page, [*(f"{number}" for number in range(MESSAGES)), "and back"])
    sends, streams = network.of("/v1/messages"), network.of("/v1/events")
    assert (len(sends), len(streams)) == (MESSAGES, 1)
    assert {answer["status"] for answer in sends} == {201}
    assert {answer["protocol"] for answer in network.answers} == {"h2"}
    assert {answer["connectionId"] for answer in sends} == {streams[0]["connectionId"]}
    for answer in sends:
        assert answer["connectionReused"]
        assert (answer["timing"]["connectStart"], answer["timing"]["sslStart"]) == (-1, -1), "a handshake"
    timings = [entry for entry in visitor.page.evaluate(TIMINGS) if entry["path"] == "/v1/messages"]
    assert len(timings) == MESSAGES
    assert {(entry["protocol"], entry["connect"], entry["secure"]) for entry in timings} == {("h2", 0, False)}
    assert wire.handshakes == before, "none for any message"
    assert wire.handshakes == 1, "and one in all: the page, its scripts, the sign-up, the stream, the sends"
    print(
        f"\n{front.kind}: {wire.handshakes} TLS handshake for {len(network.answers)} requests after a reload, a stream "
        f"and {MESSAGES} sends among them; {len(wire.connections)} TCP connections in all, {wire.open} open"
    )


def test_a_browser_keeps_a_cookie_that_nobody_else_can_set_and_forgets_it_at_the_sign_out(
    wire: Wire, visitor: Visitor
) -> None:
    [cookie] = visitor.context.cookies()
    assert cookie["name"].startswith("__Host-ssechat_session")
    assert (cookie["secure"], cookie["httpOnly"], cookie["path"], cookie["sameSite"]) == (True, True, "/", "Lax")
    # What a page of another app on this host can do, and comes first in the header (RFC 6265 §5.4).
    planted: Any = {"name": cookie["name"].removeprefix("__Host-"), "value": "planted", "domain": NAME, "path": "/v1"}
    visitor.context.add_cookies([planted])  # Playwright does not export the type
    visitor.page.reload()
    expect(visitor.page.get_by_role("heading", name=visitor.name, exact=True)).to_be_visible()
    visitor.expect_errors("status of 401")  # to what was asked for just before
    visitor.sign_out()
    expect(visitor.page.get_by_role("button", name="Sign in", exact=True).first).to_be_visible()
    assert cookie["name"] not in {kept["name"] for kept in visitor.context.cookies()}


def test_ten_tabs_with_a_stream_each_share_one_connection(
    front: Front, wire: Wire, visitor: Visitor, apps: Apps
) -> None:
    pages = [visitor.context.new_page() for _ in range(TABS)]
    networks = [Network(page) for page in pages]
    for page in pages:
        # A page without our library: each tab has a stream of its own, as six would be too many over HTTP/1.1.
        page.goto(f"https://{NAME}:{wire.port}/healthz/live")
        assert page.evaluate(OPEN_STREAM, "0-0")
    for number, page in enumerate(pages):
        assert page.evaluate(SEND, [visitor.name, f"from {number}"]) == 201
    expected = [f"from {number}" for number in range(TABS)]
    for page in pages:
        until(page, partial(_has, page, expected))
    answers = [answer for network in networks for answer in network.answers]
    assert Counter(answer["protocol"] for answer in answers) == {"h2": len(answers)}
    assert len({answer["connectionId"] for answer in answers}) == 1
    assert wire.handshakes == 1
    print(f"\n{front.kind}: {TABS} tabs with a stream each, and the chat's own: {wire.handshakes} TLS handshake")


def _has(page: Page, expected: list[str]) -> bool:
    return bool(page.evaluate("texts") == expected)


def plain_visitor(browser: Browser, wire: Wire) -> Visitor:
    """Somebody whose browser is at the app itself, over HTTP/1.1."""
    visitor = Visitor(browser, f"http://127.0.0.1:{wire.port}", fresh("alice"))
    visitor.sign_up()
    return visitor


def test_over_http_1_1_the_page_has_one_stream_for_all_tabs_and_leaves_the_other_connections_free(
    browser: Browser, apps: Apps
) -> None:
    with Wire(apps.first.port) as wire:
        visitor = plain_visitor(browser, wire)
        network = Network(visitor.page)
        bob = fresh("bob")
        with Person(apps.first, bob) as person:
            assert person.http.get("/v1/session").status_code == 200
            visitor.write_to(bob)
            visitor.say("first")
            shows(visitor.page, ["first"])
            tabs = [visitor.page, *(visitor.tab() for _ in range(TABS - 1))]
            for tab in tabs[1:]:
                tab.locator(".conversation-row").click()
            for number, tab in enumerate(tabs):
                visitor.say(f"{number}", tab)
                for each in tabs:
                    shows(each, ["first", *(f"{sent}" for sent in range(number + 1))])
        assert len(visitor.streams) == 1
        assert {answer["protocol"] for answer in network.of("/v1/messages")} == {"http/1.1"}
        assert wire.open <= 6
        print(f"\nHTTP/1.1: {TABS} tabs, {len(visitor.streams)} stream, {wire.open} connections open")
        visitor.close()


def test_over_http_1_1_six_streams_of_ones_own_making_leave_nothing_for_a_send(browser: Browser, apps: Apps) -> None:
    """Why the page shares one, and that the test of ten tabs asks for something."""
    with Wire(apps.first.port) as wire:
        visitor = plain_visitor(browser, wire)
        visitor.page.goto("about:blank")  # and with it the stream of the chat
        pages = [visitor.context.new_page() for _ in range(7)]
        for page in pages:
            page.goto(f"http://127.0.0.1:{wire.port}/healthz/live")
        for page in pages[:6]:
            assert page.evaluate(OPEN_STREAM, "0-0")
        sent = "Promise.race([({SEND})(['{name}', 'stuck']), new Promise(done => setTimeout(done, 1500, 'waits'))])"
        stuck = sent.replace("{SEND}", SEND).replace("{name}", visitor.name)
        assert pages[6].evaluate(stuck) == "waits"
        pages[0].evaluate("source.close()")
        until(pages[1], lambda: pages[1].evaluate("texts") == ["stuck"])
        visitor.close()
