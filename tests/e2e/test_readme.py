"""The commands in the README work as pasted."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import ROOT, Server, environment

README = (ROOT / "README.md").read_text()


def section(title: str) -> list[str]:
    """The shell blocks of a section."""
    [text] = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## )", README, re.MULTILINE | re.DOTALL)
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def paste(script: str, server: Server, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs shell lines as pasted, with another address and path of the program."""
    program = f"{sys.executable} -m ssechat"
    script = script.replace("http://127.0.0.1:8000", server.url).replace(".venv/bin/ssechat", program)
    extra = {"SSECHAT_DATA": str(server.data), "SSECHAT_SERVER": server.url}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail\n{script}"],
        cwd=folder,
        env=environment(extra),
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("readme")
    with Server(folder / "data", "--workers", "2") as server:
        yield server


def test_a_third_person_takes_part_with_curl_alone(server: Server, tmp_path: Path) -> None:
    first, stream = section("A third person, with curl alone")
    # The stream does not end: it is interrupted after a while, as by Ctrl-C.
    done = paste(first + stream.replace("curl -N", "timeout 3 curl -sN") + "\ntrue", server, tmp_path)
    assert '"user":"carol"' in done.stdout
    assert '"text":"a note to myself","client_msg_id":"note-1"' in done.stdout
    assert '"has_more":false' in done.stdout
    assert re.search(r"event: retry\nretry: \d+\ndata: {}\nid: 0-0\n\nevent: hello\n", done.stdout, re.MULTILINE)
    assert 'event: hello\ndata: {"user":"carol","resumed":true,"missed":1}\nid: 0-0\n' in done.stdout
    message = r'^event: message\ndata: {"conversation_id":"dm:carol:carol".*}\nid: 1-\d+\n\n'
    assert re.search(message, done.stdout, re.MULTILINE)
    # The output must match the README's, except the numbers.
    [shown] = re.findall(r"^```\n(event: retry\n.*?)^```", README, re.MULTILINE | re.DOTALL)
    as_shown = re.escape(shown).replace("…", ".*")
    assert re.search(re.sub(r"\d{4,}|1\\-\d+", r"[-\\d]+", as_shown) + r"\s*\Z", done.stdout)
    assert done.stderr == ""
    again = paste(first, server, tmp_path)
    assert '"code":"name_taken"' in again.stdout
    assert again.stdout.count('"seq":1') == done.stdout.count('"seq":1') - 1


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


def test_the_terminals_commands_speak_to_each_other(server: Server, tmp_path: Path) -> None:
    [block] = section("From a terminal")
    listen, *commands = [line.partition("#")[0] for line in block.splitlines()]
    for name in ("alice", "carol"):
        token = paste(f".venv/bin/ssechat token --create {name}", server, tmp_path).stdout.strip()
        paste(f"curl -s http://127.0.0.1:8000/v1/session -H 'Authorization: Bearer {token}'", server, tmp_path)
    for command in commands:
        done = paste(command, server, tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    heard = paste(f"timeout 3 {listen.strip()} --since 0-0", server, tmp_path).stdout
    assert re.search(r"dm:alice:carol #1  carol: hi\n", heard)
    assert re.search(r'g:[a-z2-7]{26} "Walk"  carol made the group, with alice, 2 members\n', heard)
    assert re.search(r'g:[a-z2-7]{26} "Walk" #1  carol: at five\?\n', heard)
