"""JSON Schemas as lists of fields that people read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ssechat.http.contract.schemas import REF
from ssechat.http.fields import NAMED, NOT_BLANK, ONE_LINE, PRINTABLE_ASCII, WHOLE_NUMBER

Schema = Mapping[str, Any]

MOST_SHOWN = 8
"""Values of an enumeration that are listed."""

BOUNDS = (
    ("minimum", "from {}"),
    ("exclusiveMinimum", "more than {}"),
    ("maximum", "up to {}"),
    ("exclusiveMaximum", "less than {}"),
)


PATTERNS = {
    NAMED["pattern"]: "of A-Z a-z 0-9 _ . @ | + ~ -, the first a letter, a digit or _",
    NOT_BLANK: "not blank",
    ONE_LINE: "on one line",
    PRINTABLE_ASCII: "printable ASCII",
    WHOLE_NUMBER: "digits",
}
"""Regular expressions in words."""


class Field(NamedTuple):
    """A field of an object, or a parameter."""

    name: str
    type: str
    """Its type and limits: `string, 1 to 128 characters`."""
    required: bool
    what: str
    default: str = ""
    """As JSON."""
    models: Sequence[str] = ()
    """The models that it consists of."""


class Model(NamedTuple):
    """An object with fields, or a value that has a name."""

    name: str
    what: str
    type: str
    """Of a value that is no object."""
    fields: Sequence[Field]


def fields_of(schema: Schema) -> list[Field]:
    """The fields of an object."""
    required = schema.get("required", ())
    return [field(name, one, required=name in required) for name, one in schema.get("properties", {}).items()]


def field(name: str, schema: Schema, *, required: bool, what: str = "") -> Field:
    """One field. `what` is said of it if the schema says nothing."""
    said = schema.get("description", what)
    if not required and "null" not in said:  # null is only what stands for a field that is left out
        schema = _given(schema)
    default = schema.get("default")
    shown = "" if default is None or default in ("", []) else json.dumps(default)
    return Field(name, type_of(schema), required, said, shown, sorted(set(refs(schema))))


def refs(schema: Any) -> Iterator[str]:
    """The names of all models that a schema refers to itself."""
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield model_name(schema["$ref"])
        for one in schema.values():
            yield from refs(one)
    elif isinstance(schema, list | tuple):
        for one in schema:
            yield from refs(one)


def model_name(ref: str) -> str:
    """`#/components/schemas/Message` → `Message`."""
    return ref.removeprefix(REF)


def models_of(schema: Any, definitions: Mapping[str, Schema]) -> list[Model]:
    """All models that a schema refers to, and those that they refer to, each once."""
    found: dict[str, Model] = {}
    waiting = list(refs(schema))
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            definition = definitions[name]
            kind = "" if definition.get("type") == "object" else type_of(definition)
            found[name] = Model(name, definition.get("description", ""), kind, fields_of(definition))
            waiting += refs(definition)
    return list(found.values())


def type_of(schema: Schema) -> str:
    """A type in words: `integer, from 1`, `array of Message`."""
    if "$ref" in schema:
        return model_name(schema["$ref"])
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " or ".join(dict.fromkeys(map(type_of, schema[word])))
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema and len(schema["enum"]) > MOST_SHOWN:
        return f"{schema['type']}, one of {len(schema['enum'])}"
    if "enum" in schema:
        return " or ".join(map(json.dumps, schema["enum"]))
    kind = schema.get("type", "any value")
    if isinstance(kind, list):
        return " or ".join(type_of({**schema, "type": one}) for one in kind)
    if kind == "array":
        each = type_of(schema.get("items", {}))
        items = f"array of {f'({each})' if ',' in each else each}"
        return ", ".join([items, *_range(schema, "Items", "items")])
    parts = [kind]
    if kind == "string" and schema.get("pattern") != NOT_BLANK:
        parts += _range(schema, "Length", "characters")
    if kind in ("integer", "number"):
        parts += [words.format(_number(schema[bound])) for bound, words in BOUNDS if bound in schema]
    if schema.get("format") == "date-time":
        parts.append("as in RFC 3339")
    if "pattern" in schema:
        parts.append(PATTERNS.get(schema["pattern"], f"pattern {schema['pattern']}"))
    return ", ".join(parts)


def _given(schema: Schema) -> Schema:
    """The schema of a field that may be left out, for one that is not: null is only what stands for that."""
    forms = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**forms[0], **rest} if len(forms) == 1 else {"anyOf": forms, **rest} if forms else schema


def _range(schema: Schema, suffix: str, unit: str) -> list[str]:
    least, most = schema.get(f"min{suffix}"), schema.get(f"max{suffix}")
    if least and most is not None:
        return [f"{least:,} to {most:,} {unit}"]
    if most is not None:
        return [f"up to {most:,} {unit}"]
    if least == 1:
        return ["not empty"]
    return [f"at least {least:,} {unit}"] if least else []


def _number(value: float) -> str:
    return "2^53" if value == 2**53 else f"{value:,}"
