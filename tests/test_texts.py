"""Blank texts."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssechat.errors import BadRequest
from ssechat.http.requests import NewMessage
from ssechat.http.responses import parse
from ssechat.texts.characters import is_blank, is_utf8

BLANK = (
    "", " ", "\t\r\n", "\u00a0", "\u3000\u2003", "\u2028\u2029", "\u200b", "\ufeff", "\u2060\u200d", "\u00ad", "\u180e",
    "\u115f\u3164\uffa0", "\u202e\u2066", "\u2800", "\x00\x1b", "\x85", "\ufe0f", "\U000e0041", "\u034f",
    " \u200b\n" * 99,
)  # fmt: skip
SHOWN = (
    "a",
    " . ",
    "\u200bx",
    "🙂",
    "👩\u200d💻",
    "❤\ufe0f",
    "\u0301",
    "־",
    "\u0600",
    "\u2010",
    "\ue000",
    "\ufffd",
    "ا",
    "\u200e!",
)


@pytest.mark.parametrize("text", BLANK)
def test_a_text_that_shows_nothing_is_refused_in_a_sentence(text: str) -> None:
    assert is_blank(text)
    with pytest.raises(BadRequest) as caught:
        parse(NewMessage, {"to": "bob", "text": text})
    assert caught.value.status == 422
    assert caught.value.detail == "text: this text is blank; write something"
    assert [field["field"] for field in caught.value.fields or ()] == ["text"]


@pytest.mark.parametrize("text", SHOWN)
def test_a_text_that_shows_something_is_taken_as_it_is(text: str) -> None:
    assert parse(NewMessage, {"to": "bob", "text": f" {text}\n"}).text == f" {text}\n"


@given(st.characters())
def test_white_space_and_controls_show_nothing_and_letters_do(character: str) -> None:
    category = unicodedata.category(character)
    if character.isspace() or category in ("Cc", "Zs", "Zl", "Zp"):
        assert is_blank(character)
    if category in ("Lu", "Ll", "Nd", "Sm", "Sc", "Pd", "Po"):
        assert not is_blank(character)


def test_halves_of_surrogate_pairs_are_no_text() -> None:
    assert is_utf8("ü💬")
    assert not is_utf8("a\udcff")
