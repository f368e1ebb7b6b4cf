"""Any value of any option: an error must be one sentence without a secret, never a traceback."""

import asyncio
import contextlib
import functools
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ssechat.cli import main as cli
from ssechat.server.supervisor import Supervisor
from ssechat.settings import Settings, flag, variable
from ssechat.texts.printable import printable

CODES = {0, 1, 2, 130}
SECRET = "hunter2"
NUMBERS = (
    "nan",
    "inf",
    "-inf",
    "1e308",
    "-1",
    "0",
    "-0.0",
    "1e3",
    "0x10",
    str(2**31),
    str(2**63),
    "9" * 400,
    "9" * 5000,
)
TEXTS = (
    "",
    " ",
    "\udcff",
    "a\nb",
    "\x1b[2J\x07",
    "💬",
    "\u202e",
    "\u200b",
    "a" * 5000,
    "{}",
    "%s",
    "'",
    "*",
    "-",
    "--",
    "--x",
)
PATHS = (".", "~", "~nobody-at-all/x", "/dev/null", "/dev/null/x", "/proc/x", "/" + "a/" * 3000, "/\udcff", "#?%20")
ADDRESSES = (
    "chat", "http://", "ftp://a", "http://127.0.0.1:99999", "http://127.0.0.1:0", "http://[::1", "http://[::1]:9",
    "http://a b", "http://ü\udcff", f"http://x:{SECRET}@127.0.0.1:9", f"http://x:{SECRET}@[", "http://127.0.0.1:9/a b",
    "http://" + "a" * 300, "http://...", "https://127.0.0.1:9", "//127.0.0.1", "http://127.0.0.1:9?x",
)  # fmt: skip
ODD = (*NUMBERS, *TEXTS, *PATHS, *ADDRESSES)
PROXIES = (
    "garbage",
    "socks5://a",
    f"http://x:{SECRET}@[",
    f"http://x:{SECRET}@127.0.0.1:9",
    "http://",
    "\udcff",
    "a:b:c",
)
CLIENT_OPTIONS = ("--server", "--user", "--token", "--data", "--key-file")


class Refusing(BaseHTTPRequestHandler):
    """A server that refuses all credentials."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("content-length", "0")
        self.end_headers()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


@pytest.fixture(scope="module")
def refusing() -> Iterator[str]:
    """The address of a server that refuses all credentials."""
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replaces `serve` by a no-op, and interrupts commands that would wait for a server."""
    from ssechat.client import Client
    from ssechat.client.pauses import Pauses

    async def interrupt(seconds: float) -> None:
        assert 0 <= seconds < 10_000
        raise KeyboardInterrupt

    async def no_run(_: Supervisor) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr("ssechat.client.Client", functools.partial(Client, pauses=Pauses(sleep=interrupt)))
    monkeypatch.setattr(Supervisor, "run", no_run)
    monkeypatch.setattr("ssechat.telemetry.logging.configure_logging", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jwt.key").write_text("k" * 32)
    for name in list(os.environ):
        if name.startswith("SSECHAT_") or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)


def main(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Runs a command in this process; returns its exit code and stderr, which must be plain text."""
    try:
        code = cli.main(list(arguments))
    except SystemExit as error:
        code = int(error.code or 0)
    out, err = capsys.readouterr()
    assert code in CODES, arguments
    assert SECRET not in out + err
    assert "Traceback" not in err
    assert printable(err) == err
    assert len(err) < 2500
    if code in (1, 2):
        first, *more = err.rstrip("\n").split("\n")
        assert first.startswith("ssechat: "), err
        assert all(line.startswith("    ") for line in more), "a name with a newline looks like two lines of ours"
    else:
        assert "ssechat: " not in err
    return code, err


@pytest.mark.parametrize("name", Settings.model_fields)
def test_any_value_of_a_setting_is_taken_or_refused_in_a_sentence_that_names_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for value in ODD:
        code, err = main(capsys, "serve", f"{flag(name)}={value}")
        assert code in (0, 2)
        assert code == 0 or f"{flag(name)}" in err
        with contextlib.suppress(ValueError):  # an environment variable cannot have every value
            monkeypatch.setenv(variable(name), value)
            code, err = main(capsys, "serve")
            assert code == 0 or variable(name) in err or flag(name) in err
        monkeypatch.delenv(variable(name), raising=False)


@pytest.mark.parametrize("option", [*CLIENT_OPTIONS, "--timeout", "--client-msg-id", "TO", "TEXT"])
def test_any_value_of_send_is_told_in_a_sentence(
    capsys: pytest.CaptureFixture[str], refusing: str, option: str
) -> None:
    known = {"--server": refusing, "--user": "alice", "--data": ".", "--timeout": "0.5", "TO": "bob", "TEXT": "hi"}
    if option == "--token":
        del known["--user"]
    for value in ODD:
        if option in ("TO", "TEXT") and value == "-":
            continue  # standard input
        given = {**known, option: value}
        options = [f"{name}={text}" for name, text in given.items() if name.startswith("-")]
        code, _ = main(capsys, "send", *options, "--", given["TO"], given["TEXT"])
        assert code != 0


GROUP = "g:" + "a" * 26
# Each command with values that are good.
CHANGES = {
    "edit": {"CONVERSATION": "bob", "SEQ": "7", "TEXT": "hi"},
    "delete": {"CONVERSATION": GROUP, "SEQ": "7"},
    "react": {"CONVERSATION": GROUP, "SEQ": "7", "EMOJI": "👍"},
    "group make": {"NAME": "Lunch", "MEMBER": "bob", "--topic": "x", "--history": "all", "--client-msg-id": "1"},
    "group list": {},
    "group show": {"GROUP": GROUP},
    "group members": {"GROUP": "lunch"},
    "group add": {"GROUP": GROUP, "USER": "bob"},
    "group remove": {"GROUP": GROUP, "USER": "bob"},
    "group role": {"GROUP": GROUP, "USER": "bob", "ROLE": "admin"},
    "group rename": {"GROUP": GROUP, "NAME": "Dinner"},
    "group topic": {"GROUP": GROUP, "TOPIC": "food"},
    "group leave": {"GROUP": GROUP},
    "group end": {"GROUP": GROUP},
    "group invite": {"GROUP": GROUP, "--expires": "7d", "--uses": "3"},
    "group invites": {"GROUP": GROUP},
    "group revoke": {"GROUP": GROUP, "INVITE": "i1"},
    "group join": {"SECRET": f"{GROUP}.abc"},
}


@pytest.mark.parametrize(
    ("command", "option"), [(command, option) for command in CHANGES for option in (*CHANGES[command], "--timeout")]
)
def test_any_value_of_a_command_for_groups_and_messages_is_told_in_a_sentence(
    capsys: pytest.CaptureFixture[str], refusing: str, command: str, option: str
) -> None:
    known = {"--server": refusing, "--token": "t", "--timeout": "0.5", **CHANGES[command]}
    for value in ODD:
        if option in ("TEXT", "SECRET") and value == "-":
            continue  # standard input
        given = {**known, option: value}
        options = [f"{name}={text}" for name, text in given.items() if name.startswith("-")]
        words = [text for name, text in given.items() if not name.startswith("-")]
        code, _ = main(capsys, *command.split(), *options, "--", *words)
        assert code != 0


@pytest.mark.parametrize("option", [*CLIENT_OPTIONS, "--since"])
def test_any_value_of_listen_is_told_in_a_sentence(
    capsys: pytest.CaptureFixture[str], refusing: str, option: str
) -> None:
    known = {"--server": refusing, "--user": "alice", "--data": "."}
    if option == "--token":
        del known["--user"]
    for value in ODD:
        code, _ = main(capsys, "listen", *(f"{name}={text}" for name, text in {**known, option: value}.items()))
        assert code != 0


@pytest.mark.parametrize("option", ["--data", "--key-file", "--days", "USER"])
def test_any_value_of_token_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str], option: str) -> None:
    for value in ODD:
        given = {"--data": ".", "USER": "alice", option: value}
        options = [f"{name}={text}" for name, text in given.items() if name.startswith("-")]
        main(capsys, "token", *options, "--", given["USER"])


@pytest.mark.parametrize("word", ODD)
def test_any_word_is_no_command(capsys: pytest.CaptureFixture[str], word: str) -> None:
    code, _ = main(capsys, *(word, "alice"))
    assert code == 2


@pytest.mark.parametrize(
    "name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"]
)
@pytest.mark.parametrize("server", ["http://chat.invalid", "https://chat.invalid", "http://127.0.0.1:9"])
def test_any_value_of_the_networks_variables_is_told_in_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, server: str
) -> None:
    if name == "NO_PROXY":
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    for value in (*PROXIES, "[::1", "*", "::1,[", "http://a:b", "/etc/passwd", "/nowhere"):
        monkeypatch.setenv(name, value)
        code, _ = main(capsys, "send", f"--server={server}", "--token=t", "--timeout=5", "bob", "hi")
        assert code != 0


@pytest.mark.parametrize("path", ["folder", "empty", "binary", "unreadable"])
def test_a_key_file_that_is_none_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    if path == "unreadable":  # root can read any file

        def refuse(*_: object) -> str:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "read_text", refuse)
    code, err = main(capsys, "token", "alice", "--key-file", path)
    assert code == 2
    assert str(tmp_path / path) in err


def test_a_folder_that_is_gone_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert main(capsys, "token", "alice", "--data", "x")[0] == 2


def test_a_blank_text_is_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (("send", "bob"), ("edit", "bob", "7")):
        code, err = main(capsys, *command, "--token=t", "--server=http://127.0.0.1:9", " \n\u200b")
        assert (code, err) == (2, "ssechat: TEXT: this text is blank; write something\n")
