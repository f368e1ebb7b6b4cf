"""Whose token a command sends, and what is said if it is interrupted, against a server that is made up."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from commands import main
from made_server import Made
from ssechat.cli.feed_demo import _make
from ssechat.cli.main import _errors_as_exit_codes
from ssechat.client import Client

ANOTHER = "The token in SSECHAT_TOKEN is for the server in SSECHAT_SERVER: it is not sent here"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Made:
    return Made.instead_of_a_real_one(monkeypatch)


@pytest.mark.parametrize(
    ("own", "given", "sent"),
    [
        ("http://one.test", None, True),
        ("http://one.test", "http://one.test/", True),
        ("http://one.test", "http://two.test", False),
        (None, "http://two.test", True),
    ],
)
def test_a_token_in_the_environment_goes_to_no_other_server_than_the_one_there(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    server: Made,
    own: str | None,
    given: str | None,
    sent: bool,
) -> None:
    if own is not None:
        monkeypatch.setenv("SSECHAT_SERVER", own)
    code, _, error = main(capsys, "list", *(() if given is None else ("--server", given)))
    assert (code == 0, server.asked != [], ANOTHER not in error) == (sent, sent, sent)


def test_the_admin_token_in_the_environment_goes_to_no_other_server_either(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, server: Made, tmp_path: Path
) -> None:
    file = tmp_path / "admin.token"
    file.write_text("admin-token-0123456789abcdef\n")
    file.chmod(0o600)
    tokens: list[str | None] = []

    def answered(_: Made, request: httpx.Request) -> httpx.Response:
        tokens.append(request.headers.get("authorization"))
        return feed()

    monkeypatch.setattr(Made, "__call__", answered)
    monkeypatch.delenv("SSECHAT_TOKEN")
    monkeypatch.setenv("SSECHAT_SERVER", "http://one.test")
    monkeypatch.setenv("SSECHAT_ADMIN_TOKEN_FILE", str(file))
    assert main(capsys, "feed", "show", "x")[0] == 0
    _, _, error = main(capsys, "feed", "show", "x", "--server", "http://two.test")
    assert "The admin token in the environment is for the server in SSECHAT_SERVER: it is not sent here" in error
    main(capsys, "feed", "show", "x", "--server", "http://two.test", "--admin-token-file", str(file))
    admin = "Bearer admin-token-0123456789abcdef"
    assert tokens == [admin, None, admin]


def feed(**more: Any) -> httpx.Response:
    return httpx.Response(200, json={"name": "x", "events": [], "head": "0-0", **more})


@pytest.mark.parametrize(
    ("arguments", "route", "answer", "said"),
    [
        (("send", "dm:alice:bob", "pay"), "POST /v1/messages", "client_msg_id", "--client-msg-id"),
        (("group", "make", "Party"), "POST /v1/conversations", "client_msg_id", "--client-msg-id"),
        (("feed", "publish", "x", "1"), "POST /v1/feeds/x/events", "id", "--id"),
    ],
)
def test_who_interrupts_a_command_is_told_how_to_repeat_it_without_doing_it_twice(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    server: Made,
    arguments: tuple[str, ...],
    route: str,
    answer: str,
    said: str,
) -> None:
    ids: list[str] = []

    def interrupted(made: Made, request: httpx.Request) -> httpx.Response:
        found = answer_of(made, request)
        if made.asked[-1][0] == route:
            ids.append(made.asked[-1][1][answer])
            raise KeyboardInterrupt
        return found

    answer_of = Made.__call__
    monkeypatch.setattr(Made, "__call__", interrupted)
    code, _, error = main(capsys, *arguments)
    assert code == 130
    assert f"add {said} {ids[0]}" in error


def test_what_is_no_text_is_said_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, _errors_as_exit_codes():
        b"pass\xfcword".decode()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "ssechat: what was typed, or read, is no text in this terminal's encoding\n"


@pytest.mark.anyio
async def test_the_demo_leaves_a_feed_that_is_there_as_it_is() -> None:
    asked: list[str] = []

    def answered(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return feed()

    async with Client("http://chat.test", "t", transport=httpx.MockTransport(answered)) as chat:
        await _make(chat, "x")
    assert asked == ["GET"]
