"""What stands on the pages of documentation runs as pasted, and does what the pages say."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import jwt
import pytest

from e2e.api import Person, Reader, fresh, mint
from html_pages import Block, read
from pasting import Shell
from serving import Server, until
from ssechat.events import kinds
from ssechat.http.contract import (
    accounts,
    blocks,
    conversations,
    events,
    feeds,
    invites,
    marks,
    members,
    messages,
    people,
    presence,
    reactions,
    receipts,
    server,
    sessions,
    typing,
)
from ssechat.http.contract.operation import Operation

TOPICS = {
    "accounts": accounts,
    "blocks": blocks,
    "conversations": conversations,
    "events": events,
    "feeds": feeds,
    "invitations": invites,
    "members": members,
    "messages": messages,
    "profiles": people,
    "presence": presence,
    "reactions": reactions,
    "receipts": receipts,
    "server": server,
    "typing": typing,
    "unread": marks,
}
OPERATIONS = {
    value.id: value
    for module in (*TOPICS.values(), sessions)
    for value in vars(module).values()
    if isinstance(value, Operation)
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that many people sign up at."""
    options = ("--workers", "2", "--sign-ups-per-address", "0", "--failed-sign-ins-per-address", "0")
    with Server(tmp_path_factory.mktemp("docs") / "data", *options, "--feeds", "anybody") as running:
        yield running


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with Shell(tmp_path / "shell") as shell:
        yield shell


def blocks_of(site: Server, page: str) -> list[Block]:
    """The commands on a page."""
    html = httpx.get(f"{site.url}/docs/{page}", trust_env=False).text
    return [block for block in read(html).blocks if "data-run" in block.attributes]


def test_all_topics_are_here(site: Server) -> None:
    found = {
        link.removeprefix("/docs/").partition("#")[0]
        for link in read(httpx.get(f"{site.url}/docs", trust_env=False).text).links
        if "#" in link and link.startswith("/docs/")
    }
    assert found == set(TOPICS)


@pytest.mark.parametrize("topic", TOPICS)
def test_the_commands_of_a_page_run_in_order_and_make_the_events_that_the_page_says(
    site: Server, shell: Shell, topic: str
) -> None:
    setup, *commands = blocks_of(site, topic)
    assert setup.attributes["data-run"] == "setup"
    assert shell.paste(setup.text) == ""
    assert all(200 <= status < 300 for status in shell.statuses)
    ids = [name for name in read(httpx.get(f"{site.url}/docs/{topic}", trust_env=False).text).ids if name in OPERATIONS]
    assert len(ids) == len(commands)
    # That one is writing, and what one has, the others hear.
    token = shell.variable("YOURS" if topic in ("receipts", "typing") else "TOKEN")
    others = {kinds.RECEIPT.name} if topic == "unread" else set()
    reader = Reader(site, token).live() if token else None
    expected: Counter[str] = Counter()
    for name, command in zip(ids, commands, strict=True):
        output = shell.paste(command.text)
        assert shell.statuses[-1] == int(command.attributes["data-status"]), (command.text, output)
        assert all(200 <= status < 300 for status in shell.statuses)
        expected.update(event for event in OPERATIONS[name].events if event not in others)
    if reader is not None:
        with reader:
            came = reader.until(lambda it: len(it.events) - 1 >= expected.total()).events
            assert Counter(event.name for event in came if event.name != "hello") == expected
    assert shell.paste(setup.text) == "", "pasted again it makes other people and things"
    shell.paste(commands[0].text)
    assert shell.statuses[-1] == int(commands[0].attributes["data-status"])


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_command_runs_alone_behind_the_first_lines_of_its_page(site: Server, shell: Shell, name: str) -> None:
    [topic] = [topic for topic, module in TOPICS.items() if OPERATIONS[name].topic == module.TOPIC]
    html = httpx.get(f"{site.url}/docs/{topic}", trust_env=False).text
    ids = [each for each in read(html).ids if each in OPERATIONS]
    setup, *commands = [block for block in read(html).blocks if "data-run" in block.attributes]
    shell.paste(setup.text)
    command = commands[ids.index(name)]
    output = shell.paste(command.text)
    assert shell.statuses[-1] == int(command.attributes["data-status"]), output
    assert next(iter(OPERATIONS[name].answers)) == int(command.attributes["data-status"])


def test_the_first_steps_can_be_taken_one_after_the_other(site: Server, shell: Shell) -> None:
    outputs = {}
    for block in blocks_of(site, "first-steps"):
        if block.attributes["data-run"] == "example":
            outputs[block.text] = shell.paste(block.text)
            assert shell.statuses[-1] == int(block.attributes["data-status"]), (block.text, outputs[block.text])
    together = "\n".join(outputs.values())
    assert '"sign_up":true' in together
    assert f'{{"user":"{shell.variable("ME")}"}}' in together
    assert together.count("event: caught_up") == 2, "of the stream, and of the one that resumes"
    assert 'event: reset\ndata: {"reason":"unknown"' in together
    assert '"code":"invalid_request"' in together


def test_the_bot_of_the_first_steps_answers_each_message_once_though_it_and_the_server_are_stopped(
    tmp_path: Path,
) -> None:
    odd = "hello \\ 'x' \"y\" ä"
    with Server(tmp_path / "data", "--workers", "2") as site:
        port, robot = site.port, fresh("Robot")
        [bot] = [block.text for block in blocks_of(site, "first-steps") if block.attributes["data-run"] == "bot"]
        start = f"S={site.url} JSON='Content-Type: application/json' AUTH='Authorization: Bearer {mint(site, robot)}'"
        with Person(site, fresh("alice")) as alice, Person(site, robot) as it:
            assert alice.http.get("/v1/session").status_code == it.http.get("/v1/session").status_code == 200
        token, name = alice.token, robot.lower()
        with Shell(tmp_path / "one") as shell, Person(site, alice.user, token) as alice, alice.listen() as reader:
            shell.paste(start)
            shell.leave_running(bot)
            reader.live()
            alice.say(odd, name)
            alice.say("two", name)
            assert len(reader.messages(4)) == 4
            until(lambda: (shell.folder / "last-id").exists())
            last_id = (shell.folder / "last-id").read_text()
            shell.close()
            alice.say("three", name)
    with Shell(tmp_path / "two") as shell:
        shell.paste(start)
        (shell.folder / "last-id").write_text(last_id)
        with Server(tmp_path / "data", "--workers", "2", port=port) as site, Person(site, alice.user, token) as alice:
            shell.leave_running(bot)
            until(lambda: len(alice.history(name)) == 6, 30)
            alice.say("four", name)
        # Now or later: the answer is the same.
        with Server(tmp_path / "data", "--workers", "2", port=port) as site, Person(site, alice.user, token) as alice:
            until(lambda: len(alice.history(name)) == 8, 60)
            (shell.folder / "last-id").unlink()
            shell.close()
            with Shell(tmp_path / "three") as third:  # from the beginning: what was answered is not answered again
                third.paste(start)
                third.leave_running(bot)
                alice.say("five", name)
                until(lambda: len(alice.history(name)) >= 10, 30)
            texts = sorted(message["text"] for message in alice.history(name))
            asked = [odd, "two", "three", "four", "five"]
            assert texts == sorted([*asked, *(f"You said: {text}" for text in asked)])
            wrong = 'method="POST",route="/v1/messages",status="422"'
            assert wrong not in httpx.get(f"{site.url}/metrics", trust_env=False).text, "it sends nothing that is none"


def test_the_bot_in_python_and_the_commands_talk_to_each_other(site: Server, tmp_path: Path) -> None:
    blocks = {block.attributes["data-run"]: block.text for block in blocks_of(site, "clients")}
    program = tmp_path / "bot.py"
    program.write_text(blocks["python"])
    robot = fresh("robot")
    with Person(site, robot) as bot, Person(site, fresh("alice")) as alice:
        for person in (bot, alice):
            person.http.get("/v1/session")
        with (
            Shell(tmp_path / "bot", {"SSECHAT_SERVER": site.url, "SSECHAT_TOKEN": bot.token}) as running,
            Shell(tmp_path / "alice", {"SSECHAT_SERVER": site.url, "SSECHAT_TOKEN": alice.token}) as shell,
        ):
            running.leave_running(f"python {program}")
            send, _, helped = blocks["terminal"].splitlines()
            shell.paste(send.replace(" bob ", f" {robot} "))
            until(lambda: [message["text"] for message in alice.history(robot)] == ["hello", "You said: hello"], 30)
            assert "make" in shell.paste(helped)


def test_a_server_that_takes_tokens_of_another_system_says_commands_that_run_there(tmp_path: Path) -> None:
    secret = "a secret of another system, of 32 characters"
    with Server(tmp_path / "data", extra_environment={"SSECHAT_JWT_SECRET": secret}) as site:
        expires = time.time() + 3600
        tokens = {
            f"a token for {name}": jwt.encode({"sub": name, "exp": expires}, secret, algorithm="HS256")
            for name in ("ada", "bob")
        }
        for topic in ("messages", "members"):
            setup, *commands = blocks_of(site, topic)
            with Shell(tmp_path / topic) as shell:
                filled = setup.text
                for placeholder, token in tokens.items():
                    assert placeholder in filled
                    filled = filled.replace(placeholder, token)
                shell.paste(filled)
                for command in commands:
                    output = shell.paste(command.text)
                    assert shell.statuses[-1] == int(command.attributes["data-status"]), output
