"""Validates by a JSON Schema of draft 2020-12, by which thousands of values are right and a few are not."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import jsonschema_rs
from jsonschema.exceptions import ValidationError


class Draft202012Validator:
    """A schema. Only of a value that is wrong it is asked what is: that takes a hundred times as long."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = dict(schema)

    @functools.cached_property
    def _quick(self) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(self._schema)

    def iter_errors(self, value: Any) -> Iterator[ValidationError]:
        """What is wrong with the value."""
        if not self._quick.is_valid(value):
            yield from jsonschema.Draft202012Validator(self._schema).iter_errors(value)
