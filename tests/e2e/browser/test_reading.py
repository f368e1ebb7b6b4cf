"""How messages read: a column, groups, marks, long texts, and what is copied."""

import random
from typing import Any

from playwright.sync_api import FloatRect, Locator, Page, expect

from e2e.api import Person
from e2e.browser.groups import message
from e2e.browser.visitor import Enter, fresh, shows, texts
from serving import Server

COLUMN = 720
"""Pixels: how wide the messages are at most, all together."""
ELEMENTS = {"div", "span", "a", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li"}
"""All that a text is made of."""
ATTRIBUTES = {"class", "href", "target", "rel", "title", "value"}
PIECES = [
    *(
        "*",
        "**",
        "_",
        "~~",
        "`",
        "```",
        "\n",
        "\n\n",
        "> ",
        "- ",
        "1. ",
        "[",
        "](",
        ")",
        "\\",
        " ",
        "word",
        "@bob",
        "é",
    ),
    *("<b>", "</div>", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "&lt;", "&#60;", "<!--", "]]>"),
    *(
        "https://a.example/",
        "javascript:alert(1)",
        "mailto:a@b.example",
        '" onclick="alert(1)',
        "\u202e",
        "👍🏽",
        "\u0000",
    ),
]
RENDER = """async (said) => {
    const { messageText } = await import("/web/views/text.js");
    const seen = new Set();
    const wrong = said.filter((text) => {
        const node = messageText(text, ["bob"], "alice");
        for (const one of [node, ...node.querySelectorAll("*")]) {
            seen.add(one.localName);
            for (const { name, value } of one.attributes) seen.add(`${one.localName} ${name}`);
            if (one.href !== undefined) seen.add(`to ${one.protocol}`);
        }
        return node.textContent !== text;
    });
    return [wrong, [...seen].sort()];
}"""


def box(locator: Locator) -> FloatRect:
    """Where an element is on the page."""
    found = locator.bounding_box()
    assert found is not None
    return found


def opacity(locator: Locator) -> float:
    return float(locator.evaluate("node => getComputedStyle(node).opacity"))


def pair(enter: Enter, server: Server, *said: str, **options: Any) -> Page:
    """The page of somebody to whom each of these was said, and who has it open."""
    alice, bob = fresh("alice"), enter(fresh("bob"), **options)
    with Person(server, alice) as sender:
        for text in said:
            sender.say(text, bob.name)
    bob.open(alice)
    shows(bob.page, said)
    return bob.page


def test_messages_are_a_column_in_a_wide_window_and_the_time_stands_once_in_a_group(
    enter: Enter, server: Server
) -> None:
    page = pair(enter, server, "one", "two", "three", viewport={"width": 1920, "height": 900})
    page.locator("#composer").fill("mine")
    page.keyboard.press("Enter")
    shows(page, ["one", "two", "three", "mine"])
    theirs, mine = box(message(page, "one").locator(".bubble")), box(message(page, "mine").locator(".bubble"))
    assert mine["x"] + mine["width"] - theirs["x"] <= COLUMN
    assert abs(box(page.locator("#composer"))["x"] - theirs["x"]) < 10
    page.mouse.move(0, 0)
    times = page.locator(".message time")
    assert [opacity(one) for one in times.all()] == [0, 0, 1, 1]
    assert all(one.get_attribute("title") and one.inner_text() for one in times.all()), "screen readers have each"
    message(page, "one").locator(".bubble").hover()
    expect(times.first).to_have_css("opacity", "1")
    page.mouse.move(0, 0)
    page.keyboard.press("Shift+Tab")
    message(page, "two").focus()
    expect(times.nth(1)).to_have_css("opacity", "1")
    assert box(times.nth(1))["x"] > box(message(page, "two").locator(".bubble"))["x"]


def test_marks_become_elements_and_are_not_seen(enter: Enter, server: Server) -> None:
    said = [
        "**bold** and *italic*, ~~not~~ `code`",
        "> quoted\n- a\n- b\n1. c\n```\nx = 1\n```",
        "[the menu](https://a.example/menu) and [x](javascript:alert(1))",
    ]
    page = pair(enter, server, *said)
    first, second, third = page.locator(".message .text").all()
    assert first.inner_text() == "bold and italic, not code"
    assert [first.locator(tag).inner_text() for tag in ("strong", "em", "s", "code")] == [
        "bold",
        "italic",
        "not",
        "code",
    ]
    assert [second.locator(tag).inner_text() for tag in ("blockquote", "ol", "pre")] == ["quoted", "c", "x = 1"]
    assert second.locator("ul li").all_inner_texts() == ["a", "b"]
    link = third.get_by_role("link")
    expect(link).to_have_text("[the menu](https://a.example/menu)")
    assert link.inner_text() == "the menu"
    assert (link.get_attribute("href"), link.get_attribute("rel")) == (
        "https://a.example/menu",
        "noopener noreferrer",
    )


def test_no_text_becomes_markup_and_none_loses_a_character(enter: Enter) -> None:
    alice = enter(fresh("alice"))
    chance = random.Random(7)
    said = ["".join(chance.choices(PIECES, k=chance.randrange(1, 24))) for _ in range(3000)]
    wrong, seen = alice.page.evaluate(RENDER, said)
    assert wrong == []
    names = {one for one in seen if " " not in one}
    assert names <= ELEMENTS
    assert {"strong", "code", "blockquote", "li", "a"} <= names, "so few marks show nothing"
    assert {one.split()[1] for one in seen if " " in one and not one.startswith("to ")} <= ATTRIBUTES
    assert {one for one in seen if one.startswith("to ")} == {"to https:", "to mailto:"}


def test_what_is_copied_is_what_was_written_without_the_words_around_it(enter: Enter, server: Server) -> None:
    said = ["hi **you**\n- a\n- b", "plain", "```\ncode\n```"]
    page = pair(enter, server, *said)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    def copied() -> str:
        page.keyboard.press("Control+c")
        text: str = page.evaluate("navigator.clipboard.readText()")
        return text

    select = "([from, to]) => getSelection().setBaseAndExtent(from, 0, to, to.childNodes.length)"
    nodes = page.evaluate_handle("[...document.querySelectorAll('.message')]")
    first, second, third = (nodes.get_property(str(number)) for number in range(3))
    page.evaluate(select, [second, second])
    assert copied() == "plain"
    page.evaluate(select, [first, third])
    assert copied() == "\n".join(said)
    page.locator(".message .text").nth(1).dblclick()
    assert copied() == "plain"


def test_a_long_text_is_folded_until_one_asks_for_the_rest(enter: Enter, server: Server) -> None:
    long = "\n".join(f"line {number}" for number in range(60))
    page = pair(enter, server, "short", long, "end")
    bubble = message(page, "line 59").locator(".bubble")
    folded = box(bubble)["height"]
    assert folded < 600
    button = bubble.get_by_role("button", name="Show more")
    assert message(page, "short").get_by_role("button").count() == 0
    button.click()
    assert box(bubble)["height"] > 2 * folded
    expect(bubble.get_by_role("button", name="Show less")).to_have_attribute("aria-expanded", "true")
    bubble.get_by_role("button", name="Show less").click()
    assert box(bubble)["height"] == folded
    assert texts(page)[1] == long


def test_a_few_emoji_alone_are_large(enter: Enter, server: Server) -> None:
    page = pair(enter, server, "👍", "👩‍👩‍👧‍👦 🇪🇺 1️⃣ ❤️", "👍 yes", "123", "👍👍👍👍👍👍")
    large = "node => parseFloat(getComputedStyle(node).fontSize) > 30"
    assert [one.evaluate(large) for one in page.locator(".message .text").all()] == [True, True, False, False, False]
