"""Feeds in a browser: a ticker, a board of deployments, and a banner in the chat."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from commands import Listening, run
from e2e.browser.feeds import BANNER, Admin, live, token_file, values
from e2e.browser.visitor import NETWORK_GONE, Enter, fresh, until
from serving import Server

SYMBOLS = 500
RATE = 1000
LONGEST_TASK = 250
"""Milliseconds: an upper bound of what the page does in one go, on a machine that does other things, too."""

WATCH = """
window.longest = 0;
window.frames = 0;
new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
}).observe({ type: "longtask" });
const count = () => { window.frames++; requestAnimationFrame(count); };
requestAnimationFrame(count);
"""
WATCH_THE_LIST = """() => {
    window.made = 0;
    window.written = 0;
    const list = document.getElementById("prices");
    new MutationObserver((records) => {
        for (const { type } of records) type === "childList" ? window.made++ : window.written++;
    }).observe(list, { childList: true, characterData: true, subtree: true });
    window.longest = window.frames = 0;
}"""
SHOWN = """() => Object.fromEntries([...document.querySelectorAll("#prices li")].map((node) =>
    [node.querySelector("b").textContent, node.querySelector(".price").textContent]))"""

COUNT_WHAT_IT_SAYS = """() => {
    window.said = { published: [], received: [] };
    for (const name in window.said) {
        const node = document.getElementById(name);
        new MutationObserver(() => window.said[name].push(Number(node.textContent.replaceAll(",", ""))))
            .observe(node, { childList: true, characterData: true, subtree: true });
    }
}"""
IS_QUIET = """() => ["published", "received"].every((name) =>
    window.said[name].length > 1 && window.said[name].slice(-2).every((count) => count === 0))"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("feeds")


@pytest.fixture(scope="module")
def token(folder: Path) -> str:
    return token_file(folder)


@pytest.fixture(scope="module")
def server(folder: Path, token: str) -> Iterator[Server]:
    """A server that shows a banner, and whose admin makes feeds."""
    options = ("--workers", "2", "--admin-token-file", token, "--banner", BANNER)
    with Server(folder / "data", *options) as running:
        yield running


@pytest.fixture(scope="module")
def admin(server: Server) -> Admin:
    admin = Admin(server.url)
    admin.make(BANNER)
    return admin


def cell(page: Page, service: str, environment: str) -> Locator:
    """What the board says of a service."""
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=service, exact=True))
    return row.locator(f'[data-environment="{environment}"]')


@pytest.mark.alone("it measures how long the page is busy")
def test_a_ticker_of_500_prices_shows_the_newest_of_each_at_a_thousand_changes_a_second(
    enter: Enter, server: Server, token: str
) -> None:
    visitor = enter(fresh("alice"), url=f"{server.url}/examples", sign_up=False)
    page = visitor.page
    visitor.context.add_init_script(WATCH)
    demo = Listening(server, "--admin-token-file", token, command=("feed", "demo"))
    try:
        assert "Publishing made-up data" in demo.line("stderr")
        page.goto(f"{server.url}/examples/prices")
        live(page)
        expect(page.locator("#prices li")).to_have_count(SYMBOLS)
        expect(page.locator("#made-up")).to_be_visible()
        page.evaluate(WATCH_THE_LIST)
        before = int(page.evaluate("performance.now()"))
        said = [demo.line(), demo.line()]
        seconds = (int(page.evaluate("performance.now()")) - before) / 1000
        busy = page.evaluate("({ longest, frames, made, written })")
        published = page.locator("#published").inner_text()
        received = page.locator("#received").inner_text()
        age = page.locator("#age").inner_text()
    finally:
        code, _ = demo.end()
    assert code == 130
    rate = float(re.findall(r"prices: ([\d,.]+)", said[-1])[0].replace(",", ""))
    measured = f"{rate:g} changes a second; {published} published and {received} received; newest {age}; {busy}"
    wanted = {key: f"{data['price']:.2f}" for key, data in values(server, "prices").items()}
    assert len(wanted) == SYMBOLS
    until(page, lambda: page.evaluate(SHOWN) == wanted)
    assert 0 < rate <= 1.05 * RATE, measured
    assert busy["longest"] < LONGEST_TASK, measured
    assert busy["frames"] > 10 * seconds, measured
    assert busy["made"] == 0, measured  # nothing is drawn but what has changed
    assert 0 < busy["written"] < 2.2 * RATE * seconds, measured
    print(measured)


def test_a_ticker_says_how_many_changes_were_published_and_how_many_of_them_came(
    enter: Enter, server: Server, admin: Admin
) -> None:
    admin.make("prices", keyed=True)
    admin.publish("prices", {"price": 1, "change": 0}, key="QQQ", event="made-up")
    page = enter(fresh("alice"), url=f"{server.url}/examples/prices", sign_up=False).page
    live(page)
    page.evaluate(COUNT_WHAT_IT_SAYS)
    until(page, lambda: page.evaluate(IS_QUIET))
    page.evaluate("said.published = []; said.received = []")
    names = ["QQA", "QQB", "QQC", "QQD", "QQE", "QQF"]
    for number in range(60):
        admin.publish("prices", {"price": number, "change": 0}, key=names[number % 6], event="made-up")
    until(page, lambda: sum(page.evaluate("said.published")) >= 60 and page.evaluate(IS_QUIET))
    assert sum(page.evaluate("said.published")) == 60
    assert len(names) <= sum(page.evaluate("said.received")) <= 60, "those that were replaced meanwhile do not come"
    shown = page.evaluate(SHOWN)
    assert [shown[name] for name in names] == [f"{number}.00" for number in range(54, 60)]
    assert page.locator("#symbols").inner_text() == str(len(shown)) == str(len(values(server, "prices")))


def test_a_board_goes_on_where_it_was_after_a_reload_and_a_restart_of_the_server(enter: Enter, tmp_path: Path) -> None:
    options = ("--workers", "2", "--admin-token-file", token_file(tmp_path))
    first = Server(tmp_path / "data", *options)
    try:
        first.wait_ready()
        admin = Admin(first.url)
        admin.make("deployments", keyed=True)
        admin.board("deployments", shop_staging="running", shop_production="deploying", mail_production="running")
        visitor = enter(fresh("alice"), url=f"{first.url}/examples/deployments", sign_up=False)
        visitor.expect_errors(NETWORK_GONE)
        page = visitor.page
        live(page)
        expect(cell(page, "shop", "production")).to_contain_text("Deploying")
        expect(cell(page, "mail", "staging")).to_contain_text("–")
        assert page.get_by_role("columnheader").all_inner_texts() == ["Service", "staging", "production"]
        page.goto("about:blank")
        admin.board("deployments", shop_production="failed", search_production="running")
        page.go_back()
        live(page, " It went on where it was: 2 changes came meanwhile.")
        expect(cell(page, "shop", "production")).to_contain_text("Failed")
        expect(cell(page, "shop", "staging")).to_contain_text("Running")
        expect(page.locator("#failed")).to_have_text("1")
        port = first.port
        first.stop()
    finally:
        first.close()
    expect(page.locator("#state")).to_contain_text("interrupted")
    expect(page.get_by_role("button", name="Try now")).to_be_visible()
    expect(cell(page, "shop", "production")).to_contain_text("Failed")
    with Server(tmp_path / "data", *options, port=port):
        admin.board("deployments", shop_production="running")
        admin.publish("deployments", None, key="search/production")
        expect(cell(page, "shop", "production")).to_contain_text("Running")
        expect(page.get_by_role("rowheader", name="search")).to_have_count(0)
        live(page, " It went on where it was")


def test_a_page_says_that_there_is_no_such_feed_and_what_makes_it(enter: Enter, server: Server, admin: Admin) -> None:
    visitor = enter(fresh("alice"), url=f"{server.url}/examples/prices?feed=coming", sign_up=False)
    visitor.expect_errors("status of 401")
    page = visitor.page
    expect(page.get_by_role("heading", name="There is no public feed called coming")).to_be_visible()
    expect(page.locator("pre")).to_contain_text(f"ssechat feed demo --server {server.url}")
    admin.make("coming", keyed=True)
    admin.publish("coming", 101.5, key="AAPL")
    page.get_by_role("button", name="Try now").click()
    live(page)
    expect(page.get_by_role("listitem")).to_have_text(re.compile("AAPL.*101.50"))
    expect(page.locator("#none")).to_be_hidden()
    admin.publish("coming", "<b>no number</b>", key="AAPL")
    expect(page.get_by_role("listitem")).to_have_text(re.compile("<b>no number</b>"))


def bulletin(page: Page) -> Locator:
    """The banner."""
    return page.get_by_role("region", name="Announcement")


def asked_of_feeds(page: Page) -> list[Request]:
    """The requests about feeds that a page makes from now on."""
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if "/v1/feeds" in request.url else None)
    return asked


def test_a_banner_is_shown_in_all_tabs_until_it_is_dismissed_in_one(enter: Enter, server: Server, admin: Admin) -> None:
    text = "Back at noon <b>really</b>"
    admin.publish(BANNER, {"text": text, "link": "https://status.example/now"})
    alice = enter(fresh("alice"), sign_up=False)
    expect(bulletin(alice.page)).to_contain_text(text)  # before somebody signs in
    alice.sign_up()
    expect(bulletin(alice.page)).to_contain_text(text)
    expect(bulletin(alice.page).get_by_role("link")).to_have_attribute("href", "https://status.example/now")
    other = alice.tab()
    expect(bulletin(other)).to_contain_text(text)
    bulletin(alice.page).get_by_role("button", name="Dismiss").click()
    for page in (alice.page, other):
        expect(bulletin(page)).to_be_hidden()
    asked = asked_of_feeds(alice.page)
    alice.page.reload()
    expect(alice.page.get_by_role("navigation", name="Conversations")).to_be_visible()
    until(alice.page, lambda: asked and asked[0].response() is not None)
    expect(bulletin(alice.page)).to_be_hidden()
    assert [request.url for request in asked] == [f"{server.url}/v1/feeds/{BANNER}?last=1"]
    admin.publish(BANNER, {"text": "And now this", "link": "javascript:alert(1)"})
    alice.page.reload()
    expect(bulletin(alice.page)).to_contain_text("And now this")
    expect(bulletin(alice.page).get_by_role("link")).to_be_hidden()
    admin.publish(BANNER, None)
    alice.page.reload()
    expect(alice.page.get_by_role("navigation", name="Conversations")).to_be_visible()
    expect(bulletin(alice.page)).to_be_hidden()


def test_a_page_asks_for_no_banner_where_there_is_none_and_once_where_its_feed_is_missing(
    enter: Enter, tmp_path: Path
) -> None:
    cases: dict[tuple[str, ...], int] = {(): 0, ("--banner", "missing"): 1}
    for options, times in cases.items():
        with Server(tmp_path / f"data{times}", "--workers", "1", *options) as running:
            alice = enter(fresh("alice"), url=running.url)
            alice.expect_errors("status of 40[14]")
            asked = asked_of_feeds(alice.page)
            alice.page.reload()
            expect(alice.page.get_by_role("navigation", name="Conversations")).to_be_visible()
            alice.page.wait_for_timeout(1500)
            for hidden in (True, False):  # as when somebody goes to another tab and comes back
                alice.page.evaluate(
                    "(hidden) => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
                    " document.dispatchEvent(new Event('visibilitychange')); }",
                    hidden,
                )
            assert len(asked) == times, options
            alice.page.goto("about:blank")


def test_a_banner_speaks_german(enter: Enter, server: Server, admin: Admin) -> None:
    admin.publish(BANNER, {"text": "Wartung um zwölf", "link": "https://status.example"})
    page = enter(fresh("anna"), sign_up=False, locale="de-DE").page
    region = page.get_by_role("region", name="Ankündigung")
    expect(region).to_contain_text("Wartung um zwölf")
    expect(region.get_by_role("link", name="Mehr dazu")).to_be_visible()
    region.get_by_role("button", name="Ausblenden").click()
    expect(region).to_be_hidden()


def test_a_demo_leaves_a_feed_alone_in_which_something_else_was_published(
    server: Server, admin: Admin, token: str
) -> None:
    admin.make("real", keyed=True)
    admin.publish("real", 101.5, key="AAPL")
    done = run("feed", "demo", "--server", server.url, "--admin-token-file", token, "--prices", "real")
    assert done.returncode == 2
    assert "there is a feed 'real' with data that is not made up" in done.stderr
    assert values(server, "real") == {"AAPL": 101.5}
