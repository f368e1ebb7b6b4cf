"""Models whose JSON Schemas say what the docstrings of their attributes say."""

import ast
import inspect
import sys
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler


class Documented(BaseModel):
    """Base of the models in the contract.

    pydantic's `use_attribute_docstrings` reads the source of each class when it is made: 85 ms of each worker's start,
    a sixth of it, for descriptions that only a contract has. Here they are read when a schema is made.
    """

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        said: dict[str, str] = {}
        for model in reversed([base for base in cls.__mro__ if issubclass(base, Documented)]):
            said |= _docstrings(model.__module__).get(model.__qualname__, {})
        for name, field in cls.model_fields.items():
            if name in said:
                properties[field.alias or name].setdefault("description", said[name])
        return schema


@cache
def _docstrings(module: str) -> dict[str, dict[str, str]]:
    """The docstrings of attributes in a module: class → attribute → docstring."""
    return {
        each.name: {
            attribute.target.id: inspect.cleandoc(said.value.value)
            for attribute, said in pairwise(each.body)
            if isinstance(attribute, ast.AnnAssign)
            and isinstance(attribute.target, ast.Name)
            and isinstance(said, ast.Expr)
            and isinstance(said.value, ast.Constant)
            and isinstance(said.value.value, str)
        }
        for each in ast.parse(inspect.getsource(sys.modules[module])).body
        if isinstance(each, ast.ClassDef)
    }
