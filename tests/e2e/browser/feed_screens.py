"""A tour of what the page shows of feeds."""

from typing import Any

from playwright.sync_api import expect

from e2e.browser.feeds import BANNER, Admin
from e2e.browser.screens import Screens, come
from e2e.browser.visitor import NETWORK_GONE, Enter
from serving import Server


def feeds(enter: Enter, server: Server, **options: Any) -> Screens:
    """The pages of examples of feeds, and a banner in the chat."""
    admin = Admin(server.url)
    visitor = come(enter, "alice", url=f"{server.url}/examples", sign_up=False, **options)
    visitor.expect_errors(f"{NETWORK_GONE}|status of 401")
    page = visitor.page
    expect(page.locator("#banner")).to_contain_text(BANNER)
    yield "examples", page
    for path, feed in (("prices", "market"), ("deployments", "board")):
        page.goto(f"{server.url}/examples/{path}?feed=nothing")
        expect(page.locator("#none")).to_be_visible()
        yield f"{path}, no feed", page
        admin.make(feed, keyed=True)
    for key, price, change in (
        ("AAA", 7.5, 1.2),
        ("BBB", 123456.78, -0.4),
        ("CCC", 1, 0),
        ("LONG-SYMBOL-NAME", 2, 99.9),
    ):
        admin.publish("market", {"price": price, "change": change}, key=key, event="made-up")
    page.goto(f"{server.url}/examples/prices?feed=market")
    expect(page.locator("#prices li")).to_have_count(4)
    expect(page.locator("#published")).to_have_text("0")
    yield "prices", page
    states = {"shop_staging": "deploying", "shop_production": "running", "mail_production": "failed"}
    admin.board("board", **states, reports_development="stopped")
    page.goto(f"{server.url}/examples/deployments?feed=board")
    expect(page.get_by_text("Deploying", exact=True).last).to_be_visible()
    yield "deployments", page
    page.route("**/v1/feeds/*/events*", lambda route: route.abort())
    page.reload()
    expect(page.get_by_role("button", name="Try now")).to_be_visible()
    yield "deployments, interrupted", page
    page.unroute_all(behavior="ignoreErrors")
    long = "We move to new machines on Sunday, from ten to noon; what you write meanwhile is kept, and sent afterwards."
    admin.publish(BANNER, {"text": long, "link": "https://status.example/sunday"})
    page.goto(server.url)
    expect(page.get_by_role("region", name="Announcement")).to_be_visible()
    yield "banner, before the sign-in", page
    visitor.sign_up()
    page.get_by_role("button", name="Notes to yourself").first.click()
    expect(page.get_by_role("region", name="Announcement")).to_be_visible()
    yield "banner", page
    admin.publish(BANNER, None)
