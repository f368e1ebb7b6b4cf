"""Receipts over sockets: with curl, from the terminal, at two workers, and at a server without them."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from commands import Listening, at, call
from e2e.api import Reader, mint
from serving import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("receipts") / "data", "--workers", "2") as running:
        for name in ("alice", "bob", "carol", "dave"):
            call("send", *at(running), "--user", name, "--create", name, "a note")
        yield running


def said(server: Server, user: str, command: str, *more: str) -> str:
    """Runs a command as a user; returns what it printed."""
    done = call(*command.split(), *more, *at(server), "--user", user)
    assert done.returncode == 0, done.stderr
    return done.stdout or done.stderr


def curl(server: Server, user: str, method: str, path: str, body: object = None) -> tuple[int, str]:
    """Asks with curl; returns the status and the answer."""
    command = ["curl", "-sS", "-X", method, "-w", "\n%{http_code}", "-H", f"Authorization: Bearer {mint(server, user)}"]
    if body is not None:
        command += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    done = subprocess.run([*command, f"{server.url}{path}"], capture_output=True, text=True, timeout=30, check=True)
    answer, _, status = done.stdout.rpartition("\n")
    return int(status), answer


def test_who_listens_has_what_it_printed_and_sees_who_has_and_reads_its_messages(server: Server) -> None:
    alice, bob = Listening(server, "--user", "alice"), Listening(server, "--user", "bob")
    for each, name in ((alice, "alice"), (bob, "bob")):
        assert each.line("stderr") == f"listening as {name} …\n"
    for seq in (1, 2):
        said(server, "alice", "send bob", f"m{seq}")
        assert bob.line().endswith(f"#{seq} ({seq} unread)  alice: m{seq}\n")
    # The last one is acked without another event, within about a second.
    printed: list[str] = []
    while "dm:alice:bob  delivered to bob up to #2\n" not in printed:
        printed.append(alice.line())
    assert [line[-3:-1] for line in printed if "alice: m" in line] == ["m1", "m2"]
    said(server, "bob", "read alice 1")
    assert alice.line() == "dm:alice:bob  delivered to bob up to #2, read up to #1\n"
    said(server, "bob", "read alice")
    assert alice.line() == "dm:alice:bob  read by bob up to #2\n"
    assert said(server, "alice", "receipts bob") == "bob  read up to #2\n"
    for each in (alice, bob):
        code, err = each.end()
        assert code == 130, err


def test_with_curl_an_event_without_an_id_says_what_an_ack_has_delivered(server: Server) -> None:
    with Reader(server, mint(server, "carol")).live() as stream, Reader(server, mint(server, "dave")).live() as own:
        said(server, "carol", "send dave", "hi")
        [event] = own.until(lambda it: any(one.name == "message" for one in it.events)).events[-1:]
        assert curl(server, "dave", "POST", "/v1/ack", {"id": event.id}) == (204, "")
        stream.until(lambda it: it.events[-1].name == "receipt")
        told = stream.events[-1]
        data = {"conversation_id": "dm:carol:dave", "user": "dave", "read_up_to": 0, "delivered_up_to": 1}
        assert told.data == data
    status, answer = curl(server, "carol", "GET", "/v1/conversations/dm:carol:dave")
    assert (status, json.loads(answer)["receipts"]) == (
        200,
        [{"user": "dave", "read_up_to": 0, "delivered_up_to": 1}],
    )
    assert json.loads(said(server, "carol", "receipts dave --json")) == json.loads(answer)["receipts"][0]
    assert said(server, "carol", "receipts carol") == "Nobody else is shown here.\n"
    status, answer = curl(server, "carol", "POST", "/v1/ack", {"id": "7-7"})
    assert (status, json.loads(answer)["code"]) == (404, "unknown_event")


def test_a_server_without_receipts_says_so_and_takes_acks(tmp_path_factory: pytest.TempPathFactory) -> None:
    options = ("--workers", "2", "--receipts", "off")
    with Server(tmp_path_factory.mktemp("without") / "data", *options) as running:
        for name in ("alice", "bob"):
            call("send", *at(running), "--user", name, "--create", name, "a note")
        said(running, "alice", "send bob", "hi")
        said(running, "bob", "read alice")
        assert curl(running, "bob", "POST", "/v1/ack", {"id": "7-7"}) == (204, "")
        status, answer = curl(running, "alice", "GET", "/v1/conversations/dm:alice:bob")
        assert status == 200
        assert "receipts" not in json.loads(answer)
        assert said(running, "alice", "receipts bob").startswith("No receipts are shown here")
