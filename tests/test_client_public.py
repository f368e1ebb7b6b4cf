"""The client as programs get it: what its import brings along, its types, its help, its bot."""

import os
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

from bots import echo, programs
from serving import ROOT, environment
from ssechat import client

OF_SERVERS = (
    *("redis", "hiredis", "uvicorn", "uvloop", "starlette", "sse_starlette", "argon2", "jwt", "prometheus_client"),
    *(f"ssechat.{each}" for each in ("app", "chat", "cli", "events", "http", "identity", "logs", "redis", "server")),
)


def test_its_import_brings_nothing_of_the_server_along() -> None:
    program = "import sys, ssechat.client; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], env=environment(), capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert {*OF_SERVERS} & {*done.stdout.split()} == set()


def test_its_help_has_each_method_with_what_it_does() -> None:
    help = pydoc.plain(pydoc.render_doc(client.Client))
    for method in ("send", "events", "conversations", "history", "edit", "sign_up", "aclose"):
        assert f" {method}(" in help
    for kind in (client.Client, client.Groups, client.EventStream):
        for name, each in vars(kind).items():
            assert name.startswith("_") or each.__doc__, name


def test_the_bot_has_fifteen_lines() -> None:
    lines = [line for line in echo().splitlines() if line]
    assert len(lines) <= 15
    assert max(map(len, lines)) <= 116


GOOD = """
import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from ssechat.client import Client, ClientError, Event, GroupEvent, Message, MessageChangeEvent, MessageEvent
from ssechat.client import NotConfirmed, Refused, ResetEvent

async def token() -> str:
    return "t"

async def words(chat: Client) -> AsyncIterator[str]:
    async for event in chat.events(since="0-0"):
        if isinstance(event, MessageEvent | MessageChangeEvent):
            message: Message = event.data
            when: datetime | None = message.edited_at
            yield f"{message.text} {when}"
        elif isinstance(event, GroupEvent):
            yield event.data.name.upper()
        elif event.name == "poll":
            yield str(event.raw["q"])
        await handle(event)

async def handle(event: Event) -> None:
    match event:
        case ResetEvent(data=reset):
            print(reset.conversation_id.upper())
        case _:
            print(event.id.upper())

async def main() -> int:
    async with Client("http://chat.test", token, patience=3.5, note=print) as chat:
        try:
            sent: Message = await chat.send("bob", "hi", mentions=["bob"], data={"a": 1})
        except NotConfirmed as error:
            return len(error.client_msg_id)
        except Refused as error:
            return error.status
        except ClientError as error:
            return int(error.retry_after or 0)
        group = await chat.groups.make("Lunch", ["bob"])
        members = [member.role.upper() async for member in chat.groups.members(group.id)]
        async for old in chat.history(group.id, before=sent.seq):
            print(old.sender.upper())
        last = (await chat.conversation(group.id)).last_message
        return len(members) + (last.seq if last is not None else 0)

async def sign_up() -> None:
    async with await Client.sign_up("http://chat.test", "echo", "correct horse") as chat, chat.events() as events:
        print((await anext(events)).id, await chat.user())

asyncio.run(main())
"""

WRONG = """
from ssechat.client import Client, MessageEvent

async def main(chat: Client) -> None:
    (await chat.send("bob", "hi")).txt  # attr-defined
    await chat.send("bob", 7)  # arg-type
    await chat.send("bob", "hi", client_msg_id=7)  # arg-type
    async for event in chat.events():
        if isinstance(event, MessageEvent):
            event.data.reply_to + 1  # operator
            event.name == "reset"  # comparison-overlap
    async for member in chat.groups.members("g:x"):
        member.roll  # attr-defined
    chat.groups.make("Lunch").id  # attr-defined
    Client("http://chat.test", 7)  # arg-type
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What a strict type checker says of programs, by file."""
    folder = tmp_path_factory.mktemp("typing")
    files = {"good": GOOD, "wrong": WRONG, **{f"bot{n}": each for n, each in enumerate(programs().values())}}
    files["pasted"] = (ROOT / "src/ssechat/http/docs/templates/bot.py").read_text()
    for name, program in files.items():
        (folder / f"{name}.py").write_text(program.lstrip())
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent", "."]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stderr == ""
    found: dict[str, list[str]] = {name: [] for name in files}
    for line in done.stdout.splitlines():
        name, _, told = line.partition(".py:")
        if " error: " in told:
            found[name].append(told)
    return found


def test_a_program_that_uses_it_rightly_passes_a_strict_type_checker(checked: dict[str, list[str]]) -> None:
    assert {name: told for name, told in checked.items() if told and name != "wrong"} == {}


def test_a_program_that_uses_it_wrongly_is_told_each_mistake(checked: dict[str, list[str]]) -> None:
    lines = WRONG.lstrip().splitlines()
    marked = [(str(n), line.partition("# ")[2]) for n, line in enumerate(lines, 1) if "# " in line]
    told = [(each.partition(":")[0], each.rpartition("[")[2].rstrip("]")) for each in checked["wrong"]]
    assert told == marked


def test_its_types_are_installed_with_it() -> None:
    assert Path(client.__file__).parent.with_name("py.typed").exists()
