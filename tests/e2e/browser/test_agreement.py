"""Whatever happens while a page is open, it shows in the end what a fresh page shows."""

import contextlib
import random
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from e2e.browser.groups import Curl, details, read_only
from e2e.browser.visitor import NETWORK_GONE, Enter, Visitor, fresh, row, until
from serving import Server

STEPS = 60


def shown(page: Page) -> str:
    """Everything that a page shows of conversations, a line each."""
    parts = {
        "list": ".conversation-row",
        "heading": ".conversation .bar h2, .about",
        "messages": ".message",
        "members": ".panel .members li",
        "facts": ".group-about",
        "reason": ".read-only",
    }
    return "\n".join(
        f"{part}: {text!r}" for part, selector in parts.items() for text in page.locator(selector).all_inner_texts()
    )


class Crowd:
    """People with curl, who do anything in two groups that one with a page is in, mostly."""

    def __init__(self, server: Server, reader: str, seed: int) -> None:
        self._random = random.Random(seed)
        self._reader = reader
        self._people = [Curl(server, fresh("curl")) for _ in range(3)]
        self.owner = self._people[0]
        others = [one.user for one in self._people[1:]]
        self.groups = [self.owner.make_group(f"Group {number}", reader, *others) for number in range(2)]
        self._messages: list[tuple[Curl, str, int]] = []
        self._number = 0

    def step(self) -> None:
        """Somebody does something."""
        actions: list[tuple[int, Callable[[], object]]] = [
            (6, self._say),
            (3, self._edit),
            (1, self._delete),
            (5, self._react),
            (2, self._come_or_go),
            (1, self._reader_comes_or_goes),
            (1, self._rename),
            (1, self._promote),
        ]
        weights = [weight for weight, _ in actions]
        self._random.choices([action for _, action in actions], weights)[0]()

    def _text(self) -> str:
        self._number += 1
        return f"text {self._number}"

    def _say(self) -> None:
        group, author = self._random.choice(self.groups), self.owner
        fields: dict[str, object] = {}
        answered = [seq for _, where, seq in self._messages if where == group]
        if answered and self._random.random() < 0.4:
            fields["reply_to"] = self._random.choice(answered)
        if self._random.random() < 0.3:
            fields["mentions"] = [self.owner.user]
        self._messages.append((author, group, author.say(group, f"{self._text()} @{self.owner.user}", **fields)))

    def _path(self) -> tuple[Curl, str]:
        author, group, seq = self._random.choice(self._messages)
        return author, f"/v1/conversations/{group}/messages/{seq}"

    def _edit(self) -> None:
        if self._messages:
            author, path = self._path()
            author("PATCH", path, {"text": self._text()})

    def _delete(self) -> None:
        if self._messages:
            self._messages.remove(gone := self._random.choice(self._messages))
            gone[0]("DELETE", f"/v1/conversations/{gone[1]}/messages/{gone[2]}")

    def _react(self) -> None:
        if self._messages:
            _, path = self._path()
            emoji = self._random.choice(["%F0%9F%91%8D", "%F0%9F%8E%89"])
            self.owner(self._random.choice(["PUT", "DELETE"]), f"{path}/reactions/{emoji}", {})

    def _member(self, user: str) -> None:
        path = f"/v1/conversations/{self._random.choice(self.groups)}/members/{user}"
        self.owner(self._random.choice(["PUT", "DELETE"]), path, {})

    def _come_or_go(self) -> None:
        self._member(self._random.choice(self._people[1:]).user)

    def _reader_comes_or_goes(self) -> None:
        self._member(self._reader)

    def _rename(self) -> None:
        body = {"name": self._text(), "topic": self._random.choice(["", self._text()])}
        self.owner("PATCH", f"/v1/conversations/{self._random.choice(self.groups)}", body)

    def _promote(self) -> None:
        user = self._random.choice(self._people[1:]).user
        path = f"/v1/conversations/{self._random.choice(self.groups)}/members/{user}"
        self.owner("PUT", path, {})
        self.owner("PUT", path, {"role": self._random.choice(["admin", "member"])})

    def end(self) -> None:
        """Lets the reader be in both groups, and says something in each that is read last."""
        for group in self.groups:
            self.owner("PUT", f"/v1/conversations/{group}/members/{self._reader}", {})
            self.owner("PATCH", f"/v1/conversations/{group}", {"name": f"The end of {group}"})
            self.owner.say(group, "the end")


def settled(bob: Visitor, names: list[str]) -> None:
    """Waits until a page has got everything, and loaded what that led to."""
    for name in names:
        expect(row(bob.page, name)).to_contain_text("the end")
    expect(row(bob.page, names[0])).not_to_contain_text("unread")  # it is open, and marked as read a moment later
    expect(read_only(bob.page)).to_be_hidden()
    bob.page.wait_for_load_state("networkidle")
    until(bob.page, lambda: bob.page.get_by_text("Loading").count() == 0)


def agreed(page: Page, told: Callable[[], str]) -> str:
    """Waits until a page shows what is told, and returns it."""
    with contextlib.suppress(AssertionError):
        until(page, lambda: shown(page) == told())
    assert shown(page) == told()
    return told()


@pytest.mark.parametrize("seed", range(3))
def test_after_anything_that_others_do_a_page_shows_what_a_fresh_one_shows(
    enter: Enter, server: Server, seed: int
) -> None:
    bob = enter(fresh("bob"))
    crowd = Crowd(server, bob.name, seed)
    row(bob.page, "Group 0").click()
    details(bob.page)
    other = bob.tab()
    other.goto(bob.page.url)
    other.reload()
    bob.expect_errors(f"{NETWORK_GONE}|status of 40[34]")  # one who was removed, and asks for what was just said
    for step in range(STEPS):
        if step == STEPS // 3:
            bob.context.set_offline(True)
        crowd.step()
        if step == 2 * STEPS // 3:
            bob.context.set_offline(False)
    crowd.end()
    names = [f"The end of {group}" for group in crowd.groups]
    settled(bob, names)
    # The other group's unread messages are counted alike, and it has no thread loaded.
    seen = agreed(other, lambda: shown(bob.page))
    bob.page.reload()
    settled(bob, names)
    agreed(bob.page, lambda: seen)
