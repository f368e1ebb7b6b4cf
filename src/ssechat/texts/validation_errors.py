"""Sentences for people about the validation errors of Pydantic."""

from collections.abc import Mapping
from typing import Any

# By the type of the error; the names in braces come from its context.
_SENTENCES = {
    "missing": "this is missing; give it",
    "extra_forbidden": "there is no field of this name; leave it out",
    "model_type": "give a JSON object",
    "dict_type": "give a JSON object",
    "list_type": "give a list",
    "string_type": "give a text",
    "string_too_short": "give {min_length} or more characters",
    "too_short": "give {min_length} or more characters",
    "string_too_long": "give {max_length} characters at most",
    "too_long": "give {max_length} characters at most",
    "string_pattern_mismatch": "give printable ASCII characters only",  # the one pattern: a client_msg_id's
    "int_type": "give a whole number",
    "int_parsing": "give a whole number",
    "int_from_float": "give a whole number",
    "float_parsing": "give a number",
    "finite_number": "give a number",
    "greater_than": "give more than {gt}",
    "greater_than_equal": "give {ge} or more",
    "less_than": "give less than {lt}",
    "less_than_equal": "give {le} or less",
    "literal_error": "give {expected}",
}


def sentence(fault: Mapping[str, Any]) -> str:
    """A sentence that says how to correct one of the errors of a `pydantic.ValidationError`."""
    known = _SENTENCES.get(fault["type"])
    said: str = fault["msg"]
    if known is None:
        return said.removeprefix("Value error, ")
    numbers = fault.get("ctx", {})
    return known.format_map({name: _plain(number) for name, number in numbers.items()})


def _plain(number: Any) -> Any:
    return int(number) if isinstance(number, float) and number.is_integer() else number
