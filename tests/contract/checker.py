"""Validates answers and events against the OpenAPI document, and never against the models that it is made of."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from contract.answer import Answer
from contract.document import by_code, resolved, values_of
from contract.seen import Seen, promised
from contract.validator import Draft202012Validator

PROBLEM = "application/problem+json"
JSON = "application/json"
STREAM = "text/event-stream"
REQUEST_ID = "x-request-id"
FILES = "/web/"
"""The page's files, which are no part of the contract."""

FEEDS = "/v1/feeds/"
OF_A_FEED = "feed/"
ANY_NAME = "*"
"""Stands for the names that publishers give the events of feeds."""

OWN_OF_FEEDS = ("hello", "reset", ANY_NAME)
"""Events of feeds that are others than those of users' streams with these names."""

OF_PATHS = (404, 405, 414)
"""Statuses of paths and methods that no operation has."""


class Response(NamedTuple):
    """A status that an operation can answer with."""

    content: Mapping[str, Draft202012Validator | None]
    """By media type; None: the body is no JSON, or an error."""
    problems: Mapping[str, Draft202012Validator]
    """The errors that it can be, by code."""
    headers: Mapping[str, Draft202012Validator]
    """By name in lower case."""
    required: frozenset[str]
    """Headers that are always there."""


class Template(NamedTuple):
    """A path of the document."""

    segments: Sequence[str]
    operations: Mapping[str, tuple[str, Mapping[int, Response]]]
    """The operation's id and answers, by method."""


class Event(NamedTuple):
    """An event of a stream."""

    fields: Draft202012Validator
    data: Draft202012Validator
    reasons: Sequence[str]
    """Those that its data can give; "" alone: it gives none."""


class Checker:
    """A document, compiled."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """`document` is one in OpenAPI 3.2."""
        self._templates = [_template(path, resolved(item, document)) for path, item in document["paths"].items()]
        self._problem = Draft202012Validator(resolved({"$ref": "#/components/schemas/ProblemDetails"}, document))
        self._of_connections = {(each["status"], each["code"]) for each in document["x-connection-problems"]}
        self._headers = {
            name
            for template in self._templates
            for _, responses in template.operations.values()
            for response in responses.values()
            for name in response.headers
        }
        self._events: dict[bool, dict[str, Event]] = {False: {}, True: {}}
        """By name, of users' streams, and of those of feeds."""
        for path, item in document["paths"].items():
            self._events[path.startswith(FEEDS)] |= dict(_events(resolved(item, document)))

    @property
    def promised(self) -> set[str]:
        """All that there is to see."""
        answers: list[tuple[str, int, str]] = [("", *each) for each in self._of_connections]
        for template in self._templates:
            for operation, responses in template.operations.values():
                for status, response in responses.items():
                    answers += ((operation, status, code) for code in response.problems)
                    if set(response.content) != {PROBLEM}:
                        answers.append((operation, status, ""))
        told = [(name, reason) for name, event in self._events[False].items() for reason in event.reasons]
        return promised(answers, [*told, *((f"{OF_A_FEED}{name}", "") for name in OWN_OF_FEEDS)])

    def answer(self, answer: Answer, seen: Seen) -> Iterator[str]:
        """What is wrong with an answer, in sentences; what is right about it is noted in `seen`."""
        if self._is_bare_refusal(answer):
            return
        operation, responses = self._operation(answer)
        response = responses.get(answer.status)
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        problem = _json(answer.body) if media_type == PROBLEM and answer.body else None
        code = str(problem.get("code", "")) if isinstance(problem, dict) else ""
        if self._is_of_a_connection(answer, operation, code):
            seen.answer("", answer.status, code)
            yield from _errors(self._problem, problem)
            if answer.status == 405 and "allow" not in answer.headers:
                yield "it has no Allow"
        elif not operation:
            if not answer.target.startswith(FILES) and not (answer.method == "HEAD" and answer.status >= 400):
                yield f"no operation is there, and {code or media_type or 'this'} is no error of a connection or a path"
        elif response is None:
            yield f"{operation} has no status {answer.status}"
        else:
            found = [*self._content(response, answer, media_type, code), *self._of_headers(response, answer)]
            if not found:
                seen.answer(operation, answer.status, code)
            yield from (f"{operation}: {each}" for each in found)

    def _operation(self, answer: Answer) -> tuple[str, Mapping[int, Response]]:
        """The id and answers of the operation that was asked for; "" if there is none."""
        template = self._find(answer.target)
        method = "GET" if answer.method == "HEAD" else answer.method
        return ("", {}) if template is None else template.operations.get(method, ("", {}))

    def _is_of_a_connection(self, answer: Answer, operation: str, code: str) -> bool:
        """Whether it is one of the errors that belong to no operation. Where there is one, they are those of requests
        that could not be read, and so have no id."""
        could_be_read = REQUEST_ID in answer.headers or answer.status in OF_PATHS
        return (answer.status, code) in self._of_connections and not (operation and could_be_read)

    def _is_bare_refusal(self, answer: Answer) -> bool:
        """Whether a HEAD could not be read: the answer has neither a request id nor a body that would say the code."""
        statuses = {status for status, _ in self._of_connections}
        return answer.method == "HEAD" and REQUEST_ID not in answer.headers and answer.status in statuses

    def _content(self, response: Response, answer: Answer, media_type: str, code: str) -> Iterator[str]:
        if not response.content:
            if answer.body or media_type:
                yield f"it has a body ({media_type}), and shall have none"
            return
        if media_type not in response.content:
            yield f"its media type is {media_type or 'not given'}, and not {' or '.join(response.content)}"
            return
        if answer.method == "HEAD" or answer.body is None:
            return
        validator = response.problems.get(code) if media_type == PROBLEM else response.content[media_type]
        if media_type == PROBLEM and validator is None:
            yield f"the code {code} is not documented"
        if validator is not None:
            yield from _errors(validator, _json(answer.body))

    def _of_headers(self, response: Response, answer: Answer) -> Iterator[str]:
        for name in sorted(response.required - answer.headers.keys()):
            yield f"it has no {name}"
        for name in sorted(self._headers & answer.headers.keys()):
            if name not in response.headers:
                yield f"its header {name} is not documented"
            else:
                text = answer.headers[name]
                value = int(text) if text.isascii() and text.isdigit() else text
                yield from (f"{name}: {error}" for error in _errors(response.headers[name], value))

    def event(self, fields: Mapping[str, str], seen: Seen, *, of_a_feed: bool = False) -> Iterator[str]:
        """What is wrong with an event of a stream, given as its fields; what is right is noted in `seen`."""
        name = fields.get("event", "message")
        events = self._events[of_a_feed]
        event = events.get(name, events.get(ANY_NAME))
        if event is None:
            yield f"there is no event {name!r}"
            return
        retry = fields.get("retry", "")
        typed = {**fields, "retry": int(retry)} if retry.isdigit() else fields
        data = _json(fields.get("data", "").encode())
        found = [*_errors(event.fields, typed), *_errors(event.data, data)]
        if not found and of_a_feed and (own := name if name in events else ANY_NAME) in OWN_OF_FEEDS:
            seen.event(f"{OF_A_FEED}{own}")
        elif not found:
            seen.event(name, data.get("reason", ""))
        for each in found:
            yield f"the event {name}: {each}"

    def _find(self, target: str) -> Template | None:
        segments = [unquote(segment) for segment in target.split("/")]
        raw = target.split("/")
        fitting = [
            template
            for template in self._templates
            if len(template.segments) == len(segments)
            and all(
                (sent if wanted.startswith("{") else wanted == given)
                for wanted, given, sent in zip(template.segments, segments, raw, strict=True)
            )
        ]
        return min(fitting, key=lambda each: sum(part.startswith("{") for part in each.segments), default=None)


def _template(path: str, item: Mapping[str, Any]) -> Template:
    operations = {
        method.upper(): (
            operation["operationId"],
            {int(status): _response(response) for status, response in operation["responses"].items()},
        )
        for method, operation in item.items()
        if method in ("get", "put", "post", "delete", "patch")
    }
    return Template(path.split("/"), operations)


def _response(response: Mapping[str, Any]) -> Response:
    content = response.get("content", {})
    headers = {name.lower(): header for name, header in response.get("headers", {}).items()}
    return Response(
        content={
            media_type: Draft202012Validator(described["schema"]) if media_type == JSON else None
            for media_type, described in content.items()
        },
        problems={
            code: Draft202012Validator(schema)
            for code, schema in (by_code(content[PROBLEM]["schema"]) if PROBLEM in content else {}).items()
        },
        headers={name: Draft202012Validator(header["schema"]) for name, header in headers.items()},
        required=frozenset(name for name, header in headers.items() if header.get("required")),
    )


def _events(item: Mapping[str, Any]) -> Iterator[tuple[str, Event]]:
    for operation in item.values():
        for response in operation["responses"].values():
            described = response.get("content", {}).get(STREAM)
            for event in () if described is None else described["itemSchema"]["oneOf"]:
                properties = event["properties"]
                data = properties["data"]["contentSchema"]
                reasons = {
                    reason
                    for branch in data.get("anyOf", [data])
                    for reason in values_of(branch.get("properties", {}).get("reason", {}))
                } or {""}
                fields = Draft202012Validator({**event, "additionalProperties": False})
                yield (
                    properties["event"].get("const", ANY_NAME),
                    Event(fields, Draft202012Validator(data), sorted(reasons)),
                )


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def _errors(validator: Draft202012Validator, value: Any) -> Iterator[str]:
    for error in validator.iter_errors(value):
        # Of a choice, what is wrong with the nearest one.
        deepest = max(error.context or (), key=lambda each: len(each.path), default=error)
        yield f"{deepest.json_path}: {deepest.message}"[:500]
