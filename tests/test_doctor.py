"""The doctor's parts, and what it does at addresses where something else is."""

import json
import re
import socketserver
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands import main
from e2e.fronts.listener import Listener
from serving import ROOT
from ssechat.doctor.examination import CHECKS
from ssechat.doctor.exchange import answers
from ssechat.doctor.findings import FRONTS, Line

FILES = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg", "caddy": "Caddyfile"}
EXAMPLES = {"listen [::]:443 ssl http2;", "bind [::]:443 …", "default_bind 0.0.0.0 [::]"}
"""Lines that the shipped configurations lack: they listen where they are told to."""

LINES = [(check.name, line) for check in CHECKS for line in check.advice.lines]


def configuration(front: str) -> list[str]:
    """The lines of a shipped configuration, without comments."""
    text = (ROOT / "deploy" / "fronts" / FILES[front]).read_text()
    return [re.sub(r"(^|\s)#.*", "", line) for line in text.splitlines()]


def is_in(line: Line) -> bool:
    """Whether a configuration has a line; `…` stands for anything."""
    pattern = re.compile(r"(^|\W)" + ".*".join(map(re.escape, line.text.split("…"))))
    return any(pattern.search(each) for each in configuration(line.front))


@pytest.mark.parametrize(("check", "line"), LINES, ids=lambda value: value if isinstance(value, str) else value.text)
def test_a_line_of_advice_is_in_the_shipped_configuration_and_what_must_go_is_not(check: str, line: Line) -> None:
    if line.text in EXAMPLES:
        return
    assert is_in(line) == (not line.remove or line.where.startswith("but in ")), f"{check}: {line}"


def test_a_line_of_advice_is_shown_with_values() -> None:
    for _, line in LINES:
        assert "$FRONT" not in line.said()
    assert Line("nginx", "proxy_read_timeout ${FRONT_SECONDS}s;").said() == "proxy_read_timeout 75s;"
    assert Line("haproxy", 'timeout server "${FRONT_SECONDS}s"', where="here").said() == "timeout server 75s  (here)"
    assert Line("caddy", "encode", remove=True).said() == "without encode"


def test_every_check_has_a_name_of_its_own_and_says_what_it_proves_and_what_to_do() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    for check in CHECKS:
        assert re.fullmatch(r"[a-z0-9-]{4,14}", check.name)
        for sentence in (check.proves, check.advice.means, check.advice.change):
            assert re.fullmatch(r"[A-Z].{10,}\.", sentence), sentence
        assert {line.front for line in check.advice.lines} in (set(), set(FRONTS))


@given(st.binary())
def test_bytes_that_are_no_answer_are_none(data: bytes) -> None:
    assert answers(data) == []
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    first, *rest = answers(whole + data)
    assert (first.status, first.body, first.whole, rest) == (200, b"ok", True, [])


@given(st.binary(max_size=40))
def test_the_end_of_an_answer_is_found_whatever_follows(body: bytes) -> None:
    chunked = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    cut = b"HTTP/1.0 500 Oh\r\nContent-Length: 99\r\n\r\n" + body
    if not body:
        chunked = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    found = answers(chunked * 2 + cut)
    assert [(each.status, each.version, each.body, each.whole) for each in found] == [
        (404, 11, body, True),
        (404, 11, body, True),
        (500, 10, body, False),
    ]


class Odd(Listener):
    """Something else than an ssechat server."""

    def __init__(self, act: Callable[[socketserver.StreamRequestHandler], None]) -> None:
        super().__init__()
        self._act = act
        self.url = f"http://127.0.0.1:{self.port}"

    def serve(self, handler: socketserver.StreamRequestHandler) -> None:
        try:
            while handler.rfile.readline(65536):
                length = 0
                while (line := handler.rfile.readline(65536)).strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                handler.rfile.read(length)
                self._act(handler)
        except (OSError, ValueError):
            return


def saying(answer: bytes) -> Callable[[socketserver.StreamRequestHandler], None]:
    """Answers each request with these bytes."""

    def act(handler: socketserver.StreamRequestHandler) -> None:
        handler.wfile.write(answer)

    return act


def dripping(handler: socketserver.StreamRequestHandler) -> None:
    """An answer whose headers never end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(10_000):
        handler.wfile.write(b"X-%d: 1\r\n" % number)
        time.sleep(0.05)


def endless(handler: socketserver.StreamRequestHandler) -> None:
    """An answer whose body never ends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        handler.wfile.write(b"x" * 65536)


def silent(handler: socketserver.StreamRequestHandler) -> None:
    """No answer."""
    handler.rfile.readline(65536)


def json_answer(content: object) -> bytes:
    body = json.dumps(content).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


OURS = json_answer(
    {"name": "ssechat", "version": "\x1b[31m9", "token": "t", "user": "u", "checks": 7, "body_bytes": -1}
)


@contextmanager
def odd(act: Callable[[socketserver.StreamRequestHandler], None]) -> Iterator[str]:
    with Odd(act) as server:
        yield server.url


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (
            saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
            "answers 200 no type to GET /v1/server: there is no",
        ),
        (saying(json_answer(["x"])), "there is no ssechat server at this address"),
        (saying(b"HTTP/1.1 502 Oh\r\nContent-Length: 0\r\n\r\n"), "answers 502 no type: does the server run"),
        (
            saying(b"HTTP/1.1 301 Moved\r\nLocation: https://chat.example/v1/server\r\nContent-Length: 0\r\n\r\n"),
            "redirects to https://chat.example: examine that address",
        ),
        (saying(b"what?\r\n\r\n"), "what came is not HTTP"),
        (saying(b"\x16\x03\x01" * 100), "what came is not HTTP"),
        (silent, "it took too long"),
        (dripping, "it took too long"),
        (endless, "there is no ssechat server at this address"),
    ],
)
def test_an_address_of_something_else_is_a_sentence_and_exit_code_2(
    act: Callable[[socketserver.StreamRequestHandler], None], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with odd(act) as url:
        code, out, err = main(capsys, "doctor", url, "--timeout", "0.5")
    assert (code, out) == (2, "")
    assert said in err
    assert err.startswith("ssechat: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [(), ("--token", "t")], ids=["nobody", "somebody"])
def test_a_server_that_says_yes_to_everything_is_wrong_in_sentences(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with odd(saying(OURS)) as url:
        code, out, err = main(capsys, "doctor", url, "--timeout", "1", "--quick", "--json", *arguments)
    assert (code, err) == (1, "")
    *findings, summary = map(json.loads, out.splitlines())
    assert [each["check"] for each in findings] == [check.name for check in CHECKS]
    wrong = {each["check"] for each in findings if each["verdict"] == "wrong"}
    assert wrong > {"readiness", "page", "answers", "methods", "paths", "bodies", "host", "cors", "stream"}
    assert summary["wrong"] == len(wrong)
    assert all(("change" in each) == (each["verdict"] in ("wrong", "warning")) for each in findings)


def test_a_sign_up_that_is_not_taken_is_a_sentence_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with odd(saying(OURS)) as url:
        code, out, err = main(capsys, "doctor", url, "--sign-up")
    assert (code, out) == (2, "")
    assert err.startswith("ssechat: --sign-up: no account was made (200 application/json); give --user or --token")


def test_what_a_server_says_of_itself_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with odd(saying(OURS)) as url:
        code, out, _ = main(capsys, "doctor", url, "--timeout", "1", "--quick")
    assert code == 1
    assert "\x1b" not in out
    assert "ssechat \\x1b[31m9" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing argument 'URL'"),
        (("chat.example",), "URL: 'chat.example' is not an address such as http://127.0.0.1:8000"),
        (("ftp://chat.example",), "URL: 'ftp://chat.example' is not an address"),
        (("https://a:secret@chat.example",), "URL: an address has no user name and password"),
        (("https://chat.example:99999",), "URL: "),
        (("http://127.0.0.1:9", "--user", "a", "--sign-up"), "--user and --sign-up both name a user"),
        (("http://127.0.0.1:9", "--token", "t", "--sign-up"), "--token and --sign-up both name a user"),
        (("http://127.0.0.1:9", "--create"), "--create needs --user"),
        (("http://127.0.0.1:9", "--origin", "*"), "--origin: "),
        (("http://127.0.0.1:9", "--timeout", "0"), "Invalid value for '--timeout'"),
        (("http://127.0.0.1:9", "--http-port", "70000"), "Invalid value for '--http-port'"),
        (("http://127.0.0.1:9",), "cannot reach http://127.0.0.1:9: no answer to GET /v1/server (Connection refused)"),
        (("http://doctor.invalid",), "cannot reach http://doctor.invalid: "),
    ],
)
def test_what_cannot_be_asked_is_a_sentence_and_exit_code_2(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSECHAT_SERVER", "SSECHAT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    code, out, err = main(capsys, "doctor", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"ssechat: {said}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value"), [("SSL_CERT_FILE", "/nowhere/ca.crt"), ("ALL_PROXY", "socks5://user:hunter2@proxy.test")]
)
@pytest.mark.parametrize("url", ["http://doctor.invalid", "https://doctor.invalid"])
def test_what_the_environment_names_and_cannot_be_used_is_a_sentence_and_exit_code_2(
    url: str, name: str, value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    code, out, err = main(capsys, "doctor", url)
    assert (code, out) == (2, "")
    assert name in err
    assert "hunter2" not in err
    assert err.count("\n") == 1
