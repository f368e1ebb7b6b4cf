"""The OpenAPI document that answers are held against: closed, so that what it does not name is an error."""

import functools
import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from ssechat.http import contract
from ssechat.http.contract import openapi
from ssechat.http.contract.operation import Operation

COOKIE = "ssechat_session"


def operations() -> list[Operation]:
    """All operations that the modules of the contract have, whether a route stands on them or not."""
    found: dict[str, Operation] = {}
    for module in pkgutil.iter_modules(contract.__path__, f"{contract.__name__}."):
        for value in vars(import_module(module.name)).values():
            if isinstance(value, Operation):
                found[value.id] = value
    return list(found.values())


@functools.cache
def closed() -> Mapping[str, Any]:
    """The document in OpenAPI 3.2, with the events of streams. It has no references but to `components`."""
    return openapi.document(operations(), "3.2", cookie=COOKIE, closed=True)


def resolved(node: Any, document: Mapping[str, Any]) -> Any:
    """A part of the document with each reference replaced by what it is to: no schema of ours holds itself."""
    if isinstance(node, list):
        return [resolved(each, document) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" not in node:
        return {name: resolved(each, document) for name, each in node.items()}
    target: Any = document
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    rest = {name: each for name, each in node.items() if name != "$ref"}
    # In JSON Schema what stands beside a reference holds as well.
    return {"allOf": [resolved(target, document), resolved(rest, document)]} if rest else resolved(target, document)


def by_code(schema: Any) -> Mapping[str, Any]:
    """The schema of each error that the schema of an operation's errors allows, by its code."""
    return {one["properties"]["code"]["const"]: one for one in schema.get("oneOf", [schema])}


def values_of(schema: Any) -> Iterator[str]:
    """The values that a schema lists, wherever in it the list stands."""
    yield from schema.get("enum", ())
    for part in schema.get("allOf", ()):
        yield from values_of(part)
