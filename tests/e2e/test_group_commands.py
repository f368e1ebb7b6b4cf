"""Groups and changes of messages from the terminal, at a real server of two workers."""

import json
import re
from collections.abc import Iterator

import pytest

from commands import Listening, at, call
from serving import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("groups") / "data", "--workers", "2") as running:
        for name in ("alice", "bob", "carol", "dave"):
            call("send", *at(running), "--user", name, "--create", name, "a note")
        yield running


def said(server: Server, user: str, command: str, *more: str, code: int = 0, said: bytes = b"") -> str:
    """Runs a command as a user, who must get that exit code; returns what it printed."""
    done = call(*command.split(), *more, *at(server), "--user", user, said=said)
    assert done.returncode == code, done.stderr
    assert code == 0 or done.stdout == ""
    return done.stderr if code else done.stdout


def test_a_groups_life_from_the_terminal(server: Server) -> None:
    bob = Listening(server, "--user", "bob")
    assert bob.line("stderr") == "listening as bob …\n"
    made = said(server, "alice", "group make Lunch bob --topic food")
    group = made.split()[0]
    assert re.fullmatch("g:[a-z2-7]{26}", group)
    assert made == f'{group}  "Lunch"  (owner, 2 members)  food\n'
    assert bob.line() == f'{group} "Lunch"  alice made the group, with bob, 2 members\n'

    sent = said(server, "alice", "send g:lunch", "at non?", "--mention", "bob")
    assert sent.endswith(f"{group} #1 (mentions bob)  alice: at non?\n")
    named = sent.replace(group, f'{group} "Lunch"')
    left = "1 unread, 1 mentions you)"
    assert bob.line() == named.replace("bob)", f"bob; {left}")
    said(server, "alice", "edit g:lunch 1", "at noon?")
    edited = named.replace("(mentions", "(edited; mentions").replace("non", "noon")
    assert bob.line() == edited.replace("bob)", f"bob; {left}")
    said(server, "bob", "react g:lunch 1 👍")
    assert bob.line().endswith(f"#1 (edited; mentions bob; 👍 1; {left}  alice: at noon?\n")
    assert "👍" not in said(server, "bob", "react g:lunch 1 👍 --remove")
    assert bob.line().endswith(f"#1 (edited; mentions bob; {left}  alice: at noon?\n")
    said(server, "bob", "send g:lunch --reply-to 1", "yes\n\x1b[2J")
    assert bob.line().endswith("#2 (reply to #1)  bob: yes\n")
    assert bob.line() == "    \\x1b[2J\n"
    said(server, "bob", "delete g:lunch #2")
    assert bob.line().endswith(f'{group} "Lunch" #2 (deleted)  bob\n')

    assert said(server, "alice", "group add lunch carol bob") == "added carol (3 members)\n"
    assert bob.line() == f'{group} "Lunch"  alice added carol, 3 members\n'
    assert said(server, "alice", "group role lunch carol admin") == "carol  admin\n"
    assert bob.line() == f'{group} "Lunch"  alice made carol an admin, 3 members\n'
    assert said(server, "bob", "group members lunch") == "alice  owner\nbob  member\ncarol  admin\n"
    said(server, "carol", "group rename lunch", "Late lunch")
    assert bob.line() == f'{group} "Lunch"  is named "Late lunch", topic "food"\n'
    said(server, "carol", "group topic", "late lunch", "")
    assert bob.line() == f'{group} "Late lunch"  is named "Late lunch", no topic\n'
    assert "not_allowed" in said(server, "bob", "group rename", group, "Mine", code=1)

    secret = said(server, "alice", "group invite", group, "--uses", "2")
    [invite] = [json.loads(each) for each in said(server, "alice", "group invites --json", group).splitlines()]
    assert "secret" not in invite
    assert said(server, "dave", "group join", said=secret.encode()).startswith(f'{group}  "Late lunch"  (member')
    assert bob.line() == f'{group} "Late lunch"  alice added dave, 4 members\n'
    assert "used 1 of 2 times" in said(server, "alice", "group invites", group)
    said(server, "alice", "group revoke", group, invite["id"])
    assert said(server, "alice", "group invites", group) == ""
    assert said(server, "dave", "group leave", "late lunch") == "you have left\n"
    assert bob.line() == f'{group} "Late lunch"  dave left, 3 members\n'
    assert said(server, "dave", "group list") == ""
    assert "(left)" in said(server, "dave", "group show", group)

    assert said(server, "carol", "group remove", group, "bob") == "bob is no member now\n"
    assert bob.line() == f'{group} "Late lunch"  carol removed bob, 2 members\n'
    assert "give --yes" in said(server, "alice", "group end", group, code=2)
    assert said(server, "alice", "group end --yes", group) == "the group has ended\n"
    assert "ended" in said(server, "carol", "send", group, "hello?", code=1)
    assert said(server, "alice", "group leave", "late lunch") == "you have left\n"
    assert group not in said(server, "alice", "group list")
    assert group in said(server, "carol", "group list")
    assert bob.end()[0] == 130


def test_messages_of_two_people_change_by_the_other_ones_name(server: Server) -> None:
    said(server, "alice", "send bob", "hi", "--client-msg-id", "m1")
    listed = json.loads(said(server, "alice", "send bob hi --client-msg-id m1 --json"))
    seq = str(listed["seq"])
    assert said(server, "alice", "edit Bob", seq, "hello").endswith(f"dm:alice:bob #{seq} (edited)  alice: hello\n")
    assert said(server, "bob", "react alice", seq, "👍🏽").endswith("(edited; 👍🏽 1)  alice: hello\n")
    assert said(server, "alice", "delete bob", seq).endswith(f"dm:alice:bob #{seq} (deleted)  alice\n")
    assert "deleted" in said(server, "alice", "edit bob", seq, "x", code=1)
    assert "unknown_message" in said(server, "alice", "delete bob 999", code=1)


def test_a_listener_who_was_away_sees_each_message_once_as_it_stands(server: Server) -> None:
    group = said(server, "carol", "group make Walk dave").split()[0]
    said(server, "carol", "send g:walk", "frist")
    said(server, "carol", "edit g:walk 1", "first")
    said(server, "carol", "send g:walk", "second")
    dave = Listening(server, "--user", "dave", "--since", "0-0")
    lines = [dave.line()]
    while not lines[-1].endswith("second\n"):
        lines.append(dave.line())
    shown = [line.partition('"Walk"')[2] for line in lines if group in line]
    assert shown == ["  carol made the group, with dave, 2 members\n", " #1 (edited; 2 unread)  carol: first\n",
                     " #2 (2 unread)  carol: second\n"]  # fmt: skip
    dave.end()


def test_a_group_is_made_once_with_one_client_msg_id(server: Server) -> None:
    first, again = (said(server, "bob", "group make Once --client-msg-id one --json") for _ in "12")
    assert json.loads(first)["id"] == json.loads(again)["id"]
    assert "idempotency_conflict" in said(server, "bob", "group make Twice --client-msg-id one", code=1)
    assert "unknown_user" in said(server, "bob", "group make Other nobody-at-all", code=1)
