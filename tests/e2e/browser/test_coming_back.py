"""Reconnects of the page after an outage of the server or the network."""

import itertools
import time
from pathlib import Path

from playwright.sync_api import Route, expect

from e2e.api import Person
from e2e.browser.visitor import (
    NETWORK_GONE,
    Enter,
    banner,
    body_of,
    fresh,
    oldest,
    shows,
    texts,
    until,
)
from serving import Server


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
        expect(alice.page.locator(".message.queued")).to_have_count(2)
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
    for other in ("events*", "conversations*", "conversations/**"):  # no other sign of its arrival
        alice.context.route(f"**/v1/{other}", lambda route: route.abort())
    alice.page.reload()
    alice.say("only once")
    until(alice.page, lambda: len(sent) >= 2)
    expect(alice.page.locator(".message.queued")).to_have_count(1)
    alice.context.unroute_all(behavior="ignoreErrors")
    alice.page.reload()
    shows(alice.page, ["only once"])
    assert len(set(sent)) == 1
    expect(alice.page.locator(".message.sent")).to_have_count(1)


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
            with bob.page.expect_request("**/v1/conversations/*/messages*"):  # too much to replay: it is loaded
                bob.context.unroute_all(behavior="ignoreErrors")
                bob.page.locator(".banner button").dispatch_event("click")  # it may just have come back by itself
            bob.page.get_by_role("button", name="To the newest message").click()
            until(bob.page, lambda: texts(bob.page)[-1:] == said[-1:])
            sender.say("and on", bob.name)
            said.append("and on")
            until(bob.page, lambda: texts(bob.page)[-1:] == said[-1:])
        assert texts(bob.page) == said[-len(texts(bob.page)) :]
        while (top := oldest(bob.page)) > 1:
            assert texts(bob.page) == said[top - 1 : top - 1 + len(texts(bob.page))]
            bob.page.locator(".viewport .scroller").evaluate("node => { node.scrollTop = 0; }")
            until(bob.page, lambda: oldest(bob.page) < top)
        assert texts(bob.page) == said[: len(texts(bob.page))]
        expect(banner(bob.page)).to_be_hidden()
