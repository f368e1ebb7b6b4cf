"""Sentences about validation errors."""

import pytest
from pydantic import BaseModel

from ssechat.errors import BadRequest, SettingsError
from ssechat.events import frames
from ssechat.http.requests import Credentials, EmptyBody, EventsQuery, HistoryQuery, ListQuery, NewMessage, NewUser
from ssechat.http.responses import parse
from ssechat.settings import load_settings

NAMED, SENT = {"name": "alice"}, {"to": "bob", "text": "x"}


@pytest.mark.parametrize(
    ("model", "given", "told"),
    [
        (NewUser, {**NAMED, "password": "short"}, "password: give 8 or more characters"),
        (NewUser, {**NAMED, "password": "x" * 1025}, "password: give 1024 characters at most"),
        (NewUser, {**NAMED, "password": 5}, "password: give a text"),
        (NewUser, NAMED, "password: this is missing; give it"),
        (Credentials, {"name": "", "password": "x"}, "name: give 1 or more characters"),
        (Credentials, {"name": "x" * 129, "password": "x"}, "name: give 128 characters at most"),
        (NewMessage, {"to": "", "text": "x"}, "to: give 1 or more characters"),
        (NewMessage, {"to": "bob", "text": 5}, "text: give a text"),
        (NewMessage, {**SENT, "client_msg_id": ""}, "client_msg_id: give 1 or more characters"),
        (NewMessage, {**SENT, "client_msg_id": "x" * 129}, "client_msg_id: give 128 characters at most"),
        (NewMessage, {**SENT, "client_msg_id": "é"}, "client_msg_id: give printable ASCII characters only"),
        (NewMessage, {**SENT, "client_msg_id": "x\n"}, "client_msg_id: give printable ASCII characters only"),
        (NewMessage, [SENT], "give a JSON object"),
        (EmptyBody, {"x": 1}, "x: there is no field of this name; leave it out"),
    ],
)
def test_a_body_at_fault_is_told_of_in_a_sentence(model: type[BaseModel], given: object, told: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(model, frames.encode(given))
    assert caught.value.detail == told


@pytest.mark.parametrize(
    ("model", "given", "told"),
    [
        (EventsQuery, {"since": "1-1"}, "since: there is no field of this name; leave it out"),
        (HistoryQuery, {"limit": "0"}, "limit: give 1 or more"),
        (HistoryQuery, {"limit": "many"}, "limit: give a whole number"),
        (HistoryQuery, {"before": str(2**53)}, f"before: give less than {2**53}"),
        (ListQuery, {"limit": "201"}, "limit: give 200 or less"),
    ],
)
def test_a_query_at_fault_is_told_of_in_a_sentence(model: type[BaseModel], given: dict[str, str], told: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(model, given)
    assert caught.value.detail == told


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("port", "99999", "--port: give 65535 or less (given: '99999')"),
        ("port", "x", "--port: give a whole number (given: 'x')"),
        ("ping_seconds", "0", "--ping-seconds: give more than 0 (given: '0')"),
        ("ping_seconds", "soon", "--ping-seconds: give a number (given: 'soon')"),
        ("ping_seconds", "nan", "--ping-seconds: give a number (given: 'nan')"),
        ("inbox_limit", "99999999", "--inbox-limit: give 10000000 or less (given: '99999999')"),
        ("signup", "maybe", "--signup: give 'open' or 'closed' (given: 'maybe')"),
    ],
)
def test_a_setting_at_fault_is_told_of_in_a_sentence(name: str, value: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: value}, {"HOME": "/"})
    assert str(caught.value) == told


def test_a_list_at_fault_is_quoted_as_it_was_given() -> None:
    with pytest.raises(SettingsError, match=r"\(given: 'https://a\.example,\*'\)$"):
        load_settings({"allowed_origins": "https://a.example,*"}, {"HOME": "/"})
