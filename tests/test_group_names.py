"""Groups that are given by their names, and whom a send goes to."""

from typing import Any

import pytest

from commands import main
from made_server import AT, GROUP, LUNCH, Made
from scripted import problem

OTHER = "g:" + "b" * 26
MESSAGE = {"conversation_id": LUNCH, "seq": 7, "sender": "alice", "text": "hi"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Made:
    return Made.instead_of_a_real_one(monkeypatch)


@pytest.mark.parametrize("named", ["lunch", "LUNCH", "g:Lunch", "  ｌunch ", LUNCH])
def test_a_group_is_found_by_its_name_in_any_case(capsys: pytest.CaptureFixture[str], server: Made, named: str) -> None:
    server.has(f"GET {AT}", GROUP)
    assert main(capsys, "group", "show", named)[0] == 0
    reads = [line for line, _ in server.asked]
    assert reads == ([] if named == LUNCH else ["GET /v1/conversations"]) + [f"GET {AT}"]


def test_a_name_of_two_groups_is_refused_with_their_ids(capsys: pytest.CaptureFixture[str], server: Made) -> None:
    server.has("GET /v1/conversations", {"conversations": [GROUP, {**GROUP, "id": OTHER, "name": "lunch"}]})
    code, out, err = main(capsys, "group", "show", "Lunch")
    assert (code, out) == (1, "")
    assert f"2 groups of yours have the name 'Lunch': give the id of one ({LUNCH}, {OTHER})" in err
    many = [{**GROUP, "id": f"g:{number}"} for number in range(500)]
    server.has("GET /v1/conversations", {"conversations": many})
    assert "g:9, …)" in main(capsys, "group", "show", "Lunch")[2]


def test_a_group_that_has_ended_gives_its_name_up(capsys: pytest.CaptureFixture[str], server: Made) -> None:
    server.has(f"GET {AT}", GROUP)
    ended = {**GROUP, "id": OTHER, "ended": True}
    server.has("GET /v1/conversations", {"conversations": [ended, GROUP]})
    assert main(capsys, "group", "show", "Lunch")[0] == 0
    server.has("GET /v1/conversations", {"conversations": [{**GROUP, "ended": True}]})
    assert main(capsys, "group", "show", "Lunch")[0] == 0
    assert [line for line, _ in server.asked].count(f"GET {AT}") == 2


def test_a_name_of_no_group_is_refused(capsys: pytest.CaptureFixture[str], server: Made) -> None:
    code, _, err = main(capsys, "send", "g:nowhere", "hi")
    assert (code, err) == (
        1,
        "ssechat: no group of yours has the name 'nowhere': `ssechat group list` has those there are\n",
    )
    for named, told in (("dm:a:b", "and not a group"), ("", "is empty"), ("g:", "is empty")):
        code, _, err = main(capsys, "group", "show", named)
        assert code == 2
        assert told in err
    assert server.changes == []


@pytest.mark.parametrize(
    ("to", "target"),
    [
        ("bob", {"to": "bob"}),
        ("lunch", {"to": "lunch"}),
        ("g:lunch", {"conversation_id": LUNCH}),
        (LUNCH, {"conversation_id": LUNCH}),
        ("dm:alice:bob", {"conversation_id": "dm:alice:bob"}),
        (" Lunch", {"conversation_id": LUNCH}),
    ],
)
def test_a_send_goes_to_a_user_unless_a_group_is_meant(
    capsys: pytest.CaptureFixture[str], server: Made, to: str, target: dict[str, str]
) -> None:
    server.has("POST /v1/messages", MESSAGE, 201)
    more = ("--reply-to", "#3", "--mention", "bob", "--mention", "carol", "--client-msg-id", "m1")
    assert main(capsys, "send", to, "hi", *more) == (0, f"{LUNCH} #7  alice: hi\n", "")
    body = {**target, "text": "hi", "client_msg_id": "m1", "reply_to": 3, "mentions": ["bob", "carol"]}
    assert server.changes == [("POST /v1/messages", body)]


def test_where_a_group_but_no_user_has_the_name_the_error_says_how_to_write_to_it(
    capsys: pytest.CaptureFixture[str], server: Made
) -> None:
    server.has("POST /v1/messages", problem(404, "unknown_user", "There is no user 'lunch'"))
    code, _, err = main(capsys, "send", "lunch", "hi")
    assert code == 1
    assert "There is no user 'lunch' (404 unknown_user). For your group of that name, write g:lunch" in err
    answers: tuple[Any, ...] = ({"conversations": []}, problem(500, "internal", "oh"))
    for answer in answers:
        server.has("GET /v1/conversations", answer)
        told = "ssechat: There is no user 'lunch' (404 unknown_user)\n"
        assert main(capsys, "send", "lunch", "hi") == (1, "", told)
