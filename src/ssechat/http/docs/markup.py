"""The contract's texts as HTML."""

import re
from collections.abc import Callable, Mapping
from html import escape

from markupsafe import Markup

from ssechat.http.docs.fields import Field

CODE = re.compile(r"`([^`]+)`")

REQUEST = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/[^\s?]*)")


def plain(text: str) -> Markup:
    """Text between tags: quotation marks stay as they are, for people who read the page's source."""
    return Markup(escape(text, quote=False))


def path(text: str) -> Markup:
    """A path, which may be broken behind each slash."""
    return Markup("/<wbr>").join(map(plain, text.split("/")))


def marker(links: Mapping[str, str]) -> Callable[[str], Markup]:
    """Returns the function that makes HTML of plain text with `code`. A request such as `GET /v1/limits` becomes a link
    to what is said of it, if `links` has it."""

    def code(found: re.Match[str]) -> Markup:
        text = found[1]
        shown = Markup("<code>{}</code>").format(plain(text))
        request = REQUEST.match(text)
        target = links.get(request[0]) if request is not None else None
        return shown if target is None else Markup('<a href="{}">{}</a>').format(target, shown)

    def marked(text: str) -> Markup:
        parts, end = [], 0
        for found in CODE.finditer(text):
            parts += [plain(text[end : found.start()]), code(found)]
            end = found.end()
        return Markup("").join([*parts, plain(text[end:])])

    return marked


def typed(one: Field) -> Markup:
    """A field's type, with links to the models in it, which stand on the same page."""
    text = plain(one.type)
    for model in one.models:
        link = Markup('<a href="#{0}">{0}</a>').format(model)
        text = Markup(re.sub(rf"\b{model}\b", link, text))
    return text
