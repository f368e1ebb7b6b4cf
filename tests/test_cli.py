"""The command line: help, errors and exit codes; and the client commands against the real server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from commands import Listening, at, main, run
from serving import Server, environment, until
from ssechat import __version__
from ssechat.settings import Settings, flag, variable


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SSECHAT_"):
            monkeypatch.delenv(name)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(capsys, "--version") == (0, f"ssechat {__version__}\n", "")


def test_help_shows_every_setting_with_its_flag_variable_and_default(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = main(capsys, "serve", "--help")
    assert code == 0
    told = " ".join(out.split())
    for name, field in Settings.model_fields.items():
        assert f"{flag(name)} " in told
        assert f"env {variable(name)}" in told
        assert field.description
        assert field.description in told
    assert "env SSECHAT_PORT; default 8000" in told
    assert "--signup open|closed" in told
    assert "ssechat serve --host 0.0.0.0 --port 80" in told


def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("serve", "token", "send", "listen", "edit", "delete", "react", "doctor"):
        code, out, _ = main(capsys, command, "-h")
        assert code == 0
        assert "ssechat " + command in out.partition("\n")[2]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("serve", "--port", "x"), "ssechat: --port: give a whole number (given: 'x')"),
        (("serve", "--nope"), "ssechat: No such option '--nope' (see ssechat serve --help)"),
        (("nope",), "ssechat: No such command 'nope'"),
        (("token",), "ssechat: Missing argument 'USER'"),
        (("token", "--data", "/nowhere", "alice"), "ssechat: there is no key file /nowhere/jwt.key"),
        (("token", "--days", "0", "alice"), "ssechat: Invalid value for '--days'"),
        (("token", "--days", "0.00001", "alice"), "ssechat: Invalid value for '--days'"),
        (("send", "bob", "hi"), "ssechat: no user:"),
        (("send", "--user", "a", "--token", "b", "bob", "hi"), "ssechat: --user and --token both name the user"),
        (("send", "--token", "b", "--server", "chat", "bob", "hi"), "ssechat: --server: 'chat' is not an address"),
        (("send", "--user", "a", "--data", "/nowhere", "bob", "hi"), "ssechat: there is no key file"),
        (("send", "--create", "--token", "b", "bob", "hi"), "ssechat: --create needs --user"),
        (("listen",), "ssechat: no user:"),
        (("listen", "--token", "ü"), "ssechat: this is not a token"),
        (("listen", "--token", "t", "--since", "a\nb"), "ssechat: --since: "),
        (("listen", "--token", "t", "--since", ""), "ssechat: Invalid value for '--since': this is empty"),
        (
            ("send", "--token", "t", "--client-msg-id", "", "bob", "hi"),
            "ssechat: Invalid value for '--client-msg-id': this is empty",
        ),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    code, out, err = main(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(told)
    assert err.count("\n") == 1


def test_a_failure_at_run_time_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = main(
        capsys, "send", "--token", "t", "--server", "http://127.0.0.1:9", "--timeout", "0.1", "bob", "hi"
    )
    assert (code, out) == (1, "")
    assert "not confirmed within 0.1 s" in err
    assert err.count("\n") == 1


def test_the_variables_name_the_server_and_the_token(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSECHAT_SERVER", "http://127.0.0.1:9")
    monkeypatch.setenv("SSECHAT_TOKEN", "t")
    code, _, err = main(capsys, "send", "--timeout", "0.1", "bob", "hi")
    assert code == 1
    assert "http://127.0.0.1:9" in err


def test_standard_input_that_is_no_text_is_refused() -> None:
    result = run("send", "--token", "t", "bob", "-", said=b"\xff")
    assert (result.returncode, result.stderr) == (2, "ssechat: standard input is not UTF-8 text\n")
    result = run("send", "--token", "t", "bob", "-", said=b"x" * ((16 << 20) + 1))
    assert result.returncode == 2
    assert result.stderr == "ssechat: standard input has more than 16 MiB: that is no text for a message\n"


def test_a_broken_pipe_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m ssechat serve --help | true; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["/bin/bash", "-c", command], capture_output=True, env=environment(), timeout=60)
    assert b"Traceback" not in result.stderr
    assert b"BrokenPipe" not in result.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("cli") / "data", "--workers", "1") as running:
        yield running


def test_a_token_is_signed_with_the_data_folders_key(server: Server) -> None:
    result = run("token", "Alice", "--data", str(server.data), "--days", "2", "--create")
    claims = jwt.decode(result.stdout.strip(), (server.data / "jwt.key").read_text().strip(), algorithms=["HS256"])
    assert claims["sub"] == "alice"
    assert claims["exp"] - claims["iat"] == 2 * 86400
    result = run("token", "not a user", "--data", str(server.data))
    assert result.returncode == 2
    assert "not a user id" in result.stderr


def test_a_token_for_an_unknown_user_is_refused_without_create(server: Server) -> None:
    data = ("--data", str(server.data))
    result = run("token", "Erin", *data)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "ssechat: there is no user 'erin': sign up first, or add --create to create it\n"
    token = run("token", "Erin", *data, "--create")
    assert (token.returncode, token.stderr) == (0, "")
    assert run("token", "erin", *data).returncode == 1, "nobody has used it yet"
    sent = run("send", "--server", server.url, "ERIN", "a note", SSECHAT_TOKEN=token.stdout.strip())
    assert "dm:erin:erin" in sent.stdout
    known = run("token", "ERIN", *data)
    assert (known.returncode, known.stderr) == (0, "")
    assert run("send", "--server", server.url, "erin", "x", SSECHAT_TOKEN=known.stdout.strip()).returncode == 0


@pytest.mark.parametrize("command", [("send", "frank", "hi"), ("listen",)])
def test_an_unknown_user_cannot_send_or_listen_without_create(server: Server, command: tuple[str, ...]) -> None:
    result = run(command[0], *at(server), "--user", "Frank", *command[1:])
    assert (result.returncode, result.stdout) == (1, "")
    assert "There is no user 'frank'" in result.stderr
    assert "--create" in result.stderr
    assert "401 unknown_user" in result.stderr
    assert run("token", "frank", "--data", str(server.data)).returncode == 1


def test_a_token_is_printed_with_a_note_when_redis_cannot_be_asked(tmp_path: Path) -> None:
    (tmp_path / "jwt.key").write_text("k" * 64)
    for more in ((), ("--redis-url", "redis://:hunter2@127.0.0.1:9")):
        result = run("token", "erin", "--data", str(tmp_path), *more)
        assert result.returncode == 0
        assert jwt.decode(result.stdout.strip(), "k" * 64, algorithms=["HS256"])["sub"] == "erin"
        assert "cannot be reached to check that user 'erin' exists" in result.stderr
        assert result.stderr.count("\n") == 1
        assert "hunter2" not in result.stderr


def test_with_an_external_jwt_secret_redis_is_not_asked_for_the_user(tmp_path: Path) -> None:
    secret = "s" * 32
    result = run("token", "Auth0|5F7C", "--data", str(tmp_path), SSECHAT_JWT_SECRET=secret)
    assert (result.returncode, result.stderr) == (0, "")
    assert jwt.decode(result.stdout.strip(), secret, algorithms=["HS256"])["sub"] == "auth0|5f7c"


def test_listen_prints_what_send_sends(server: Server) -> None:
    bob = Listening(server, "--user", "bob", "--create")
    assert bob.line("stderr") == "listening as bob …\n"
    sent = run("send", *at(server), "--user", "alice", "--create", "bob", "hi \x1b[2J")
    assert sent.stderr == ""
    assert sent.stdout.endswith("dm:alice:bob #1  alice: hi \\x1b[2J\n")
    assert bob.line() == sent.stdout.replace("#1", "#1 (1 unread)")
    sent = run("send", *at(server), "--user", "alice", "--json", "dm:alice:bob", "-", said=b"two\nlines\n")
    assert json.loads(sent.stdout)["text"] == "two\nlines"
    assert bob.line() + bob.line() == sent_line(sent).replace("#2", "#2 (2 unread)")
    code, err = bob.end()
    assert (code, err.strip()) == (130, "")


def sent_line(sent: subprocess.CompletedProcess[str]) -> str:
    from ssechat.cli.terminal import message_line

    return message_line(json.loads(sent.stdout)) + "\n"


def test_idempotency_a_send_with_the_same_client_msg_id_is_sent_once(server: Server) -> None:
    first, second = (
        run("send", *at(server), "--user", "carol", "--create", "--client-msg-id", "1", "--json", "carol", "note")
        for _ in "12"
    )
    assert first.stdout == second.stdout
    assert (
        run("send", *at(server), "--user", "carol", "--create", "--client-msg-id", "1", "carol", "other").returncode
        == 1
    )


def test_a_message_that_was_sent_and_cannot_be_shown_is_said_to_be_sent(server: Server) -> None:
    command = [sys.executable, "-m", "ssechat", "send", *at(server), "--user", "dora", "--create", "dora", "note"]
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment(), timeout=60)
    assert result.returncode == 1
    assert result.stderr == "ssechat: the message was sent, but that cannot be printed (No space left on device)\n"


def test_listen_json_since_0_0_prints_all_stored_events(server: Server) -> None:
    for text in ("one", "two"):
        run("send", *at(server), "--user", "dave", "--create", "dave", text)
    dave = Listening(server, "--user", "DAVE", "--json", "--since", "0-0")
    events = [json.loads(dave.line()) for _ in range(4)]
    assert [event["event"] for event in events] == ["hello", "message", "message", "caught_up"]
    assert [event["data"].get("text") for event in events[1:3]] == ["one", "two"]
    assert events[1]["id"].startswith("1-")
    dave.end()


def test_a_refusal_is_told_in_the_servers_words(server: Server) -> None:
    result = run("listen", "--server", server.url, "--token", "nonsense")
    assert result.returncode == 1
    assert "401 invalid_token" in result.stderr
    assert result.stderr.count("\n") == 1
    result = run("send", *at(server), "--user", "alice", "--create", "nobody-at-all", "hi")
    assert result.returncode == 1
    assert "404 unknown_user" in result.stderr


def test_listen_reconnects_after_a_restart_and_misses_no_event(tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--workers", "1", "--drain-seconds", "0") as first:
        bob = Listening(first, "--user", "bob", "--create")
        assert bob.line("stderr") == "listening as bob …\n"
        run("send", *at(first), "--user", "bob", "bob", "before")
        assert bob.line().endswith("bob: before\n")
        port = first.port
        first.stop()
    with Server(tmp_path / "data", "--workers", "1", port=port) as second:
        run("send", *at(second), "--user", "bob", "bob", "after")
        assert bob.line().endswith("bob: after\n")
        until(lambda: "reconnecting in" in bob.line("stderr"))
        assert bob.end()[0] == 130
