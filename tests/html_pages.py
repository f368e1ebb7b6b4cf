"""Reads a page of HTML strictly: every element is closed in order, and no id is there twice."""

from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser

VOID = frozenset(("br", "col", "hr", "img", "input", "link", "meta", "wbr"))

PARENTS = {
    "li": {"ul", "ol"},
    "dt": {"dl", "div"},
    "dd": {"dl", "div"},
    "tr": {"thead", "tbody"},
    "td": {"tr"},
    "th": {"tr"},
}
"""Where an element may stand, if that is not everywhere."""

HEADINGS = frozenset(("h1", "h2", "h3", "h4"))

NOT_IN_A_PARAGRAPH = HEADINGS | {"p", "div", "ul", "ol", "dl", "pre", "section", "table"}


@dataclass
class Block:
    """A `pre`, with its text as a browser shows it."""

    attributes: dict[str, str]
    text: str = ""


@dataclass
class Heading:
    """A heading."""

    level: int
    text: str = ""


@dataclass
class Page:
    """What a page consists of."""

    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    """The targets of `a`."""
    loads: list[str] = field(default_factory=list)
    """What a browser loads with it."""
    landmarks: list[str] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    scripts: list[dict[str, str]] = field(default_factory=list)
    inline: list[str] = field(default_factory=list)
    """What a content security policy without 'unsafe-inline' forbids."""
    text: str = ""


class Reader(HTMLParser):
    """Reads one page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        assert len(attributes) == len(attrs), f"<{tag}> has an attribute twice"
        parent = self._open[-1] if self._open else ""
        assert tag not in PARENTS or parent in PARENTS[tag], f"<{tag}> in <{parent}>"
        assert not (tag in NOT_IN_A_PARAGRAPH and "p" in self._open), f"<{tag}> in a paragraph"
        assert not (tag == "a" and "a" in self._open), "a link in a link"
        page = self.page
        page.ids += [attributes["id"]] if "id" in attributes else []
        page.inline += [name for name in attributes if name == "style" or name.startswith("on")]
        if tag == "a":
            page.links.append(attributes["href"])
        elif tag in ("img", "script", "link"):
            page.loads.append(attributes.get("src") or attributes.get("href") or "")
            assert tag != "img" or "alt" in attributes
        if tag in ("header", "main", "nav", "footer"):
            page.landmarks.append(tag)
        elif tag in HEADINGS:
            page.headings.append(Heading(int(tag[1])))
        elif tag == "pre":
            page.blocks.append(Block(attributes))
        elif tag == "script":
            page.scripts.append(attributes)
        elif tag == "style":
            page.inline.append(tag)
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if "script" in self._open:
            self.page.inline.append(data)
        if "pre" in self._open:
            self.page.blocks[-1].text += data
        if HEADINGS & set(self._open):
            self.page.headings[-1].text += data
        if "body" in self._open:
            self.page.text += data

    def close(self) -> None:
        super().close()
        assert not self._open, f"not closed: {self._open}"


@cache
def read(html: str) -> Page:
    """Reads a page, each once.

    Raises:
        AssertionError: it is not well formed.
    """
    assert html.startswith("<!doctype html>\n")
    reader = Reader()
    reader.feed(html)
    reader.close()
    page = reader.page
    assert len(set(page.ids)) == len(page.ids), "an id is there twice"
    return page
