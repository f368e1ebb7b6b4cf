"""The commands about people and oneself, against a server that is made up."""

import json
from typing import Any

import click
import httpx
import pytest

from commands import main
from made_server import Made
from ssechat.cli import stdio
from ssechat.cli.terminal import session_line, user_line

ME = {"user": "alice", "display_name": "Alice", "receipts": True, "version": 1}
SESSION = {
    "id": "5e55",
    "created_at": "2026-11-26T09:30:00.000Z",
    "last_seen_at": "2026-11-26T10:00:00.000Z",
    "user_agent": "curl/8",
    "current": True,
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setattr(stdio, "is_asked", lambda: False)
    return Made.instead_of_a_real_one(monkeypatch)


@pytest.mark.parametrize(
    ("command", "request_line", "body", "printed"),
    [
        ("profile", "GET /v1/me", None, 'alice  "Alice"\n'),
        ("profile --name Alice", "PATCH /v1/me", {"display_name": "Alice"}, 'alice  "Alice"\n'),
        ("profile --avatar=", "PATCH /v1/me", {"avatar_url": None}, 'alice  "Alice"\n'),
        ("profile --name= --receipts off", "PATCH /v1/me", {"display_name": None, "receipts": False},
         'alice  "Alice"\n'),
    ],
)  # fmt: skip
def test_a_profile_is_printed_and_changed(
    capsys: pytest.CaptureFixture[str], server: Made, command: str, request_line: str, body: Any, printed: str
) -> None:
    server.has(request_line, ME)
    assert main(capsys, *command.split(" ")) == (0, printed, "")
    assert server.asked[-1] == (request_line, body)
    assert main(capsys, *command.split(" "), "--json") == (0, json.dumps(ME) + "\n", "")


def test_what_is_unusual_in_a_profile_is_said(capsys: pytest.CaptureFixture[str], server: Made) -> None:
    server.has("GET /v1/me", {"user": "alice", "avatar_url": "https://x.example/a", "receipts": False})
    said = "alice  https://x.example/a  (others do not see what you have read)\n"
    assert main(capsys, "profile") == (0, said, "")


def test_users_are_found_by_the_beginning_of_their_names(capsys: pytest.CaptureFixture[str], server: Made) -> None:
    server.has("GET /v1/users", {"users": [{"id": "bob"}, {"id": "bobby", "display_name": "B\x1b[31m"}]})
    assert main(capsys, "users", "bob") == (0, 'bob\nbobby  "B\\u001b[31m"\n', "")
    server.has("GET /v1/users", {"users": []})
    code, out, err = main(capsys, "users", "bob")
    assert (code, out, err.partition(".")[0]) == (0, "", "No user's name begins so")
    assert main(capsys, "users", "bob", "--json") == (0, "", "")


def test_sessions_are_listed_and_ended(capsys: pytest.CaptureFixture[str], server: Made) -> None:
    server.has("GET /v1/me/sessions", {"sessions": [SESSION]})
    code, out, _ = main(capsys, "sessions")
    assert code == 0
    assert out.startswith("5e55  since 2026-11-26 ")
    assert out.endswith("  curl/8  (this one)\n")
    server.has("DELETE /v1/me/sessions/5e55", httpx.Response(204))
    assert main(capsys, "sessions", "end", "5e55") == (0, "The session has ended.\n", "")
    assert server.asked[-1] == ("DELETE /v1/me/sessions/5e55", None)
    assert main(capsys, "sessions", "end")[0] == 2
    assert main(capsys, "sessions", "finish", "5e55")[0] == 2
    server.has("GET /v1/me/sessions", {"sessions": []})
    assert main(capsys, "sessions")[2].startswith("You have no sessions")


def test_passwords_come_from_standard_input_or_are_asked_for(
    capsys: pytest.CaptureFixture[str], server: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.has("PUT /v1/me/password", httpx.Response(204))
    monkeypatch.setattr(stdio, "read_input", lambda: "correct horse\nbattery staple")
    assert main(capsys, "password") == (0, "The password was changed; your other sessions have ended.\n", "")
    assert server.asked[-1] == ("PUT /v1/me/password", {"old": "correct horse", "new": "battery staple"})
    monkeypatch.setattr(stdio, "read_input", lambda: "correct horse")
    code, _, err = main(capsys, "password")
    assert (code, "two lines" in err) == (2, True)
    monkeypatch.setattr(stdio, "is_asked", lambda: True)
    answers = iter(["old one", "new one!"])
    monkeypatch.setattr(click, "prompt", lambda *_, **__: next(answers))
    assert main(capsys, "password", "--json") == (0, "{}\n", "")
    assert server.asked[-1] == ("PUT /v1/me/password", {"old": "old one", "new": "new one!"})


def test_nothing_a_stranger_says_drives_the_terminal() -> None:
    assert "\x1b" not in user_line({"id": "\x1b", "display_name": "\x1b\n"}) + session_line({"user_agent": "\x1b\n"})
