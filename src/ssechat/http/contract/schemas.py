"""JSON Schemas of requests, answers and events, as the components of an OpenAPI document."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from ssechat.events.models import HistoryOf, Lost, Role

REF = "#/components/schemas/"

SHARED: Mapping[str, Mapping[str, Any]] = {
    "Role": {"enum": [*get_args(Role)], "type": "string"},
    "History": {"enum": [*get_args(HistoryOf)], "type": "string"},
    "ResetReason": {"enum": [*get_args(Lost)], "type": "string"},
    "Data": {"additionalProperties": True, "type": "object"},
}
"""Schemas that several models have in fields: each is one type in a client that is made from the document."""

DESCRIPTIONS = {
    "Role": "What a member of a group may do.",
    "History": "What a new member of a group may read: everything, or what is sent after it joined.",
    "ResetReason": "Why events are missing.",
    "Data": "Any object of your application's.",
}


class Schemas:
    """The schemas of a document: each model once, by its name."""

    def __init__(self, requests: Iterable[type[BaseModel]], answers: Iterable[Any], *, closed: bool) -> None:
        """`closed`: an answer that has fields which the contract does not name is none. It is not so in the contract
        that clients get: they must take fields of newer servers.

        Raises:
            ValueError: two models have one name.
        """
        wanted: list[tuple[JsonSchemaMode, Any]] = [
            *(("validation", one) for one in dict.fromkeys(requests)),
            *(("serialization", one) for one in dict.fromkeys(answers)),
        ]
        inputs = [(at, mode, TypeAdapter(one).core_schema) for at, (mode, one) in enumerate(wanted)]
        generator = GenerateJsonSchema(by_alias=True, ref_template=REF + "{model}")
        found, definitions = generator.generate_definitions(inputs)
        self._found = {key: found[at, key[0]] for at, key in enumerate(wanted)}
        names = [*(schema.get("title") for schema in definitions.values()), *SHARED]
        if len(set(names)) < len(names):
            raise ValueError("two models have one name")
        of_requests = {one.__name__ for mode, one in wanted if mode == "validation"}
        for name, schema in definitions.items():
            if name in of_requests:
                _as_received(schema)
            else:
                _as_sent(schema, closed=closed)
            _plain(schema)
        self.definitions: dict[str, dict[str, Any]] = {str(name): schema for name, schema in definitions.items()}
        self.definitions |= {name: {**schema, "description": DESCRIPTIONS[name]} for name, schema in SHARED.items()}

    def request(self, model: type[BaseModel]) -> Mapping[str, Any]:
        """The schema of a request's body."""
        return _plain(dict(self._found["validation", model]))

    def answer(self, model: Any) -> Mapping[str, Any]:
        """The schema of an answer's body, or of an event's data."""
        return _plain(dict(self._found["serialization", model]))

    def properties(self, model: type[BaseModel]) -> Mapping[str, Any]:
        """The schemas of a model's fields, by name, as query parameters have them."""
        schema = _plain(TypeAdapter(model).json_schema())
        return {name: _without_null(field) for name, field in schema["properties"].items()}


def ref(name: str) -> dict[str, Any]:
    """A reference to a schema of the document."""
    return {"$ref": REF + name}


def _as_received(schema: dict[str, Any]) -> None:
    """A default is said in words: a client that is made from the document would demand a field that has one."""
    for field in schema["properties"].values():
        default = field.pop("default", None)
        if default:
            said = f"`{json.dumps(default)}`, if it is not given."
            field["description"] = f"{field['description']} {said}" if "description" in field else said


def _as_sent(schema: dict[str, Any], *, closed: bool) -> None:
    """A field of an answer that has no value is left out, and never null."""
    if not closed:
        schema.pop("additionalProperties", None)
    for name, field in schema.get("properties", {}).items():
        if name not in schema.get("required", ()):
            schema["properties"][name] = _without_null(field)


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """The schema without null, which is only the default."""
    if "default" in field and field["default"] is None:
        del field["default"]
        kept = [one for one in field.pop("anyOf", ()) if one != {"type": "null"}]
        field |= kept[0] if len(kept) == 1 else {"anyOf": kept} if kept else {}
    return field


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Takes the titles away that pydantic makes of the fields' names, and the lines of descriptions; puts a reference
    where a shared schema is."""
    schema.pop("title", None)
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split())
    properties = schema.get("properties", {})
    for name, field in properties.items():
        properties[name] = _shared(_plain(field))
    for key in ("anyOf", "oneOf"):
        if key in schema:
            schema[key] = [_shared(_plain(one)) for one in schema[key]]
    if isinstance(schema.get("items"), dict):
        schema["items"] = _shared(_plain(schema["items"]))
    return schema


def _shared(schema: dict[str, Any]) -> dict[str, Any]:
    said = {key: value for key, value in schema.items() if key == "description"}
    bare = {key: value for key, value in schema.items() if key != "description"}
    for name, shared in SHARED.items():
        if bare == shared:
            return {**ref(name), **said}
    return schema
