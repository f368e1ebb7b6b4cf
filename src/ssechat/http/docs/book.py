"""All pages of documentation of one server, made when they are first asked for."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from ssechat import __version__
from ssechat.http.browser_library import library_name, size_of_feeds
from ssechat.http.contract import openapi
from ssechat.http.contract.answers.problem import ProblemDetails, WrongField
from ssechat.http.contract.events import EVENTS
from ssechat.http.contract.operation import Operation
from ssechat.http.docs.articles import Articles, anchor, frame, pretty
from ssechat.http.docs.curls import ADDRESS, SignInMode, setup
from ssechat.http.docs.fields import fields_of, models_of
from ssechat.http.docs.markup import marker, path, plain, typed
from ssechat.http.docs.topics import Topic, topics_of
from ssechat.http.made_once import MadeOnce
from ssechat.settings import Settings

if TYPE_CHECKING:
    from jinja2 import Environment


class ProsePage(NamedTuple):
    """A page that is not about a topic: a template and a title."""

    name: str
    title: str
    about: str


PAGES = (
    ProsePage("first-steps", "First steps", "From nothing to a bot that answers, with curl."),
    ProsePage("guarantees", "What is promised", "Delivery, order, resuming, and repeating a request."),
    ProsePage("clients", "Clients", "In Python, in a browser, in Node, from a terminal, and made from the contract."),
    ProsePage("errors", "Errors", "Every code, and what to do."),
    ProsePage("limits", "Limits", "What this server bounds, in numbers."),
)

EXAMPLE = ProblemDetails(
    type="about:blank",
    title="Unprocessable Content",
    status=422,
    code="invalid_request",
    detail="text: this text is blank; write something",
    request_id="6f0c2a9be1d4-1207",
    fields=[WrongField(field="text", message="this text is blank; write something")],
)
"""An error as it comes."""

INDEX = ""
"""The name of the page at `/docs`."""


class Book:
    """The pages by name: `""` for `/docs`, `errors`, `messages`, `events/message` and so on.

    They are made in a thread, once for each worker and page: it takes tens of milliseconds.
    """

    def __init__(
        self, operations: Sequence[Operation], settings: Settings, limits: Mapping[str, Any], cookie: str
    ) -> None:
        """`operations` are all that the server has; `cookie` is the name of its session cookie."""
        self._operations = operations
        self._settings = settings
        self._limits = limits
        self._cookie = cookie
        self._pages = MadeOnce(self._make)
        topics = topics_of(operations)
        self._contents: dict[str, Callable[[], str]] = {INDEX: lambda: self._render("index", INDEX)}
        for page in PAGES:
            self._contents[page.name] = self._prose(page)
        for topic in topics:
            if topic.name in self._contents:
                raise ValueError(f"two pages have the name {topic.name!r}")
            self._contents[topic.name] = self._topic(topic)
        for at in range(len(EVENTS)):
            self._contents[f"events/{EVENTS[at].name}"] = self._event(at)
        self._topics = topics
        self._home = {each.id: f"{topic.path}#{each.id}" for topic in topics for each in topic.operations}

    def has(self, name: str) -> bool:
        """Whether there is a page of this name."""
        return name in self._contents

    @property
    def names(self) -> Sequence[str]:
        """The names of all pages."""
        return list(self._contents)

    async def page(self, name: str) -> bytes:
        """A page that there is."""
        return await self._pages.get(name)

    def _make(self, name: str) -> bytes:
        return self._contents[name]().encode()

    @cached_property
    def _articles(self) -> Articles:
        return Articles(self._operations, openapi.document(self._operations, "3.1", cookie=self._cookie))

    @cached_property
    def _environment(self) -> "Environment":
        # Imported late: 2 MB, in each worker, for what few are asked for.
        from jinja2 import Environment, PackageLoader, StrictUndefined

        environment = Environment(
            loader=PackageLoader("ssechat.http.docs"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        requests = {f"{each.method} {each.path}": self._home[each.id] for each in self._operations}
        environment.filters |= {
            "anchor": anchor,
            "marked": marker(requests),
            "number": "{:,}".format,
            "path": path,
            "seconds": "{:g}".format,
            "text": plain,
            "typed": typed,
        }
        environment.globals |= {
            "address": ADDRESS,
            "sign_in": self._sign_in,
            "SignInMode": SignInMode,
            "events": EVENTS,
            "feeds_bytes": size_of_feeds(),
            "frame": frame,
            "home": self._home,
            "library": library_name(),
            "limits": self._limits,
            "pages": PAGES,
            "settings": self._settings,
            "setup": lambda operations: setup(
                operations, self._sign_in, anybody_makes_feeds=self._settings.feeds == "anybody"
            ),
            "topics": self._topics,
            "version": __version__,
        }
        return environment

    @property
    def _sign_in(self) -> SignInMode:
        if self._settings.external_identity:
            return SignInMode.TOKENS
        return SignInMode.OPEN if self._settings.signup == "open" else SignInMode.CLOSED

    def _render(self, template: str, name: str, **context: Any) -> str:
        path = f"/docs/{name}" if name else "/docs"
        return self._environment.get_template(f"{template}.html").render(path=path, **context)

    def _prose(self, page: ProsePage) -> Callable[[], str]:
        def render() -> str:
            more = {"errors": self._errors, "limits": self._bounds}.get(page.name, dict)()
            return self._render(page.name, page.name, title=page.title, about=page.about, **more)

        return render

    def _errors(self) -> Mapping[str, Any]:
        schemas = self._articles.schemas
        return {
            "articles": self._articles.problems(),
            "fields": fields_of(schemas["ProblemDetails"]),
            "models": models_of(schemas["ProblemDetails"], schemas),
            "example": pretty(EXAMPLE.model_dump(exclude_none=True, by_alias=True)),
        }

    def _bounds(self) -> Mapping[str, Any]:
        return {"fields": fields_of(self._articles.schemas["Limits"])}

    def _topic(self, topic: Topic) -> Callable[[], str]:
        def render() -> str:
            return self._render(
                "events" if topic.name == "events" else "topic",
                topic.name,
                topic=topic,
                articles=[self._articles.operation(each) for each in topic.operations],
                models=self._articles.models(topic.operations),
            )

        return render

    def _event(self, at: int) -> Callable[[], str]:
        event = EVENTS[at]
        before = EVENTS[at - 1] if at else None
        after = EVENTS[at + 1] if at + 1 < len(EVENTS) else None

        def render() -> str:
            article = self._articles.event(event)
            return self._render("event", f"events/{event.name}", article=article, before=before, after=after)

        return render
