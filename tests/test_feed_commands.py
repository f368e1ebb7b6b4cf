"""`ssechat feed`: what is wrong with a command is said in a line, and nothing is sent."""

from pathlib import Path

import pytest

from commands import main
from ssechat.cli.terminal import feed_event_line, feed_line
from ssechat.errors import SettingsError
from ssechat.identity.admin_token import AdminToken, read_admin_token

NOWHERE = ("--server", "http://127.0.0.1:9", "--timeout", "0.1")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSECHAT_TOKEN", "SSECHAT_SERVER", "SSECHAT_ADMIN_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("command", ["create", "publish", "listen", "show", "delete"])
def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    code, out, _ = main(capsys, "feed", command, "--help")
    assert code == 0
    assert f"ssechat feed {command}" in out.partition("\n")[2]
    assert "--admin-token-file" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("create", "x"), "ssechat: nobody: give --admin-token-file, or --user or --token"),
        (("delete", "x"), "ssechat: nobody: give --admin-token-file, or --user or --token"),
        (("publish", "x", "1"), "ssechat: nobody: give --admin-token-file, or --user or --token"),
        (("publish", "x", "hi", "--token", "t"), "ssechat: DATA: this is no JSON"),
        (("publish", "x", "NaN", "--token", "t"), "ssechat: DATA: this is no JSON"),
        (("publish", "x", "1e999", "--token", "t"), "ssechat: DATA: this is no JSON"),
        (("publish", "x", '"\\ud800"', "--token", "t"), "ssechat: DATA: this is no JSON"),
        (("publish", "x", "--delete", "--token", "t"), "ssechat: --delete goes with --key"),
        (("publish", "x", "1", "--delete", "--key", "a", "--token", "t"), "ssechat: --delete goes with --key"),
        (("publish", "x", "1", "--id", "", "--token", "t"), "ssechat: Invalid value for '--id': this is empty"),
        (("create", "x", "--admin-token-file", "/nowhere"), "ssechat: --admin-token-file: cannot read /nowhere"),
        (("create", "x", "--admin-token-file", "/nowhere", "--user", "a"), "ssechat: --admin-token-file and --user"),
        (("create", "x", "--keep", "-1", "--token", "t"), "ssechat: Invalid value for '--keep'"),
        (("create", "..", "--token", "t"), "ssechat: '..' cannot be the name"),
        (("listen", "x", "--since", "a\nb"), "ssechat: --since: "),
    ],
)
def test_a_wrong_command_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    code, out, err = main(capsys, "feed", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(told)
    assert err.count("\n") == 1


def test_an_event_that_may_have_been_published_can_be_published_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "admin").write_text("x" * 16)
    code, _, err = main(
        capsys, "feed", "publish", "x", "1", "--id", "one", "--admin-token-file", str(tmp_path / "admin"), *NOWHERE
    )
    assert code == 1
    assert "cannot reach" in err
    assert "may have been published" not in err, "nothing of it has left"


def test_lines_of_feeds() -> None:
    feed = {"name": "x", "read": "group", "group": "g:a", "keep": 5, "keyed": False, "publishers": ["ann", "bob"]}
    assert feed_line(feed) == "x  read by g:a, keeps 5 events; published by ann and bob"
    assert feed_event_line("goal", {"data": {"home": 1}}) == 'goal  {"home": 1}'
    assert feed_event_line("message", {"key": "a", "data": None}) == "a is deleted"
    assert feed_event_line("message", {"key": "a", "data": "\x1b[31mred"}).startswith("a = ")
    assert "\x1b" not in feed_event_line("message", {"data": "\x1b[31mred"})
    assert feed_event_line("message", "no object") == "no object"


@pytest.mark.parametrize(
    ("text", "says"),
    [(b"", "too short"), (b"x" * 15, "too short"), (b"two words 1234567", "no token"), (b"\xff" * 20, "no token"),
     (b"x" * 600, "no token")],
    ids=["empty", "short", "spaces", "no ASCII", "long"],
)  # fmt: skip
def test_what_is_no_admin_token_is_refused_at_the_start_and_not_quoted(tmp_path: Path, text: bytes, says: str) -> None:
    path = tmp_path / "admin"
    path.write_bytes(text)
    with pytest.raises(SettingsError, match=says) as caught:
        read_admin_token(path)
    assert not text or text.decode("latin-1") not in str(caught.value)


def test_the_admin_token_is_that_of_the_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "admin"
    path.write_text("a-token-of-the-admin\n")
    token = AdminToken.from_file(path)
    assert token.is_("a-token-of-the-admin")
    for other in (None, "", "a-token-of-the-admin\n", "a-token-of-the-admi", "ü", "\udcff"):
        assert not token.is_(other)
    nobody = AdminToken.from_file(None)
    assert not nobody.is_("")
    assert not nobody.is_(None)
