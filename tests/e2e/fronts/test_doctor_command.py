"""`ssechat doctor` as it is typed: what it prints, its exit codes, and what it leaves behind."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.fronting import ChangedFront, Front
from commands import run
from e2e.api import Person, fresh, mint, serve
from e2e.fronts.broken import FAULTS
from e2e.fronts.conftest import Apps, some_apps
from e2e.fronts.crooked import Crooked
from serving import environment, interruptible, until
from ssechat.doctor.examination import CHECKS

MOST_REQUESTS = 80
"""As `--help` says."""


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    with some_apps(tmp_path_factory.mktemp("doctor"), 1) as running:
        yield running


@contextlib.contextmanager
def broken(what: str, folder: Path, apps: Apps) -> Iterator[Front]:
    """An nginx with one of the faults."""
    [fault] = [each for each in FAULTS if (each.kind, each.what) == ("nginx", what)]
    with ChangedFront(fault.kind, folder / "front", apps.addresses, fault.changes) as front:
        yield front


def examine(front: Front, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command at a front."""
    return run("doctor", front.url, "--quick", *arguments, SSL_CERT_FILE=str(front.certificate))


def test_nothing_is_wrong_is_exit_code_0(apps: Apps) -> None:
    name = fresh("alice")
    arguments = ("--user", name, "--create", "--data", str(apps.first.data))
    done = run("doctor", apps.first.url, *arguments)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith(f"{apps.first.url}: ssechat ")
    assert done.stdout.endswith("skipped; nothing is wrong\n")
    verdicts = re.findall(r"^(?:ok|skipped) +([a-z0-9-]+) ", done.stdout, re.MULTILINE)
    assert verdicts == [check.name for check in CHECKS]
    assert done.stderr == (
        "silence: holding a stream until its ping; this takes up to a minute (--quick leaves it out) …\n"
    )


def test_what_is_wrong_is_said_with_the_line_of_the_front_that_is_there(apps: Apps, tmp_path: Path) -> None:
    with broken("drops the last event id", tmp_path, apps) as front:
        done = examine(front, "--sign-up")
    assert done.returncode == 1, done.stdout
    said = " ".join(done.stdout.split())
    assert "wrong resuming the header Last-Event-ID does not reach the app what it means Whoever reconnects" in said
    assert "nginx: without proxy_set_header Last-Event-ID" in said
    assert "Caddy: " not in said
    assert "HAProxy: " not in said
    assert "1 wrong" in said
    assert "The account doctor-" in said
    assert "\x1b" not in done.stdout


def test_a_warning_is_exit_code_0_and_with_strict_1(apps: Apps, tmp_path: Path) -> None:
    with broken("speaks no HTTP/2", tmp_path, apps) as front:
        lax, strict = examine(front), examine(front, "--strict")
    assert (lax.returncode, strict.returncode) == (0, 1)
    assert "warning  http2 " in lax.stdout
    assert "What needs a user was left out: it needs a user: --user NAME" in lax.stdout


def test_json_is_a_line_for_each_check_and_one_for_all(apps: Apps, tmp_path: Path) -> None:
    with broken("shows metrics", tmp_path, apps) as front:
        done = examine(front, "--json")
    *findings, summary = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, done.stderr) == (1, "")
    assert [each["check"] for each in findings] == [check.name for check in CHECKS]
    [metrics] = [each for each in findings if each["verdict"] == "wrong"]
    assert metrics["check"] == "metrics"
    assert metrics["found"].startswith("everybody can read them, as /metrics, ")
    lines = {"front": "nginx", "line": "location ~* ^/metrics { return 404; }", "remove": False, "where": None}
    assert lines in metrics["lines"]
    assert (summary["url"], summary["front"], summary["wrong"]) == (front.url, "nginx", 1)


def test_a_token_in_the_environment_is_sent_to_no_other_server(apps: Apps) -> None:
    token = mint(apps.first, fresh("alice"))
    away = run("doctor", apps.first.url, "--quick", SSECHAT_TOKEN=token, SSECHAT_SERVER="https://chat.example")
    assert away.returncode == 0
    assert "The token in SSECHAT_TOKEN is for the server in SSECHAT_SERVER" in away.stderr
    assert "a token reaches the app" in away.stdout
    home = run("doctor", "--quick", SSECHAT_TOKEN=token, SSECHAT_SERVER=apps.first.url)
    assert home.returncode == 0
    assert "signed in as alice" in home.stdout
    alone = run("doctor", f"{apps.first.url}/", "--quick", SSECHAT_TOKEN=token)
    assert "signed in as alice" in alone.stdout


def test_a_token_that_is_not_accepted_is_said_once(apps: Apps) -> None:
    done = run("doctor", apps.first.url, "--quick", "--token", "nonsense", "--json")
    findings = {each["check"]: each for each in map(json.loads, done.stdout.splitlines()[:-1])}
    assert done.returncode == 1
    assert [name for name, each in findings.items() if each["verdict"] == "wrong"] == ["authorization"]
    assert findings["authorization"]["found"].startswith("the token is not accepted (The token is not valid here")


def test_it_sends_no_more_than_it_says_and_leaves_one_deleted_note(apps: Apps) -> None:
    user = fresh("alice")
    with Person(apps.first, user) as alice, Crooked(apps.addresses[0], "is late") as front:
        assert alice.http.get("/v1/session").status_code == 200
        done = run("doctor", front.url, "--quick", "--token", alice.token)
        assert "wrong    clock " in done.stdout
        assert MOST_REQUESTS / 2 < front.requests <= MOST_REQUESTS
        [note] = alice.history(user)
    assert note["deleted"] is True
    assert f"about {MOST_REQUESTS} small requests" in run("doctor", "--help").stdout


def test_ctrl_c_ends_it_without_a_traceback(tmp_path: Path) -> None:
    with serve(tmp_path, "--ping-seconds", "30") as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "ssechat", "doctor", server.url, "--sign-up"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), preexec_fn=interruptible,
        )  # fmt: skip
        assert process.stderr is not None
        assert process.stderr.readline().startswith("silence: holding a stream")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err.strip()) == (130, "")
    assert "buffering" in out


@pytest.mark.parametrize("plain", [False, True])
def test_a_terminal_gets_colours_unless_it_wants_none(plain: bool, apps: Apps) -> None:
    ours, theirs = pty.openpty()
    variables = environment({"TERM": "xterm", **({"NO_COLOR": "1"} if plain else {})})
    process = subprocess.Popen(
        [sys.executable, "-m", "ssechat", "doctor", apps.first.url, "--quick"],
        stdin=theirs, stdout=theirs, stderr=theirs, env=variables,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    with contextlib.suppress(OSError):  # Linux's way to say that the other end is closed
        while part := os.read(ours, 65536):
            said += part
    os.close(ours)
    assert process.wait(20) == 0
    assert (b"\x1b[32mok" in said) != plain
    assert b"\r\x1b[K" in said
    until(lambda: process.poll() is not None)
