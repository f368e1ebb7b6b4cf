"""`ssechat presence`, against a server that is made up."""

import json

import httpx
import pytest

from commands import main
from made_server import LUNCH, Made
from scripted import problem
from ssechat.cli.terminal import event_line, presence_line

BOB = {"user": "bob", "online": True}
CAROL = {"user": "carol", "online": False}
PUT = "PUT /v1/presence"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Made:
    return Made.instead_of_a_real_one(monkeypatch)


def lists(server: Made) -> list[tuple[list[str], str]]:
    """The lists that were given, and whose they are."""
    return [(body["watch"], body["device"]) for line, body in server.asked if line == PUT and "watch" in body]


def test_it_prints_who_is_there_and_leaves_no_list_behind(capsys: pytest.CaptureFixture[str], server: Made) -> None:
    server.has(PUT, {"users": [BOB, CAROL], "visible": True})
    assert main(capsys, "presence", "Bob", "carol") == (0, "bob is online\ncarol is offline\n", "")
    [(watched, device), (nobody, same)] = lists(server)
    assert (watched, nobody, same) == (["Bob", "carol"], [], device)
    assert main(capsys, "presence", "Bob", "carol", "--json")[1] == f"{json.dumps(BOB)}\n{json.dumps(CAROL)}\n"
    assert lists(server)[2][1] != device, "two terminals do not share a list"


def test_a_group_can_be_named(capsys: pytest.CaptureFixture[str], server: Made) -> None:
    server.has(PUT, {"users": [BOB], "visible": True})
    server.has("GET /v1/conversations", {"conversations": [{"id": LUNCH, "type": "group", "name": "Lunch"}]})
    assert main(capsys, "presence", "bob", "--in", "g:lunch")[0] == 0
    assert server.changes[0][1]["in"] == LUNCH


def test_with_watch_it_goes_on_and_prints_what_changes(capsys: pytest.CaptureFixture[str], server: Made) -> None:
    server.has(PUT, {"users": [BOB, CAROL], "visible": True})
    gone = {"user": "bob", "online": False, "last_seen": "2026-11-26T09:30:00.000Z"}
    events = [
        ("hello", {"user": "alice", "resumed": False, "missed": 0}),
        ("presence", {"users": [BOB, CAROL]}),  # all of it, on a new stream
        ("presence", {"users": [{"user": "dave", "online": True}]}),  # of another device's list
        ("presence", {"users": [gone]}),
        ("presence", {"users": [gone]}),
        ("presence", {"users": "strange"}),
        ("bye", {"reason": "signed_out"}),
    ]
    text = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    server.has("GET /v1/events", httpx.Response(200, text=text, headers={"content-type": "text/event-stream"}))
    server.then["GET /v1/events"] = problem(401, "unauthorized", "The session has ended.")
    code, out, error = main(capsys, "presence", "bob", "carol", "--watch")
    assert out.splitlines()[:2] == ["bob is online", "carol is offline"]
    assert out.splitlines()[2:] == [presence_line(gone)]
    assert code == 1
    assert "The session has ended." in error
    assert lists(server)[-1][0] == []


def test_with_watch_the_list_is_given_again_after_a_reconnect_and_prints_what_has_changed(
    capsys: pytest.CaptureFixture[str], server: Made
) -> None:
    server.has(PUT, {"users": [BOB, CAROL], "visible": True})
    gone = {"user": "bob", "online": False}
    server.then[PUT] = httpx.Response(200, json={"users": [gone, CAROL], "visible": True})
    hello = 'event: hello\ndata: {"user": "alice"}\n\n'
    server.has("GET /v1/events", httpx.Response(200, text=2 * hello, headers={"content-type": "text/event-stream"}))
    server.then["GET /v1/events"] = problem(401, "unauthorized", "The session has ended.")
    code, out, _ = main(capsys, "presence", "bob", "carol", "--watch")
    assert (code, out.splitlines()) == (1, ["bob is online", "carol is offline", presence_line(gone)])
    assert [watched for watched, _ in lists(server)] == [["bob", "carol"], ["bob", "carol"], []]


def test_a_refusal_is_one_line_and_ends_it(capsys: pytest.CaptureFixture[str], server: Made) -> None:
    server.has(PUT, problem(422, "invalid_request", "watch.0: a name has 1-128 of A-Z"))
    code, out, error = main(capsys, "presence", "b b")
    assert (code, out) == (1, "")
    assert "a name has 1-128" in error
    assert len(lists(server)) == 1


@pytest.mark.parametrize(
    ("flag", "visible", "said"),
    [
        ("--visible", True, "Others see whether you are there.\n"),
        ("--invisible", False, "You look offline to everybody.\n"),
    ],
)
def test_one_can_be_invisible(
    capsys: pytest.CaptureFixture[str], server: Made, flag: str, visible: bool, said: str
) -> None:
    server.has(PUT, {"users": [], "visible": visible})
    assert main(capsys, "presence", flag) == (0, "", said)
    assert server.changes == [(PUT, {"visible": visible})]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "whom? Name USERS"),
        (("--watch",), "--watch and --in need USERS"),
        (("--visible", "--in", "g:lunch"), "--watch and --in need USERS"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_said(
    capsys: pytest.CaptureFixture[str], server: Made, arguments: tuple[str, ...], said: str
) -> None:
    code, out, error = main(capsys, "presence", *arguments)
    assert (code, out) == (2, "")
    assert said in error
    assert not server.asked


def test_listen_prints_a_line_for_each() -> None:
    assert event_line("presence", {"users": [BOB, CAROL]}) == "bob is online\ncarol is offline"
    assert event_line("presence", {"users": [{"user": "a\x1b[2J\nb", "online": True}]}).count("\n") == 0
    assert presence_line({**CAROL, "last_seen": "2026-11-26T09:30:00Z"}).startswith(
        "carol is offline, last seen 2026-11-2"
    )
