"""Blocks from the terminal and with curl, at a real server of two workers."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from commands import Listening, at, call
from e2e.api import mint
from serving import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("blocks") / "data", "--workers", "2") as running:
        for name in ("alice", "bob", "carol"):
            call("send", *at(running), "--user", name, "--create", name, "a note")
        yield running


def said(server: Server, user: str, command: str, *more: str, code: int = 0) -> str:
    """Runs a command as a user, who must get that exit code; returns what it printed."""
    done = call(*command.split(), *more, *at(server), "--user", user)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def curl(server: Server, user: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """A request by curl: the status and what is in the answer."""
    command = ["curl", "-sS", "-X", method, "-H", f"Authorization: Bearer {mint(server, user)}", "-w", "\n%{http_code}"]
    if body is not None:
        command += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    done = subprocess.run([*command, f"{server.url}{path}"], capture_output=True, text=True, timeout=30, check=True)
    text, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(text) if text else None


def test_blocks_from_the_terminal(server: Server) -> None:
    alice = Listening(server, "--user", "alice")
    assert alice.line("stderr") == "listening as alice …\n"
    done = call("blocks", *at(server), "--user", "alice")
    assert (done.stdout, done.stderr) == ("", "You have blocked nobody.\n")
    assert said(server, "alice", "block Bob") == "you have blocked bob\n"
    assert alice.line() == "dm:alice:bob  you have blocked bob\n"
    assert said(server, "alice", "block bob") == "you have blocked bob\n"
    assert json.loads(said(server, "alice", "block carol --json")) == {"user": "carol"}
    assert alice.line() == "dm:alice:carol  you have blocked carol\n"
    assert said(server, "alice", "blocks") == "bob\ncarol\n"
    assert [json.loads(each) for each in said(server, "alice", "blocks --json").splitlines()] == [
        {"user": "bob"},
        {"user": "carol"},
    ]
    refused = said(server, "alice", "send bob hi", code=1)
    assert "You have blocked 'bob': unblock 'bob' to write to each other again." in refused
    assert "You and 'alice' cannot write to each other." in said(server, "bob", "send alice hi", code=1)
    assert "You cannot add 'alice' to a group." in said(server, "bob", "group make Lunch alice", code=1)
    assert said(server, "alice", "unblock BOB") == "you have unblocked bob\n"
    assert alice.line() == "dm:alice:bob  you have unblocked bob\n"
    assert json.loads(said(server, "alice", "unblock carol --json")) == {"user": "carol"}
    said(server, "bob", "send alice hi")
    assert said(server, "alice", "list").splitlines()[0].startswith("dm:alice:bob  (1 unread)")
    said(server, "alice", "block bob")
    assert said(server, "alice", "list").splitlines()[0].startswith("dm:alice:bob  (1 unread; blocked)")
    said(server, "alice", "unblock bob")
    assert "There is no user 'nobody'." in said(server, "alice", "block nobody", code=1)
    assert "cannot block yourself" in said(server, "alice", "block alice", code=1)
    alice.end()


def test_blocks_with_curl(server: Server) -> None:
    assert curl(server, "alice", "PUT", "/v1/blocks/bob") == (200, {"user": "bob"})
    assert curl(server, "alice", "GET", "/v1/blocks") == (200, {"blocks": [{"user": "bob"}], "next": None})
    status, problem = curl(server, "bob", "POST", "/v1/messages", {"to": "alice", "text": "hi"})
    assert (status, problem["code"], problem["title"]) == (403, "blocked", "Forbidden")
    assert curl(server, "alice", "DELETE", "/v1/blocks/bob") == (204, None)
    assert curl(server, "bob", "POST", "/v1/messages", {"to": "alice", "text": "hi"})[0] == 201
