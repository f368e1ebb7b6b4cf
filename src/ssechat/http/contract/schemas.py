"""JSON Schemas of requests, answers and events, as the components of an OpenAPI document."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

REF = "#/components/schemas/{model}"


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
        found, self.definitions = GenerateJsonSchema(by_alias=True, ref_template=REF).generate_definitions(inputs)
        self._found = {key: found[at, key[0]] for at, key in enumerate(wanted)}
        if len({schema.get("title") for schema in self.definitions.values()}) < len(self.definitions):
            raise ValueError("two models have one name")
        of_requests = {one.__name__ for mode, one in wanted if mode == "validation"}
        for name, schema in self.definitions.items():
            if name not in of_requests:
                _as_sent(schema, closed=closed)
            _plain(schema)

    def request(self, model: type[BaseModel]) -> Mapping[str, Any]:
        """The schema of a request's body."""
        return _plain(dict(self._found["validation", model]))

    def answer(self, model: Any) -> Mapping[str, Any]:
        """The schema of an answer's body, or of an event's data."""
        return _plain(dict(self._found["serialization", model]))

    def properties(self, model: type[BaseModel]) -> Mapping[str, Any]:
        """The schemas of a model's fields, by name, as query parameters have them."""
        schema = TypeAdapter(model).json_schema()
        return {name: _without_null(_plain(field)) for name, field in schema["properties"].items()}


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
    """Takes the titles away that pydantic makes of the fields' names."""
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
    schema.pop("title", None)
    return schema
