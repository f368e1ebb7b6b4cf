"""The schemas of errors: one a code, so that clients which are made from the document tell them apart by type."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from ssechat.http.contract import problems
from ssechat.http.contract.problems import Problem
from ssechat.http.contract.schemas import ref

POLICIES = "violated-policies"
ONLY_OF = {"fields": problems.INVALID_REQUEST, POLICIES: problems.QUOTA_EXCEEDED}
"""Fields that only one error has."""

ALWAYS = ("request_id", POLICIES)
"""Fields that these errors have always, unlike those of what could not be read."""

NAMES = {one: name for name, one in vars(problems).items() if isinstance(one, Problem)}
"""All errors, with their names in problems.py."""


def schema_name(one: Problem) -> str:
    """The name of an error's schema: `NAME_TAKEN` → `NameTakenProblem`."""
    return "".join(part.capitalize() for part in NAMES[one].split("_")) + "Problem"


def schema(one: Problem, details: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an error. `details` is that of all errors."""
    found = {**deepcopy(dict(details)), "description": one.what}
    fields = found["properties"]
    fields["status"] = {"type": "integer", "const": one.status}
    fields["code"] = {**fields["code"], "const": one.code}
    for name, only in ONLY_OF.items():
        if one != only:
            del fields[name]
    found["required"] = [*found["required"], *(name for name in ALWAYS if name in fields)]
    return found


def union(refused: Sequence[Problem]) -> dict[str, Any]:
    """The schema of an answer that is one of these errors, which have the same status."""
    if len(refused) == 1:
        return ref(schema_name(refused[0]))
    mapping = {one.code: ref(schema_name(one))["$ref"] for one in refused}
    return {
        "oneOf": [{"$ref": target} for target in mapping.values()],
        "discriminator": {"propertyName": "code", "mapping": mapping},
    }
