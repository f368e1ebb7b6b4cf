"""The page in Firefox, beside one in Chromium: two people chat, alone and in a group, over the death of a server."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, expect

from clients.programs import FIREFOX_PREFERENCES
from e2e.browser import firefox
from e2e.browser.axe import findings
from e2e.browser.groups import details, make_group, members, message, use
from e2e.browser.visitor import NETWORK_GONE, Visitor, banner, fresh, row, shows
from serving import Server, is_running, until

PLAIN_HOST = "plain.test"
PLAIN = {"network.dns.localDomains": PLAIN_HOST, "network.proxy.no_proxies_on": PLAIN_HOST}
"""A name of this machine that is, unlike its address, no secure context over plain HTTP."""
LOST = r"can’t establish a connection|was interrupted while the page|NetworkError when"
"""What Firefox's console says while there is no server."""


@pytest.fixture(scope="module")
def fox(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The system's Firefox."""
    assert firefox.FIREFOX is not None, "there is no firefox-esr on the PATH; `bash tests/run` installs it"
    program = tmp_path_factory.mktemp("firefox") / "firefox"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{firefox.__file__}" "$@"\n')
    program.chmod(0o755)
    started = playwright.firefox.launch(
        executable_path=program, channel="moz-firefox", firefox_user_prefs={**FIREFOX_PREFERENCES, **PLAIN}
    )
    yield started
    started.close()


def kill(server: Server) -> None:
    """Kills the server, its workers and its Redis at once, as a machine that loses its power does."""
    family = [*server.family()]
    server.kill()
    for process in family:
        if is_running(process):
            process.kill()
    until(server.gone)


def test_two_people_chat_in_firefox_and_chromium_alone_and_in_a_group(
    fox: Browser, browser: Browser, tmp_path: Path
) -> None:
    with Server(tmp_path / "data", "--workers", "2") as server:
        port = server.port
        alice = Visitor(fox, server.url, fresh("alice"), worker=True)
        bob = Visitor(browser, server.url, fresh("bob"))
        alice.sign_up()
        bob.sign_up()
        alice.write_to(bob.name)
        alice.say("hi")
        bob.open(alice.name)
        shows(bob.page, ["hi"])
        expect(alice.page.locator(".message.mine .state")).to_have_text("Read")
        bob.page.locator("#composer").press_sequentially("who is")
        expect(alice.page.locator(".typing")).to_have_text(f"{bob.name} is writing …")
        bob.page.locator("#composer").press_sequentially(" there?")
        bob.page.keyboard.press("Enter")
        shows(alice.page, ["hi", "who is there?"])
        alice.page.locator("#composer").press_sequentially("Alice")
        expect(bob.page.locator(".typing")).to_have_text(f"{alice.name} is writing …")
        alice.page.keyboard.press("Enter")
        shows(bob.page, ["hi", "who is there?", "Alice"])
        expect(bob.page.locator(".message.mine .state")).to_have_text("Read")

        make_group(alice, "Friday lunch", bob.name)
        alice.say("at non?")
        bob.open("Friday lunch")
        expect(message(alice.page, "at non?").locator(".state")).to_have_text("Read by 1 of 1")  # it is drawn anew
        use(alice.page, "at non?", "Edit")
        alice.say("at noon?")
        shows(bob.page, ["at noon?"])
        use(bob.page, "at noon?", "Reply")
        bob.say("yes")
        shows(alice.page, ["at noon?", "yes"])
        expect(message(alice.page, "yes").locator(".quote")).to_contain_text("at noon?")
        use(alice.page, "yes", "React")
        alice.page.get_by_role("button", name="🎉").click()
        expect(message(bob.page, "yes").locator(".reaction")).to_have_text("🎉1")
        expect(message(alice.page, "at noon?").locator(".state")).to_have_text("Read by 1 of 1")
        assert members(alice.page) == [f"{alice.name} (you) Owner", bob.name]
        alice.page.get_by_role("button", name="Close the details").click()
        alice.page.reload()
        shows(alice.page, ["at noon?", "yes"])

        for visitor in (alice, bob):
            visitor.expect_errors(f"{NETWORK_GONE}|{LOST}")
        kill(server)
        for visitor in (alice, bob):
            expect(banner(visitor.page)).to_contain_text("Reconnecting")
        alice.say("written in Firefox while the server was dead")
        expect(alice.page.locator(".message.queued")).to_have_count(1)
        alice.page.get_by_role("button", name="Notes to yourself").click()
        alice.say("a note")
        row(alice.page, "Friday lunch").click()
    with Server(tmp_path / "data", "--workers", "2", port=port):
        said = ["at noon?", "yes", "written in Firefox while the server was dead"]
        for visitor in (alice, bob):
            shows(visitor.page, said)
            expect(banner(visitor.page)).to_be_hidden()
        bob.say("welcome back")
        for visitor in (alice, bob):
            shows(visitor.page, [*said, "welcome back"])
            visitor.page.reload()
            shows(visitor.page, [*said, "welcome back"])
        alice.open(bob.name)
        shows(alice.page, ["hi", "who is there?", "Alice"])
        alice.open("Notes to yourself")
        shows(alice.page, ["a note"])
        for visitor in (alice, bob):
            visitor.close()


def test_axe_finds_nothing_in_firefox_either(fox: Browser, server: Server) -> None:
    alice = Visitor(fox, server.url, fresh("alice"))
    alice.expect_errors(r"eval(\(\))? .*blocked|blocked a JavaScript eval")  # axe-core tries it
    assert findings(alice.page) == [], "sign-in"
    alice.sign_up()
    assert findings(alice.page) == [], "nothing yet"
    make_group(alice, "Friday lunch")
    alice.say("at noon?")
    shows(alice.page, ["at noon?"])
    details(alice.page)
    assert findings(alice.page) == [], "a group and its details"
    alice.close()
