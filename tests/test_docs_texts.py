"""What the pages of documentation are made of: types in words, texts as HTML, commands."""

from typing import Any

import pytest

from ssechat.http.contract.operation import JSON, Answer, Credential, Operation
from ssechat.http.contract.parameters import CONVERSATION, EMOJI, SEQ
from ssechat.http.docs.curls import curl
from ssechat.http.docs.fields import field, fields_of, models_of, type_of
from ssechat.http.docs.markup import marker, path, plain, typed
from ssechat.http.fields import ONE_LINE, PRINTABLE_ASCII


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "minLength": 1}, "string, not empty"),
        ({"type": "string", "minLength": 8}, "string, at least 8 characters"),
        ({"type": "string", "maxLength": 2000}, "string, up to 2,000 characters"),
        ({"type": "string", "minLength": 1, "maxLength": 128}, "string, 1 to 128 characters"),
        ({"type": "string", "maxLength": 9, "pattern": ONE_LINE}, "string, up to 9 characters, on one line"),
        ({"type": "string", "pattern": PRINTABLE_ASCII}, "string, printable ASCII"),
        ({"type": "string", "minLength": 1, "pattern": r"\S"}, "string, not blank"),
        ({"type": "string", "pattern": "^x+$"}, "string, pattern ^x+$"),
        ({"type": "string", "format": "date-time"}, "string, as in RFC 3339"),
        ({"type": "integer", "minimum": 1, "exclusiveMaximum": 2**53}, "integer, from 1, less than 2^53"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 5000}, "number, more than 0, up to 5,000"),
        ({"type": ["string", "null"], "maxLength": 5}, "string, up to 5 characters or null"),
        ({"const": True}, "true"),
        ({"enum": ["a", "b"]}, '"a" or "b"'),
        ({"type": "string", "enum": [str(number) for number in range(9)]}, "string, one of 9"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Message"}}, "array of Message"),
        (
            {"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 50},
            "array of (string, up to 3 characters), up to 50 items",
        ),
        ({"type": "array"}, "array of any value"),
        ({"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]}, "A or null"),
        ({"oneOf": [{"type": "string"}, {"type": "string"}]}, "string"),
        ({}, "any value"),
    ],
    ids=str,
)
def test_a_schema_in_words(schema: dict[str, Any], words: str) -> None:
    assert type_of(schema) == words


OR_NULL = {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}], "default": None}


def test_null_is_named_where_it_means_something() -> None:
    assert field("x", OR_NULL, required=False).type == "string, up to 5 characters"
    assert field("x", OR_NULL, required=True).type == "string, up to 5 characters or null"
    assert field("x", {**OR_NULL, "description": "null takes it away"}, required=False).type.endswith(" or null")
    three = {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}
    assert field("x", three, required=False).type == "string or integer"


def test_a_default_is_shown_if_it_says_something() -> None:
    said: list[tuple[Any, str]] = [(50, "50"), ("all", '"all"'), ("", ""), ([], ""), (None, ""), (False, "false")]
    for value, shown in said:
        assert field("x", {"default": value}, required=False).default == shown


def test_models_are_found_once_each_with_those_that_they_consist_of() -> None:
    ref = "#/components/schemas/"
    definitions: dict[str, Any] = {
        "Tree": {"type": "object", "properties": {"left": {"$ref": ref + "Tree"}, "leaf": {"$ref": ref + "Leaf"}}},
        "Leaf": {"type": "string", "enum": ["green", "brown"]},
    }
    tree, leaf = models_of([{"$ref": ref + "Tree"}, {"items": {"$ref": ref + "Tree"}}], definitions)
    assert ([one.name for one in tree.fields], tree.type) == (["left", "leaf"], "")
    assert (leaf.name, leaf.type, leaf.fields) == ("Leaf", '"green" or "brown"', [])
    assert fields_of(definitions["Leaf"]) == []


def test_texts_are_text_and_not_html() -> None:
    marked = marker({"GET /v1/limits": "/docs/server#show_limits"})
    assert marked('a <b> & `<i>` "it\'s"') == 'a &lt;b&gt; &amp; <code>&lt;i&gt;</code> "it\'s"'
    assert marked("`GET /v1/limits?a=b` says") == (
        '<a href="/docs/server#show_limits"><code>GET /v1/limits?a=b</code></a> says'
    )
    assert marked("`GET /v1/other`, `POST /v1/limits`") == "<code>GET /v1/other</code>, <code>POST /v1/limits</code>"
    assert plain("</code>") == "&lt;/code&gt;"
    assert path("/v1/<x>") == "/<wbr>v1/<wbr>&lt;x&gt;"
    odd = field("x", {"anyOf": [{"$ref": "#/components/schemas/A"}, {"const": "<A>"}]}, required=True)
    assert typed(odd) == '<a href="#A">A</a> or "&lt;<a href="#A">A</a>&gt;"'


def operation(method: str, where: str, **more: Any) -> Operation:
    """An operation that does nothing."""
    return Operation("odd", method, where, "Odd", "Does nothing", {200: Answer("It did.", media_type=JSON)}, **more)


def test_a_command_quotes_what_a_shell_would_take_for_its_own() -> None:
    odd = operation("POST", "/v1/odd", example={"text": "it's $HOME `x` \\ \"", "to": "bob"})
    lines = curl(odd).lines
    assert "'\\''s $HOME `x` \\\\ \\\"\",\"to\":\"'$YOU'\"}'" in lines
    assert lines.startswith("curl -isw '\\n' \"$S/v1/odd\"")


def test_a_command_names_the_method_where_curl_would_take_another() -> None:
    given: dict[str, Any] = {"credential": Credential.NONE}
    assert curl(operation("GET", "/x", **given)).lines == "curl -isw '\\n' \"$S/x\""
    assert " -X POST " in curl(operation("POST", "/x", **given)).lines
    assert " -X PUT " in curl(operation("PUT", "/x", example={}, **given)).lines
    assert " -X " not in curl(operation("POST", "/x", example={}, **given)).lines


def test_a_command_has_variables_and_encoded_text_in_its_path() -> None:
    where = "/v1/conversations/{id}/messages/{seq}/reactions/{emoji}"
    lines = curl(operation("PUT", where, parameters=(CONVERSATION, SEQ, EMOJI))).lines
    assert '"$S/v1/conversations/dm:$ME:$YOU/messages/$SEQ/reactions/%F0%9F%91%8D"' in lines
    assert '-H "$AUTH"' in lines
