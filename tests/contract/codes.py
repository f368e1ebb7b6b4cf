"""The error codes in the sources of ssechat."""

import ast
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import ssechat
from ssechat import errors
from ssechat.errors import RequestError

SOURCES = Path(ssechat.__file__).parent
ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, RequestError)}
MAY_HAVE_SOME = re.compile(r"\b(" + "|".join(ERRORS) + r")\(|\.__init__\(|\b[45]\d\d\b").search
"""Finds what stands before each code: most modules have none, and take a second to parse."""
CONTRACT = SOURCES / "http" / "contract"
"""What is promised, and not what is answered."""


def codes_of(source: str) -> set[str]:
    """The error codes in the responses of a module.

    They stand behind a status (`400, "malformed"`), or are the first argument of an error of ours.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(code)), *_]) if name in ERRORS:
                found.add(code)
            case ast.Call(func=ast.Attribute(attr="__init__"), args=[ast.Constant(value=str(code)), *_]):
                found.add(code)
        listed = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else ()
        if isinstance(node, ast.Dict):
            pairs = [(key, value.elts[0]) for key, value in zip(node.keys, node.values, strict=True)
                     if isinstance(value, ast.Tuple) and value.elts]  # fmt: skip
        else:
            pairs = list(pairwise(listed))
        for before, after in pairs:
            match before, after:
                case ast.Constant(value=int(status)), ast.Constant(value=str(code)) if 400 <= status < 600:
                    found.add(code)
    return {code for code in found if re.fullmatch(r"[a-z_]+", code)}


@cache
def of_all_sources() -> frozenset[str]:
    """The codes of all errors that the server can answer with."""
    modules = (path for path in SOURCES.rglob("*.py") if CONTRACT not in path.parents)
    sources = (path.read_text() for path in modules)
    return frozenset().union(*(codes_of(source) for source in sources if MAY_HAVE_SOME(source)))
