"""The contract as an OpenAPI document (3.1 and 3.2)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from ssechat import __version__
from ssechat.http.contract import parameters, problems, refused
from ssechat.http.contract.answers.problem import ProblemDetails
from ssechat.http.contract.events import EVENTS, StreamEvent
from ssechat.http.contract.feeds import HELLO, OF_A_FEED, PUBLISHED, RESET, SHARED
from ssechat.http.contract.links import links
from ssechat.http.contract.operation import EVENT_STREAM, JSON, Answer, Credential, Operation, Parameter, reason
from ssechat.http.contract.parameters import REQUEST_ID
from ssechat.http.contract.problems import Problem
from ssechat.http.contract.schemas import Schemas, ref
from ssechat.http.fields import EVENT_NAME

Version = Literal["3.1", "3.2"]

PROBLEM_JSON = "application/problem+json"

ANY_EVENT = "StreamEvent"
"""The name of the schema that is one of the events'."""

FEED_EVENTS = {HELLO.data: "FeedHelloEvent", RESET.data: "FeedResetEvent", PUBLISHED.data: "FeedItemEvent"}
"""The names of the schemas of events that only the stream of a feed has, by their data."""

NOT_FOR_GENERATORS = {"ticket", "lastEventId"}
"""Query parameters that the document does not list: a security scheme, and one whose name in clients that are made from
it would be another's."""

OF_CONNECTIONS = "x-connection-problems"
"""Where the document says what is answered to requests that cannot be read; they belong to no operation."""

SECURITY: Mapping[Credential, Sequence[Mapping[str, Sequence[str]]]] = {
    Credential.NONE: (),
    Credential.USER: ({"bearer": ()}, {"cookie": ()}),
    Credential.USER_OR_TICKET: ({"bearer": ()}, {"cookie": ()}, {"ticket": ()}),
    Credential.USER_OR_ADMIN: ({"bearer": ()}, {"cookie": ()}),
    Credential.MAY_BE_USER: ({}, {"bearer": ()}, {"cookie": ()}),
    Credential.MAY_BE_USER_OR_TICKET: ({}, {"bearer": ()}, {"cookie": ()}, {"ticket": ()}),
}


def document(
    operations: Iterable[Operation],
    version: Version,
    *,
    cookie: str,
    events: Iterable[StreamEvent] = EVENTS,
    closed: bool = False,
) -> dict[str, Any]:
    """The document of a server with these operations. `cookie` is the name of its session cookie; `closed` as in
    `Schemas`."""
    return _Document(tuple(operations), version, tuple(events), closed=closed).all(cookie)


class _Document:
    def __init__(
        self, operations: Sequence[Operation], version: Version, events: Sequence[StreamEvent], *, closed: bool
    ) -> None:
        self._operations = operations
        self._version = version
        self._events = events
        self._has_feeds = any(answer.events == OF_A_FEED for each in operations for answer in each.answers.values())
        of_feeds = [event.data for event in (HELLO, PUBLISHED, RESET)] if self._has_feeds else []
        answers = [answer.model for each in operations for answer in each.answers.values() if answer.model is not None]
        self._schemas = Schemas(
            [each.body for each in operations if each.body is not None],
            [*answers, *(event.data for event in events), *of_feeds, ProblemDetails],
            closed=closed,
        )

    def all(self, cookie: str) -> dict[str, Any]:
        """The whole document."""
        paths: dict[str, dict[str, Any]] = {}
        for each in self._operations:
            paths.setdefault(each.path, {})[each.method.lower()] = self._operation(each)
        schemas = dict(self._schemas.definitions)
        details = schemas["ProblemDetails"]
        told = {one for each in self._operations for one in each.problems}
        schemas |= {refused.schema_name(one): refused.schema(one, details) for one in told}
        codes = {one.code for one in refused.NAMES}
        details["properties"]["code"]["enum"] = sorted(codes)
        schemas |= {event_schema(event): self._event(event) for event in self._events}
        schemas[ANY_EVENT] = self._any_event()
        if self._has_feeds:
            schemas |= self._of_feeds()
        return {
            "openapi": f"{self._version}.0",
            "info": {
                "title": "ssechat",
                "version": __version__,
                "description": "A chat server that speaks plain HTTP: Server-Sent Events to receive, POST to send. "
                "GET /docs shows this to people.",
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "servers": [{"url": "/"}],
            "tags": [{"name": topic} for topic in dict.fromkeys(each.topic for each in self._operations)],
            "paths": paths,
            "components": {
                "schemas": dict(sorted(schemas.items())),
                "headers": {REQUEST_ID.name: _header(REQUEST_ID, required=True)},
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                    "cookie": {"type": "apiKey", "in": "cookie", "name": cookie},
                    "ticket": {"type": "apiKey", "in": "query", "name": "ticket"},
                },
            },
            OF_CONNECTIONS: [
                {"status": one.status, "code": one.code, "description": one.what}
                for one in (*problems.OF_CONNECTIONS, *problems.OF_PATHS)
            ],
        }

    def _operation(self, each: Operation) -> dict[str, Any]:
        found: dict[str, Any] = {"operationId": each.id, "summary": each.summary, "tags": [each.topic]}
        if each.about:
            found["description"] = each.about
        listed = [
            *({**_parameter(one), "in": "path", "required": True} for one in each.parameters),
            *self._query(each),
            *({**_parameter(one), "in": "header"} for one in each.headers),
        ]
        if listed:
            found["parameters"] = listed
        if each.body is not None:
            content: dict[str, Any] = {"schema": self._schemas.request(each.body)}
            if each.example is not None:
                content["example"] = each.example
            found["requestBody"] = {"required": not each.body_may_be_missing, "content": {JSON: content}}
        found["responses"] = self._responses(each)
        found["security"] = [dict(one) for one in SECURITY[each.credential]]
        return found

    def _query(self, each: Operation) -> list[dict[str, Any]]:
        if each.query is None:
            return []
        return [
            _described({"name": name, "in": "query", "schema": schema})
            for name, schema in self._schemas.properties(each.query).items()
            if name not in NOT_FOR_GENERATORS
        ]

    def _responses(self, each: Operation) -> dict[str, Any]:
        by_status: dict[int, list[Problem]] = {}
        for problem in each.problems:
            by_status.setdefault(problem.status, []).append(problem)
        found: dict[str, dict[str, Any]] = {}
        for status in sorted({*each.answers, *by_status}):
            answer, refusals = each.answers.get(status), by_status.get(status, ())
            content: dict[str, Any] = {} if answer is None else self._content(answer)
            of_answer = () if answer is None else answer.headers
            of_refusals = _headers(status) if refusals else ()
            what = [] if answer is None else [answer.what]
            if refusals:
                content[PROBLEM_JSON] = {"schema": refused.union(refusals)}
                what += [f"`{one.code}`: {one.what}" for one in refusals]
            found[str(status)] = {
                "description": "\n\n".join(what) or reason(status),
                "headers": {
                    REQUEST_ID.name: {"$ref": f"#/components/headers/{REQUEST_ID.name}"},
                    **{
                        one.name: _header(
                            one, required=(not answer or one in of_answer) and (not refusals or one in of_refusals)
                        )
                        for one in (*of_answer, *of_refusals)
                    },
                },
            }
            if content:
                found[str(status)]["content"] = content
            if answer is not None and (onward := links(status, answer.model, self._operations)):
                found[str(status)]["links"] = onward
        return found

    def _content(self, answer: Answer) -> dict[str, Any]:
        if answer.media_type == EVENT_STREAM:
            if self._version == "3.2":
                return {EVENT_STREAM: {"itemSchema": ref(answer.events)}}
            return {EVENT_STREAM: {"schema": {"type": "string"}, "x-itemSchema": ref(answer.events)}}
        if answer.media_type != JSON:
            media_types = (answer.media_type, *answer.other_media_types)
            return {media_type: {"schema": {"type": "string"}} for media_type in media_types}
        return {JSON: {"schema": self._schemas.answer(answer.model)}} if answer.model is not None else {}

    def _any_event(self) -> dict[str, Any]:
        mapping = {event.name: ref(event_schema(event))["$ref"] for event in self._events}
        return {
            "description": "An event of a stream. Its `data` is JSON.",
            "oneOf": [{"$ref": target} for target in mapping.values()],
            "discriminator": {"propertyName": "event", "mapping": mapping},
        }

    def _of_feeds(self) -> dict[str, dict[str, Any]]:
        """The schemas of the events of a feed's stream: those that all streams have are the same."""
        own = {FEED_EVENTS[event.data]: self._event(event) for event in (HELLO, RESET, PUBLISHED)}
        taken = [*(event.name for event in SHARED), HELLO.name, RESET.name]
        named = {"type": "string", "pattern": EVENT_NAME, "not": {"enum": taken}}
        own[FEED_EVENTS[PUBLISHED.data]]["properties"]["event"] = named
        names = [*(event_schema(event) for event in SHARED), *own]
        one = {
            "description": "An event of a feed's stream. Its `data` is JSON.",
            "oneOf": [ref(name) for name in names],
        }
        return {**own, OF_A_FEED: one}

    def _event(self, event: StreamEvent) -> dict[str, Any]:
        properties: dict[str, Any] = {
            "event": {"const": event.name},
            "data": {
                "type": "string",
                "contentMediaType": JSON,
                "contentSchema": self._schemas.answer(event.data),
            },
        }
        required = ["event", "data"]
        if event.has_id:
            properties["id"] = {"type": "string"}
            required += () if event.id_may_be_missing else ("id",)
        if event.has_retry:
            properties["retry"] = {"type": "integer", "minimum": 0}
            required += ("retry",)
        return {"type": "object", "description": event.what, "properties": properties, "required": required}


def event_schema(event: StreamEvent) -> str:
    """The name of an event's schema: `message.updated` → `MessageUpdatedEvent`."""
    return "".join(part.capitalize() for part in event.name.replace(".", "_").split("_")) + "Event"


def _headers(status: int) -> tuple[Parameter, ...]:
    """The headers that come with errors of this status."""
    if status == 401:
        return (parameters.WWW_AUTHENTICATE,)
    if status == 429:
        return (parameters.RETRY_AFTER, parameters.RATE_LIMIT_POLICY, parameters.RATE_LIMIT)
    return (parameters.RETRY_AFTER,) if status == 503 else ()


def _parameter(one: Parameter) -> dict[str, Any]:
    found = {"name": one.name, "description": one.what, "schema": dict(one.schema)}
    if one.example:
        value: Any = int(one.example) if one.schema.get("type") == "integer" else one.example
        found["example"] = value
    return found


def _described(parameter: dict[str, Any]) -> dict[str, Any]:
    """The parameter with its description where people look for it."""
    schema = dict(parameter["schema"])
    said = {key: schema.pop(key) for key in ("description",) if key in schema}
    return {**parameter, **said, "schema": schema}


def _header(one: Parameter, *, required: bool) -> dict[str, Any]:
    return {"description": one.what, "required": required, "schema": dict(one.schema)}
