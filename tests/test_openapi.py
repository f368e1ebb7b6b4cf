"""The OpenAPI documents are valid, their examples are as their schemas say, and generators of clients can use them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, OpenAPIV32SpecValidator

from contract.document import COOKIE, closed, operations, resolved
from ssechat.http.contract import openapi
from ssechat.http.contract.events import EVENTS
from ssechat.http.contract.openapi import Version, event_schema

VALIDATORS = {"3.1": OpenAPIV31SpecValidator, "3.2": OpenAPIV32SpecValidator}
SCHEMA = "#/components/schemas/"


@pytest.fixture(scope="module", params=["3.1", "3.2"])
def version(request: pytest.FixtureRequest) -> Version:
    found: Version = request.param
    return found


@pytest.fixture(scope="module")
def document(version: Version) -> dict[str, Any]:
    """As clients get it."""
    return openapi.document(operations(), version, cookie=COOKIE)


def described(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """The path, the method and the description of each operation."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """All objects of a document."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from nodes(value)


def test_the_document_is_valid(document: dict[str, Any], version: Version) -> None:
    assert document["openapi"] == f"{version}.0"
    assert [error.message for error in VALIDATORS[version](document).iter_errors()] == []


@pytest.mark.parametrize("where", ["summary", "operationId", "itemSchema"])
def test_what_is_not_valid_is_found(where: str) -> None:
    document = json.loads(json.dumps(openapi.document(operations(), "3.2", cookie=COOKIE)))
    operation = document["paths"]["/v1/events"]["get"]
    if where == "itemSchema":
        operation["responses"]["200"]["content"]["text/event-stream"]["itemSchema"] = 5
    else:
        operation[where] = 5
    assert next(OpenAPIV32SpecValidator(document).iter_errors(), None) is not None


def test_every_reference_leads_somewhere_and_no_schema_is_for_nothing(document: dict[str, Any]) -> None:
    targets = {node["$ref"] for node in nodes(document) if "$ref" in node}
    for target in targets:
        assert resolved({"$ref": target}, document)
    used = {target.removeprefix(SCHEMA) for target in targets if target.startswith(SCHEMA)}
    # ProblemDetails is the one of requests that cannot be read, which belong to no operation.
    assert set(document["components"]["schemas"]) - used == {"ProblemDetails"}


def test_the_examples_of_bodies_and_parameters_are_what_their_schemas_say(document: dict[str, Any]) -> None:
    tried = 0
    for path, method, operation in described(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        for holder in (content, *operation.get("parameters", ())):
            if "example" in holder:
                errors = list(Draft202012Validator(resolved(holder["schema"], document)).iter_errors(holder["example"]))
                assert errors == [], f"{method} {path}: {holder['example']}"
                tried += 1
        assert not content or "example" in content, f"{method} {path} has a body, and no example"
    assert tried > 20


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_the_example_of_an_event_is_what_its_schema_says(event: Any) -> None:
    schema = resolved({"$ref": SCHEMA + event_schema(event)}, closed())
    data = schema["properties"]["data"]["contentSchema"]
    assert list(Draft202012Validator(data).iter_errors(event.example)) == []


def test_each_error_of_an_operation_is_a_schema_of_its_own_with_its_code_and_status(document: dict[str, Any]) -> None:
    for path, method, operation in described(document):
        for status, response in operation["responses"].items():
            content = response.get("content", {}).get("application/problem+json")
            if content is None:
                continue
            schema = content["schema"]
            refs = [one["$ref"] for one in schema.get("oneOf", [schema])]
            codes = {}
            for target in refs:
                fields = resolved({"$ref": target}, document)["properties"]
                assert fields["status"]["const"] == int(status), f"{method} {path} {target}"
                codes[fields["code"]["const"]] = target
            assert len(codes) == len(refs), (
                f"{method} {path} {status}: a client could not tell two errors by their code"
            )
            if len(refs) > 1:
                assert schema["discriminator"] == {"propertyName": "code", "mapping": codes}


def test_a_generator_finds_a_name_for_everything_and_no_name_twice(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in described(document)]
    assert len(ids) == len(set(ids))
    for path, method, operation in described(document):
        names = [(one["in"], one["name"].lower().replace("-", "_")) for one in operation.get("parameters", ())]
        assert len(names) == len(set(names)), f"{method} {path}"
    for name, schema in document["components"]["schemas"].items():
        # Generators have variables of the name of a class, and of the names of its fields.
        assert name.lower() not in {field.replace("_", "").lower() for field in schema.get("properties", ())}, name


def test_no_body_has_a_default_that_a_generated_client_would_demand(document: dict[str, Any]) -> None:
    for _, _, operation in described(document):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body is not None:
            schema = document["components"]["schemas"][body["schema"]["$ref"].removeprefix(SCHEMA)]
            for name, field in schema["properties"].items():
                assert "default" not in field, name
                assert field.get("description"), f"{name} is not described"


def test_what_was_made_has_links_to_what_can_be_done_with_it(document: dict[str, Any]) -> None:
    responses = {operation["operationId"]: operation["responses"] for _, _, operation in described(document)}
    assert set(responses["send_message"]["201"]["links"]) == {"show_message", "edit_message", "delete_message"}
    assert set(responses["make_group"]["201"]["links"]) == {"show_conversation", "change_group", "end_group"}
    assert responses["make_invite"]["201"]["links"] == {
        "revoke_invite": {
            "operationId": "revoke_invite",
            "parameters": {"id": "$request.path.id", "invite": "$response.body#/id"},
        }
    }
