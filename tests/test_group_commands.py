"""The commands for groups and for messages that change, against a server that is made up."""

import json
import re
from typing import Any

import click
import httpx
import pytest

from commands import main
from made_server import AT, GROUP, LINE, LUNCH, Made
from scripted import problem
from ssechat.cli import stdio
from ssechat.cli.groups import group
from ssechat.cli.invites import lifetime
from ssechat.errors import SettingsError

SECRET = f"{LUNCH}.Zm9v-_bar"
MESSAGE = {"conversation_id": LUNCH, "seq": 7, "sender": "alice", "text": "hi"}
INVITE = {"id": "i1", "secret": SECRET, "uses": 0, "by": "alice", "expires_at": "soon"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Made:
    return Made.instead_of_a_real_one(monkeypatch)


@pytest.fixture(autouse=True)
def _nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdio, "is_asked", lambda: False)


COMMANDS: list[tuple[str, str, Any, Any, str]] = [
    # command, request, its body, the answer, what is printed
    ("group show lunch", f"GET {AT}", None, GROUP, f"{LINE}    members  alice and bob\n"),
    ("group add lunch bob eve", f"POST {AT}/members", {"users": ["bob", "eve"]}, {"added": ["eve"], "member_count": 3},
     "added eve (3 members)\n"),
    ("group role lunch bob admin", f"PUT {AT}/members/bob", {"role": "admin"}, {"user": "bob", "role": "admin"},
     "bob  admin\n"),
    ("group rename lunch Dinner", f"PATCH {AT}", {"name": "Dinner"}, {**GROUP, "name": "Lunch"}, LINE),
    ("group topic lunch food", f"PATCH {AT}", {"topic": "food"}, GROUP, LINE),
    ("group invite lunch --expires 2d --uses 3", f"POST {AT}/invites", {"expires_in": 172_800, "max_uses": 3}, INVITE,
     f"{SECRET}\n"),
    (f"group join {SECRET}", "POST /v1/invites/join", {"secret": SECRET}, GROUP, LINE),
    (f"edit {LUNCH} 7 hello", f"PATCH {AT}/messages/7", {"text": "hello"}, MESSAGE, f"{LUNCH} #7  alice: hi\n"),
    ("edit g:lunch 7 hello", f"PATCH {AT}/messages/7", {"text": "hello"}, MESSAGE, f"{LUNCH} #7  alice: hi\n"),
    ("edit Bob 7 hello", "PATCH /v1/conversations/dm:alice:bob/messages/7", {"text": "hello"}, MESSAGE,
     f"{LUNCH} #7  alice: hi\n"),
    ("delete g:lunch #7", f"DELETE {AT}/messages/7", None, {**MESSAGE, "text": None}, f"{LUNCH} #7 (deleted)  alice\n"),
    ("react g:lunch 7 👍", f"PUT {AT}/messages/7/reactions/%F0%9F%91%8D", {}, MESSAGE, f"{LUNCH} #7  alice: hi\n"),
    ("react g:lunch 7 👍 --remove", f"DELETE {AT}/messages/7/reactions/%F0%9F%91%8D", None, MESSAGE,
     f"{LUNCH} #7  alice: hi\n"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "request_line", "body", "answer", "printed"), COMMANDS)
def test_a_command_makes_its_request_and_prints_the_answer(
    capsys: pytest.CaptureFixture[str],
    server: Made,
    command: str,
    request_line: str,
    body: Any,
    answer: Any,
    printed: str,
) -> None:
    server.has(request_line, answer)
    code, out, _ = main(capsys, *command.split())
    assert (code, out) == (0, printed)
    assert server.asked[-1] == (request_line, body)
    assert main(capsys, *command.split(), "--json") == (0, json.dumps(answer) + "\n", "")


@pytest.mark.parametrize(("command", "request_line", "body", "answer", "printed"), COMMANDS)
def test_a_refusal_is_one_line_in_the_servers_words(
    capsys: pytest.CaptureFixture[str],
    server: Made,
    command: str,
    request_line: str,
    body: Any,
    answer: Any,
    printed: str,
) -> None:
    server.has(request_line, problem(403, "not_allowed", "Only owners may"))
    assert main(capsys, *command.split()) == (1, "", "ssechat: Only owners may (403 not_allowed)\n")


@pytest.mark.parametrize(
    ("command", "request_lines", "printed"),
    [
        ("group remove lunch bob eve", [f"DELETE {AT}/members/bob", f"DELETE {AT}/members/eve"],
         "bob is no member now\neve is no member now\n"),
        ("group leave lunch", [f"DELETE {AT}/members/alice"], "you have left\n"),
        ("group end lunch --yes", [f"DELETE {AT}"], "the group has ended\n"),
        ("group revoke lunch i1", [f"DELETE {AT}/invites/i1"], "nobody can join with this invitation now\n"),
    ],
)  # fmt: skip
def test_a_command_without_an_answer_says_what_it_has_done(
    capsys: pytest.CaptureFixture[str], server: Made, command: str, request_lines: list[str], printed: str
) -> None:
    for line in request_lines:
        server.has(line, httpx.Response(204))
    assert main(capsys, *command.split()) == (0, printed, "")
    assert server.changes == [(line, None) for line in request_lines]
    assert main(capsys, *command.split(), "--json") == (0, "", "")


def test_who_was_removed_is_said_before_the_refusal_of_the_next(
    capsys: pytest.CaptureFixture[str], server: Made
) -> None:
    server.has(f"DELETE {AT}/members/bob", httpx.Response(204))
    server.has(f"DELETE {AT}/members/eve", problem(403, "not_allowed", "eve is an owner"))
    code, out, err = main(capsys, "group", "remove", "lunch", "bob", "eve")
    assert (code, out, err) == (1, "bob is no member now\n", "ssechat: eve is an owner (403 not_allowed)\n")


def test_a_group_is_made_with_members_topic_and_history(capsys: pytest.CaptureFixture[str], server: Made) -> None:
    server.has("POST /v1/conversations", GROUP, 201)
    more = ("--topic", "food", "--history", "from_join", "--client-msg-id", "m1")
    assert main(capsys, "group", "make", "Lunch", "bob", "carol", *more) == (0, LINE, "")
    body = {"name": "Lunch", "members": ["bob", "carol"], "client_msg_id": "m1", "topic": "food"}
    assert server.changes == [("POST /v1/conversations", {**body, "history": "from_join"})]
    code, out, _ = main(capsys, "group", "make", "Lunch", "--json")
    assert (code, json.loads(out)) == (0, GROUP)


def test_lists_are_a_line_or_an_object_each(capsys: pytest.CaptureFixture[str], server: Made) -> None:
    members = [{"user": "alice", "role": "owner"}, {"user": "bob", "role": "member"}]
    server.has(f"GET {AT}/members", {"members": members, "next": None})
    server.has(f"GET {AT}/invites", {"invites": [INVITE]})
    assert main(capsys, "group", "list") == (0, LINE, ""), "a direct conversation is no group"
    assert main(capsys, "group", "list", "--json") == (0, json.dumps(GROUP) + "\n", "")
    assert main(capsys, "group", "members", "lunch") == (0, "alice  owner\nbob  member\n", "")
    assert main(capsys, "group", "members", LUNCH, "--json")[1].splitlines() == [json.dumps(each) for each in members]
    assert main(capsys, "group", "invites", "lunch") == (0, "i1  by alice, used 0 times, until soon\n", "")
    assert main(capsys, "group", "invites", "lunch", "--json") == (0, json.dumps(INVITE) + "\n", "")


def test_who_is_in_no_group_is_told_so(capsys: pytest.CaptureFixture[str], server: Made) -> None:
    server.has("GET /v1/conversations", {"conversations": [], "next": None})
    assert main(capsys, "group", "list") == (0, "", "you are in no group\n")
    assert main(capsys, "group", "list", "--json") == (0, "", "")


def test_a_secret_is_printed_alone_and_what_it_is_for_on_standard_error(
    capsys: pytest.CaptureFixture[str], server: Made
) -> None:
    server.has(f"POST {AT}/invites", INVITE, 201)
    code, out, err = main(capsys, "group", "invite", LUNCH)
    assert (code, out) == (0, f"{SECRET}\n")
    assert re.search(r"until soon; to join: ssechat group join, or open http://[^/ ]+/#join=SECRET\n$", err)
    assert SECRET not in err


@pytest.mark.parametrize("given", [SECRET, f" {SECRET}\n", f"http://127.0.0.1:8000/#join={SECRET}",
                                   f"https://c.test/#join={SECRET.replace(':', '%3A')}"])  # fmt: skip
def test_a_secret_is_read_from_standard_input_and_out_of_a_link(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, server: Made, given: str
) -> None:
    server.has("POST /v1/invites/join", GROUP)
    monkeypatch.setattr(stdio, "read_input", lambda: given)
    for more in ((), ("-",)):
        assert main(capsys, "group", "join", *more) == (0, LINE, "")
    assert server.changes == 2 * [("POST /v1/invites/join", {"secret": SECRET})]


def test_a_person_is_asked_for_the_secret_and_does_not_see_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, server: Made
) -> None:
    server.has("POST /v1/invites/join", GROUP)
    monkeypatch.setattr(stdio, "is_asked", lambda: True)
    asked: list[dict[str, Any]] = []

    def prompt(text: str, **how: Any) -> str:
        asked.append(how)
        return SECRET

    monkeypatch.setattr(click, "prompt", prompt)
    assert main(capsys, "group", "join") == (0, LINE, "")
    assert asked == [{"hide_input": True, "err": True}]


@pytest.mark.parametrize("given", ["", "hello", LUNCH, f"{LUNCH}.", "g:short.abc"])
def test_what_is_no_secret_is_not_sent(capsys: pytest.CaptureFixture[str], server: Made, given: str) -> None:
    code, out, err = main(capsys, "group", "join", "--", given)
    assert (code, out) == (2, "")
    assert "not the secret of an invitation" in err
    assert server.asked == []


def test_a_group_ends_when_the_person_says_yes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, server: Made
) -> None:
    server.has(f"GET {AT}", GROUP)
    server.has(f"DELETE {AT}", httpx.Response(204))
    monkeypatch.setattr(stdio, "is_asked", lambda: True)
    answers = iter([False, True])
    monkeypatch.setattr(click, "confirm", lambda text, err: next(answers))
    code, out, err = main(capsys, "group", "end", "lunch")
    assert (code, out) == (1, "")
    assert err == f"{LINE}ssechat: the group was not ended\n"
    assert server.changes == []
    assert main(capsys, "group", "end", "lunch")[:2] == (0, "the group has ended\n")
    assert server.changes == [(f"DELETE {AT}", None)]


def test_where_nobody_can_be_asked_ending_a_group_wants_yes(capsys: pytest.CaptureFixture[str], server: Made) -> None:
    code, _, err = main(capsys, "group", "end", "lunch")
    assert code == 2
    assert "give --yes" in err
    assert server.asked == []


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("react g:lunch 7 x", "this is not an emoji"),
        ("react g:lunch 7 ..", "this is not an emoji"),
        ("delete g:lunch 0", "'0' is not the number of a message: give the one behind the #"),
        ("delete g:lunch 7.5", "is not the number of a message"),
        ("delete g:lunch " + "9" * 16, "is not the number of a message"),
        ("edit g:lunch 7", "Missing argument 'TEXT'"),
        ("group role lunch bob king", "'king' is not one of 'owner', 'admin', 'member'"),
        ("group make Lunch --history none", "'none' is not one of"),
        ("group invite lunch --expires 31d", "--expires: give a time such as 30m, 12h or 7d, and at most 30d"),
        ("group invite lunch --expires soon", "--expires: "),
        ("group invite lunch --uses 0", "Invalid value for '--uses'"),
        ("group revoke lunch ..", "cannot be the name or the id of anything"),
        ("group add lunch", "Missing argument 'USER...'"),
        ("group nope", "No such command 'nope'"),
    ],
)
def test_what_cannot_be_meant_is_told_in_one_line_and_not_sent(
    capsys: pytest.CaptureFixture[str], server: Made, command: str, told: str
) -> None:
    code, out, err = main(capsys, *command.split())
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1
    assert server.changes == []


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("30m", 1800), ("12h", 43_200), ("30d", 2_592_000)])
def test_a_lifetime_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert lifetime(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5h", "7 d", "7D", "٣d", "721h", "9" * 5000 + "d", "1w"])
def test_what_is_no_lifetime_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--expires"):
        lifetime(text)


def test_every_command_of_groups_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for name in (*group.commands, ""):
        code, out, _ = main(capsys, "group", *filter(None, [name]), "--help")
        assert code == 0
        assert f"ssechat group {name}".strip() in out.partition("\n")[2]
    assert len(group.commands) == 15


ODD_ANSWERS: tuple[Any, ...] = (
    {}, [], None, "text", {"id": 7}, {"members": 7, "added": 7, "invites": 7, "conversations": 7},
    {"members": [7, {}], "added": [7], "invites": [7, {}], "conversations": [7, {}, {"type": "group"}], "next": 7},
    {"name": ["x"], "topic": {"a": 1}, "role": 7, "member_count": "many", "members": {}, "last_message": {"text": 7}},
    {"secret": None, "uses": [], "max_uses": {}, "expires_at": {"a": 1}, "user": {}, "role": []},
    {"text": "x\x1b[2J", "sender": "\r\n", "mentions": [7], "reactions": [[], {}], "reply_to": {}, "edited_at": 7},
    {"history": [], "last_message": [], "members": [None], "member_count": 9, "created_at": 1e300, "ended": 7},
)  # fmt: skip


@pytest.mark.parametrize("answer", ODD_ANSWERS, ids=range(len(ODD_ANSWERS)))
@pytest.mark.parametrize("command", [*(each[0] for each in COMMANDS), "group make Lunch", "group list", "send bob hi",
                                     "group members lunch", "group invites lunch", "group leave lunch"])  # fmt: skip
def test_whatever_a_strange_server_answers_is_no_traceback_and_drives_no_terminal(
    capsys: pytest.CaptureFixture[str], server: Made, command: str, answer: Any
) -> None:
    class Strange(dict[str, httpx.Response]):
        def get(self, line: str, default: Any = None) -> httpx.Response:
            return httpx.Response(200, json=answer)

    server.answers = Strange()
    for named in ("lunch", LUNCH):
        code, out, err = main(capsys, *command.replace("lunch", named).split())
        assert code in (0, 1, 2)
        assert all(each.isprintable() or each == "\n" for each in out + err)
