"""The commands in README.md, and those of the command line in deploy/README.md, work as pasted."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import ROOT, Server, environment, interruptible, until

README = (ROOT / "README.md").read_text()
DEPLOY = (ROOT / "deploy" / "README.md").read_text()
ADMIN_TOKEN = "the-token-of-the-admin"


def section(title: str, page: str = README) -> list[str]:
    """The shell blocks of a section."""
    [text] = re.findall(rf"^##+ {re.escape(title)}\n(.*?)(?=^##+ )", page, re.MULTILINE | re.DOTALL)
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def pasted(script: str, server: Server) -> tuple[list[str], dict[str, str]]:
    """The command and the environment of shell lines as pasted, with another address and path of the program."""
    program = f"{sys.executable} -m ssechat"
    script = script.replace("http://127.0.0.1:8000", server.url).replace(".venv/bin/ssechat", program)
    extra = {"SSECHAT_DATA": str(server.data), "SSECHAT_SERVER": server.url}
    return ["bash", "-c", f"set -o pipefail\n{script}"], environment(extra)


def paste(script: str, server: Server, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs shell lines to their end."""
    command, its = pasted(script, server)
    return subprocess.run(command, cwd=folder, env=its, capture_output=True, text=True, timeout=60)


def paste_until(last: str, script: str, server: Server, folder: Path) -> tuple[str, str]:
    """Runs shell lines that do not end until the regular expression is found, and interrupts them as Ctrl-C does.

    Returns the output, also if it is not found, and the errors.
    """
    command, its = pasted(script, server)
    out, errors = folder / "stdout", folder / "stderr"
    with out.open("wb") as stdout, errors.open("wb") as stderr:
        running = subprocess.Popen(
            command, cwd=folder, env=its, stdout=stdout, stderr=stderr, start_new_session=True,
            preexec_fn=interruptible,
        )  # fmt: skip
        try:
            with contextlib.suppress(TimeoutError):
                until(lambda: re.search(last, out.read_text()), 30)
        finally:
            os.killpg(running.pid, signal.SIGINT)
            running.wait(20)
    return out.read_text(), errors.read_text()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("readme")
    (folder / "admin.token").write_text(ADMIN_TOKEN)
    with Server(folder / "data", "--workers", "2", "--admin-token-file", str(folder / "admin.token")) as server:
        yield server


def test_a_third_person_takes_part_with_curl_alone(server: Server, tmp_path: Path) -> None:
    first, stream = section("A third person, with curl alone")
    told, errors = paste_until(
        r"event: caught_up\n.*\n\n", first + stream.replace("curl -N", "curl -sN"), server, tmp_path
    )
    assert '"user":"carol"' in told
    assert '"text":"a note to myself","client_msg_id":"note-1"' in told
    assert '"has_more":false' in told
    assert re.search(r"event: retry\nretry: \d+\ndata: {}\nid: 0-0\n\nevent: hello\n", told, re.MULTILINE)
    assert 'event: hello\ndata: {"user":"carol","resumed":true,"missed":1}\nid: 0-0\n' in told
    message = r'^event: message\ndata: {"conversation_id":"dm:carol:carol".*}\nid: 1-\d+\n\n'
    assert re.search(message, told, re.MULTILINE)
    # The output must match the README's, except the numbers.
    [shown] = re.findall(r"^```\n(event: hello\n.*?)^```", README, re.MULTILINE | re.DOTALL)
    as_shown = re.escape(shown).replace("…", ".*")
    assert re.search(re.sub(r"\d{4,}|1\\-\d+", r"[-\\d]+", as_shown) + r"\s*\Z", told)
    assert errors == ""
    again = paste(first, server, tmp_path)
    assert '"code":"name_taken"' in again.stdout
    assert again.stdout.count('"seq":1') == told.count('"seq":1') - 1


def test_a_group_is_made_and_written_to_with_curl_alone(server: Server, tmp_path: Path) -> None:
    [before, _], [block] = section("A third person, with curl alone"), section("A group, with curl")
    done = paste(before + block + "echo $G", server, tmp_path)
    assert done.stderr == ""
    sent, edited, liked, invite, group = done.stdout.splitlines()[-5:]
    assert re.fullmatch("g:[a-z2-7]{26}", group)
    assert {json.loads(each)["conversation_id"] for each in (sent, edited, liked)} == {group}
    assert [json.loads(each)["text"] for each in (sent, edited, liked)] == ["at non?", "at noon?", "at noon?"]
    assert [each["emoji"] for each in json.loads(liked)["reactions"]] == ["👍"]
    assert json.loads(invite)["secret"].startswith(f"{group}.")
    assert json.loads(invite)["max_uses"] == 1


def test_a_feed_is_made_filled_and_read_with_curl_alone(server: Server, tmp_path: Path) -> None:
    (tmp_path / "admin.token").write_text(ADMIN_TOKEN)
    [before, _], [block] = section("A third person, with curl alone"), section("A feed, with curl")
    told, errors = paste_until(
        r"event: caught_up\n.*\n\n", before + block.replace("curl -N", "curl -sN"), server, tmp_path
    )
    assert errors == ""
    made, published, shown, *stream = told[told.index('{"name":"scores"') :].splitlines()
    assert json.loads(made)["read"] == "public"
    assert "id" in json.loads(published)
    assert [event["data"] for event in json.loads(shown)["events"]] == ["2:1"]
    [data] = [line for line in stream if "bears-lions" in line]
    assert '"2:1"' in data


def test_the_terminals_commands_speak_to_each_other(server: Server, tmp_path: Path) -> None:
    [block] = section("The command line", DEPLOY)
    listen, *commands = [line.partition("#")[0] for line in block.splitlines()]
    for name in ("alice", "carol"):
        token = paste(f".venv/bin/ssechat token --create {name}", server, tmp_path).stdout.strip()
        paste(f"curl -s http://127.0.0.1:8000/v1/session -H 'Authorization: Bearer {token}'", server, tmp_path)
    for command in commands:
        done = paste(command, server, tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    heard, _ = paste_until(r"#1  carol: at five\?\n", f"exec {listen.strip()} --since 0-0", server, tmp_path)
    assert re.search(r"dm:alice:carol #1  carol: hi\n", heard)
    assert re.search(r'g:[a-z2-7]{26} "Walk"  carol made the group, with alice, 2 members\n', heard)
    assert re.search(r'g:[a-z2-7]{26} "Walk" #1  carol: at five\?\n', heard)
