"""What people do with groups and with messages on the page, and a group's HTTP interface with curl."""

import json
import subprocess
from typing import Any

from playwright.sync_api import Locator, Page, expect

from e2e.api import mint
from e2e.browser.visitor import Enter, Visitor, fresh, row
from serving import Server


class Curl:
    """A user who has nothing but curl."""

    def __init__(self, server: Server, user: str) -> None:
        self._url = server.url
        self.user = user
        self._token = mint(server, user)
        self("GET", "/v1/session")

    def __call__(self, method: str, path: str, body: object = None) -> Any:
        """Makes a request, which must succeed; returns the answer's JSON."""
        command = ["curl", "-sS", "--fail-with-body", "-X", method, "-H", f"Authorization: Bearer {self._token}"]
        if body is not None:
            command += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        answer = subprocess.run([*command, f"{self._url}{path}"], capture_output=True, text=True, timeout=30)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return json.loads(answer.stdout) if answer.stdout else None

    def make_group(self, name: str, *members: str, **fields: str) -> str:
        """Makes a group; returns its id."""
        made: dict[str, str] = self("POST", "/v1/conversations", {"name": name, "members": members, **fields})
        return made["id"]

    def say(self, group: str, text: str, **fields: object) -> int:
        """Sends a message to a group; returns its seq."""
        sent: dict[str, int] = self("POST", "/v1/messages", {"conversation_id": group, "text": text, **fields})
        return sent["seq"]

    def history(self, group: str) -> list[dict[str, Any]]:
        """The newest messages of a group."""
        messages: list[dict[str, Any]] = self("GET", f"/v1/conversations/{group}/messages")["messages"]
        return messages


def make_group(visitor: Visitor, name: str, *members: str, topic: str = "") -> str:
    """Makes a group on the page, which is open then; returns its id."""
    page = visitor.page
    page.get_by_role("button", name="New group").first.click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name", exact=True).fill(name)
    form.get_by_label("Topic").fill(topic)
    for member in members:
        form.get_by_label("People").fill(member)
        form.get_by_label("People").press("Enter")
    form.get_by_role("button", name="Create group").click()
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    return group_id(page)


def group_id(page: Page) -> str:
    """The id of the group that is open."""
    shown: str = page.evaluate("decodeURIComponent(location.hash.split('/')[1])")
    return shown


def details(page: Page) -> Locator:
    """The details of the open group, which are opened if need be."""
    panel = page.get_by_role("complementary", name="Group details")
    if not panel.is_visible():
        page.get_by_role("button", name="Group details").click()
    expect(panel).to_be_visible()
    return panel


def members(page: Page) -> list[str]:
    """The members and their roles, as the details show them."""
    each = "node => [...node.querySelectorAll('.name, .role')].map(one => one.textContent).join(' ')"
    lines: list[str] = details(page).locator(".members li").evaluate_all(f"nodes => nodes.map({each})")
    return lines


def choose(page: Page, member: str, action: str) -> None:
    """Chooses something from the menu of a member, and confirms it if asked."""
    details(page).get_by_role("button", name=f"What to do with {member}").click()
    page.get_by_role("menuitem", name=action).click()
    if action == "Remove":
        confirm(page, "Remove")


def confirm(page: Page, action: str) -> None:
    """Confirms what a dialog asks."""
    page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()


def message(page: Page, text: str) -> Locator:
    """The message with this text."""
    return page.locator(".message", has=page.locator(".text", has_text=text))


def use(page: Page, text: str, tool: str) -> None:
    """Points at a message and clicks one of its tools."""
    message(page, text).locator(".bubble").hover()
    page.get_by_role("toolbar", name="Message").get_by_role("button", name=tool, exact=True).click()


def read_only(page: Page) -> Locator:
    """What stands in place of the composer."""
    return page.locator(".read-only")


def count(page: Page, group: str) -> Locator:
    """The number of members in the list."""
    return row(page, group).locator(".people")


def pair(enter: Enter) -> tuple[Visitor, Visitor, str]:
    """Two people in a group that both have open; its id."""
    alice, bob = enter(fresh("alice")), enter(fresh("bob"))
    group = make_group(alice, "Pair", bob.name)
    bob.open("Pair")
    return alice, bob, group
