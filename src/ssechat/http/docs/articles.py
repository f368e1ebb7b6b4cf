"""What stands on a page about an operation, an event or an error: the contract's data, ready for a template."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ssechat.events import frames
from ssechat.http.contract import problems, refused
from ssechat.http.contract.events import StreamEvent
from ssechat.http.contract.openapi import event_schema
from ssechat.http.contract.operation import EVENT_STREAM, JSON, Credential, Operation, reason
from ssechat.http.contract.problems import Problem
from ssechat.http.docs.curls import Curl, curl
from ssechat.http.docs.fields import Field, Model, Schema, field, fields_of, model_name, models_of, refs

CREDENTIALS: Mapping[Credential, str] = {
    Credential.NONE: "No credential is needed.",
    Credential.USER: "Needs a token (`Authorization: Bearer …`) or the session's cookie.",
    Credential.USER_OR_TICKET: "Needs a token (`Authorization: Bearer …`), the session's cookie, or a ticket "
    "(`?ticket=…`).",
    Credential.USER_OR_ADMIN: "Needs a token (`Authorization: Bearer …`), the admin token, or the session's cookie.",
    Credential.MAY_BE_USER: "A public feed needs no credential; others need a token (`Authorization: Bearer …`) or the "
    "session's cookie.",
    Credential.MAY_BE_USER_OR_TICKET: "A public feed needs no credential; others need a token (`Authorization: Bearer "
    "…`), the session's cookie, or a ticket (`?ticket=…`).",
}

EVERYWHERE = frozenset(
    {
        *problems.OF_ALL,
        *problems.OF_CREDENTIALS,
        *problems.OF_HEADERS,
        *problems.OF_PATHS,
        problems.FORBIDDEN_ORIGIN,
        problems.FULL,
        problems.ISSUER_UNAVAILABLE,
        problems.TOO_LARGE,
        problems.UNAVAILABLE,
        problems.UNSUPPORTED_MEDIA_TYPE,
    }
)
"""Errors that are named with an operation, and explained on the page of errors only."""

KNOWN_PROBLEMS = sorted(refused.NAMES, key=lambda each: (each.status, each.code))

PLACES = (
    (problems.OF_CONNECTIONS, "Any request, before the server knows which operation is meant."),
    (problems.OF_PATHS, "Any path that is not here, or not with this method."),
    (problems.OF_ALL, "Any request."),
    (problems.OF_CREDENTIALS, "Any request that needs a credential."),
)
"""What is said of where an error comes from, in the place of a list."""

FIRST_ID, ID = "0-0", "1-4549717810404159942"
RETRY = 2150
"""What example frames have in these fields."""


class AnswerArticle(NamedTuple):
    """A response that is no error."""

    status: int
    reason: str
    what: str
    models: Sequence[str]
    """The models of its body, one or the other."""
    media_type: str
    headers: Sequence[Field]


class OperationArticle(NamedTuple):
    """An operation."""

    operation: Operation
    credential: str
    path: Sequence[Field]
    query: Sequence[Field]
    headers: Sequence[Field]
    body: Sequence[Field] | None
    body_may_be_missing: bool
    answers: Sequence[AnswerArticle]
    refusals: Sequence[Problem]
    """Errors of its own."""
    others: Sequence[Problem]
    """Errors that it shares with most operations."""
    curl: Curl


class EventArticle(NamedTuple):
    """An event of a stream."""

    event: StreamEvent
    frame: str
    """An example, as it comes over the wire."""
    data: Sequence[Sequence[Field]]
    """The fields of its data; of one form or the other."""
    models: Sequence[Model]
    """Those that the data refers to."""
    causes: Sequence[Operation]


class ProblemArticle(NamedTuple):
    """An error."""

    anchor: str
    code: str
    status: int
    reason: str
    what: str
    operations: Sequence[Operation]
    """Those that answer with it, if only some do."""
    where: str
    """Else: where it comes from."""


class Articles:
    """Makes the articles of a server's operations from the OpenAPI document that describes them."""

    def __init__(self, operations: Sequence[Operation], document: Mapping[str, Any]) -> None:
        self._operations = operations
        self._paths: Mapping[str, Mapping[str, Any]] = document["paths"]
        self.schemas: Mapping[str, Schema] = document["components"]["schemas"]

    def operation(self, each: Operation) -> OperationArticle:
        """The article of one operation."""
        described = self._described(each)
        body = described.get("requestBody")
        return OperationArticle(
            each,
            CREDENTIALS[each.credential],
            self._parameters(described, "path"),
            self._parameters(described, "query"),
            self._parameters(described, "header"),
            None if body is None else fields_of(self._resolved(body["content"][JSON]["schema"])),
            body is not None and not body["required"],
            [self._answer(described["responses"][str(status)], each, status) for status in each.answers],
            [one for one in each.problems if one not in EVERYWHERE],
            [one for one in each.problems if one in EVERYWHERE],
            curl(each),
        )

    def models(self, operations: Iterable[Operation]) -> list[Model]:
        """The models of what these operations answer, and of the fields of what they take."""
        content: list[Schema] = []
        for each in operations:
            described = self._described(each)
            body = described.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema", {})
            content.append(self._resolved(body).get("properties", {}))
            content += [described["responses"][str(status)].get("content", {}).get(JSON, {}) for status in each.answers]
        return models_of(content, self.schemas)

    def event(self, event: StreamEvent) -> EventArticle:
        """The article of one event."""
        described = self.schemas[event_schema(event)]["properties"]
        data = described["data"]["contentSchema"]
        forms = [self._resolved(one) for one in data.get("anyOf", [data])]
        causes = [each for each in self._operations if event.name in each.events]
        return EventArticle(
            event, frame(event), [fields_of(form) for form in forms], models_of(forms, self.schemas), causes
        )

    def problems(self) -> list[ProblemArticle]:
        """The articles of all errors, by status."""
        return [self._problem(one) for one in KNOWN_PROBLEMS]

    def _problem(self, one: Problem) -> ProblemArticle:
        found: Sequence[Operation] = [each for each in self._operations if one in each.problems]
        where = ""
        for among, words in PLACES:
            if one in among:
                found, where = [each for each in found if one in each.refusals], words
                break
        if len(found) > len(self._operations) // 2:
            found, where = (), "Most requests."
        return ProblemArticle(anchor(one), one.code, one.status, reason(one.status), one.what, found, where)

    def _described(self, each: Operation) -> Mapping[str, Any]:
        described: Mapping[str, Any] = self._paths[each.path][each.method.lower()]
        return described

    def _resolved(self, schema: Schema) -> Schema:
        return self.schemas[model_name(schema["$ref"])] if "$ref" in schema else schema

    def _parameters(self, described: Mapping[str, Any], place: str) -> list[Field]:
        return [
            field(one["name"], one["schema"], required=one.get("required", False), what=one.get("description", ""))
            for one in described.get("parameters", ())
            if one["in"] == place
        ]

    def _answer(self, described: Mapping[str, Any], each: Operation, status: int) -> AnswerArticle:
        answer = each.answers[status]
        schema = described.get("content", {}).get(answer.media_type, {}).get("schema", {})
        models = [] if answer.media_type == EVENT_STREAM else list(dict.fromkeys(refs(schema)))
        headers = [field(one.name, one.schema, required=True, what=one.what) for one in answer.headers]
        has_body = answer.model is not None or answer.media_type != JSON
        return AnswerArticle(
            status, reason(status), answer.what, models, answer.media_type if has_body else "", headers
        )


def frame(event: StreamEvent) -> str:
    """An example of an event, byte for byte as a stream has it."""
    entry = FIRST_ID if event.name in (frames.RETRY, frames.HELLO) else ID
    retry = RETRY if event.has_retry else None
    chunk = frames.event(event.name, event.example, entry if event.has_id else None, retry)
    return frames.unchunk(chunk).decode()


def anchor(one: Problem) -> str:
    """The anchor of an error on the page of errors: its code; of two with one code the lower status is added."""
    twice = any(each.code == one.code and each.status > one.status for each in KNOWN_PROBLEMS)
    return f"{one.code}-{one.status}" if twice else one.code


def pretty(data: Any) -> str:
    """JSON for people."""
    return json.dumps(data, indent=2, ensure_ascii=False)
